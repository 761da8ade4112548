"""Advice on a unit, from the ledger's closed cases only: what to look at first, the cases behind it, what it may bring.

Every suggestion is a question to the unit's owner, not an order. What the ledger cannot know is said, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scipy import stats
from sqlalchemy import Connection

from observability.learning.baseline import NoBaselineError, baselines_of
from observability.learning.excesses import Excess, Limits, excesses
from observability.learning.usage import UnreadableError, unused_steps
from observability.learning.usual import SAMPLE, records
from observability.learning.version_baseline import version_of
from observability.learning.whatif import Effect, Told, beyond, effect, following, told_of
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from workunits.core.record import Work
from workunits.core.spec import On, OnFailure
from workunits.core.unit import WorkUnit

FEWEST = 30
"""Closed cases of a version from which on anything is advised."""
OFTEN = 10
"""Performances of a step, or closes by an exception, from which on they say something."""
_MATERIAL = 0.01
"""A saving below this share of the mean cycle time is no advice."""
_BRIEF = 0.05
"""Work of less than this share of a performance's time: the rest only waited."""
Kind = Literal["excess", "no_rule", "same_course", "handoff", "unused_result", "never_performed"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One suggestion."""

    kind: Kind
    step: str
    part: str | None
    segment: str | None
    """None: in all of them."""
    evidence: Mapping[str, Any]
    """What was counted; durations in microseconds."""
    cases: Sequence[str]
    """The ids of the cases behind it."""
    effect: Effect | None
    """On the cycle time; None where the ledger's times say nothing of it."""

    def as_json(self, *, ids: bool = False) -> Mapping[str, Any]:
        """As JSON values; with the cases' ids on request."""
        names = ("kind", "step", "part", "segment", "evidence")
        there = {name: getattr(self, name) for name in names}
        return {**there, "n": len(self.cases), "effect": self.effect, **({"cases": self.cases} if ids else {})}


@dataclass(frozen=True, slots=True)
class Advice:
    """What there is to say of a version."""

    unit: str
    version: str
    n: int
    """Closed cases that were looked at."""
    enough: bool
    baseline: str | None
    """The baseline of a version that excesses are measured against; else they are against peers."""
    suggestions: Sequence[Suggestion]
    """The largest expected effect first; then those without one."""
    unseen: Sequence[str]
    """What the ledger cannot know, and what would let it."""

    def as_json(self, *, ids: bool = False) -> Mapping[str, Any]:
        """As JSON values."""
        names = ("unit", "version", "n", "enough", "baseline", "unseen")
        said = [one.as_json(ids=ids) for one in self.suggestions]
        return {**{name: getattr(self, name) for name in names}, "needed": FEWEST, "suggestions": said}


def advise(ledger: Ledger, unit: type[WorkUnit], version: str = "") -> Advice:
    """Look at the newest closed cases of a version.

    Args:
        ledger: Where from.
        unit: The unit.
        version: The unit's present one when empty.

    Raises:
        LedgerUnavailableError.
    """
    version = version or unit.version
    with ledger.read() as connection:
        limits = _limits(connection, unit.unit_name, version)
        closed = (cases.c.close.is_not(None), cases.c.version == version)
        seen = [told_of(record) for record in records(connection, unit.unit_name, *closed, limit=SAMPLE)]
    enough = len(seen) >= FEWEST
    found = list(_suggestions(unit, seen, limits)) if enough else []
    found.sort(key=lambda one: (-(one.effect.mean if one.effect else -1), one.kind, one.step, one.segment or ""))
    return Advice(
        unit.unit_name, version, len(seen), enough, limits.name if limits else None, found, list(_unseen(unit))
    )


def _limits(connection: Connection, unit: str, version: str) -> Limits | None:
    """The newest baseline of another version: one of its own says what it is, not what it could be."""
    try:
        found = baselines_of(connection, unit)
    except NoBaselineError:
        return None
    for baseline in found:
        if version_of(baseline) not in (None, version):
            return Limits(baseline.name, baseline.figures.get("cells") or {})
    return None


def _suggestions(unit: type[WorkUnit], seen: Sequence[Told], limits: Limits | None) -> Iterator[Suggestion]:
    least = _MATERIAL * sum(case.cycle for case in seen) / len(seen)
    for excess in excesses(seen, limits):
        made = _of_excess(seen, excess)
        if made.effect and made.effect.mean >= least and (made.effect.low or 0) > 0:
            yield made
    yield from _unruled(unit, seen)
    yield from _without_a_say(unit, seen)
    yield from _unused(unit, seen)
    performed = frozenset().union(*(case.performed for case in seen))
    for step in unit.steps:
        if step.name not in performed:
            yield Suggestion("never_performed", step.name, None, None, {"cases": len(seen)}, [], None)


def _of_excess(seen: Sequence[Told], excess: Excess) -> Suggestion:
    inside = [excess.segment is None or case.record.segment == excess.segment for case in seen]
    saved = [beyond(case, excess.cell, excess.limit) if there else 0 for case, there in zip(seen, inside, strict=True)]
    behind = [case.case for case, much in zip(seen, saved, strict=True) if much]
    told = {
        "median": excess.median,
        "limit": excess.limit,
        "against": excess.against,
        "performed_in": excess.n,
        "peers": excess.peers,
        "p_value": excess.p_value,
    }
    return Suggestion("excess", *excess.cell, excess.segment, told, behind, effect(seen, saved))


def _unruled(unit: type[WorkUnit], seen: Sequence[Told]) -> Iterator[Suggestion]:
    """Exceptions that closed cases because no rule takes them; a step that waits for an operator has decided so."""
    ruled = {(rule.step.name, rule.exception.code) for rule in unit.rules if isinstance(rule, On)}
    caught = {rule.step.name for rule in unit.rules if isinstance(rule, OnFailure)}
    found: dict[tuple[str, str, bool], list[str]] = {}
    for case in seen:
        of = {work.key: work.step for work in case.record.steps}
        for route in case.record.routes:
            step = of.get(route.key, "")
            covered = (step, route.code) in ruled if route.business else step in caught
            if route.to == "close" and not covered:
                found.setdefault((step, route.code, route.business), []).append(case.case)
    for (step, code, business), behind in sorted(found.items()):
        told = {"code": code, "business": business, "cases": len(behind), "of": len(seen)}
        yield Suggestion("no_rule", step, None, None, told, behind, None)


def _without_a_say(unit: type[WorkUnit], seen: Sequence[Told]) -> Iterator[Suggestion]:
    """People's decisions after which every case goes the same way, and handoffs to them that add only queue."""
    for step in unit.steps:
        if step.kind != "human" or step.external or not step.decides:
            continue
        went = [(case, work, then) for case in seen for work, then in following(case.record) if work.step == step.name]
        done = [(case, work, then) for case, work, then in went if work.end == "done"]
        ways = {then for _, _, then in done}
        if len(done) < OFTEN or len(done) < len(went) or len(ways) != 1:
            continue
        behind = list(dict.fromkeys(case.case for case, _, _ in done))
        handed = [work for case, work, _ in done if _handed(case, work)]
        only_queue = len(handed) == len(done) and all(_waited(work) for work in handed)
        told = {"performances": len(done), "then": ways.pop(), "highest_share_of_others": _at_most(len(done))}
        if only_queue:
            saved = [beyond(case, (step.name, "queue"), 0) for case in seen]
            yield Suggestion("handoff", step.name, "queue", None, told, behind, effect(seen, saved))
            continue
        own = [sum(much for (of, _), much in case.alone.items() if of == step.name) for case in seen]
        yield Suggestion("same_course", step.name, None, None, told, behind, effect(seen, own))


def _at_most(n: int) -> float:
    """The most that the share of decisions that go another way may be, as none was seen in so many."""
    return float(stats.binomtest(0, n).proportion_ci(0.95, method="exact").high)


def _handed(case: Told, work: Work) -> bool:
    """Whether it came from another person."""
    before = [one for one in case.record.steps if one.kind == "human" and one.done is not None and one.by]
    last = max((one for one in before if (one.done or 0) <= work.ready), key=lambda one: one.done or 0, default=None)
    return last is not None and last.by != work.by and not last.external


def _waited(work: Work) -> bool:
    """Whether it was measured, and was next to nothing beside the wait."""
    length = (work.done or work.ready) - work.ready
    worked = sum(end - begin for begin, end in work.work)
    return not work.assigned_only and bool(work.work) and worked < _BRIEF * length


def _unused(unit: type[WorkUnit], seen: Sequence[Told]) -> Iterator[Suggestion]:
    """Of people and models only: a machine step without a result to use is often there for what it does."""
    try:
        unused = unused_steps(unit)
    except UnreadableError:
        return
    for step in unit.steps:
        behind = [case.case for case in seen if step.name in case.performed]
        if step.name in unused and step.kind in ("human", "ai") and behind:
            own = [sum(much for (of, _), much in case.alone.items() if of == step.name) for case in seen]
            yield Suggestion(
                "unused_result", step.name, None, None, {"performed_in": len(behind)}, behind, effect(seen, own)
            )


def _unseen(unit: type[WorkUnit]) -> Iterator[str]:
    """What nobody should conclude from the silence of this advice."""
    if any(step.kind == "human" and step.decides and not step.external for step in unit.steps):
        yield (
            "whether a person's decision equals what the rule proposed: the ledger keeps where a case went, not the "
            "results of steps; declare a fact or a quality measure for it"
        )
    if not getattr(unit, "keep_inputs", False):
        yield "what in the input makes a case slow, beyond its segment and facts: the unit does not keep inputs"
    if unit.learning.segment is None:
        yield "differences between segments: the unit's Learning declares none"
    try:
        unused_steps(unit)
    except UnreadableError:
        yield "whether a step's result is used: the source of work() cannot be read here"
    yield "whether the result of an automated step is needed: it may be there for what it does"
