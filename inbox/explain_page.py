"""The pages that say where a promise broke: of one case, and of all late cases of a unit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from inbox.framing import frame, signed_in
from inbox.identity import Actor
from inbox.moments import micro
from inbox.rendering import Clock, breach_words, case_href, render
from inbox.shapes import words
from inbox.sheet import CaseSheet
from observability.learning.explained import explained, roles_of
from observability.learning.explaining import Explanation, explain, named, trace
from observability.learning.lateness import Lateness, Ranked, lateness
from observability.learning.selection import Asked
from observability.learning.usual import UNASKED
from observability.ledger.store import LedgerError
from workunits.core.parts import PARTS
from workunits.core.record import ROUTES, Record

router = APIRouter(include_in_schema=False)
WIDTH = 1000
"""The length of a bar in units of its drawing."""
WINDOWS = (7, 30, 90, 365)
"""The days of which a unit's lateness can be looked at."""
_USUAL_WINDOW = 30
_KINDS = {"human": "person", "automated": "code", "ai": "model", "external": "outside"}
UNKNOWN = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part on a bar."""

    part: str
    x: float
    width: float


@router.get("/explain/{case_id:path}")
async def case(request: Request, case_id: str, actor: Actor = signed_in) -> Response:
    """Where the time of a case went, for whoever may see the case."""
    state = request.app.state
    sheet: CaseSheet = await state.service.case(actor, case_id)
    clock = Clock.of(actor)
    record = sheet.record
    told = record is not None and (record.close is not None or not record.elsewhere)
    found = await asyncio.to_thread(_explained, state.doors, sheet, record, clock.now) if record and told else None
    chances = await asyncio.to_thread(state.service.chances, [sheet.case_id], clock.now) if sheet.is_open else {}
    return render(
        "explain.html",
        frame(request, actor, clock),
        case={"unit": sheet.unit, "key": sheet.key, "href": case_href(sheet.case_id)},
        breach=breach_words(chances.get(sheet.case_id)),
        said=_case(found) if found else None,
    )


@router.get("/catalog/{name}/late")
async def late(request: Request, name: str, days: str = "", actor: Actor = signed_in) -> Response:
    """What makes a unit's cases late, for whoever has a part in the unit; no case is named."""
    state = request.app.state
    unit = state.service.unit(actor, name)
    clock = Clock.of(actor)
    window = int(days) if days in {str(known) for known in WINDOWS} else _USUAL_WINDOW
    roles = roles_of(unit)
    try:
        asked = Asked(name, since=clock.now - timedelta(days=window))
        found = await asyncio.to_thread(lateness, state.doors.ledger, asked)
    except LedgerError:
        found = None
    shown = {"name": name, "days": window, "windows": WINDOWS}
    said = _unit(found, roles) if found else None
    return render("late.html", frame(request, actor, clock, at="catalog"), unit=shown, said=said)


def _explained(doors: Any, sheet: CaseSheet, record: Record, now: datetime) -> Explanation:
    """Beside what is usual; without that where the ledger does not answer."""
    # A case that was ended from outside could not say when it closed.
    end = sheet.closed if record.closed is None and sheet.closed else now
    try:
        return explained(doors.ledger, record, end, doors.catalog)
    except LedgerError:
        return explain(record, end, UNASKED, roles=roles_of(doors.catalog.get(record.unit)))


def _case(found: Explanation) -> dict[str, Any]:
    record = found.record
    late = f", {micro(found.lateness)} after it was due" if found.lateness else ""
    hours = f", {micro(found.working)} of it in working hours" if found.working != found.elapsed else ""
    broke = None
    if found.broke is not None:
        work = None if found.broke.work is None else record.steps[found.broke.work].step
        broke = named(work, found.broke.part, found.roles)
    return {
        "sentence": found.sentence(micro),
        "took": f"{'Took' if record.close else 'Open for'} {micro(found.elapsed)}{late}{hours}.",
        "broke": broke,
        "bar": list(_bar(found.parts, found.elapsed)),
        "told": _told(found.parts, found.elapsed),
        "parts": [_part(found, part) for part in PARTS],
        "sum": {"time": micro(found.elapsed), "working": micro(found.working)},
        "n": found.usual.n,
        "before": found.before is not None,
        "inside": _told(found.inside, sum(found.inside.values())) if found.inside else "",
        "steps": [
            {
                "label": words(piece.key) if piece.key else "No step",
                "kind": _KINDS.get(piece.kind or "", ""),
                "time": micro(sum(piece.wall.values())),
                "bar": list(_bar(piece.wall, found.elapsed)),
                "told": _told(piece.wall, found.elapsed),
            }
            for piece in found.pieces
        ],
        "trace": [_entry(one) for one in trace(record)],
    }


