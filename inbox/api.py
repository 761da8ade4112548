"""The HTTP API, version 1: what the page can do, for programs."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, FastAPI, Response
from starlette.responses import JSONResponse

from inbox import api_actions, api_cases, api_tasks
from inbox.api_base import PREFIX, Service, Who
from inbox.openapi import describe_api

_PARTS = (api_tasks.router, api_actions.router, api_cases.router)
router = APIRouter()
for _part in _PARTS:
    router.include_router(_part)


@router.get(f"{PREFIX}/openapi.json", include_in_schema=False)
async def openapi(actor: Who, service: Service) -> Response:
    """Describe the API, with the contracts of the units that the caller has a part in."""
    routes = [route for part in _PARTS for route in part.routes]
    return JSONResponse(await asyncio.to_thread(describe_api, routes, service.units(actor)))


def install(app: FastAPI) -> None:
    """Add the API to an application whose state has the `service`."""
    app.include_router(router)
