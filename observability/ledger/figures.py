"""The figures of one case, from its record alone: what semantics, section 4, defines for a single case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workunits.core.parts import parts
from workunits.core.record import Interval, Microseconds, Record, Work
from workunits.core.spec import Rate

MICROSECONDS_PER_HOUR = 3_600_000_000
HANDOFFS = ("hh", "hm", "mh", "mm")
"""From whom to whom: people (h) and machines (m)."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One case in numbers; durations in microseconds."""

    parts: Mapping[str, Microseconds]
    """Every microsecond of the elapsed time in exactly one part."""
    human_effort: Microseconds
    machine_effort: Microseconds
    active: Microseconds
    external: Microseconds
    rework_effort: Microseconds
    human_touches: int
    unmeasured: int
    """Human touches whose time nobody measured."""
    exceptions: int
    reworked: bool
    handoffs: Mapping[str, int]


def figures(record: Record, end: Microseconds) -> Figures:
    """Compute a case's figures.

    Args:
        record: The case.
        end: When it closed; for an open case, how long it has been running.
    """
    ours = [work for work in record.steps if not work.external]
    worked = {work.key: worked_intervals(work, end) for work in ours}
    by_kind: Counter[str] = Counter()
    for work in ours:
        by_kind["human" if work.kind == "human" else "machine"] += length(worked[work.key])
    active = union(interval for intervals in worked.values() for interval in intervals)
    waits = union(interval for work in record.steps for interval in waited_intervals(work, end))
    return Figures(
        parts=parts(record, end),
        human_effort=by_kind["human"],
        machine_effort=by_kind["machine"],
        active=length(active),
        external=length(waits) - overlap(waits, active),
        rework_effort=sum(length(worked[work.key]) for work in ours if work.redo_of),
        human_touches=sum(1 for work in ours if is_performed(work) or (work.kind == "human" and worked[work.key])),
        unmeasured=sum(1 for work in ours if is_performed(work) and work.assigned_only),
        exceptions=sum(1 for routed in record.routes if routed.business),
        reworked=any(work.redo_of for work in record.steps),
        handoffs=handoffs(record.steps),
    )


def is_performed(work: Work) -> bool:
    """Whether a person ended it by doing it: with an answer, or with an exception that the person met."""
    return work.kind == "human" and work.end in ("done", "exception")


def worked_intervals(work: Work, end: Microseconds) -> list[Interval]:
    """The intervals in which someone or something worked on a step; work that goes on ends at `end`."""
    intervals = [*work.work, (work.since, end)] if work.since is not None and work.now is None else work.work
    return [(a, min(b, end)) for a, b in intervals if a < min(b, end)]


def waited_intervals(work: Work, end: Microseconds) -> list[Interval]:
    """The intervals in which someone outside was waited for: an outsider's whole step, or an owner's waits."""
    if work.external:
        return [(work.ready, min(end, work.done if work.done is not None else end))]
    going_on = [(work.since, end)] if work.since is not None and work.now == "waiting" else []
    return [(a, min(b, end)) for a, b in (*work.waits, *going_on) if a < min(b, end)]


def length(intervals: Iterable[Interval]) -> Microseconds:
    """The sum of their lengths; what is parallel counts twice."""
    return sum(b - a for a, b in intervals)


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time without overlaps, in order."""
    joined: list[Interval] = []
    for a, b in sorted(intervals):
        if joined and a <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], b)
        elif a < b:
            joined.append((a, b))
    return joined


def overlap(left: Sequence[Interval], right: Sequence[Interval]) -> Microseconds:
    """How long both of two unions hold."""
    return length(left) + length(right) - length(union([*left, *right]))


def handoffs(works: Iterable[Work]) -> Mapping[str, int]:
    """Count changes of the performer between consecutive pieces of work, by kind.

    Machines of one executor kind are one pool: a change between them is none. Attempts of a step are one piece.
    """
    done = sorted((w for w in works if w.end in ("done", "exception", "failed")), key=_begun)
    counted = Counter(
        ("h" if before.kind == "human" else "m") + ("h" if after.kind == "human" else "m")
        for before, after in pairwise(done)
        if _performer(before) != _performer(after)
    )
    return {kind: counted[kind] for kind in HANDOFFS}


def cost(record: Record, roles: Mapping[str, str], rates: Mapping[str, Rate]) -> tuple[float, str] | None:
    """What people's work on a case cost, and the currency; None where the declared rates cannot say it.

    Args:
        record: A closed case.
        roles: The role of each human step.
        rates: The declared rate of each role.
    """
    currencies = {rate.currency for rate in rates.values()}
    if len(currencies) != 1:
        return None
    total = 0.0
    for work in record.steps:
        if work.kind != "human" or work.external or not (work.work or work.assigned_only):
            continue
        rate = rates.get(roles.get(work.step, ""))
        if rate is None or work.assigned_only:
            return None
        worked = length(worked_intervals(work, record.closed or 0))
        total += worked / MICROSECONDS_PER_HOUR * rate.per_hour
    return round(total, 6), currencies.pop()


def _begun(work: Work) -> tuple[Microseconds, Microseconds]:
    ended = work.done or 0
    return (work.work[0][0] if work.work else ended), ended


def _performer(work: Work) -> str:
    return f"person {work.by}" if work.kind == "human" else work.kind
