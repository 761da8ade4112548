"""One case in full: who answers for it, how it stands, what happened step by step, and for whom it waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client

from observability.learning.proposed import made_by, told, without_undecided
from workers.deadlines import Deadline, deadline
from workers.opened import open_failure
from workers.pages.tables import Cell, line, pairs, table
from workers.pages.words import distance, micro, moment, plain, span
from workunits.cases import CaseView
from workunits.core.lifecycle import Task
from workunits.core.parts import parts
from workunits.core.record import ROUTES, Microseconds, Record, Work
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog

_STUCK = 2
"""Attempts of a workflow task from which on the case counts as stuck."""
_FAILURE_SHOWN = 160
_IGNORED_SHOWN = 3


@dataclass(frozen=True)
class Page:
    """What there is to say about a case."""

    view: CaseView
    unit: type[WorkUnit]
    sla: Deadline
    now: datetime
    under_way: tuple[str, ...] = ()
    """Machine steps that run or are tried again, in words."""
    stuck: bool = False
    """Its workflow task fails again and again: a bug in the unit's code."""

    @property
    def elapsed(self) -> Microseconds:
        """How long the case has been, or was, open."""
        record = self.view.record
        if record is None:
            return 0
        return record.closed if record.closed is not None else record.offset(self.now)

    def as_json(self) -> dict[str, Any]:
        """As an object: the whole record, and what follows from it."""
        view, record = self.view, self.view.record
        return {
            "case": view.case,
            "unit": view.unit,
            "key": view.key,
            "run": view.run,
            "open": view.is_open,
            "state": view.state,
            "started": view.started,
            "accountable": self.unit.outcome.accountable,
            "sla": self.sla.as_json(),
            "record": without_undecided(record) if record else None,
            "proposals": [one.as_json() for one in told(record)] if record else [],
            "tasks": view.tasks,
            "parts": parts(record, self.elapsed) if record and not record.elsewhere else None,
            "under_way": self.under_way,
            "stuck": self.stuck,
        }


async def page_of(client: Client, catalog: Catalog, view: CaseView, now: datetime) -> Page:
    """Collect what there is to say; one more request for a case that is open."""
    page = Page(view, catalog.get(view.unit), deadline(view, catalog, now), now)
    if not view.is_open:
        return page
    description = await client.get_workflow_handle(view.case, run_id=view.run).describe()
    said = description.raw_description
    running = tuple([await _under_way(client, view.case, activity) for activity in said.pending_activities])
    stuck = said.pending_workflow_task.attempt >= _STUCK
    return Page(view, page.unit, page.sla, now, running, stuck)


def show(page: Page) -> None:
    """Print it."""
    view, record = page.view, page.view.record
    line(f"{view.case} is {view.state.replace('_', ' ')}", style="bold")
    line()
    pairs(_header(page))
    if page.stuck:
        line()
        line("It is stuck: the unit's code fails on it. See: workunits doctor", style="bold red")
    if record is None:
        return
    if record.steps:
        line()
        rows = (_step(page, work) for work in record.steps)
        table(("STEP", "EXECUTOR", "STATE", ">WAITED", ">WORKED", ">TRIES", "BY"), rows)
    if record.left_out:
        line()
        names = ", ".join(record.left_out)
        line(f"It is too large to be listed whole while it is open: {names} are shown once it closes.")
    if not record.elsewhere:
        _show_time(page, record)
    _show_proposals(record)
    _show_routes(record)
    _show_ignored(record)


def _header(page: Page) -> Iterator[tuple[str, Cell]]:
    view, record, outcome = page.view, page.view.record, page.unit.outcome
    version = record.version if record else f"{page.unit.version}, as known here"
    yield "Unit", f"{view.unit}, version {version}"
    yield "Key", view.key
    yield "Outcome", outcome.statement
    yield "Accountable", outcome.accountable
    started = f"{moment(view.started)}, {distance(view.started, page.now)}"
    yield ("Starts" if view.started > page.now else "Started"), started
    words = page.sla.words()
    said, style = words if isinstance(words, tuple) else (words, "")
    due = f"due {moment(page.sla.due)}" if page.sla.due else "not armed yet"
    yield "SLA", (f"{due}{', ' if said else ''}{said}", style)
    if not view.is_open:
        yield from _close(view, record)
    for incident in record.incidents if record else ():
        if incident.holds:
            yield "Held by", (f"an incident: {incident.cause}; decide it: workunits incidents show {view.case}", "red")
    for task in view.tasks:
        yield "Waits for", waits_for(task, page.now)
    for text in page.under_way:
        yield "Performs", text
    idle = not view.tasks and not page.under_way and view.state != "incident"
    if view.is_open and idle and view.started <= page.now:
        yield "Waits for", "a worker" if record is None else "nobody; a machine step is next, or the case is closing"


