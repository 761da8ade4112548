"""The rows of one case, made from its record: pure, so that the same record always gives the same rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from observability.ledger.clock_rows import clock_rows, due_of_task, entry_rows, urgency
from observability.ledger.ending import is_outside, truthful
from observability.ledger.figures import HANDOFFS, cost, figures, length, worked_intervals
from observability.ledger.proposal_rows import proposal_rows
from observability.ledger.seeing import Seen
from workunits.core.incidents import Incident
from workunits.core.lifecycle import Task
from workunits.core.record import Microseconds, Record, Work
from workunits.core.spec import Rate, Target

Row = dict[str, Any]
_ENDS = {"done": "completed", "expired": "expired", "exception": "failed", "skipped": "skipped"}
"""How a task ended, by how its performance did."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a unit's definition adds to the rows of its cases."""

    version: str
    hash: str
    roles: Mapping[str, str]
    """The role of each human step."""
    accountable: Mapping[str, str]
    rates: Mapping[str, Rate]
    targets: Mapping[str, Target] = field(default_factory=dict)
    """What it promises, by name."""


@dataclass(frozen=True, slots=True)
class CaseRows:
    """Everything that the ledger keeps of one case."""

    case: Row
    order: tuple[datetime, bool, datetime]
    """A later view is greater, and only that may overwrite."""
    steps: list[Row] = field(default_factory=list)
    tasks: list[Row] = field(default_factory=list)
    exceptions: list[Row] = field(default_factory=list)
    incidents: list[Row] = field(default_factory=list)
    clocks: list[Row] = field(default_factory=list)
    clock_entries: list[Row] = field(default_factory=list)
    actions: list[Row] = field(default_factory=list)
    proposals: list[Row] = field(default_factory=list)
    partial: frozenset[str] = frozenset()
    """Of which of these there is more than the case could tell: what the ledger has of them stays."""


_TABLES = {
    "steps": ("steps", "tasks", "proposals"),
    "routes": ("exceptions",),
    "actions": ("actions",),
    "rungs": ("clock_entries",),
    "entries": ("clock_entries",),
    "clocks": ("clocks",),
}
"""Where the lists of a record are kept."""


def rows_of(seen: Seen, now: datetime, definition: Definition | None) -> CaseRows:
    """Make the rows of a case.

    Args:
        seen: What the engine says.
        now: When it is written; for an open case also the end of what goes on.
        definition: Of its unit, where that is known here.
    """
    record = truthful(seen)
    return CaseRows(
        case=_case(seen, record, now, definition),
        order=seen.order,
        steps=[_step(record, work, record.offset(now)) for work in record.steps],
        tasks=_tasks(seen, record, definition),
        exceptions=[
            {
                "case_id": record.case,
                "seq": seq,
                "at": record.when(routed.at),
                "key": routed.key,
                "code": routed.code,
                "business": routed.business,
                "routed_to": routed.to,
            }
            for seq, routed in enumerate(record.routes)
        ],
        incidents=[_incident(record, incident) for incident in record.incidents],
        clocks=clock_rows(record),
        clock_entries=entry_rows(record),
        actions=[
            {
                "case_id": record.case,
                "action_id": acted.id,
                "at": record.when(acted.at),
                "key": acted.task,
                "action": acted.action,
                "actor": acted.by,
                "acting_for": acted.acting_for,
                "state": acted.state,
                "revision": acted.revision,
            }
            for acted in record.actions
        ],
        proposals=proposal_rows(record),
        partial=frozenset(table for name in record.left_out for table in _TABLES.get(name, ())),
    )


def _case(seen: Seen, record: Record, now: datetime, definition: Definition | None) -> Row:
    closed = record.closed
    computed = figures(record, closed if closed is not None else record.offset(now))
    known = definition if definition and definition.version == record.version else None
    spent = cost(record, known.roles, known.rates) if known and record.close else None
    accepted = min(record.accepted_at, record.started) if record.accepted_at else record.started
    text = record.compact()
    row: Row = {
        "case_id": record.case,
        "unit": record.unit,
        "version": record.version,
        "business_key": record.key,
        "run_id": seen.run,
        "run_started_at": seen.run_started,
        "changed_at": seen.changed,
        "written_at": now,
        "state": record.state(seen.tasks),
        "close": record.close,
        "reason": record.reason,
        "why": _words(record.why),
        "closed_outside": is_outside(seen),
        "vanished": False,
        "started_at": record.started,
        "accepted_at": record.accepted_at,
        "closed_at": _when(record, closed),
        "due_at": _when(record, record.due or None),
        "warned_at": _when(record, record.warned),
        "breached_at": _when(record, record.breached),
        "sla": record.sla if record.due else None,
        "cancelled_by": _words(record.cancelled_by),
        "facts": record.facts,
        "segment": record.segment,
        "trace_id": record.trace,
        "runs": record.runs,
        "ignored": record.ignored_count,
        "cycle_us": closed,
        "lead_us": None if closed is None else closed + (record.started - accepted) // timedelta(microseconds=1),
        "human_effort_us": computed.human_effort,
        "machine_effort_us": computed.machine_effort,
        "active_us": computed.active,
        "external_us": computed.external,
        "rework_effort_us": computed.rework_effort,
        "human_touches": computed.human_touches,
        "unmeasured": computed.unmeasured,
        "exceptions": computed.exceptions,
        "reworked": computed.reworked,
        "cost": spent[0] if spent else None,
        "currency": spent[1] if spent else None,
        "quality": record.quality,
        "definition": known.hash if known else None,
        "first_close": record.close,
        "first_closed_at": _when(record, closed),
        "counted": [],
        "forgotten_at": None,
        "record": text,
        "record_hash": checksum(seen, text),
    }
    row |= {f"{part}_us": span for part, span in computed.parts.items()}
    return row | {f"handoffs_{kind}": computed.handoffs[kind] for kind in HANDOFFS}


