"""Two versions of a unit side by side: the verdict, what it rests on, and what it must not cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from workers.pages.words import plain, span

if TYPE_CHECKING:
    from observability.learning.comparing import Comparison, Judged
    from observability.learning.contrasts import Contrast
    from observability.learning.guardrails import Breach

_NAME, _CELL = 26, 22
_WORDS = {
    "better": "better",
    "not_worse": "not worse",
    "worse": "worse",
    "undecided": "undecided",
}
_ASSIGNED = {
    "split": "new cases were split between them by their keys, at the same time",
    "before_after": "WEAK: not split by chance; whatever else changed between them is in the difference, too",
}


def page(found: Comparison) -> str:
    """The whole page."""
    return "\n".join(line.rstrip() for line in _lines(found))


def _lines(found: Comparison) -> Iterator[str]:
    older, newer = (plain(version) for version in found.versions)
    yield f"{found.unit}: version {newer} against {older}, by {found.plan.measure}: {_WORDS[found.outcome].upper()}"
    yield f"  {_ASSIGNED[found.assignment]}"
    yield f"  {found.n[0]} and {found.n[1]} cases, of them open {found.open[0]} and {found.open[1]}"
    yield from _looks(found)
    yield ""
    yield f"{'':{_NAME}}{f'version {older}':<{_CELL}}{f'version {newer}':<{_CELL}}difference, 95 % interval"
    yield from _row(found.primary)
    if found.detectable is not None:
        yield f"{'':{_NAME}}a difference of {found.detectable:.0%} or more would be seen four times in five"
    yield ""
    yield "Guardrails: what the change must not cost; as they are now, and judged at the looks"
    for name, one in found.guardrails.items():
        yield from _row(one, "BREACHED" if name in found.breached else "")
        yield from _breach(found, name)
    if not found.guardrails:
        yield "  none of them can be computed"
    yield "The rest"
    for name, one in found.others.items():
        yield from _row(one, "certain" if name in found.clear else "")
    yield from _segments(found)


def _looks(found: Comparison) -> Iterator[str]:
    for one in found.judged:
        yield f"  {_when(one)}: {_WORDS[one.outcome]} (p {_p(one.contrast)})"
    if found.due:
        ended = sum(found.n) - sum(found.open)
        yield f"  next look after {found.due} ended cases, there are {ended}; what is below decides nothing until then"


def _breach(found: Comparison, name: str) -> Iterator[str]:
    one = found.breaches.get(name)
    if one:
        was, became = (_value(one.contrast, value) for value in one.contrast.values)
        yield f"    worse beyond chance at {_when(one)}: {was} and {became} (p {_p(one.contrast)})"


def _when(one: Judged | Breach) -> str:
    day = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%d")
    return f"look {one.look.number} of 4 on {day}, after {one.look.cases} ended cases"


def _row(one: Contrast, sign: str = "") -> Iterator[str]:
    first, second = (_value(one, value) for value in one.values)
    yield f"  {one.measure:<{_NAME - 2}}{first:<{_CELL}}{second:<{_CELL}}{_difference(one)}  {sign}"
    if one.kind == "duration":
        for name, values in (("median", one.medians), ("p85", one.p85s)):
            cells = ["not reached" if value is None else span(timedelta(seconds=value)) for value in values]
            yield f"    {name:<{_NAME - 4}}{cells[0]:<{_CELL}}{cells[1]:<{_CELL}}"


def _value(one: Contrast, value: float | None) -> str:
    if value is None:
        return "-"
    if one.kind == "duration":
        return f"mean {span(timedelta(seconds=value))}"
    return f"{value:.1%}" if one.kind in ("share", "ratio") else f"{value:.2f}"


def _difference(one: Contrast) -> str:
    if one.difference is None:
        return "-"
    if one.low is None or one.high is None:
        return _signed(one, one.difference)
    return f"{_signed(one, one.difference)} ({_signed(one, one.low)} to {_signed(one, one.high)})"


def _signed(one: Contrast, value: float) -> str:
    sign = "-" if value < 0 else "+"
    if one.kind == "duration":
        return f"{sign}{span(timedelta(seconds=abs(value)))}"
    return f"{sign}{abs(value):.1%}" if one.kind in ("share", "ratio") else f"{sign}{abs(value):.2f}"


def _p(one: Contrast) -> str:
    if one.p_value is None:
        return "-"
    return "< 0.001" if one.p_value < 0.001 else f"{one.p_value:.3f}"  # noqa: PLR2004 - what three digits can show


def _segments(found: Comparison) -> Iterator[str]:
    if len(found.mix) < 2:  # noqa: PLR2004 - one segment is no mix
        return
    yield ""
    parts = (f"{plain(name) or 'none'} {one:.0%} / {two:.0%}" for name, (one, two) in found.mix.items())
    yield f"Segments: {', '.join(parts)}"
    if found.reweighted is not None:
        yield f"  with the older version's mix, the difference is {_signed(found.primary, found.reweighted)}"
    for name in found.flips:
        yield f"  IN {plain(name)} IT IS THE OTHER WAY ROUND, and certain"
