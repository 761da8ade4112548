"""How tests call the API, and what a refusal must look like."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx2

from tests.conftest import Bench
from tests.lab.units import Plain
from tests.patience import PATIENCE
from workunits.core.lifecycle import Task
from workunits.core.unit import WorkUnit

T = TypeVar("T")
GRANT = {"decision": "grant"}
API = "/api/v1"
JSON = {"content-type": "application/json"}


async def opened(bench: Bench, unit: type[WorkUnit] = Plain, step: str = "decide") -> Task:
    """An open task."""
    return await bench.task((await bench.start(unit)).case, step)


async def until(ask: Callable[[], Awaitable[T]], enough: Callable[[T], bool]) -> T:
    """What is there once it is enough: the ledger follows."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await ask()
            if enough(found):
                return found
            await asyncio.sleep(0.05)


async def post(client: httpx2.AsyncClient, task: str, action: str, body: Any = None, **headers: str) -> httpx2.Response:
    """Act on a task."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    kind = JSON if content else {}
    return await client.post(f"{API}/tasks/{task}/{action}", content=content, headers={**kind, **headers})


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The document of a refusal, which is what it should be."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    said: dict[str, Any] = answer.json()
    assert (answer.status_code, said["status"], said["code"]) == (status, status, code), said
    assert said["detail"]
    assert said["title"]
    return said