def checksum(seen: Seen, text: Mapping[str, Any]) -> str:
    """SHA-256 of what a row is made from: the record, the run, its end, and the open tasks."""
    tasks = [task.model_dump(mode="json") for task in seen.tasks]
    whole = [seen.run, seen.status.name, text, tasks]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _step(record: Record, work: Work, end: Microseconds) -> Row:
    intervals = worked_intervals(work, record.closed if record.closed is not None else end)
    begun = intervals[0][0] if intervals else None
    retried = length(work.retry)
    if work.kind == "human":
        queue = None if work.claimed is None else work.claimed - work.ready
    else:
        # What comes after its first work is a later try, which an operator asked for.
        passed = [*work.retry, *work.held]
        queue = None if begun is None else max(0, begun - work.ready - length(i for i in passed if i[1] <= begun))
    return {
        "case_id": record.case,
        "key": work.key,
        "step": work.step,
        "kind": work.kind,
        "ready_at": record.when(work.ready),
        "claimed_at": _when(record, work.claimed),
        "begun_at": _when(record, begun),
        "done_at": _when(record, work.done),
        "ended": work.end,
        "code": work.code,
        "performer": work.by,
        "acting_for": work.acting_for,
        "attempts": work.attempts,
        "external": work.external,
        "assigned_only": work.assigned_only,
        "redo_of": work.redo_of,
        "undoes": work.undoes,
        "queue_us": queue,
        "work_us": length(intervals),
        "retry_us": retried,
        "intervals": [list(interval) for interval in intervals],
    }


def _tasks(seen: Seen, record: Record, definition: Definition | None) -> list[Row]:
    """Open tasks as the case published them; ended ones from the record, which knows how they ended."""
    open_tasks = {task.id: task for task in seen.tasks if seen.closed is None}
    targets = definition.targets if definition else {}
    rows = [_open_task(record, task, targets) for task in open_tasks.values()]
    for work in record.steps:
        task_id = f"{record.case}/{work.key}"
        if work.kind == "human" and work.done is not None and task_id not in open_tasks:
            rows.append(_ended_task(record, work, task_id, definition))
    return rows


def _open_task(record: Record, task: Task, targets: Mapping[str, Target]) -> Row:
    key = task.id.rpartition("/")[2]
    return _task(record, task.id, task.step) | {
        "role": task.role,
        "state": task.state,
        "open": True,
        "revision": task.revision,
        "owner": task.owner,
        "delegator": task.delegator,
        "person": task.people[0] if task.people else None,
        "level": task.level,
        "also": also_of(task),
        "excluded": task.excluded,
        "accountable": task.accountable or None,
        "external": task.external,
        "because": task.because,
        "ready_at": task.ready,
        "expires_at": task.expires,
        "due_at": due_of_task(record, key),
        "urgency": urgency(record, key, targets),
        "done_at": None,
        "performer": None,
    }


def _ended_task(record: Record, work: Work, task_id: str, definition: Definition | None) -> Row:
    routed = next((r.code for r in record.routes if r.to == work.step and r.at <= work.ready), None)
    state = _ENDS.get(work.end or "", "cancelled")
    return _task(record, task_id, work.step) | {
        "role": definition.roles.get(work.step, "") if definition else "",
        "state": state,
        "open": False,
        "revision": max((a.revision for a in record.actions if a.task == work.key), default=1),
        "owner": work.by,
        "delegator": None,
        "person": None,
        "level": 0,
        "excluded": [],
        "accountable": (definition.accountable.get(work.step) if definition else None) or None,
        "external": work.external,
        "because": routed,
        "ready_at": record.when(work.ready),
        "expires_at": None,
        "done_at": _when(record, work.done),
        "performer": work.by if work.end == "done" else None,
    }


def _task(record: Record, task_id: str, step: str) -> Row:
    return {
        "task_id": task_id,
        "case_id": record.case,
        "unit": record.unit,
        "business_key": record.key,
        "step": step,
        "due_at": _when(record, record.due or None),
        "warned_at": _when(record, record.warned),
        "urgency": 0,
        "also": "",
    }


def also_of(task: Task) -> str:
    """The further roles that may take a task, each on a line of its own, for whoever searches for one."""
    return "".join(f"\n{role}" for role in task.also) + "\n" if task.also else ""


def _incident(record: Record, incident: Incident) -> Row:
    return {
        "case_id": record.case,
        "key": incident.key,
        "step": incident.step,
        "code": incident.code,
        "opened_at": record.when(incident.at),
        "closed_at": _when(record, incident.closed),
        "tries": incident.tries,
        "attempts": incident.attempts,
        "state": incident.state,
        "who": incident.by,
        "why": _words(incident.why),
    }


def _words(said: str | None) -> str | None:
    """What someone said past our doors, without the one character that PostgreSQL refuses in a text."""
    return said and said.replace("\0", " ")


def _when(record: Record, offset: Microseconds | None) -> datetime | None:
    return None if offset is None else record.when(offset)
