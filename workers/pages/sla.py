"""The clocks of a case, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from workers.console import note
from workers.pages.tables import line, table
from workers.pages.words import moment, short_span
from workunits.cases import CaseView
from workunits.core.clocks import UNIT
from workunits.core.record import ClockEntry, ClockFacts, Record, Rung

_HEADERS = ("CLOCK", "STATE", ">BUDGET", ">USED", ">STOOD STILL", "DUE", "CALENDAR")


def show(view: CaseView, now: datetime) -> None:
    """Print them."""
    record = view.record
    if record is None or not record.due:
        note(f"{view.case} has armed no clock yet.")
        return
    rows = []
    for facts in clocks(record, now):
        due = moment(record.when(facts.due)) if facts.due is not None else "not known yet"
        state = f"{facts.state}, BREACHED" if facts.breached is not None else facts.state
        spans = (short_span(timedelta(microseconds=us)) for us in (facts.budget, facts.consumed, facts.paused))
        rows.append((facts.clock, state, *spans, due, facts.calendar or "elapsed time"))
    table(_HEADERS, rows, whole=(0, 5))
    for said in entries(record):
        line(f"{moment(said['at'])}  {said['text']}")


def as_json(view: CaseView) -> dict[str, Any]:
    """As one document; times in UTC, spans in seconds."""
    record = view.record
    if record is None or not record.due:
        return {"case": view.case, "clocks": [], "entries": []}
    now = record.when(record.closed) if record.closed is not None else datetime.now(record.started.tzinfo)
    return {
        "case": view.case,
        "clocks": [
            {
                "clock": facts.clock,
                "promise": facts.name,
                "state": facts.state,
                "budget_seconds": facts.budget / 1e6,
                "consumed_seconds": facts.consumed / 1e6,
                "paused_seconds": facts.paused / 1e6,
                "due": record.when(facts.due) if facts.due is not None else None,
                "breached": facts.breached is not None,
                "calendar": facts.calendar or None,
                "generation": facts.generation,
            }
            for facts in clocks(record, now)
        ],
        "entries": [{**said, "at": said["at"]} for said in entries(record)],
    }


def clocks(record: Record, now: datetime) -> list[ClockFacts]:
    """How the clocks stood when the case last said it; the only one of a plain case is read now."""
    if record.clocks:
        return record.clocks
    used = record.closed if record.closed is not None else record.offset(now)
    only = ClockFacts(clock=UNIT, name=UNIT, started=0, budget=record.due, consumed=used, due=record.due)
    state = "running" if record.close is None else "void" if record.sla == "void" else "stopped"
    return [only.model_copy(update={"state": state, "breached": record.breached, "stopped": record.closed})]


def entries(record: Record) -> Iterator[dict[str, Any]]:
    """What fired and what people did, in the order of time."""
    said = [(rung.at, rung.task or rung.clock, _fired(rung)) for rung in record.rungs]
    said += [(entry.at, entry.clock, _done(entry)) for entry in record.entries]
    for at, clock, text in sorted(said):
        yield {"at": record.when(at), "clock": clock, "text": text}


def _fired(rung: Rung) -> str:
    number = f" {rung.number}" if rung.number else ""
    late = timedelta(microseconds=rung.at - rung.due)
    lateness = f", {short_span(late)} late" if late >= timedelta(seconds=1) else ""
    reached = f"; reached {', '.join(rung.reached)}" if rung.reached else ""
    return f"{rung.rung}{number} of {rung.task or rung.clock}{lateness}{reached}"


def _done(entry: ClockEntry) -> str:
    amount = f" by {short_span(timedelta(microseconds=entry.amount))}" if entry.amount else ""
    evidence = f" ({entry.evidence})" if entry.evidence else ""
    came = f"; {entry.calendar}: {entry.came}{f', {entry.why}' if entry.why else ''}" if entry.came else ""
    return f"{entry.by}: {entry.entry} {entry.clock}{amount}, {entry.reason}{evidence}{came}"
