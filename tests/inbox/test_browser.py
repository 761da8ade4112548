"""The pages in a real browser: with the mouse, by keyboard alone, and without JavaScript."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, Route, expect

from inbox import task_page
from tests.inbox.browsing import (
    Visit,
    browser,
    closed,
    focused,
    href,
    inbox,
    key_of,
    quick,
    shop,
    visit,
)
from tests.inbox.shop import Shop
from tests.patience import PATIENCE

__all__ = ["browser", "inbox", "quick", "shop", "visit"]


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
    await expect(page.get_by_text("Done: you completed it")).to_be_visible()
    record = (await closed(shop, task)).record

    assert record.decided_by == ["marta"]
    assert record.actions[-1].seen


async def test_undo(shop: Shop, visit: Visit, monkeypatch: pytest.MonkeyPatch):
    """A decision that was undone was never sent: the task is there with what was typed."""
    monkeypatch.setattr(task_page, "HOLD", 30)  # however slow the machine is
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


async def test_keys_can_be_switched_off(visit: Visit):
    """Whoever dictates needs letters to do nothing (WCAG 2.1.4): off on every page, until switched on."""
    page = await visit("marta", "/keys")
    switch = page.get_by_role("main").get_by_label("Keys work in this browser")
    await switch.uncheck()
    await page.goto("/tasks")
    await page.keyboard.press("/")
    off = await focused(page)
    await page.keyboard.press("?")
    await expect(page.locator("dialog")).to_be_hidden()
    await page.goto("/keys")
    await expect(switch).not_to_be_checked()
    await switch.check()
    await page.goto("/tasks")
    await page.keyboard.press("/")

    assert off != "find"
    assert await focused(page) == "find"


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

    await page.get_by_label("Reason").fill("Half a sentence")  # at once: a slow typist has the first half saved
    await expect(page.locator("#saved")).to_have_text("Draft saved.")
    await page.goto("/tasks")
    await page.goto(href(task))

    await expect(page.get_by_label("Reason")).to_have_value("Half a sentence")


async def test_what_is_typed_while_a_draft_is_on_its_way_is_saved_too(shop: Shop, visit: Visit):
    """A slow connection delays a draft; what came meanwhile follows it, without one more key."""
    task = await shop.refund()
    page = await visit("marta", href(task))
    asked, answered = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asked.set()
        await answered.wait()
        await route.continue_()

    await page.route("**/draft/**", hold)
    await page.get_by_label("Reason").fill("Half a")
    await asyncio.wait_for(asked.wait(), PATIENCE)
    await page.get_by_label("Reason").fill("Half a sentence")
    await page.wait_for_timeout(1_500)  # its turn comes while the first one is out
    answered.set()

    async with asyncio.timeout(PATIENCE):
        while True:
            draft = shop.journal.notes.draft("marta", task.id)
            if draft and draft.body["typed"]["a.reason"] == ["Half a sentence"]:
                break
            await asyncio.sleep(0.05)


async def test_a_proposal_that_was_put_back_stays_back(shop: Shop, visit: Visit):
    """What was typed a moment before is not saved behind it."""
    task = await shop.damage()
    page = await visit("marta", href(task))

    await page.get_by_label("Amount").fill("999")
    await page.get_by_role("button", name="Put the proposal back").click()
    await expect(page.get_by_label("Amount")).to_have_value("420")
    await page.goto("/tasks")
    await page.goto(href(task))

    await expect(page.get_by_label("Amount")).to_have_value("420")
