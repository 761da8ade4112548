"""Open pages while others act, and while the engine or the ledger is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from temporalio.client import Client

from inbox import task_page
from inbox.live import NO_ENGINE, NO_LEDGER, Pulse
from observability.ledger.store import Ledger
from tests.inbox.browsing import (
    Visit,
    browser,
    closed,
    href,
    inbox,
    key_of,
    quick,
    shop,
    visit,
    visiting,
)
from tests.inbox.conftest import site_of
from tests.inbox.shop import CONTRACTS, Shop, open_shop
from tests.patience import PATIENCE
from workers.engine.embedded import Engine, Plan
from workunits.plugin import work_units

HURRIED = True

__all__ = ["browser", "inbox", "quick", "shop", "visit"]


async def test_what_others_do_is_seen_at_once(shop: Shop, visit: Visit):
    """A claim by someone else shows on the list and on the open task without a reload; what is typed stays."""
    task = await shop.refund()
    listing = await visit("marta", f"/tasks?scope=groups&q={key_of(task)}")
    page = await visit("marta", href(task))
    await page.get_by_label("Reason").fill("I am typing")
    sven = await visit("sven", href(task))
    await sven.get_by_role("button", name="Claim").click()
    await expect(sven.get_by_text("you have claimed it")).to_be_visible()

    await expect(listing.get_by_text("claimed by Sven Svensson")).to_be_visible()
    await expect(page.get_by_text("The task has changed: Sven Svensson claimed it")).to_be_visible()
    await expect(page.get_by_label("Reason")).to_have_value("I am typing")

    await page.get_by_role("button", name="Refuse").click()
    await expect(page.locator("#conflict")).to_be_focused()
    await expect(page.locator("#conflict")).to_contain_text("Sven Svensson claimed it.")
    refuse = page.get_by_role("button", name="Refuse")
    await expect(refuse).to_be_disabled()
    await expect(refuse).to_have_css("border-style", "dashed")  # and looks it
    await expect(page.get_by_label("Reason")).to_have_value("I am typing")


async def test_a_decision_that_is_refused_later_is_told(shop: Shop, visit: Visit, monkeypatch: pytest.MonkeyPatch):
    """A held decision that came too late is told on the next page, also when nobody watched it."""
    monkeypatch.setattr(task_page, "HOLD", 30)
    task = await shop.refund()
    page = await visit("marta", href(task))
    await page.get_by_role("button", name="Pay").click()
    await expect(page.get_by_text(f"you completed it, {key_of(task)}")).to_be_visible()
    (held,) = shop.journal.unsettled(task.id)
    assert held.held_until
    await shop.cases.act(task.id, "claim", actor="sven", roles=["refund approver"])
    shop.journal.release(held.held_until)  # only now: on a slow machine the claim would come after any short hold
    async with asyncio.timeout(PATIENCE):
        while shop.journal.unsettled(task.id):  # noqa: ASYNC110 - the journal tells nobody
            await asyncio.sleep(0.05)
    await shop.cases.act(task.id, "release", actor="sven", roles=["refund approver"])  # any change is told to pages

    await expect(page.get_by_text(f"Refused: {key_of(task)} (Decide)").first).to_be_visible()
    await page.goto("/tasks")

    await expect(page.get_by_text(f"Refused: {key_of(task)} (Decide)")).to_be_visible()


@asynccontextmanager
async def own_engine(folder: Path) -> AsyncIterator[tuple[Engine, Shop]]:
    """A shop on an engine that may be taken away."""
    async with Engine(Plan(folder / "engine", usual_ports=False, ui=False)) as engine:
        client = await Client.connect(engine.address.host, plugins=[work_units(*CONTRACTS)])
        async with open_shop(client, folder) as shop:
            yield engine, shop
            if not engine.alive:
                await engine.start()


async def test_the_engine_goes_and_comes_back(tmp_path: Path, browser: Browser, quick: None):
    """Under an open page the engine ends: a banner says so, a decision is kept, and all goes on without a reload."""
    async with (
        own_engine(tmp_path) as (engine, shop),
        site_of(shop.doors) as site,
        visiting(browser, site) as visit,
    ):
        task = await shop.refund()
        page = await visit("marta", href(task))
        await page.get_by_label("Reason").fill("Typed before")

        await engine.stop()
        await expect(page.locator("#health")).to_contain_text(NO_ENGINE)
        await expect(page.get_by_label("Reason")).to_have_value("Typed before")
        await page.get_by_role("button", name="Pay").click()
        await expect(
            page.get_by_text("you completed it").or_(page.get_by_text("being delivered")).first
        ).to_be_visible()
        await engine.start()

        await expect(page.locator("#health")).to_be_empty()
        view = await closed(shop, task)
        assert view.close == "achieved"
        assert view.record.decided_by == ["marta"]


async def test_a_ledger_that_is_down_is_told(shop: Shop, tmp_path: Path):
    """A ledger that cannot be read is a trouble of its own; the engine is none then."""
    pulse = Pulse(Ledger(f"sqlite:///{tmp_path / 'none' / 'ledger.sqlite'}"), shop.client)

    troubles, state = await pulse.look()

    assert troubles == (NO_LEDGER,)
    assert state is None


async def test_one_loop_looks_for_all(shop: Shop):
    """However many browsers listen, one loop looks, and it ends when none does."""
    pulse = Pulse(shop.ledger, shop.client, every=0.02)
    stopping = asyncio.Event()
    streams = [pulse.listen(stopping) for _ in range(3)]
    first = [await anext(stream) for stream in streams]
    loop = pulse._loop
    told = [await anext(stream) for stream in streams]
    for stream in streams:
        await stream.aclose()

    assert {said.partition("\n")[0] for said in first} == {"event: health"}
    assert {said.partition("\n")[0] for said in told} == {"event: tasks"}
    assert loop is not None
    await asyncio.wait_for(loop, PATIENCE)
