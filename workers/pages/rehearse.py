"""A rehearsal as text: whether the new executor decides as people did, who would decide then, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from workers.pages.words import micro, plain, span
from workers.rehearsing.side_effects import NOT_GUARDED

if TYPE_CHECKING:
    from observability.learning.estimates import Rate
    from observability.learning.rehearsal import Agreement, CycleTime, Figures
    from workers.rehearsing.rehearsing import Rehearsal

FEWEST = 30
"""Decided cases below which agreement is no ground to build on."""
_NAME = 37
_CENT = 0.01


def page(found: Rehearsal) -> str:
    """The whole page."""
    return "\n".join(line.rstrip() for line in _lines(found))


def as_json(found: Rehearsal) -> dict[str, Any]:
    """The same for `--json`: figures, and each case apart."""
    return {
        "unit": found.unit,
        "version": found.version,
        "step": found.step,
        "kind": found.kind,
        "model": found.model,
        "executor": found.executor or None,
        "old_executors": dict(found.executors),
        "material": found.material,
        "cases": len(found.trials),
        "versions": dict(found.gathered.versions),
        "other_versions": dict(found.gathered.others),
        "not_rehearsed": dict(found.gathered.left),
        "input_from_ledger": found.gathered.from_ledger,
        "ended_early": found.ended or None,
        "refused_side_effects": found.refused,
        "stopped": found.stopped,
        "level": found.level,
        "level_why": found.level_why or None,
        "grants": [{"grant_id": one.grant_id, "level": one.level, "executor": one.executor} for one in found.grants],
        "figures": found.figures.as_json() if found.figures else None,
        "requests": found.requests,
        "tokens": found.tokens,
        "spent_usd": found.spent_usd,
        "trials": found.trials,
    }


def _lines(found: Rehearsal) -> Iterator[str]:
    yield from _head(found)
    if found.figures is None:
        return
    yield ""
    yield from _agreement(found, found.figures)
    if found.kind == "hybrid":
        yield ""
        yield from _routes(found, found.figures)
        yield ""
        yield from _cycle(found.figures.cycle)
    yield ""
    yield from _cost(found, found.figures)
    yield ""
    yield from _limits(found)


def _head(found: Rehearsal) -> Iterator[str]:
    from workers.rehearsing.pasts import WHY

    new, old = plain(found.executor or found.model), " and ".join(map(plain, found.executors))
    yield f"Rehearsal of {found.unit}.{found.step}: {new}{f' instead of {old}' if old else ''}"
    yield f"  {_cases(len(found.trials))}, the newest first; nothing was decided, and no case was touched"
    yield from _versions(found)
    if found.model == "test":
        yield "  THE ANSWERS ARE MADE UP: `test` is no model. This shows how a rehearsal goes, and nothing else"
    if found.trials and not found.requests:
        yield "  THE MODEL WAS NEVER ASKED: the step's performer does not use the one that it is given"
    for code, count in found.gathered.left.items():
        yield f"  not rehearsed: {_cases(count)}: {WHY[code]}"
    if found.gathered.from_ledger:
        why = "the engine has their history no more, so what people decided is not known"
        yield f"  of {_cases(found.gathered.from_ledger)} the ledger had the input: {why}"
    if found.ended:
        left = len(found.gathered.pasts) - len(found.trials)
        yield f"  ENDED EARLY, with {_cases(left)} left: {found.ended}"
    if not found.gathered.pasts:
        yield "  There is nothing to rehearse."


def _versions(found: Rehearsal) -> Iterator[str]:
    """Of which versions the cases are: one may have asked, and let people decide, something else than another."""
    there, others = found.gathered.versions, found.gathered.others
    if there:
        mixed = "; MIXED: figures are over all of them" if len(there) > 1 else ""
        yield f"  by version: {_by_version(there)}; today's is version {plain(found.version)}{mixed}"
    if others:
        how = "take them with --version VERSION, or --version all"
        yield f"  not looked at, for they are of another version: {_by_version(others)}; {how}"


def _by_version(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{_cases(count)} of version {plain(version)}" for version, count in counted.items())


def _agreement(found: Rehearsal, figures: Figures) -> Iterator[str]:
    whom = "Does it decide as people did?" if found.kind == "hybrid" else "Does it answer as the old one did?"
    yield f"{whom} Compared: {', '.join(found.material)}; in brackets the interval of 95 %"
    people = figures.with_people
    if people is None:
        why = "no person decides at this step" if found.kind == "ai" else "no decision of a person is known"
        yield f"  {why} in these cases"
    else:
        yield from _of_both(people, "  ")
        yield from _independent(people, figures.with_independent)
        if people.new.n < FEWEST:
            yield f"  Under {FEWEST} decided cases: too few to build on"
    yield _row("new and old executor alike", figures.with_old)


def _of_both(found: Agreement, indent: str) -> Iterator[str]:
    yield _row("new executor and people alike", found.new, indent)
    if found.old is None:
        return
    yield _row("old executor and people alike", found.old, indent)
    if found.p_value is None:
        yield f"{indent}wherever one of the two met the decision, the other did"
        return
    told = f"the new one met {found.gained} that the old one missed, and missed {found.lost} that the old one met"
    yield f"{indent}{told}: {_chance(found.p_value)}"


def _independent(people: Agreement, alone: Agreement | None) -> Iterator[str]:
    n = alone.new.n if alone else 0
    if n == people.new.n:
        yield "  All of them decided without seeing the old proposal."
        return
    seen = people.new.n - n
    yield f"  In {seen} of these, people saw the old proposal, which draws them to it and flatters the old executor."
    if alone is None:
        yield "  Nobody decided without seeing it, so there is no judgement that is independent of it."
        return
    yield "  Where they did not see it:"
    yield from _of_both(alone, "    ")


def _routes(found: Rehearsal, figures: Figures) -> Iterator[str]:
    yield "Who would decide? Cases that go straight through, without a person"
    yield _row("so far", figures.was_auto)
    yield _row("PREDICTED, as things stand", figures.auto_today)
    yield from _standing(found)
    if not found.grants:
        return
    yield _row("PREDICTED, if signed for it", figures.auto)
    names = ", ".join(sorted({plain(one.executor) for one in found.grants}))
    yield f"    with level, threshold and calibration of what is signed for {names}"
    if figures.auto_wrong is not None:
        yield _row("of these, people decided otherwise", figures.auto_wrong)
    rest = [f"{count} {why}" for why, count in figures.routes.items() if why != "confident"]
    if rest:
        yield f"    to people: {', '.join(rest)}"
    if any(one.executor != found.executor for one in found.grants):
        yield "    Another executor's confidence means something else: before anything is signed, it needs a"
        yield "    calibration and a certificate of its own, by decisions of people who did not see its proposals"


def _standing(found: Rehearsal) -> Iterator[str]:
    """Why it would be as it is, as things stand."""
    if found.stopped:
        yield "    the step is stopped: people decide all of it, until someone lifts the stop"
    elif found.level is not None:
        why = ": it is another model, prompt or tools than this version began with" if found.level_why else ""
        yield f"    it would stand at {found.level}{why}"
    if not found.grants:
        yield "    nothing is signed for this step and version, so people decide whatever any model proposes"


def _cycle(cycle: CycleTime | None) -> Iterator[str]:
    yield "Cycle time"
    if cycle is None:
        yield "  no more cases would go straight through, so it stays as it is"
        return
    for name, now, (low, high) in (
        ("median", cycle.median, cycle.predicted_median),
        ("mean", cycle.mean, cycle.predicted_mean),
    ):
        yield f"  {name:<8}{micro(now)} so far; PREDICTED, if signed for it: {_range(low, high)}"
    yield f"  of {_cases(cycle.n)}; {cycle.affected} of them without the queue and touch of the person's decision"
    yield "  The shorter end takes off all time until the decision, the longer one only what was measured of it; both"
    yield "  allow for chance in which cases these were. Nobody has worked that way yet."


def _cost(found: Rehearsal, figures: Figures) -> Iterator[str]:
    yield "Cost, speed and failures"
    asked = f"{found.requests} request{'' if found.requests == 1 else 's'}, {found.tokens:,} tokens"
    if figures.cost_usd is None or figures.cost_per_case_usd is None:
        yield f"  cost: not known, nobody has a price of this model; {asked}"
    else:
        yield f"  cost: {_usd(figures.cost_per_case_usd)} a case; {_usd(figures.cost_usd)} in all, {asked}"
    if figures.latency:
        median, high = figures.latency.median.value, figures.latency.p95.value
        yield f"  an answer took {_us(median)} (median), {_us(high)} (p95)"
    failed = figures.n - figures.answered
    if not failed:
        yield "  failures: none"
        return
    then = (
        "people would decide there" if found.kind == "hybrid" else "the platform would try again, then follow the rules"
    )
    yield f"  failures: {failed} of {_cases(figures.n)}; {then}: {_named(figures.failures)}"


def _limits(found: Rehearsal) -> Iterator[str]:
    yield "What this does not say"
    yield f"  The inputs went to {plain(found.model)}: that is in the ledger's audit."
    yield "  Each case was asked once; the platform tries again what fails for a while."
    if found.refused:
        refused = f"refused to the performer: {_named(found.refused)}"
        yield f"  {refused}. It was rehearsed without; such cases count as failed."
    yield from wrap(f"  NOT GUARDED against side effects: {NOT_GUARDED}.", 110, subsequent_indent="    ")
    yield "  People were not there: whether they would decide otherwise beside another proposal, nobody has tried."


def _row(name: str, share: Rate | None, indent: str = "  ") -> str:
    wide = _NAME - len(indent)
    if share is None:
        return f"{indent}{name:<{wide}} -"
    return f"{indent}{name:<{wide}} {share.share:>6.1%} of {share.n} ({share.low:.1%} to {share.high:.1%})"


def _range(low: int, high: int) -> str:
    return micro(low) if micro(low) == micro(high) else f"{micro(low)} to {micro(high)}"


def _chance(p_value: float) -> str:
    return f"p {p_value:.3f}, {'hardly chance' if p_value < 0.05 else 'that may be chance'}"  # noqa: PLR2004 - the usual


def _usd(amount: float) -> str:
    return f"{amount:.2f} USD" if amount >= _CENT or not amount else f"{amount:.5f} USD"


def _us(value: float | None) -> str:
    return "-" if value is None else span(timedelta(microseconds=value))


def _named(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{plain(name)} {count}" for name, count in counted.items())


def _cases(count: int) -> str:
    return f"{count} past case{'' if count == 1 else 's'}"
