"""The figures of semantics, section 4, counted again: from histories and definitions alone.

Nothing of the ledger's own arithmetic is used. Time is cut at every moment at which anything changes, and each piece
is looked at by itself: slow, and plain to see.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from temporalio.api.history.v1 import HistoryEvent

from tests.observability.recount_course import READINGS, Course, Raised
from tests.observability.recount_history import OUTSIDE, History, attributes_of, kind_of
from tests.observability.recount_people import Item, Span
from tests.observability.recount_trouble import told
from workunits.core.spec import Elapsed
from workunits.core.unit import WorkUnit

PARTS = ("rework", "touch_human", "touch_machine", "retry", "external_wait", "off_hours", "queue", "idle")
QUANTILES = {"median": 0.5, "p85": 0.85, "p95": 0.95}
_NOT_MET = "outcome_not_met"
_HOUR = 3_600_000_000
_ONE = timedelta(microseconds=1)


@dataclass(frozen=True)
class Counted:
    """One closed case: what its row, its steps' rows and its exceptions' rows have to say."""

    case: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    exceptions: Sequence[Raised]
    course: Course

    @property
    def incidents(self) -> Mapping[str, Mapping[str, Any]]:
        """What its incidents' rows have to say, by their keys; times in microseconds."""
        return told(self.course.items, self.course.closed)


def recount(unit: type[WorkUnit], history: History) -> list[Counted]:
    """Count one closed case, in every reading of its history; nearly always they say the same."""
    found: list[Counted] = []
    for reading in READINGS:
        counted = _count(Course(unit, history, reading))
        if all((one.case, one.steps) != (counted.case, counted.steps) for one in found):
            found.append(counted)
    return found


def _count(course: Course) -> Counted:
    history = course.history
    course.tell()
    close, reason, _ = _close(history.last)
    raised = list(course.exceptions)
    if close == "not_achieved" and reason not in (_NOT_MET, *(code for _, code, _ in raised)):
        raised.append(("", str(reason), True))  # by the unit itself, and by no step of it
    return Counted(_case(course, raised), _steps(course), raised, course)


