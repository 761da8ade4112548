"""Baselines of a version from the ledger's own cases: what there is to beat, frozen and signed by the unit's owner.

The first one of a unit needs the signature alone. A later one moves the goal, and so needs a reason that nobody can
give by hand: a verdict "better" of the version that is frozen, or a shift of the drift chart since the last one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from observability.learning.baseline import METRICS, Baseline, BaselineExistsError, NoBaselineError, baselines_of
from observability.learning.breakdown import by_step
from observability.learning.changes import LearningError, add, changes_of
from observability.learning.drift import shifts
from observability.learning.estimates import as_json, censored, spread
from observability.learning.pasts import WHOLE
from observability.learning.report import figures_of
from observability.learning.selection import Asked, Closed, Open, closed_cases, open_cases, task_queues
from observability.learning.traces import UNSAID
from observability.learning.usual import Gathering, Usual, cells_of, records
from observability.ledger.auditing import note_audit
from observability.ledger.keeping import baselines
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, steps
from workunits.core.unit import WorkUnit

FEWEST = 30
"""Closed cases from which on a version has figures to freeze."""
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signs, and in which roles."""

    name: str
    roles: Sequence[str]
    at: datetime


def freeze_version(ledger: Ledger, unit: type[WorkUnit], asked: Asked, signed: Signature, name: str = "") -> Baseline:
    """Freeze the figures of a version.

    Args:
        ledger: Where.
        unit: The unit.
        asked: Its version, and the window in which its cases closed; after a shift, since that began when it has none.
        signed: The owner's signature.
        name: The baseline's name; `version N` when empty.

    Raises:
        LearningError: the signature is not the owner's, there are too few cases, or nothing justifies a new one.
        BaselineExistsError: the unit has one of that name.
        LedgerUnavailableError: nothing was written.
    """
    if unit.learning.owner not in signed.roles:
        raise LearningError(f"a baseline is signed by the unit's owner: sign with the role {unit.learning.owner}")
    name, now = (name or f"version {asked.version}")[:_LONGEST_NAME], signed.at
    with ledger.write() as connection:
        last = _last(connection, unit.unit_name, name)
        why, change = _justified(connection, unit, asked.version or "", last, now)
        if why.get("since") and asked.since is None:
            # Weeks from before the shift are how it no longer is: with them it would be stale as soon as it is frozen.
            asked = replace(asked, since=datetime.fromisoformat(why["since"]))
        baseline = _made(connection, asked, name, now)
        row = {one.name: getattr(baseline, one.name) for one in fields(baseline)}
        connection.execute(baselines.insert().values(row))
        told = {"unit": baseline.unit, "name": baseline.name, "n": baseline.n}
        note_audit(connection, signed.name, "baseline", now, case=None, **told)
        entry = {"to_version": asked.version, "owner": unit.learning.owner, "baseline": name, "detail": dict(why)}
        add(connection, unit.unit_name, "baseline", signed.name, now, change=change, **entry)
    return baseline


def version_of(baseline: Baseline) -> str | None:
    """The version that a baseline was frozen from; None of one from a log."""
    version: str | None = baseline.mapping.get("version")
    return version


def _last(connection: Connection, unit: str, name: str) -> Baseline | None:
    try:
        found = baselines_of(connection, unit)
    except NoBaselineError:
        return None
    if any(other.name == name for other in found):
        raise BaselineExistsError(
            f"the unit {unit} has a baseline {name!r}; a baseline is frozen: "
            "give this one a name of its own with --name"
        )
    return found[0]


def _justified(
    connection: Connection, unit: type[WorkUnit], version: str, last: Baseline | None, now: datetime
) -> tuple[Mapping[str, Any], int | None]:
    """What a new baseline stands on, and the change that it follows from."""
    if last is None:
        return {"because": "first"}, None
    for change in reversed(changes_of(connection, unit.unit_name)):
        held = change.last
        if held and held.decision == "adopt" and held.verdict == "better" and held.to_version == version:
            if held.at > last.frozen_at:
                return {"because": "better", "before": last.name}, change.number
            break
    for measure, shift in shifts(connection, unit, last, now).items():
        seen = {"measure": measure, "week": shift.week.isoformat(), "side": shift.side, "run": shift.run}
        seen |= {"since": shift.began.isoformat()} if shift.began else {}
        return {"because": "drift", "before": last.name, **seen}, None
    raise LearningError(
        "a new baseline needs an adopted change with the verdict better, or a shift on the drift chart, "
        f"since {last.name!r} was frozen: workunits learn history {unit.unit_name}"
    )


def _made(connection: Connection, asked: Asked, name: str, now: datetime) -> Baseline:
    closed = closed_cases(connection, asked)
    if len(closed) < FEWEST:
        raise LearningError(f"version {asked.version} has {len(closed)} closed case(s) there, and {FEWEST} are needed")
    ids = hashlib.sha256("\0".join(sorted(closed["case_id"].tolist())).encode())
    of = json.dumps([asked.unit, asked.version, METRICS, ids.hexdigest()])
    source = hashlib.sha256(of.encode()).hexdigest()
    began = connection.execute(select(func.min(cases.c.started_at)).where(*_chosen(asked))).scalar_one()
    still_open = select(func.count()).where(cases.c.unit == asked.unit, cases.c.version == asked.version)
    segments = Counter(segment or UNSAID for segment in closed["segment"].tolist())
    return Baseline(
        baseline_id=hashlib.sha256(f"{asked.unit}\0{name}\0{source}".encode()).hexdigest(),
        unit=asked.unit,
        name=name,
        source=f"the cases of version {asked.version}",
        source_hash=source,
        frozen_at=now,
        window_from=asked.since or began,
        window_to=asked.until or closed["closed_at"][-1],
        n=len(closed),
        n_open=connection.execute(still_open.where(cases.c.close.is_(None))).scalar_one(),
        metrics=METRICS,
        mapping={"version": asked.version, "segment": segments.keys() != {UNSAID}},
        figures=_figures(connection, asked, closed, now),
        segments={segment: count / len(closed) for segment, count in sorted(segments.items())},
    )


