"""One trace of a log as a case: how it ended, what work was done, what was handed over."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Literal

from observability.learning.logs import Event, Remarks, Trace
from observability.learning.mapping import LogMap, Transition
from observability.learning.pieces import Bench, Piece, in_order
from observability.ledger.figures import length, union

Close = Literal["achieved", "not_achieved"]
UNSORTED, TWO_ENDS, UNFIT = "traces_out_of_order", "traces_with_two_ends", "traces_without_segment_value"
UNSAID = "unknown"
"""A handoff of which one side has no resource."""
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Case:
    """What a trace says; times in microseconds since 1970, durations in microseconds."""

    trace: Trace
    """Its events in the order of time, without those that the map ignores."""
    close: Close | None
    """None: it has no declared end."""
    reason: str | None
    segment: str | None
    exceptions: tuple[str, ...]
    reworked: bool | None
    """None: the map does not say what rework is."""
    pieces: Sequence[Piece]
    """In the order in which they were performed."""
    handoffs: Counter[str]
    milestones: frozenset[str]

    @property
    def started_at(self) -> int:
        """Its first event."""
        return self.trace.events[0].at

    @property
    def ended_at(self) -> int:
        """Its last event."""
        return self.trace.events[-1].at

    @property
    def cycle_time(self) -> int:
        """From the first event to the last."""
        return self.ended_at - self.started_at

    def touch(self, *, human: bool) -> int:
        """The measured work of people, or of machines."""
        return sum(piece.touch or 0 for piece in self.pieces if (piece.kind == "human") == human)

    @property
    def active(self) -> int:
        """How long at least one piece of work was worked on."""
        return length(union(interval for piece in self.pieces for interval in piece.work))


class Reader:
    """Reads traces as a map says."""

    def __init__(self, mapping: LogMap, remarks: Remarks) -> None:
        """Prepare.

        Args:
            mapping: How to read.
            remarks: Takes what is met on the way.
        """
        self._map, self._remarks = mapping, remarks
        self._named = mapping.named()
        # Both are asked for every event, about few names.
        self._ignores = cache(lambda activity: _matches(activity, mapping.ignore) and not self._has_a_use(activity))
        self._is_milestone = cache(lambda activity: _matches(activity, mapping.milestones))
        self._exceptions = mapping.exceptions or {}

    def read(self, trace: Trace) -> Case | None:
        """Read one; None when nothing is left of it."""
        events = [event for event in trace.events if not self._ignores(event.activity)]
        if not events:
            return None
        if any(after.at < before.at for before, after in pairwise(events)):
            self._remarks.counts[UNSORTED] += 1
            events.sort(key=lambda event: event.at)
        self._note(events)
        pieces = self._pieces(events)
        close, reason = self._end(events)
        return Case(
            trace=replace(trace, events=events),
            close=close,
            reason=reason,
            segment=self._segment(trace.segment),
            exceptions=tuple(sorted({self._exceptions[e.activity] for e in events if e.activity in self._exceptions})),
            reworked=self._reworked(events, pieces),
            pieces=pieces,
            handoffs=handoffs(pieces),
            milestones=frozenset(event.activity for event in events if self._is_milestone(event.activity)),
        )

    def _has_a_use(self, activity: str) -> bool:
        return activity in self._named and activity not in self._map.ignore

    def _note(self, events: Iterable[Event]) -> None:
        """Remember what the map does not know, to refuse the log with all of it at its end."""
        for event in events:
            if event.activity in self._named:
                self._remarks.seen.add(event.activity)
            elif not self._is_milestone(event.activity):
                self._remarks.unknown_activities[event.activity] += 1
            if self._meaning(event) is None:
                self._remarks.unknown_transitions[event.transition or ""] += 1

    def _meaning(self, event: Event) -> Transition | None:
        """What an event's transition means; without one, it is a completion."""
        return "complete" if event.transition is None else self._map.transitions.get(event.transition.lower())

    def _pieces(self, events: Iterable[Event]) -> list[Piece]:
        benches: dict[str, Bench] = {}
        for event in events:
            there, what = self._map.steps.get(event.activity), self._meaning(event)
            if there is None or what is None:
                continue
            if event.activity not in benches:
                benches[event.activity] = Bench(there.step, self._kinds(there.kind))
            benches[event.activity].take(what, event.at, event.resource, event.instance)
        return in_order(piece for bench in benches.values() for piece in bench.pieces)

    def _kinds(self, of_step: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
        absent = of_step if self._map.no_resource == "unknown" else self._map.no_resource
        return lambda resource: absent if resource is None else self._map.resources.get(resource, of_step)

    def _end(self, events: Iterable[Event]) -> tuple[Close | None, str | None]:
        """The last declared end."""
        ends = self._map.ends
        found: list[tuple[Close, str | None]] = []
        for event in events:
            if self._meaning(event) != "complete":
                continue
            if event.activity in ends.achieved:
                found.append(("achieved", None))
            elif event.activity in ends.not_achieved:
                found.append(("not_achieved", ends.not_achieved[event.activity]))
        if len(set(found)) > 1:
            self._remarks.counts[TWO_ENDS] += 1
        return found[-1] if found else (None, None)

    def _segment(self, value: str | None) -> str | None:
        declared = self._map.segment
        if declared is None:
            return None
        if value is not None and not declared.bins:
            return value[:_LONGEST]
        try:
            number = float(value or "")
        except ValueError:
            self._remarks.counts[UNFIT] += 1
            return None
        return segment_labels(declared.bins, declared.labels)[bisect_right(declared.bins, number)]

    def _reworked(self, events: Sequence[Event], pieces: Sequence[Piece]) -> bool | None:
        """Whether a step was performed again after something sent the case back to it."""
        if self._map.rework is None:
            return None
        for step, activities in self._map.rework.items():
            times = [piece.at for piece in pieces if piece.step == step and piece.performed]
            back = (event.at for event in events if event.activity in activities)
            if times and any(times[0] < at < times[-1] for at in back):
                return True
        return False


def segment_labels(bins: Sequence[float], labels: Sequence[str]) -> Sequence[str]:
    """The names of the segments between bins, each with its lower bound inside."""
    if labels or not bins:
        return labels
    middle = (f"{low:g} to under {high:g}" for low, high in pairwise(bins))
    return [f"under {bins[0]:g}", *middle, f"from {bins[-1]:g}"]


def handoffs(pieces: Iterable[Piece]) -> Counter[str]:
    """Changes of the performer between consecutive pieces of work, by kind: h for people, m for machines.

    Machines of one kind are one pool. Where one side is a person whom the log does not name, nobody can say.
    """
    counted: Counter[str] = Counter()
    for before, after in pairwise(piece for piece in pieces if piece.performed):
        sides = ("h" if before.kind == "human" else "m") + ("h" if after.kind == "human" else "m")
        if sides == "hh" and None in (before.performer, after.performer):
            counted[UNSAID] += 1
        elif _performer(before) != _performer(after):
            counted[sides] += 1
    return counted


def _performer(piece: Piece) -> str:
    return f"person {piece.performer}" if piece.kind == "human" else piece.kind


def _matches(activity: str, names: Iterable[str]) -> bool:
    return any(activity == name or (name.endswith("*") and activity.startswith(name[:-1])) for name in names)