def _case(course: Course, raised: Sequence[Raised]) -> Mapping[str, Any]:
    history, end = course.history, course.closed
    known = bool(course.items) or not history.ended_outside
    items, ours = course.items, [item for item in course.items if not item.step.external]
    pieces = list(_pieces(items, end))
    close, reason, result = _close(history.last)
    promised = course.unit.outcome.target.within
    assert isinstance(promised, Elapsed)
    due = promised.span // _ONE
    accepted = history.note.get("accepted_at")
    ahead = max(0, (history.started - datetime.fromisoformat(accepted)) // _ONE) if accepted else 0
    human = sum(_length(item, end) for item in ours if item.human)
    machine = sum(_length(item, end) for item in ours if not item.human)
    touched = [item for item in ours if item.performed or (item.human and _length(item, end))]
    figures = {
        "close": close,
        "reason": reason,
        "runs": history.runs if known else 1,
        "started_at": history.started,
        "closed_at": history.started + end * _ONE,
        "cycle_us": end,
        "lead_us": end + ahead,
        "human_effort_us": human,
        "machine_effort_us": machine,
        "active_us": sum(piece.length for piece in pieces if piece.worked),
        "external_us": sum(piece.length for piece in pieces if piece.outside and not piece.worked),
        "rework_effort_us": sum(_length(item, end) for item in ours if item.repeats),
        "human_touches": len(touched),
        "unmeasured": sum(1 for item in ours if item.untold),
        "exceptions": sum(1 for _, _, business in raised if business),
        "reworked": any(item.repeats for item in items),
        "sla": _sla(close, late=end > due) if known else None,
        "cost": _cost(course) if known else None,
        "quality": _quality(course.unit, result),
    }
    for part in PARTS:
        figures[f"{part}_us"] = sum(piece.length for piece in pieces if piece.part == part)
    handoffs = _handoffs(items, end)
    return figures | {f"handoffs_{kind}": handoffs[kind] for kind in ("hh", "hm", "mh", "mm")}


def _close(last: HistoryEvent) -> tuple[str, str | None, Any]:
    """How the engine and the unit's own answer say that it closed."""
    kind, said = kind_of(last), attributes_of(last)
    if kind in OUTSIDE:
        return "failed", OUTSIDE[kind], None
    if kind == "workflow_execution_canceled":
        return "cancelled", "cancel_requested", None
    if kind == "workflow_execution_failed":
        payload = said.failure.application_failure_info.details.payloads[0]
    else:
        payload = said.result.payloads[0]
    answer = json.loads(payload.data)
    return answer["close"], answer.get("reason"), answer.get("result")


def _sla(close: str, *, late: bool) -> str:
    """A passed deadline is a fact, whatever the close; what ended in time without an outcome counts as neither."""
    if late:
        return "breached"
    return "met" if close in ("achieved", "achieved_late", "not_achieved") else "void"


# -- one piece of time after the other


@dataclass(frozen=True)
class Piece:
    """A piece of time within which nothing changes."""

    length: int
    part: str
    worked: bool
    """Somebody or something of ours worked."""
    outside: bool
    """A party outside the organisation had a task."""


def _pieces(items: Sequence[Item], end: int) -> Iterable[Piece]:
    moments = {0, end}
    for item in items:
        for span in ((item.ready, item.done or 0), *item.worked, *item.retried, *item.waited, *item.held):
            moments.update(min(max(moment, 0), end) for moment in span)
    for a, b in pairwise(sorted(moments)):
        yield _piece(items, a, b)


def _piece(items: Sequence[Item], a: int, b: int) -> Piece:
    def covered(*spans: Span) -> bool:
        return any(begin <= a and b <= until for begin, until in spans)

    there = [item for item in items if covered(_open(item))]
    ours = [item for item in items if not item.step.external]
    human = any(item.human and covered(*item.worked) for item in ours)
    machine = any(not item.human and covered(*item.worked) for item in ours)
    outside = any(item.step.external for item in there) or any(covered(*item.waited) for item in ours)
    found = {
        "rework": any(item.repeats for item in there),
        "touch_human": human,
        "touch_machine": machine,
        "retry": any(covered(*item.retried) for item in ours),
        "external_wait": outside,
        "off_hours": False,
        "queue": any(covered(_queued(item)) and not covered(*item.held) for item in there if not item.step.external),
        "idle": True,
    }
    return Piece(b - a, next(part for part in PARTS if found[part]), human or machine, outside)


def _open(item: Item) -> Span:
    return item.ready, item.done or 0


def _queued(item: Item) -> Span:
    """While somebody or something might work on it; a machine that has ended leaves the case idle, not queueing."""
    ended = item.done or 0
    return item.ready, ended if item.human else max((b for _, b in item.worked), default=ended)


def _length(item: Item, end: int) -> int:
    return sum(max(0, min(b, end) - a) for a, b in item.worked)


def _handoffs(items: Sequence[Item], end: int) -> Counter[str]:
    """From one work item to the next whose performer is another; machines of one kind are one pool."""

    def begun(item: Item) -> Span:
        ended = item.done or 0
        return (item.worked[0][0] if item.worked else ended), ended

    def performer(item: Item) -> tuple[str, str | None]:
        return item.step.kind, item.by if item.human else None

    done = sorted((i for i in items if i.ended in ("done", "exception", "failed")), key=begun)
    return Counter(
        ("h" if a.human else "m") + ("h" if b.human else "m") for a, b in pairwise(done) if performer(a) != performer(b)
    )


def _cost(course: Course) -> float | None:
    """Human minutes times their roles' rates; what is not declared or was not measured is absent."""
    rates = course.unit.learning.rates
    total = 0.0
    for item in course.items:
        if not item.human or item.step.external or not (item.worked or item.untold):
            continue
        if item.untold or item.step.role not in rates:
            return None
        total += _length(item, course.closed) / _HOUR * rates[item.step.role].per_hour
    return round(total, 6) if rates else None


def _quality(unit: type[WorkUnit], result: Any) -> Mapping[str, float]:
    if result is None:
        return {}
    there = unit.outcome.result.model_validate(result)
    return {measure.name: float(measure.of_result(there)) for measure in unit.outcome.quality if measure.of_result}


def _steps(course: Course) -> Mapping[str, Mapping[str, Any]]:
    start, end = course.history.started, course.closed
    found = {}
    for item in course.items:
        worked = [(a, min(b, end)) for a, b in item.worked if a < min(b, end)]
        begun = worked[0][0] if worked else None
        retried = sum(b - a for a, b in item.retried)
        passed = sum(b - a for a, b in (*item.retried, *item.held) if begun is not None and b <= begun)
        waited = item.claimed if item.human else None if begun is None else begun - passed
        found[item.key] = {
            "step": item.step.name,
            "kind": item.step.kind,
            "ready_at": start + item.ready * _ONE,
            "claimed_at": None if item.claimed is None else start + item.claimed * _ONE,
            "begun_at": None if begun is None else start + begun * _ONE,
            "done_at": start + (item.done or 0) * _ONE,
            "ended": item.ended,
            "code": item.code,
            "performer": item.by,
            "acting_for": item.acting_for,
            "attempts": item.attempts,
            "external": item.step.external,
            "assigned_only": item.untold,
            "redo_of": item.repeats,
            "queue_us": None if waited is None else waited - item.ready,
            "work_us": sum(b - a for a, b in worked),
            "retry_us": retried,
            "intervals": joined(worked),
        }
    return found


def joined(spans: Iterable[Sequence[int]]) -> list[list[int]]:
    """Work intervals, where one begins when another ends as one."""
    found: list[list[int]] = []
    for a, b in spans:
        if found and found[-1][1] == a:
            found[-1][1] = b
        else:
            found.append([a, b])
    return found


# -- many cases


def report_of(counted: Sequence[Counted]) -> Mapping[str, Any]:
    """What a report says of some closed cases; shares as (count, of how many)."""
    cases = [one.case for one in counted]
    n = len(cases)
    achieved = [case for case in cases if case["close"] in ("achieved", "achieved_late")]
    timed = [case for case in cases if not case["unmeasured"]]
    sla = Counter(case["sla"] for case in cases)
    effort = sum(case["human_effort_us"] + case["machine_effort_us"] for case in cases)
    codes = [{code for _, code, business in one.exceptions if business} for one in counted]
    clean = [case for case in achieved if not case["exceptions"] and not case["reworked"]]
    return {
        "n": n,
        "cycle": _spread(case["cycle_us"] for case in cases),
        "lead": _spread(case["lead_us"] for case in cases),
        "parts": {part: sum(case[f"{part}_us"] for case in cases) / n for part in PARTS},
        "queue": _spread(case["queue_us"] for case in cases),
        "task_queue": _spread(
            step["queue_us"]
            for one in counted
            for step in one.steps.values()
            if step["kind"] == "human" and not step["external"] and step["queue_us"] is not None
        ),
        "touch_human": _spread(case["human_effort_us"] for case in timed),
        "touch_human_unmeasured": n - len(timed),
        "touch_machine": _spread(case["machine_effort_us"] for case in cases),
        "external_wait": _spread(case["external_us"] for case in cases),
        "flow_efficiency": _spread(case["active_us"] / case["cycle_us"] for case in timed if case["cycle_us"]),
        "exception_rate": _share(sum(1 for case in cases if case["exceptions"]), n),
        "exceptions": {code: (sum(code in some for some in codes), n) for code in sorted(set().union(*codes))},
        "rework_rate": _share(sum(1 for case in cases if case["reworked"]), n),
        "override_rate": None,  # none of these units has a hybrid step
        "rework_share": sum(case["rework_effort_us"] for case in cases) / effort if effort else None,
        "handoffs": {kind: sum(c[f"handoffs_{kind}"] for c in cases) / n for kind in ("hh", "hm", "mh", "mm")},
        "first_pass_yield": _share(len(clean), n),
        "sla_attainment": _share(sla["met"], sla["met"] + sla["breached"]),
        "sla_void": sla["void"],
        "outcome_attainment": _share(len(achieved), n),
        "on_time": _share(sum(1 for case in cases if case["close"] == "achieved"), n),
        "straight_through": _share(sum(1 for case in cases if not case["human_touches"]), n),
        "closes": dict(sorted(Counter(case["close"] for case in cases).items())),
        "cost": _cost_of(cases, len(achieved)),
        "quality": _qualities(cases),
    }


def _share(count: int, of: int) -> tuple[int, int] | None:
    return (count, of) if of else None


def _spread(values: Iterable[float]) -> Mapping[str, float] | None:
    """The smallest value that so many do not exceed."""
    ordered = sorted(values)
    if not ordered:
        return None
    return {name: ordered[math.ceil(p * len(ordered) - 1e-9) - 1] for name, p in QUANTILES.items()}


def _cost_of(cases: Sequence[Mapping[str, Any]], achieved: int) -> tuple[float | None, int] | None:
    known = [case["cost"] for case in cases if case["cost"] is not None]
    if not known:
        return None
    return (sum(known) / achieved if achieved and len(known) == len(cases) else None), len(known)


def _qualities(cases: Sequence[Mapping[str, Any]]) -> Mapping[str, tuple[float, int]]:
    names = sorted({name for case in cases for name in case["quality"]})
    found = {name: [case["quality"][name] for case in cases if name in case["quality"]] for name in names}
    return {name: (sum(values) / len(values), len(values)) for name, values in found.items()}
