"""The part of the HTTP API that is about cases and units."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from inbox.api_base import PREFIX, CaseId, Service, Who, problems
from inbox.case_list import list_cases
from inbox.documents import (
    CancelAsked,
    CancelBody,
    CaseDocument,
    CaseItem,
    CaseList,
    EvidenceBody,
    EvidenceNoted,
    StartedCase,
    UnitItem,
    UnitList,
)
from inbox.openapi import START
from inbox.security import Problem
from inbox.wanted import LONGEST_PAGE, PAGE
from observability.ledger.evidence import NoSuchCaseError, NotClosedError, Told, note
from workunits.client import DuplicateCaseError
from workunits.registry import describe

router = APIRouter(prefix=PREFIX, responses=problems())

UnitName = Annotated[str, Path(min_length=1, max_length=60)]


@router.get("/cases", operation_id="list_cases", response_model=CaseList)
async def show_list(
    actor: Who,
    service: Service,
    *,
    unit: Annotated[str | None, Query(max_length=60)] = None,
    state: Annotated[str | None, Query(max_length=20)] = None,
    cursor: Annotated[str, Query(max_length=2000)] = "",
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = PAGE,
) -> CaseList:
    """List cases of the units that you have a part in, the newest first."""
    units = [service.unit(actor, unit)] if unit is not None else service.units(actor)
    names = {one.unit_name for one in units}
    rows, following = await asyncio.to_thread(
        list_cases, service.ledger, names, state=state, cursor=cursor, limit=limit
    )
    return CaseList(cases=[CaseItem.model_validate(row) for row in rows], next=following)


@router.get("/cases/{case_id}", operation_id="show_case", response_model=CaseDocument)
async def show_case(actor: Who, service: Service, case_id: CaseId) -> CaseDocument:
    """Show a case."""
    return CaseDocument.of(await service.case(actor, case_id))


@router.post(
    "/units/{unit}/cases",
    operation_id=START,
    response_model=StartedCase,
    status_code=201,
    responses={200: {"model": StartedCase, "description": "It was there already."}, **problems(409)},
)
async def start_case(  # noqa: PLR0917 - the framework passes them by name
    request: Request,
    response: Response,
    actor: Who,
    service: Service,
    unit: UnitName,
    key: Annotated[str | None, Query(min_length=1, max_length=120)] = None,
) -> StartedCase:
    """Start a case; the same key with the same input is the same case."""
    try:
        started = await service.start(actor, unit, await request.body(), key=key)
    except DuplicateCaseError as error:
        raise Problem(409, "duplicate_case", str(error), case=error.case) from None
    response.status_code = 200 if started.existing else 201
    response.headers["Location"] = f"{PREFIX}/cases/{started.case}"
    return StartedCase(case=started.case, existing=started.existing)


@router.post(
    "/cases/{case_id}/cancel",
    operation_id="cancel_case",
    response_model=CancelAsked,
    status_code=202,
    responses=problems(409),
)
async def cancel_case(actor: Who, service: Service, case_id: CaseId, body: CancelBody) -> CancelAsked:
    """Ask a case to close as cancelled."""
    await service.cancel(actor, case_id, body.reason)
    return CancelAsked(case=case_id)


@router.post(
    "/cases/{case_id}/evidence",
    operation_id="note_evidence",
    response_model=EvidenceNoted,
    status_code=201,
    responses=problems(409),
)
async def note_evidence(actor: Who, service: Service, case_id: CaseId, body: EvidenceBody) -> EvidenceNoted:
    """Tell what was learned of a closed case; told twice, it is kept once."""
    sheet = await service.case(actor, case_id)
    if sheet.is_open:
        raise Problem(409, "open", "the case has not closed yet: evidence is about an outcome")
    told = Told(case_id, body.measure, body.value, body.source, body.occurred_at)
    try:
        noted = await asyncio.to_thread(note, service.ledger, service.catalog, told, actor=actor.name)
    except (NoSuchCaseError, NotClosedError):  # the ledger has yet to follow
        raise Problem(503, "not_followed", "the ledger does not have the close yet; try again", retry_after=2) from None
    return EvidenceNoted.model_validate(noted)


@router.get("/units", operation_id="list_units", response_model=UnitList)
async def list_units(actor: Who, service: Service) -> UnitList:
    """List the units that you have a part in."""
    return UnitList(units=[UnitItem.of(unit, describe(unit)) for unit in service.units(actor)])


@router.get("/units/{unit}", operation_id="show_unit", response_model=UnitItem)
async def show_unit(actor: Who, service: Service, unit: UnitName) -> UnitItem:
    """Show a unit's four elements."""
    found = service.unit(actor, unit)
    return UnitItem.of(found, describe(found))
