"""The page of a role, and the list of all roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from workers.pages.words import micro, plain

if TYPE_CHECKING:
    from inbox.role_view import Point, Role, Stand
    from observability.learning.estimates import Rate, Spread

_ABSENT = "-"


def listing(found: Iterable[Role]) -> Iterator[tuple[str, str, str, str, str]]:
    """A row for each role: its name, and how much of each kind it has."""
    for role in found:
        counts = (role.outcomes, role.owned, role.answers, role.decides)
        name, *rest = (plain(role.name), *(str(len(one)) if one else _ABSENT for one in counts))
        yield name, rest[0], rest[1], rest[2], rest[3]


def page(role: Role, stands: Mapping[str, Stand] | None, why_not: str = "") -> str:
    """The whole page.

    Args:
        role: What it has.
        stands: How its units stand; None when the ledger does not say.
        why_not: Why it does not.
    """
    return "\n".join(_lines(role, stands, why_not))


def _lines(role: Role, stands: Mapping[str, Stand] | None, why_not: str) -> Iterator[str]:
    yield plain(role.name)
    if not role.has_any:
        yield "  It answers for no outcome, owns no unit and takes no decision: others answer for its work."
        return
    yield f"  How things stand: {'cases of the last 30 days' if stands is not None else plain(why_not)}"
    said = stands or {}
    if role.outcomes:
        yield from ("", "Outcomes it answers for")
        for entry in role.outcomes:
            yield f"  {entry.unit} version {entry.version}, {entry.stage}: {plain(entry.statement)}"
            yield from _outcome(said.get(entry.unit))
    if role.owned:
        yield from ("", "Units it owns")
        for entry in role.owned:
            yield f"  {entry.unit}: {plain('; '.join(entry.measures))}"
            stand = said.get(entry.unit)
            yield from (f"      ! {plain(warning)}" for warning in (stand.warnings if stand else ()))
    yield from _points("Decisions it answers for", role.answers, said, others=False)
    yield from _points("Decisions it takes", role.decides, said, others=True)


def _outcome(stand: Stand | None) -> Iterator[str]:
    if stand is None:
        return
    figures, still = stand.report.figures, stand.report.open
    yield f"      {figures.n} closed; attained {_share(figures.outcome_attainment)}, on time {_share(figures.on_time)}"
    yield f"      {still.n} open, {still.past_due} of them past due; cycle time median {_median(figures.cycle)}"


def _points(title: str, points: list[Point], said: Mapping[str, Stand], *, others: bool) -> Iterator[str]:
    if points:
        yield from ("", title)
    for point in points:
        step = point.step
        who = f"; {step.accountable or 'nobody'} answers" if others else f"; {_taken_by(point)}"
        yield f"  {point.entry.unit}, {step.name}: {plain(step.decides or 'no decision')}{plain(who)}"
        stand = said.get(point.entry.unit)
        if stand is None:
            continue
        went, waiting = stand.steps.get(step.name), stand.waiting.get(step.name, 0)
        waits = f"; {waiting} wait now" if step.by else ""
        if went is None:
            never = "no person decided in these cases" if step.kind == "hybrid" else "never reached in these cases"
            yield f"      {never}{waits}"
        else:
            yield f"      {went.n} times; queue median {_median(went.queue)}, work median {_median(went.work)}{waits}"


def _taken_by(point: Point) -> str:
    from inbox.catalog_map import performer

    return f"taken by {performer(point.step)}"


def _share(rate: Rate | None) -> str:
    return _ABSENT if rate is None else f"{rate.share:.0%} ({rate.count} of {rate.n})"


def _median(spread: Spread | None) -> str:
    return _ABSENT if spread is None or spread.median.value is None else micro(int(spread.median.value))
