"""Advice on a unit as text: each suggestion with its evidence, its cases and what it may bring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workers.pages.words import micro, plain

if TYPE_CHECKING:
    from observability.learning.advising import Advice, Suggestion
    from observability.learning.whatif import Effect

_AGAINST = {
    "baseline": "in the baseline",
    "segments": "in the other segments",
    "steps": "at the other steps of its kind",
}


def page(advice: Advice, *, ids: bool = False) -> str:
    """The whole page."""
    return "\n".join(line.rstrip() for line in _lines(advice, ids=ids))


def _lines(advice: Advice, *, ids: bool) -> Iterator[str]:
    from observability.learning.advising import FEWEST

    looked = f"{advice.n} closed case{'' if advice.n == 1 else 's'}"
    yield f"{advice.unit}, version {plain(advice.version)}: {looked}"
    if not advice.enough:
        yield f"Too few cases to advise anything: {FEWEST} are needed."
        return
    against = f"baseline {plain(advice.baseline)}" if advice.baseline else "no baseline of another version; peers"
    yield f"Compared with: {against}"
    if not advice.suggestions:
        yield ""
        yield "Nothing stands out: what differs is no more than chance."
    for place, one in enumerate(advice.suggestions, 1):
        yield ""
        yield f"{place}. {_said(one)}"
        yield f"   {_evidence(one)}"
        if one.effect:
            yield f"   {_effect(one.effect)}"
        if ids and one.cases:
            yield f"   cases: {', '.join(plain(case) for case in one.cases)}"
    yield ""
    yield "What the ledger cannot say:"
    yield from (f"  {plain(text)}" for text in advice.unseen)


def _said(one: Suggestion) -> str:
    where = f" in segment {plain(one.segment)}" if one.segment else ""
    if one.kind == "excess":
        return f"{one.step}: {str(one.part).replace('_', ' ')} takes longer than it should{where}"
    return {
        "no_rule": f"{one.step or 'the unit'}: {plain(one.evidence.get('code'))} closes cases, and no rule takes it",
        "same_course": f"{one.step}: whatever people decide, the case goes the same way; it has no reason to appear",
        "handoff": f"{one.step}: the handoff to another person adds only queue",
        "unused_result": f"{one.step}: nothing uses its result",
        "never_performed": f"{one.step}: it was never performed; it has no reason to appear, or its time is to come",
    }[one.kind]


def _evidence(one: Suggestion) -> str:
    told = one.evidence
    if one.kind == "excess":
        return (
            f"median {micro(told['median'])} against {micro(told['limit'])} {_AGAINST[told['against']]}; "
            f"n={told['performed_in']} and {told['peers']}, p={told['p_value']:.2g}; {len(one.cases)} cases above it"
        )
    if one.kind == "no_rule":
        what = "business exception" if told["business"] else "technical failure"
        return f"{what}, in {told['cases']} of {told['of']} cases"
    if one.kind in ("same_course", "handoff"):
        return (
            f"{told['performances']} performances, each followed by {plain(told['then'])}; "
            f"at most {told['highest_share_of_others']:.1%} would go another way"
        )
    count = told.get("performed_in", told.get("cases"))
    return f"performed in {count} cases" if one.kind == "unused_result" else f"in {count} closed cases"


def _effect(effect: Effect) -> str:
    sure = "all closed on one day: no interval" if effect.low is None or effect.high is None else ""
    sure = sure or f"95 %: {micro(round(effect.low or 0))} to {micro(round(effect.high or 0))}"
    return (
        f"expected: {micro(round(effect.mean))} less cycle time per case ({sure}); "
        f"median {micro(round(effect.median_before))} to {micro(round(effect.median_after))}, n={effect.n}"
    )
