"""A real OpenID provider, and browsers before an inbox that tells who one is; the fixtures are imported by name."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, replace
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI

from inbox.app import Doors, make_app
from inbox.identity import Actor, current_actor
from inbox.oidc import Provider
from tests.inbox.conftest import client_of
from workers.engine.ports import free_ports, is_served

WHO = "/api/v1/who"
USERS: list[dict[str, Any]] = [
    {"sub": "ann", "groups": ["clerks", "chess-club"], "name": "Ann of the provider", "email": "a@provider.example"},
    {"sub": "guest", "groups": "members", "name": "A Guest", "email": "guest@provider.example"},
    {"sub": "odd", "groups": {"clerks": True}},
    {"sub": "token:erp", "groups": ["clerks"]},
    {"sub": "evil\nline", "groups": ["clerks"]},
    {"sub": "mail", "email": "hana", "email_verified": False},
    {"sub": "opsy", "groups": ["operations"]},
]


def telling(doors: Doors) -> FastAPI:
    """The inbox, which also tells who one is."""
    app = make_app(doors)

    async def who(actor: Annotated[Actor, Depends(current_actor)]) -> dict[str, Any]:
        return asdict(actor)

    app.add_api_route(WHO, who)
    app.add_api_route("/who", who)
    return app


@pytest.fixture
async def client(doors: Doors) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser, as nobody, before an inbox with the development login."""
    async with client_of(telling(doors)) as opened:
        yield opened


async def who(client: httpx2.AsyncClient, cookie: str | None = None) -> dict[str, Any] | None:
    """Who the inbox takes someone for, by the browser's cookie or by another one."""
    answer = await client.get(WHO, headers={} if cookie is None else {"cookie": f"workunits={cookie}"})
    assert answer.status_code in (200, 401), answer.text
    found: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
    return found


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A real provider, as a process of its own: its library warns of things that are not ours."""
    port = free_ports(1)[0]
    users = [part for user in USERS for part in ("--user-claims", json.dumps(user))]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *users]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not is_served(port) and time.monotonic() < until:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
def with_provider(doors: Doors, issuer: str) -> Doors:
    """An inbox into which people come through the provider alone."""
    return replace(doors, dev_login=False, provider=Provider(issuer, "inbox", "a secret of the inbox"))


@pytest.fixture
async def browser(with_provider: Doors) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser, as nobody, before that inbox."""
    async with client_of(telling(with_provider)) as opened:
        yield opened


async def asked(browser: httpx2.AsyncClient, target: str = "/tasks") -> str:
    """Where the provider asks who it is, once the browser is sent there."""
    answer = await browser.get(f"/login/oidc?next={target}")
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


async def said(question: str, name: str) -> str:
    """What the provider answers when someone says who they are: an address of ours."""
    async with httpx2.AsyncClient() as provider:
        answer = await provider.post(question, data={"sub": name})
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


async def come(browser: httpx2.AsyncClient, name: str) -> httpx2.Response:
    """Log in through the provider."""
    return await browser.get(await said(await asked(browser), name))
