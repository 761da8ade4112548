"""Real browsers at a real inbox, for the tests of its pages; the fixtures are imported by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from temporalio.client import Client

from inbox import task_page
from tests.inbox.conftest import Site, site_of
from tests.inbox.shop import CONTRACTS, Shop, open_shop
from tests.lab.waiting import until
from tests.patience import PATIENCE
from workunits.core.lifecycle import Task
from workunits.plugin import work_units
from workunits.testing import Lab

CHROMIUM = "/usr/bin/chromium"
IN_MILLISECONDS = 1_000 * PATIENCE
"""Milliseconds, for a machine that does a lot beside; what is there at once is waited for no longer."""
expect.set_options(timeout=IN_MILLISECONDS)
WIDE = {"width": 1280, "height": 900}
Visit = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop of cases."""
    client = await Client.connect(lab.client.service_client.config.target_host, plugins=[work_units(*CONTRACTS)])
    async with open_shop(client, tmp_path_factory.mktemp("shop")) as there:
        yield there


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def inbox(shop: Shop) -> AsyncIterator[Site]:
    """The inbox on a real server."""
    async with site_of(shop.doors) as there:
        yield there


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        await running.close()


@asynccontextmanager
async def visiting(browser: Browser, site: Site) -> AsyncIterator[Visit]:
    """Windows of people; at the end, none may have had an error, or a dialog that a script opened."""
    faults: list[str] = []

    async def visit(name: str, path: str = "/tasks", **options: Any) -> Page:
        context = await browser.new_context(base_url=site.url, **({"viewport": WIDE} | options))
        page = await context.new_page()
        page.set_default_timeout(IN_MILLISECONDS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(f"a dialog: {dialog.message}"))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        await page.goto(f"/login?next={quote(path, safe='')}")
        await page.select_option("#name", name)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url(lambda url: "/login" not in url)
        return page

    yield visit
    for context in browser.contexts:
        await context.close()
    assert faults == []


@pytest_asyncio.fixture
async def visit(browser: Browser, inbox: Site) -> AsyncIterator[Visit]:
    """Open windows of people, each on a page."""
    async with visiting(browser, inbox) as opened:
        yield opened


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions can be undone for half a second only."""
    monkeypatch.setattr(task_page, "HOLD", 0.5)


def key_of(task: Task) -> str:
    """The business key of a task's case."""
    return task.id.split(":")[1].split("/")[0]


def href(task: Task) -> str:
    """The address of a task."""
    return f"/task/{quote(task.id)}"


async def closed(shop: Shop, task: Task) -> Any:
    """The case of a task, once it has closed."""
    return await until(shop.cases, task.id.split("/")[0], lambda view: not view.is_open)


async def focused(page: Page) -> str:
    """The id of what has the focus, else its text."""
    said: str = await page.evaluate("document.activeElement.id || document.activeElement.innerText || ''")
    return said
