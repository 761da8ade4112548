"""The whole API against its own description: whatever schemathesis makes up is answered as the description says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as openapi_checks

from inbox.doors import Doors
from inbox.tokens import Token, Tokens, make_token
from tests.conftest import Bench
from tests.inbox.conftest import site_of
from tests.lab.units import Plain

EXAMPLES = 6
"""Of each operation and kind of data; enough to find what a handler does not expect, and quick."""
CHECKS: list[Any] = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.response_headers_conformance,
]


@dataclass(frozen=True)
class Target:
    """The API on a real server, its description, and a task that is there."""

    url: str
    headers: dict[str, str]
    document: dict[str, Any]
    case: str


@pytest_asyncio.fixture(loop_scope="session")
async def target(doors: Doors, bench: Bench) -> AsyncIterator[Target]:
    """The API, called with a token that may do everything."""
    token, digest = make_token()
    units = tuple(unit.unit_name for unit in doors.catalog)
    roles = ("clerk", "expert", "head of tests")
    machine = Token("robot", digest, roles, units, datetime.now(UTC) + timedelta(hours=1))
    started = await bench.start(Plain)
    await bench.task(started.case, "decide")
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    async with site_of(replace(doors, tokens=Tokens([machine]))) as site:
        async with httpx2.AsyncClient(base_url=site.url, headers=headers) as client:
            document = (await client.get("/api/v1/openapi.json")).json()
        yield Target(site.url, headers, document, started.case)


def exercise(target: Target, operation: Any, mode: GenerationMode) -> None:
    """Call one operation with made-up data; every other time on a task that is there."""
    turn = 0

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def call(case: Any) -> None:
        nonlocal turn
        turn += 1
        there = {"case_id": target.case, "step": "decide", "unit": "plain"}
        if turn % 2:
            case.path_parameters = {
                name: there.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
        response = case.call(base_url=target.url, headers=target.headers)
        case.validate_response(response, checks=CHECKS, headers=target.headers)

    call()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "misfit"])
async def test_every_operation_answers_as_it_is_described(target: Target, mode: GenerationMode):
    """No server error, no undescribed status, no document of another shape."""
    schema = schemathesis.openapi.from_dict(target.document)
    found: list[Any] = list(schema.get_all_operations())
    operations = [one.ok() for one in found]
    assert len(operations) > 25
    for operation in operations:
        try:
            await asyncio.to_thread(exercise, target, operation, mode)
        except Exception as error:
            if "Unsatisfiable" in type(error).__name__:  # nothing about it can be wrong
                continue
            raise AssertionError(f"{operation.method} {operation.path}") from error