def _close(view: CaseView, record: Record | None) -> Iterator[tuple[str, Cell]]:
    if record is None or record.closed is None:
        when = moment(view.closed) if view.closed else "an unknown time"
        yield "Closed", f"{view.state} from outside at {when}"
        return
    yield "Closed", f"{view.state} at {moment(record.when(record.closed))}, after {micro(record.closed)}"
    yield "Reason", ": ".join(part for part in (record.reason, record.why) if part)
    yield "Cancelled by", record.cancelled_by or ""
    yield "Decided by", ", ".join(record.decided_by)


def waits_for(task: Task, now: datetime) -> str:
    """Say on whom a task waits, since when, and until when."""
    said = f"{task.role}: {task.id.rpartition('/')[2]}, for {span(now - task.ready)}"
    if task.owner:
        said += f"; {task.state.replace('_', ' ')} by {task.owner}"
    if task.expires:
        said += f"; expires {distance(task.expires, now)}"
    return said + (f"; because of {task.because}" if task.because else "")


def _step(page: Page, work: Work) -> Sequence[Cell]:
    end = work.done if work.done is not None else page.elapsed
    worked = sum(b - a for a, b in work.work) + (end - work.since if work.since is not None and work.now is None else 0)
    # A machine step that has ended waits no longer, though the case may take its result later.
    last = max((b for _, b in work.work), default=end) if work.kind != "human" else end
    waited = max(0, last - work.ready - worked - sum(b - a for a, b in (*work.retry, *work.held)))
    nothing = "not said" if work.assigned_only else "-" if work.kind == "human" and not worked else ""
    return (
        work.key,
        work.kind,
        _state(work),
        micro(waited),
        nothing or micro(worked),
        str(work.attempts) if work.kind != "human" else "",
        (work.by or "") + (f" for {work.acting_for}" if work.acting_for else ""),
    )


def _state(work: Work) -> Cell:
    if work.end == "exception":
        return work.code or "exception", "yellow"
    if work.end == "failed":
        return f"failed: {work.code}" if work.code else "failed", "red"
    if work.end:
        return work.end
    if work.now is not None:
        return "held" if work.kind != "human" else work.now
    return "in progress" if work.since is not None else "claimed" if work.claimed is not None else "open"


def _show_time(page: Page, record: Record) -> None:
    """Where the time went, largest part first."""
    spent = sorted(parts(record, page.elapsed).items(), key=lambda part: -part[1])
    said = ", ".join(f"{name.replace('_', ' ')} {micro(count)}" for name, count in spent if count)
    if said:
        line()
        pairs([("Time", f"{micro(page.elapsed)}: {said}")])


def _show_proposals(record: Record) -> None:
    rows = [
        (
            one.key,
            made_by(one.proposed.executor) or "-",
            f"{one.route}: {one.why}",
            ", ".join(one.by) or ("the model" if one.is_models else "-"),
            one.decision,
        )
        for one in told(record)
    ]
    if rows:
        line()
        table(("PROPOSAL", "FROM", "WHO WAS TO DECIDE", "WHO DID", "WHAT CAME OF IT"), rows, whole=())


def _show_routes(record: Record) -> None:
    if not record.routes:
        return
    line()
    rows = (
        (
            micro(routed.at),
            routed.key,
            routed.code if routed.business else f"{routed.code} (technical)",
            ROUTES.get(routed.to) or f"{routed.to} takes over",
        )
        for routed in record.routes
    )
    table((">AFTER", "STEP", "EXCEPTION", "THEN"), rows, whole=())


def _show_ignored(record: Record) -> None:
    if not record.ignored_count:
        return
    line()
    more = record.ignored_count > _IGNORED_SHOWN
    last = f"; the last {_IGNORED_SHOWN} of those on the record (all {len(record.ignored)}: --json)" if more else ""
    line(f"{record.ignored_count} message(s) were ignored{last}:")
    rows = ((micro(ignored.at), ignored.code, ignored.why) for ignored in record.ignored[-_IGNORED_SHOWN:])
    table((">AFTER", "CODE", "WHY"), rows, whole=())


async def _under_way(client: Client, case: str, activity: PendingActivityInfo) -> str:
    name = activity.activity_type.name.rpartition(".")[2]
    if activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED:
        state = "runs"
    else:
        state = "waits for a worker" if activity.attempt <= 1 else "is tried again soon"
    said = f"{name} {state}, attempt {activity.attempt} of {activity.maximum_attempts or 'any number'}"
    why = (await open_failure(client, case, activity.last_failure)).message
    return said + (f"; the last failed: {plain(why)[:_FAILURE_SHOWN]}" if why else "")
