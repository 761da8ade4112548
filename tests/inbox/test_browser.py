"""The pages in a real browser: with the mouse, by keyboard alone, without JavaScript, on a phone, and in an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, async_playwright, expect
from temporalio.client import Client

from inbox import task_page
from inbox.live import NO_ENGINE, NO_LEDGER, Pulse
from observability.ledger.store import Ledger
from tests.inbox.conftest import Site, site_of
from tests.inbox.past import late, remember
from tests.inbox.shop import CONTRACTS, Shop, open_shop
from workers.embedded import Engine, Plan
from workunits.core.lifecycle import Task
from workunits.plugin import work_units
from workunits.testing import Lab

CHROMIUM = "/usr/bin/chromium"
WIDE = {"width": 1280, "height": 900}
SCREENS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True},
    "zoomed": {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2},
}
"""A page of 1280 pixels at 200 % has the width of one of 640."""
SOON = 10_000
"""Milliseconds; it takes under two seconds on a machine that does nothing else, which the benchmark measures."""
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"

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
        page.set_default_timeout(10_000)
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
    async with asyncio.timeout(20):
        while True:
            view = await shop.cases.show(task.id.split("/")[0])
            if not view.is_open:
                return view
            await asyncio.sleep(0.05)


async def focused(page: Page) -> str:
    """The id of what has the focus, else its text."""
    said: str = await page.evaluate("document.activeElement.id || document.activeElement.innerText || ''")
    return said


async def test_with_the_mouse(shop: Shop, visit: Visit, quick: None):
    """Find a task, be told what is missing, decide, undo, decide again: the case closes, and the next task is there."""
    task = await shop.refund()
    await shop.refund()  # the next one
    page = await visit("marta", "/tasks?scope=unclaimed&unit=refund_request")
    await page.get_by_role("link", name=key_of(task)).click()

    await page.get_by_role("button", name="Refuse").click()
    await expect(page.locator("#errors")).to_be_focused()
    await expect(page.locator("#errors")).to_contain_text("A reason is required when refusing.")

    await page.get_by_label("Reason").fill("The lamp was used.")
    await page.get_by_role("button", name="Refuse").click()
    await expect(page.get_by_text(f"you completed it, {key_of(task)}")).to_be_visible()
    assert task.id not in page.url
    await expect(page.get_by_text("Done: you completed it")).to_be_visible(timeout=10_000)
    record = (await closed(shop, task)).record

    assert record.decided_by == ["marta"]
    assert record.actions[-1].seen


async def test_undo(shop: Shop, visit: Visit):
    """A decision that was undone was never sent: the task is there with what was typed."""
    task = await shop.refund()
    page = await visit("marta", href(task))
    await page.get_by_label("Reason").fill("Hasty.")
    await page.get_by_role("button", name="Refuse").click()

    await page.get_by_role("button", name="Undo").click()

    await expect(page.get_by_text("Undone")).to_be_visible()
    await expect(page.get_by_label("Reason")).to_have_value("Hasty.")
    assert (await shop.cases.show(task.id.split("/")[0])).tasks[0].revision == 1


async def test_by_keyboard_alone(shop: Shop, visit: Visit, quick: None):
    """Search with `/`, walk with `j`, open with Enter, claim with `c`, answer with `e`, and send, without a mouse."""
    task = await shop.refund()
    page = await visit("marta")
    keys = page.keyboard

    await keys.press("?")
    await expect(page.locator("dialog")).to_be_visible()
    await keys.press("Escape")
    await keys.press("/")
    await keys.type(key_of(task))
    await keys.press("Enter")
    await page.wait_for_url("**/tasks?*q=*")
    await page.wait_for_load_state()
    await keys.press("j")
    await keys.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(key_of(task))
    await page.wait_for_load_state()
    await keys.press("c")
    await expect(page.get_by_text("you have claimed it")).to_be_visible()
    await page.wait_for_load_state()
    await keys.press("e")
    assert await focused(page) == "a-reason"
    await keys.type("jck? e/ are letters here")  # in a field, keys are only letters
    await keys.press("Tab")
    assert await focused(page) == "Pay"
    await keys.press("Enter")

    assert (await closed(shop, task)).close == "achieved"


async def test_the_skip_link_comes_first(visit: Visit):
    """The first Tab leads to a link past the head of the page, which shows itself."""
    page = await visit("marta")

    await page.keyboard.press("Tab")

    assert await focused(page) == "Skip to the content"
    await expect(page.locator(".skip")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    assert await focused(page) == "main"


async def test_enter_in_a_field_decides_nothing(shop: Shop, visit: Visit):
    """Enter in a field of the answer keeps the draft; no decision is taken by accident."""
    task = await shop.piece()
    page = await visit("marta", href(task))

    await page.locator("#a-title").fill("A frame")
    await page.locator("#a-title").press("Enter")

    await expect(page.locator("#saved")).to_contain_text("Draft saved")
    await expect(page.locator("#a-title")).to_have_value("A frame")
    assert (await shop.cases.show(task.id.split("/")[0])).tasks[0].revision == 1


async def fill_in(page: Page) -> None:
    """Fill in the widest answer."""
    await page.locator("#a-title").fill("A frame")
    await page.locator("#a-count").fill("3")
    await page.locator("#a-price-minor").fill("12.50")
    await page.locator("#a-price-currency").fill("EUR")
    await page.locator("#a-checked").get_by_label("Yes").check()
    await page.locator("#a-on").fill("2026-01-31")
    await page.get_by_role("button", name="Add line").click()
    await page.locator("#a-lines-0-sku").fill("K-1")
    await page.locator("#a-lines-0-count").fill("2")
    await page.get_by_role("button", name="Add line").click()
    await page.locator("#a-lines-1-sku").fill("K-2")
    await page.get_by_role("button", name="Remove line 2").click()
    await expect(page.locator("#a-lines-1-sku")).to_have_count(0)
    await expect(page.locator("#a-lines-0-sku")).to_have_value("K-1")
    await expect(page.locator("#a-title")).to_have_value("A frame")


@pytest.mark.parametrize("javascript", [True, False], ids=["with", "without"])
async def test_the_widest_answer(shop: Shop, visit: Visit, quick: None, javascript: bool):  # noqa: FBT001 - a parameter
    """Every kind of field is filled in, lines come and go, and the decision arrives, with JavaScript or without."""
    task = await shop.piece()
    page = await visit("marta", href(task), java_script_enabled=javascript)

    await fill_in(page)
    await page.get_by_role("button", name="Keep").click()
    await expect(page.get_by_text("you completed it")).to_be_visible()

    assert (await closed(shop, task)).close == "achieved"


async def test_without_javascript(shop: Shop, visit: Visit):
    """Claiming, keeping a draft, commenting, delegating and doing several at once need no script."""
    task, other = await shop.refund(), await shop.refund()
    page = await visit("marta", href(task), java_script_enabled=False)

    await page.get_by_role("button", name="Claim").click()
    await expect(page.get_by_text("you have claimed it")).to_be_visible()
    await page.locator("#a-reason").fill("To be asked.")
    await page.get_by_role("button", name="Save draft").click()
    await expect(page.locator("#a-reason")).to_have_value("To be asked.")
    await page.locator("summary", has_text="Delegate").click()
    await page.locator("#delegate-to").fill("sven")
    await page.get_by_role("button", name="Delegate").click()
    await expect(page.get_by_text("Sven Svensson has claimed it.")).to_be_visible()
    await page.goto(f"/tasks?scope=unclaimed&q={key_of(other)}")
    await page.get_by_label(f"Select Decide {key_of(other)}").check()
    await page.get_by_role("button", name="Claim").click()

    await expect(page.get_by_text("Claim: 1 of 1 done")).to_be_visible()


async def test_what_is_typed_is_saved_by_itself(shop: Shop, visit: Visit):
    """A moment after typing the draft is kept; a new page has it."""
    task = await shop.refund()
    page = await visit("marta", href(task))

    await page.get_by_label("Reason").type("Half a sentence")
    await expect(page.locator("#saved")).to_have_text("Draft saved.")
    await page.goto("/tasks")
    await page.goto(href(task))

    await expect(page.get_by_label("Reason")).to_have_value("Half a sentence")


async def test_what_others_do_is_seen_at_once(shop: Shop, visit: Visit):
    """A claim by someone else shows on the list and on the open task without a reload; what is typed stays."""
    task = await shop.refund()
    listing = await visit("marta", f"/tasks?scope=groups&q={key_of(task)}")
    page = await visit("marta", href(task))
    await page.get_by_label("Reason").fill("I am typing")
    sven = await visit("sven", href(task))
    await sven.get_by_role("button", name="Claim").click()
    await expect(sven.get_by_text("you have claimed it")).to_be_visible()

    await expect(listing.get_by_text("claimed by Sven Svensson")).to_be_visible(timeout=SOON)
    await expect(page.get_by_text("The task has changed: Sven Svensson claimed it")).to_be_visible(timeout=SOON)
    await expect(page.get_by_label("Reason")).to_have_value("I am typing")

    await page.get_by_role("button", name="Refuse").click()
    await expect(page.locator("#conflict")).to_be_focused()
    await expect(page.locator("#conflict")).to_contain_text("Sven Svensson claimed it.")
    await expect(page.get_by_label("Reason")).to_have_value("I am typing")


async def test_a_decision_that_is_refused_later_is_told(shop: Shop, visit: Visit, monkeypatch: pytest.MonkeyPatch):
    """A held decision that came too late is told on the next page, also when nobody watched it."""
    monkeypatch.setattr(task_page, "HOLD", 3)
    task = await shop.refund()
    page = await visit("marta", href(task))
    await page.get_by_role("button", name="Pay").click()
    await shop.cases.act(task.id, "claim", actor="sven", roles=["refund approver"])

    await expect(page.get_by_text(f"Refused: {key_of(task)} (Decide)").first).to_be_visible(timeout=10_000)
    await page.goto("/tasks")

    await expect(page.get_by_text(f"Refused: {key_of(task)} (Decide)")).to_be_visible()


@pytest.mark.parametrize("screen", SCREENS)
async def test_every_page_is_for_everybody(shop: Shop, visit: Visit, screen: str):
    """No page breaks a rule of accessibility, nor needs scrolling sideways; every target is large enough."""
    piece = await shop.piece(text=HOSTILE, lines=[{"sku": HOSTILE[:20], "count": 1}, {"sku": "b", "count": 2}])
    task, decided = await shop.application(), await shop.refund()
    await shop.cases.act(decided.id, "complete", actor="sven", roles=["refund approver"], body={"verdict": "pay"})
    await closed(shop, decided)
    page = await visit("marta", "/tasks?scope=all", **SCREENS[screen])
    case = quote(decided.id.split("/")[0])
    addresses = ("/tasks?scope=all&late=overdue", href(piece), href(task), href(decided), f"/case/{case}", "/catalog")
    await look_at(page, "the list", screen)
    remember(shop.ledger)
    past = quote(late()[0].case)
    more = (f"/explain/{case}", f"/explain/{past}", "/catalog/refund_request/late", "/catalog/customer_onboarding")
    for address in (*addresses, *more, "/keys", "/nowhere", "/login"):
        await page.goto(address)
        await look_at(page, address, screen)
    await page.goto(href(piece))
    await page.locator("#a-title").fill("x" * 60)
    await page.get_by_role("button", name="Keep").click()
    await expect(page.locator("#errors")).to_be_focused()
    await look_at(page, "errors", screen)
    await page.goto("/tasks?scope=unclaimed&unit=museum_piece")
    await page.get_by_role("checkbox").first.check()
    await page.get_by_role("button", name="Decide…").click()
    await look_at(page, "bulk", screen)


async def look_at(page: Page, what: str, screen: str) -> None:
    """Check one page."""
    if screen != "zoomed":  # its markup and colours are those of `light`
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{what}: {found.generate_report()}"
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{what} is {wide} pixels too wide"
    small = await page.evaluate(
        """[...document.querySelectorAll("button, input:not([type=hidden]), select, textarea, nav a, .tasks a")]
        .filter(e => e.checkVisibility() && !e.closest(".hidden-words") && !e.matches(".hidden-words"))
        .map(e => [e.outerHTML.slice(0, 80), e.closest("label") ?? e])
        .map(([html, e]) => [html, e.getBoundingClientRect()])
        .filter(([_, box]) => box.width && (box.height < 24 || box.width < 24)).map(([html]) => html)"""
    )
    assert small == [], f"{what}: too small"


async def test_input_44_no_script_runs(shop: Shop, visit: Visit):
    """Hostile text in every field of a case opens no dialog and breaks no policy, on any page that shows it."""
    task = await shop.piece(text=HOSTILE, link="javascript:alert(3)", notes=[HOSTILE, "javascript:alert(4)"])
    page = await visit("marta", href(task))

    await page.locator("#comment").fill(HOSTILE)
    await page.get_by_role("button", name="Add the comment").click()
    await page.locator("#a-title").fill(HOSTILE)
    await page.get_by_role("button", name="Keep").click()
    await page.goto(f"/case/{quote(task.id.split('/')[0])}")

    await expect(page.get_by_text(HOSTILE)).to_be_visible()


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
        await expect(page.locator("#health")).to_contain_text(NO_ENGINE, timeout=15_000)
        await expect(page.get_by_label("Reason")).to_have_value("Typed before")
        await page.get_by_role("button", name="Pay").click()
        await expect(page.get_by_text("you completed it").or_(page.get_by_text("being delivered")).first).to_be_visible(
            timeout=15_000
        )
        await engine.start()

        await expect(page.locator("#health")).to_be_empty(timeout=20_000)
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
    await asyncio.wait_for(loop, 5)
