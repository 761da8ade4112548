"""What the demo says at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from demos.lending import office
from demos.lending.applicants import SHARES
from demos.lending.beside import BASES
from demos.lending.parts import COMPLAINT, parts
from workers.pages import stream as stream_page
from workers.pages.words import moment

if TYPE_CHECKING:
    from demos.lending.beside import Beside
    from demos.lending.playing import Played
    from observability.learning.stream import Stream

_WIDTHS = (34, 26, 11, 33, 9)


def page(played: Played, stream: Stream, rush: Stream, side: Beside, more: dict[str, Any]) -> str:
    """All of it, as text."""
    return "\n".join(line.rstrip() for line in _lines(played, stream, rush, side, more))


def _lines(played: Played, stream: Stream, rush: Stream, side: Beside, more: dict[str, Any]) -> Iterator[str]:
    plan = played.plan
    yield ""
    yield from stream_page.page(stream).splitlines()[:-1][: _until_roles(stream)]
    later = ("", "a week", "two weeks")[(rush.since - stream.since).days // 7]
    begun = f"from {later} after the first, when desks had filled" if later else "from the first one on"
    yield f"While applications came in, {begun}, until {moment(rush.until)}, on the simulated calendar:"
    yield from stream_page.load_table(rush)
    yield ""
    yield from stream_page.constraint_lines(rush)
    yield ""
    yield "Before and after (no proof: what the basis says holds for each figure)"
    yield _row("", "before", "basis", "after", "basis")
    for row in side.rows:
        yield _row(row.what, row.before, row.before_is, row.after, row.after_is)
    yield ""
    used = {basis for row in side.rows for basis in (row.before_is, row.after_is)}
    yield from (f"  {name:10} {said}" for name, said in BASES.items() if name != "-" and name in used)
    yield f"  before: {side.source}"
    yield ""
    yield from _honest(played)
    yield ""
    fidelity = more["fidelity"]
    yield (
        f"{len(plan.threads)} applications, {len(played.executed)} cases in {more['seconds']:.0f} s; of "
        f"{fidelity.turns} pieces of people's work {fidelity.off} are recorded otherwise than planned. "
        "Nothing is left running."
    )
    yield f"The stream as a page: {more['page']}"


def _row(*cells: str) -> str:
    return "  " + "".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))


def _until_roles(stream: Stream) -> int:
    """The stream's page without its roles: over the whole window they say nothing, since nobody applies at its end."""
    lines = stream_page.page(stream).splitlines()
    return next(n for n, line in enumerate(lines) if line.startswith("Roles "))


def _honest(played: Played) -> Iterator[str]:
    plan = played.plan
    yield "What is not real in the after:"
    yield f"  people      {len(plan.people)} invented ones, {_week(plan):.0f} hours a week in all; simulated"
    yield "  answers     drawn from assumed shares: " + ", ".join(
        f"{n.replace('_', ' ')} {s:.1%}" for n, s in SHARES.items()
    )
    nearest = sorted({part.step for part in parts().values() if part.why})
    yield f"  times       of {', '.join(nearest)}: of another item of the log, since it has none of their own"
    yield "  AI          no model was asked: the test model's plain rules answered"
    if any(case.arrival.unit == COMPLAINT for case in plan.cases):
        yield "  complaints  name no application among their facts, so that the stream sees each as a thread of its own"
    yield "  luck        one draw; another --seed gives other figures, the intervals say how far apart"
    if plan.missing:
        yield f"  not run     {', '.join(plan.missing)}: their people's work is missing"
        if "credit_decision" in plan.missing:
            yield "              so the score card alone decides, nobody decides a loan, and nobody complains"


def _week(plan: Any) -> float:
    return float(sum(one.hours.consumed(plan.begin, plan.begin + office.WEEK) for one in plan.people) / 3.6e9)
