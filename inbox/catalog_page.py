"""The catalog: each unit with its four elements, its boundary, and how it goes today."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from inbox.catalog_map import ALONE, Place, entry_of, stage_of
from inbox.framing import frame, signed_in
from inbox.identity import Actor
from inbox.moments import micro
from inbox.rendering import Clock, render
from inbox.rights import authority
from inbox.shapes import words
from observability.learning.breakdown import Performed, break_down
from observability.learning.estimates import Rate, Spread
from observability.learning.report import Report, report
from observability.learning.selection import Asked
from observability.learning.standing import standing
from observability.ledger.store import Ledger, LedgerError
from workunits.core.spec import Step
from workunits.core.unit import WorkUnit
from workunits.judged import judge
from workunits.registry import Catalog, describe

router = APIRouter(include_in_schema=False)
UNKNOWN = "\N{EN DASH}"
"""A figure that the cases cannot say; never zero."""
_MONTH = timedelta(days=30)
_NO_LEDGER = "The ledger does not answer: there are no figures now."


@dataclass(frozen=True, slots=True)
class Figures:
    """What the ledger says of a unit; None where it does not answer."""

    today: Report | None = None
    month: Report | None = None
    steps: Mapping[str, Any] | None = None


@router.get("/catalog")
async def units(request: Request, actor: Actor = signed_in) -> Response:
    """All units that the actor has a part in."""
    doors = request.app.state.doors
    clock = Clock.of(actor)
    known = request.app.state.service.units(actor)
    figures = await asyncio.gather(*(asyncio.to_thread(_figures, doors.ledger, u, clock, steps=False) for u in known))
    loops = await asyncio.to_thread(_loops, doors, actor, known, clock.now)
    shown = [
        {
            "name": unit.unit_name,
            "version": unit.version,
            "stage": _stage(unit, doors.catalog),
            "statement": unit.outcome.statement,
            "accountable": _who(unit.outcome.accountable, doors.directory, clock.now),
            "within": str(unit.outcome.target),
            "steps": _kinds(unit),
            "today": _today(said.today),
            "learning": loops.get(unit.unit_name, ()),
        }
        for unit, said in zip(known, figures, strict=True)
    ]
    streams = [
        (stream, [one for one, unit in zip(shown, known, strict=True) if unit.stream == stream])
        for stream in sorted({unit.stream for unit in known}, key=lambda name: (name == ALONE, name))
    ]
    return render("catalog.html", frame(request, actor, clock, at="catalog"), streams=streams)


@router.get("/catalog/{name}")
async def one(request: Request, name: str, actor: Actor = signed_in) -> Response:
    """One unit in full."""
    doors = request.app.state.doors
    clock = Clock.of(actor)
    unit = request.app.state.service.unit(actor, name)
    said = await asyncio.to_thread(_figures, doors.ledger, unit, clock)
    told = describe(unit)
    loops = await asyncio.to_thread(_loops, doors, actor, [unit], clock.now)

    def who(role: str) -> str:
        return _who(role, doors.directory, clock.now)

    shown = {
        "name": name,
        "version": unit.version,
        "stage": _stage(unit, doors.catalog),
        "stream": unit.stream,
        "statement": unit.outcome.statement,
        "trouble": "" if said.month else _NO_LEDGER,
        "outcome": list(_outcome(unit, who)),
        "rules": told["logic"]["rules"],
        "boundary": [
            _boundary(place, step, who, said.steps or {})
            for place, step in zip(entry_of(unit, doors.catalog.package_of(name)).steps, unit.steps, strict=True)
        ],
        "learning": list(_learning(unit, who)),
        "measures": told["learning"]["measures"],
        "warnings": loops.get(name, ()),
        "figures": list(_compared(said)),
    }
    return render("unit.html", frame(request, actor, clock, at="catalog"), unit=shown)


def _loops(doors: Any, actor: Actor, units: Sequence[type[WorkUnit]], now: datetime) -> Mapping[str, Sequence[str]]:
    """What the owners of units have to look at, by unit; of those alone whose owner looks."""
    roles = authority(actor, doors.directory, now).roles
    owned = [unit for unit in units if unit.learning.owner in roles]
    if not owned:
        return {}
    try:
        with doors.ledger.read() as connection:
            return {loop.unit: loop.warnings for loop in standing(connection, owned, now)}
    except LedgerError:
        return {}


def _figures(ledger: Ledger, unit: type[WorkUnit], clock: Clock, *, steps: bool = True) -> Figures:
    midnight = clock.now.astimezone(clock.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    month = Asked(unit.unit_name, since=clock.now - _MONTH)
    try:
        today = report(ledger, Asked(unit.unit_name, since=midnight))
        if not steps:
            return Figures(today)
        return Figures(today, report(ledger, month), break_down(ledger, month, "step"))
    except LedgerError:
        return Figures()


def _who(role: str, directory: Any, now: datetime) -> str:
    """A role, and the one person who answers in it now."""
    name = directory.accountable(role, now)
    person = directory.person(name) if name else None
    return f"{role}: {person.display}" if person else role


def _stage(unit: type[WorkUnit], catalog: Catalog) -> str:
    return stage_of(judge(unit, catalog.package_of(unit.unit_name)))


def _kinds(unit: type[WorkUnit]) -> str:
    named = {
        "human": "by people",
        "automated": "by code",
        "ai": "by models",
        "hybrid": "by models with people",
        "unit": "by other units",
    }
    counted = {kind: sum(step.kind == kind for step in unit.steps) for kind in named}
    return f"{len(unit.steps)}: " + ", ".join(f"{count} {named[kind]}" for kind, count in counted.items() if count)


def _today(said: Report | None) -> str:
    if said is None:
        return UNKNOWN
    late = f", {said.open.past_due} of them overdue" if said.open.past_due else ""
    return f"{said.figures.n} closed, {said.open.n} open{late}"


def _outcome(unit: type[WorkUnit], who: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    outcome = unit.outcome
    yield "Answers for it", who(outcome.accountable)
    yield "Within", str(outcome.target)
    yield "At risk from", f"{outcome.target.warn:.0%} of that"
    for one in unit.targets:
        yield words(one.name), f"{one.target}, from {one.since} to {one.until}"
    yield "Result", words(outcome.result.__name__)
    if outcome.quality:
        yield "Quality", ", ".join(words(quality.name) for quality in outcome.quality)


def _learning(unit: type[WorkUnit], who: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    yield "Owner", who(unit.learning.owner)
    yield "Reviewed every", str(unit.learning.review)
    rates = ", ".join(f"{role} {rate.per_hour:g} {rate.currency}/h" for role, rate in unit.learning.rates.items())
    yield "Rates", rates or UNKNOWN


_KINDS = {"human": "person", "automated": "code", "ai": "model", "hybrid": "model and person", "unit": "another unit"}


def _boundary(
    place: Place, step: Step[Any, Any], who: Callable[[str], str], steps: Mapping[str, Performed]
) -> dict[str, str]:
    """One line of the boundary: step, executor, what is decided, accountable, and how it goes."""
    went = steps.get(step.name)
    level = f", at most {place.level}" if place.level else ""
    return {
        "label": words(step.name),
        "kind": f"{_KINDS.get(place.kind, place.kind)}{level}{', outside' * place.external}",
        "by": place.by or step.activity,
        "decides": place.decides.replace("_", " "),
        "accountable": who(step.accountable) if step.accountable else UNKNOWN,
        "work": _median(went.work) if went else UNKNOWN,
        "queue": _median(went.queue) if went else UNKNOWN,
    }


def _compared(said: Figures) -> Iterator[tuple[str, str, str]]:
    def both(label: str, tell: Callable[[Report], str]) -> tuple[str, str, str]:
        today, month = (tell(one) if one else UNKNOWN for one in (said.today, said.month))
        return label, today, month

    yield both("Cases closed", lambda r: str(r.figures.n))
    yield both("Outcome attained", lambda r: _share(r.figures.outcome_attainment))
    yield both("On time", lambda r: _share(r.figures.on_time))
    yield both("Promise kept", lambda r: _share(r.figures.sla_attainment))
    yield both("Cycle time, median", lambda r: _median(r.figures.cycle))
    yield both("Cycle time, 85 of 100 within", lambda r: _p85(r.figures.cycle))
    yield both("Work of people, median", lambda r: _median(r.figures.touch_human))
    yield both("In the queue, median", lambda r: _median(r.figures.queue))
    yield both("With an exception", lambda r: _share(r.figures.exception_rate))
    yield both("Right the first time", lambda r: _share(r.figures.first_pass_yield))
    yield both("Without people", lambda r: _share(r.figures.straight_through))
    yield both("Reworked", lambda r: _share(r.figures.rework_rate))
    yield both("Proposals overridden", lambda r: _share(r.figures.override_rate))
    yield both("Cost of an outcome", _cost)


def _cost(said: Report) -> str:
    cost = said.figures.cost
    return UNKNOWN if cost is None or cost.per_achieved is None else f"{cost.per_achieved:,.2f} {cost.currency}"


def _share(rate: Rate | None) -> str:
    return UNKNOWN if rate is None else f"{rate.share:.0%} ({rate.count} of {rate.n})"


def _median(spread: Spread | None) -> str:
    return UNKNOWN if spread is None or spread.median.value is None else micro(spread.median.value)


def _p85(spread: Spread | None) -> str:
    return UNKNOWN if spread is None or spread.p85.value is None else micro(spread.p85.value)