def _chosen(asked: Asked) -> list[Any]:
    window = [cases.c.unit == asked.unit, cases.c.version == asked.version, cases.c.close.is_not(None)]
    window += [cases.c.closed_at >= asked.since] if asked.since else []
    return window + ([cases.c.closed_at < asked.until] if asked.until else [])


def _figures(connection: Connection, asked: Asked, closed: Closed, now: datetime) -> Mapping[str, Any]:
    """The figures under the names that a baseline from a log has, so that a report stands beside either."""
    waits = [wait for some in task_queues(connection, asked).values() for wait in some]
    past_due = sum(open_cases(connection, asked, now).values(), Open()).past_due
    told = figures_of(connection, asked, closed, past_due=past_due, waits=waits)
    counted = {kind: int(closed[f"handoffs_{kind}"].sum()) for kind in ("hh", "hm", "mh", "mm")}
    found = {
        "cycle_time_us": told.cycle,
        "cycle_time_censored_us": _censored(connection, asked, now),
        "cycle_time_by_close_us": {
            close: spread(closed["cycle_us"][closed["close"] == close]) for close in sorted(told.closes)
        },
        "lead_time_us": told.lead,
        "closes": told.closes,
        "reasons": {},
        "attainment": told.outcome_attainment,
        "on_time": told.on_time,
        "exceptions": {"any": told.exception_rate, "by_code": told.exceptions},
        "rework": told.rework_rate,
        "overrides": told.override_rate,
        "first_pass_yield": told.first_pass_yield,
        "straight_through": told.straight_through,
        "queue_us": told.task_queue,
        "touch_human_us": told.touch_human,
        "touch_machine_us": told.touch_machine,
        "touch_left_out": told.touch_human_unmeasured,
        "touch_overlapping": None,
        "active_us": spread(closed["active_us"]),
        "flow_efficiency": told.flow_efficiency,
        "external_wait_us": told.external_wait,
        "handoffs": {**counted, UNSAID: 0, "per_case": sum(counted.values()) / len(closed)},
        "sla": told.sla_attainment,
        "steps": _steps(connection, asked),
        "parts": told.parts,
        "cells": _cells(connection, asked),
        "remarks": {"not_in_the_log": []},
    }
    return {name: as_json(value) for name, value in found.items()}


def _censored(connection: Connection, asked: Asked, now: datetime) -> Any:
    """With the version's open cases, as long as they have been open."""
    columns = (cases.c.cycle_us, cases.c.started_at)
    wanted = select(*columns).where(cases.c.unit == asked.unit, cases.c.version == asked.version)
    until = asked.until or now
    wanted = wanted.where(cases.c.started_at < until)
    if asked.since:
        wanted = wanted.where(cases.c.started_at >= asked.since)
    times, ended = [], []
    for cycle, started in connection.execute(wanted):
        open_for = round((until - started).total_seconds() * 1_000_000)
        ended.append(int(cycle is not None and cycle <= open_for))
        times.append(min(cycle, open_for) if cycle is not None else open_for)
    return censored(times, ended)


def _steps(connection: Connection, asked: Asked) -> Mapping[str, Any]:
    traces = select(steps.c.step, func.count(steps.c.case_id.distinct()))
    counted = traces.join(cases, cases.c.case_id == steps.c.case_id).where(*_chosen(asked)).group_by(steps.c.step)
    performed: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    return {
        step: {
            "pieces": went.n,
            "traces": performed.get(step, 0),
            "kind": went.kind,
            "queue_us": as_json(went.queue),
            "touch_us": as_json(went.work),
            "by_kind": {went.kind: {"pieces": went.n, "touch_us": as_json(went.work)}},
            "completed_without_start": went.unmeasured,
            "started_without_end": 0,
            "scheduled_only": 0,
        }
        for step, went in by_step(connection, asked).items()
    }


def _cells(connection: Connection, asked: Asked) -> Mapping[str, Mapping[str, Any]]:
    """The times of each step by part, with intervals; what `workunits advise` and `explain` compare with."""
    gathered = Gathering()
    spent: dict[tuple[str, str], list[int]] = {}
    for record in records(connection, asked.unit, *_chosen(asked)):
        performed, cells = [work.step for work in record.steps], cells_of(record)
        gathered.add(performed, cells)
        for step in set(performed):
            for part in {part for of, part in cells if of == step}:
                spent.setdefault((step, part), []).append(cells[step, part])
    usual: Usual = gathered.usual()
    found: dict[str, dict[str, Any]] = {}
    for (step, part), typical in sorted(usual.cells.items()):
        values = spent.get((step, part), [])
        zeros = [0] * (typical.n - len(values))
        found.setdefault(step, {})[part] = {"median": typical.median, **_bounds([*zeros, *values])}
    found[WHOLE] = {part: {"median": median, "n": usual.n} for part, median in usual.parts.items()}
    return found


def _bounds(values: Sequence[int]) -> Mapping[str, Any]:
    told = spread(values)
    return {"n": told.n, "low": told.median.low, "high": told.median.high} if told else {"n": 0}
