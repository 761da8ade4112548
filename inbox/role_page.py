"""Pages of roles: what each answers for, and how that stands; never what it is given to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from inbox.catalog_map import performer
from inbox.framing import frame, signed_in
from inbox.identity import Actor
from inbox.moments import micro
from inbox.rendering import Clock, render
from inbox.rights import authority
from inbox.role_view import Point, Role, Stand, roles, stands
from inbox.security import not_yours
from inbox.shapes import words
from observability.learning.estimates import Rate, Spread
from observability.ledger.store import Ledger, LedgerError
from workunits.registry import Catalog

router = APIRouter(include_in_schema=False)
_UNKNOWN = "\N{EN DASH}"


@router.get("/roles")
async def all_roles(request: Request, actor: Actor = signed_in) -> Response:
    """The roles of the units that the actor has a part in; the actor's own first."""
    doors, clock = request.app.state.doors, Clock.of(actor)
    mine = authority(actor, doors.directory, clock.now).roles
    found = sorted(_known(request, actor).values(), key=lambda one: (one.name not in mine, one.name))
    shown = [
        {
            "name": one.name,
            "mine": one.name in mine,
            "who": _people(one.name, doors.directory, clock.now),
            "outcomes": len(one.outcomes),
            "owned": len(one.owned),
            "answers": len(one.answers),
            "decides": len(one.decides),
        }
        for one in found
    ]
    return render("roles.html", frame(request, actor, clock, at="catalog"), roles=shown)


@router.get("/roles/{name}")
async def one_role(request: Request, name: str, actor: Actor = signed_in) -> Response:
    """One role, with the last 30 days of what it answers for."""
    doors, clock = request.app.state.doors, Clock.of(actor)
    role = _known(request, actor).get(name)
    if role is None:
        raise not_yours()
    mine = authority(actor, doors.directory, clock.now).roles
    found = await asyncio.to_thread(_stands, doors.ledger, doors.catalog, role, clock.now)
    said = found or {}
    shown = {
        "name": role.name,
        "who": _people(role.name, doors.directory, clock.now),
        "trouble": "" if found is not None else "The ledger does not answer: how it stands is not known now.",
        "has_any": role.has_any,
        "outcomes": [_outcome(entry, said.get(entry.unit)) for entry in role.outcomes],
        # What an owner has to look at is told to nobody else.
        "owned": [_owned(entry, said.get(entry.unit) if name in mine else None) for entry in role.owned],
        "answers": list(_points(role.answers, said)),
        "decides": list(_points(role.decides, said)),
    }
    return render("role.html", frame(request, actor, clock, at="catalog"), role=shown)


def _known(request: Request, actor: Actor) -> Mapping[str, Role]:
    catalog: Catalog = request.app.state.doors.catalog
    names = [unit.unit_name for unit in request.app.state.service.units(actor)]
    return roles(catalog.only(names))


def _stands(ledger: Ledger, catalog: Catalog, role: Role, now: datetime) -> Mapping[str, Stand] | None:
    try:
        return stands(ledger, catalog, role, now)
    except LedgerError:
        return None


def _people(role: str, directory: Any, now: datetime) -> str:
    found = [directory.person(name) for name in directory.people_of(role, now)]
    return ", ".join(person.display for person in found if person) or "nobody"


def _outcome(entry: Any, stand: Stand | None) -> dict[str, Any]:
    figures, still = (stand.report.figures, stand.report.open) if stand else (None, None)
    return {
        "unit": entry.unit,
        "statement": entry.statement,
        "closed": figures.n if figures else _UNKNOWN,
        "attained": _share(figures.outcome_attainment if figures else None),
        "on_time": _share(figures.on_time if figures else None),
        "open": still.n if still else _UNKNOWN,
        "past_due": still.past_due if still else _UNKNOWN,
    }


def _owned(entry: Any, stand: Stand | None) -> dict[str, Any]:
    return {"unit": entry.unit, "measures": entry.measures, "warnings": stand.warnings if stand else ()}


def _points(points: list[Point], said: Mapping[str, Stand]) -> Iterator[dict[str, Any]]:
    for point in points:
        stand, step = said.get(point.entry.unit), point.step
        went = stand.steps.get(step.name) if stand else None
        yield {
            "unit": point.entry.unit,
            "label": words(step.name),
            "decides": step.decides.replace("_", " ") or _UNKNOWN,
            "by": performer(step),
            "accountable": step.accountable or _UNKNOWN,
            "times": (went.n if went else 0) if stand else _UNKNOWN,
            "queue": _median(went.queue) if went else _UNKNOWN,
            "waiting": stand.waiting.get(step.name, 0) if stand and step.by else _UNKNOWN,
        }


def _share(rate: Rate | None) -> str:
    return _UNKNOWN if rate is None else f"{rate.share:.0%} ({rate.count} of {rate.n})"


def _median(spread: Spread | None) -> str:
    return _UNKNOWN if spread is None or spread.median.value is None else micro(spread.median.value)
