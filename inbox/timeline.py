"""The course of a case as bars on one time axis: who or what worked, what waited, and until when it was promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from inbox.moments import micro
from inbox.shapes import words
from workunits.core.hybrid import AI
from workunits.core.proposal import AGAIN
from workunits.core.record import Interval, Microseconds, Record, Work

WIDTH = 1000
"""The length of the axis in units of the drawing."""
_THIN = 3.0
"""No bar is thinner: what took no time is seen, too."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One interval."""

    kind: str
    """A class of the style sheet: `waited`, `worked-human`, `retried`."""
    x: float
    width: float
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Row:
    """One performance of a step."""

    label: str
    told: str
    """The bars in words."""
    bars: tuple[Bar, ...]
    by: str
    state: str
    waited: str
    worked: str


@dataclass(frozen=True, slots=True)
class Course:
    """All steps of a case on one axis."""

    caption: str
    rows: tuple[Row, ...]
    due: float | None
    """Where the promised time ends; None when that lies beyond the axis."""


def course_of(record: Record, now: Microseconds, called: Callable[[str], str] = str) -> Course | None:
    """Draw a case; None before its first step.

    Args:
        record: The case.
        now: How long it has been, or was, open.
        called: How people call someone.
    """
    if not record.steps:
        return None
    end = max(now, 1)
    rows = tuple(_row(work, end, called) for work in record.steps)
    due = round(record.due / end * WIDTH, 1) if record.due <= end else None
    promised = "; the dashed line is when it was due" if due is not None else ""
    return Course(f"From the start to {micro(end)} later{promised}", rows, due)


def _row(work: Work, end: Microseconds, called: Callable[[str], str]) -> Row:
    until = work.done if work.done is not None else end
    going = [(work.since, until)] if work.since is not None else []
    worked = [*work.work, *(going if work.now is None else [])]
    kind = "external" if work.external else work.kind
    # What is neither worked on nor tried again is a wait; it is drawn behind, thinner.
    last = until if work.kind == "human" else max((b for _, b in [*worked, *work.retry]), default=until)
    bars = [_bar("waited", (work.ready, last), end, thin=True)]
    bars += [_bar("retried", interval, end) for interval in work.retry]
    bars += [_bar(f"worked-{kind}", interval, end) for interval in worked]
    if work.assigned_only and work.done is not None:  # nobody said when it began: only its end is known
        bars.append(_bar(f"worked-{kind}", (work.done, work.done), end))
    touch, retried = _length(worked), _length(work.retry)
    waited = max(0, last - work.ready - touch - retried)
    told = "not said" if work.assigned_only else micro(touch) if touch or work.kind != "human" else "\N{EN DASH}"
    return Row(
        label=_label(work),
        told=f"waited {micro(waited)}, worked {told}" + (f", tried again {micro(retried)}" if retried else ""),
        bars=tuple(bars),
        by=_by(work, called),
        state=_state(work),
        waited=micro(waited),
        worked=told,
    )


def _bar(kind: str, interval: Interval, end: Microseconds, *, thin: bool = False) -> Bar:
    start, stop = (min(max(0, at), end) / end * WIDTH for at in interval)
    width = max(stop - start, _THIN)
    y, height = (7, 10) if thin else (3, 18)
    return Bar(kind, round(min(start, WIDTH - width), 1), round(width, 1), y, height)


def _length(intervals: list[Interval]) -> Microseconds:
    return sum(max(0, b - a) for a, b in intervals)


def _label(work: Work) -> str:
    if work.undoes:
        return f"{words(work.step)}, undoes {words(work.undoes).lower()}"
    if work.key.endswith(AI):
        return f"{_label(replace(work, key=work.key.removesuffix(AI)))}, proposal"
    if work.key.endswith(AGAIN):
        return f"{_label(replace(work, key=work.key.removesuffix(AGAIN)))}, asked again"
    _, dash, number = work.key.removeprefix(work.step).rpartition("-")
    again = f", {number}. time" if dash and number.isdigit() else f", vote {number[1:]}" if dash and number else ""
    return words(work.step) + again


_MACHINES = {"ai": "a model", "automated": "code", "hybrid": "a model", "unit": "another unit"}


def _by(work: Work, called: Callable[[str], str]) -> str:
    if work.kind == "human":
        by = called(work.by) if work.by else "\N{EN DASH}"
        return by + (f" for {called(work.acting_for)}" if work.acting_for else "")
    tries = f", {work.attempts} attempts" if work.attempts > 1 else ""
    return _MACHINES.get(work.kind, work.kind) + tries


def _state(work: Work) -> str:
    if work.end in ("exception", "failed"):
        return f"{work.end}: {words(work.code).lower()}" if work.code else str(work.end)
    if work.end:
        return work.end
    if work.now:
        return work.now
    return "in progress" if work.since is not None else "claimed" if work.claimed is not None else "open"
