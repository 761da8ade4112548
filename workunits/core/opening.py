"""The opening of a case: its record as it stands before the first step."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from temporalio import workflow

from .promise import Elapsed
from .record import START_MEMO, Record, StartNote

if TYPE_CHECKING:
    from .unit import WorkUnit

_TRACE_HEADER = "_tracer-data"
_TRACE_ID_LENGTH = 32
_LONGEST_FACT = 100


def open_record(unit: WorkUnit, case: BaseModel | None) -> Record:
    """Begin the record; without a case when the start argument did not fit.

    The clock starts at the workflow's start plus its start delay: `info().start_time` is later by as long
    as no worker was up.
    """
    info = workflow.info()
    note = _start_note()
    started = info.workflow_start_time + timedelta(seconds=note.delay)
    if info.parent is not None and note.asked_at is not None:
        started = note.asked_at
    key = getattr(case, unit.key) if case and unit.key else note.key
    within = unit.outcome.target.within
    segment = unit.learning.segment(case) if case and unit.learning.segment else None
    return Record(
        unit=unit.unit_name,
        version=unit.version,
        case=info.workflow_id,
        key=str(key or ""),
        started=started,
        due=within.span // timedelta(microseconds=1) if isinstance(within, Elapsed) else 0,
        accepted_at=note.accepted_at,
        started_by=note.by,
        facts={name: _fact(getattr(case, name)) for name in unit.facts} if case else {},
        segment=segment[:_LONGEST_FACT] if segment else None,
        trace=_trace_id(),
    )


def _start_note() -> StartNote:
    """What the starter wrote; whatever an outsider put there instead counts as nothing."""
    payload = workflow.info().raw_memo.get(START_MEMO)
    try:
        return StartNote.model_validate_json(payload.data) if payload else StartNote()
    except ValidationError:
        return StartNote()


def _trace_id() -> str | None:
    """The id of the trace that started the case, from its W3C `traceparent`."""
    payload = workflow.info().headers.get(_TRACE_HEADER)
    try:
        parent = json.loads(payload.data)["traceparent"] if payload else ""
        trace = str(parent).split("-")[1]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return trace if len(trace) == _TRACE_ID_LENGTH and set(trace) != {"0"} else None


def _fact(value: Any) -> str | int | float | bool | None:
    return value if isinstance(value, bool | int | float | None) else str(value)[:_LONGEST_FACT]