def _bar(parts: Mapping[str, int], whole: int) -> Iterator[Stretch]:
    """The parts one after the other, in the order of precedence."""
    at = 0.0
    for part in PARTS:
        width = parts.get(part, 0) / max(whole, 1) * WIDTH
        if width:
            yield Stretch(part, round(at, 1), round(width, 1))
        at += width


def _told(parts: Mapping[str, int], whole: int) -> str:
    """A bar in words, the largest part first."""
    spent = sorted(((part, count) for part, count in parts.items() if count), key=lambda one: -one[1])
    return (
        ", ".join(f"{words(part).lower()} {micro(count)} ({_share(count, whole)})" for part, count in spent) or "none"
    )


def _part(found: Explanation, part: str) -> dict[str, Any]:
    spent, usual = found.parts[part], found.usual.part(part)
    before = found.before.part(part) if found.before else None
    return {
        "part": part,
        "time": micro(spent),
        "share": _share(spent, found.elapsed),
        "working": micro(found.working_parts[part]),
        "usual": UNKNOWN if usual is None else micro(usual),
        "excess": UNKNOWN if usual is None else _signed(spent - usual),
        "before": UNKNOWN if before is None else micro(before),
    }


def _entry(one: Mapping[str, Any]) -> dict[str, Any]:
    where = f" ({words(one['step'])})" if one["step"] else ""
    if "said" in one:
        return {"at": one["at"], "what": f"{words(one['what'])}{where}: {one['said']}"}
    if "code" in one:
        then = ROUTES.get(one["routed_to"], f"{words(one['routed_to'])} takes over")
        kind = "" if one["what"] == "exception" else ", technical"
        return {"at": one["at"], "what": f"{words(one['code'])}{where}{kind}: {then}"}
    late = timedelta(seconds=one["late_seconds"])
    told = f", {micro(late // timedelta(microseconds=1))} after it was due" if late else ""
    return {"at": one["at"], "what": f"{words(one['what'])}{where} fired{told}"}


def _unit(found: Lateness, roles: Mapping[str, str]) -> dict[str, Any]:
    cells = [(named(step, part, roles), one) for (step, part), one in found.cells.items()]
    codes = [
        ("None" if not code else words(code) if business else f"{words(code)}, technical", one)
        for (code, business), one in found.codes.items()
    ]
    return {
        "sentence": found.sentence(micro, roles),
        "counted": f"{found.n} of {found.closed} closed cases were late, by {micro(found.total)} together; "
        f"{found.open_late} open ones are past due and not counted here.",
        "compared": f"Compared with {found.on_time.n} cases that were on time.",
        "splits": [
            _split(found, "Part and step", cells),
            _split(found, "Part", [(words(part), one) for part, one in found.parts.items()]),
            _split(found, "Step", [(words(step) if step else "No step", one) for step, one in found.steps.items()]),
            _split(found, "Exception", codes),
        ]
        if found.total
        else [],
    }


def _split(found: Lateness, head: str, rows: Sequence[tuple[str, Ranked]]) -> dict[str, Any]:
    return {
        "head": head,
        "rows": [
            {
                "label": label[:1].upper() + label[1:],
                "time": micro(one.lateness),
                "share": _share(one.lateness, found.total),
                "cases": one.cases,
                "width": round(one.lateness / found.total * WIDTH, 1),
            }
            for label, one in rows
        ],
    }


def _share(count: int, whole: int) -> str:
    return f"{count / whole:.0%}" if whole else UNKNOWN


def _signed(excess: int) -> str:
    sign = "\N{MINUS SIGN}" if excess < 0 else "+"
    return f"{sign}{micro(abs(excess))}" if excess else "0"
