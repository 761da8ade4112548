"""An explanation as text: one sentence first, then where the time went, part by part and step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from observability.learning.explaining import named
from workers.pages.tables import Cell, line, pairs, table
from workers.pages.words import micro, moment
from workunits.core.parts import PARTS
from workunits.core.record import ROUTES

if TYPE_CHECKING:
    from observability.learning.explaining import Explanation
    from observability.learning.lateness import Lateness, Ranked

_SHOWN = 12
_NOTHING = "-"


def show_case(found: Explanation) -> None:
    """Print the explanation of a case."""
    line(found.sentence(micro), style="bold")
    line()
    pairs(_header(found))
    line()
    heads = ("PART", ">TIME", ">SHARE", ">WORKING", ">MEDIAN", ">EXCESS", ">BASELINE")
    table(heads, [*(_part(found, part) for part in PARTS), _sum(found)])
    if found.inside:
        inside = sorted(found.inside.items(), key=lambda one: -one[1])
        line(f"Inside the rework: {', '.join(f'{_words(part)} {micro(spent)}' for part, spent in inside)}")
    line()
    rows = [
        (piece.key or "(no step)", piece.kind or "", micro(sum(piece.wall.values())), _told(piece.wall))
        for piece in found.pieces
    ]
    table(("STEP", "EXECUTOR", ">TIME", "OF IT"), rows)
    happened = list(_happened(found))
    if happened:
        line()
        table((">AFTER", "WHAT", "THEN"), happened, whole=())


def show_unit(found: Lateness, roles: Mapping[str, str]) -> None:
    """Print what makes a unit's cases late."""
    line(found.sentence(micro, roles), style="bold")
    line()
    asked = found.asked
    window = " ".join(
        f"{word} {moment(when)}" for word, when in (("from", asked.since), ("until", asked.until)) if when
    )
    pairs(
        [
            ("Unit", asked.unit + (f", version {asked.version}" if asked.version else "")),
            ("Window", window or "all closed cases"),
            ("Late", f"{found.n} of {found.closed} closed; beside them {found.open_late} open and past due"),
            ("Lateness", micro(found.total)),
            (
                "Compared",
                f"with {found.on_time.n} cases that were on time"
                + (
                    ""
                    if found.on_time.parts and found.on_time.part("idle") is not None
                    else ": too few, so by the time itself"
                ),
            ),
        ]
    )
    if not found.total:
        return
    cells = [(named(step, part, roles), one) for (step, part), one in found.cells.items()]
    _ranked(found, "PART AND STEP", cells)
    _ranked(found, "PART", [(_words(part), one) for part, one in found.parts.items()])
    _ranked(found, "STEP", [(step or "(no step)", one) for step, one in found.steps.items()])
    codes = [
        ("(none)" if not code else code if business else f"{code} (technical)", one)
        for (code, business), one in found.codes.items()
    ]
    _ranked(found, "EXCEPTION", codes)


def _ranked(found: Lateness, head: str, rows: Sequence[tuple[str, Ranked]]) -> None:
    """One split of the lateness; what is beyond the largest is told together, so that it adds up."""
    shown = [(name, micro(one.lateness), f"{one.lateness / found.total:.1%}", str(one.cases)) for name, one in rows]
    rest = sum(one.lateness for _, one in rows[_SHOWN:])
    if rest:
        shown = [*shown[:_SHOWN], (f"({len(rows) - _SHOWN} more)", micro(rest), f"{rest / found.total:.1%}", "")]
    line()
    table((head, ">LATENESS", ">SHARE", ">CASES"), shown)


def _header(found: Explanation) -> Iterator[tuple[str, Cell]]:
    record = found.record
    yield "Case", f"{record.case}, version {record.version}"
    yield "State", (record.close or "open").replace("_", " ")
    yield (
        "Took" if record.close else "Open for",
        micro(found.elapsed)
        + (f", {micro(found.working)} of it in working hours" if found.working != found.elapsed else ""),
    )
    if record.due:
        late = f", passed by {micro(found.lateness)}" if found.lateness else ""
        yield "Due", f"{moment(record.when(record.due))}{late}"
    if found.broke is not None:
        work = None if found.broke.work is None else record.steps[found.broke.work]
        yield "Broke while", named(work.step if work else None, found.broke.part, found.roles)


def _part(found: Explanation, part: str) -> Sequence[Cell]:
    spent, usual = found.parts[part], found.usual.part(part)
    before = found.before.part(part) if found.before else None
    return (
        _words(part),
        micro(spent),
        _share(spent, found.elapsed),
        micro(found.working_parts[part]),
        _NOTHING if usual is None else micro(usual),
        _NOTHING if usual is None else _signed(spent - usual),
        _NOTHING if before is None else micro(before),
    )


def _sum(found: Explanation) -> Sequence[Cell]:
    n = f"n={found.usual.n}"
    return "together", micro(found.elapsed), _share(found.elapsed, found.elapsed), micro(found.working), n, "", ""


def _happened(found: Explanation) -> Iterator[Sequence[Cell]]:
    from observability.learning.explaining import trace

    for one in trace(found.record):
        after = micro(round(one["after_seconds"] * 1_000_000))
        yield (after, *_entry(one))


def _entry(one: Mapping[str, Any]) -> tuple[str, str]:
    where = f": {one['step']}" if one["step"] else ""
    if "said" in one:
        return f"{one['what']}{where}", one["said"]
    if "code" in one:
        kind = "" if one["what"] == "exception" else " (technical)"
        then = ROUTES.get(one["routed_to"], f"{one['routed_to']} takes over")
        return f"{one['code']}{kind}{where}", then
    late = one["late_seconds"]
    return (
        f"{one['what']}{where}",
        f"fired {micro(round(late * 1_000_000))} after it was due" if late else "fired in time",
    )


def _told(wall: Mapping[str, int]) -> str:
    return ", ".join(f"{_words(part)} {micro(spent)}" for part, spent in sorted(wall.items(), key=lambda one: -one[1]))


def _words(part: str) -> str:
    return part.replace("_", " ")


def _share(spent: int, whole: int) -> str:
    return f"{spent / whole:.1%}" if whole else _NOTHING


def _signed(excess: int) -> str:
    return f"{'-' if excess < 0 else '+'}{micro(abs(excess))}" if excess else "0"
