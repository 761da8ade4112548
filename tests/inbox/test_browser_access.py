"""Every page for everybody: light, dark, on a phone, zoomed; and hostile text on any of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page, expect

from tests.inbox.browsing import (
    WIDE,
    Visit,
    browser,
    closed,
    href,
    inbox,
    quick,
    shop,
    visit,
)
from tests.inbox.past import late, remember
from tests.inbox.shop import Shop

__all__ = ["browser", "inbox", "quick", "shop", "visit"]

SCREENS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True},
    "zoomed": {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2},
}
"""A page of 1280 pixels at 200 % has the width of one of 640."""
BROKEN = r"""[...document.querySelectorAll(".scroll > table")].flatMap(table => {
    const found = [], texts = document.createTreeWalker(table, NodeFilter.SHOW_TEXT)
    for (let text; (text = texts.nextNode()); ) {
        if (!text.parentElement.checkVisibility()) continue
        for (const word of text.data.matchAll(/[\p{L}\p{N}_]+/gu)) {
            const range = document.createRange()
            range.setStart(text, word.index)
            range.setEnd(text, word.index + word[0].length)
            const lines = new Set([...range.getClientRects()].map(box => box.top))
            if (word[0].length <= 20 && lines.size > 1) found.push(word[0])
        }
    }
    return found
})"""
"""The words in tables that may scroll which stand on more than one line: a narrow screen has squeezed their column."""
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


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
    more = (
        f"/explain/{case}",
        f"/explain/{past}",
        "/catalog/refund_request/late",
        "/catalog/customer_onboarding",
        "/catalog/refund_request",
    )
    roles = ("/roles", "/roles/head%20of%20customer%20care")
    for address in (*addresses, *more, *roles, "/incidents", "/keys", "/nowhere", "/login"):
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
    await page.wait_for_load_state()  # without its style sheet, everything is too small
    if screen != "zoomed":  # its markup and colours are those of `light`
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{what}: {found.generate_report()}"
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{what} is {wide} pixels too wide"
    broken = await page.evaluate(BROKEN)
    assert broken == [], f"{what}: columns narrower than their words"
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


async def test_a_proposal_is_for_everybody(shop: Shop, visit: Visit, quick: None):
    """A proposal is read, what it rests on is opened and counted, a slip is caught, and it is accepted with a click."""
    task = await shop.damage("A4")
    page = await visit("marta", href(task))
    await look_at(page, "a proposal", "light")
    await page.get_by_text("What it rests on: 2 points").click()
    await page.get_by_text("Reject the proposal").click()
    await look_at(page, "a proposal with all of it open", "light")
    await page.set_viewport_size({"width": 360, "height": 740})
    await look_at(page, "a proposal on a phone", "phone")

    await page.get_by_label("Amount").fill("999")
    await page.get_by_role("button", name="Accept: Pay").click()
    await expect(page.locator("#errors")).to_contain_text("You have changed Amount")
    await page.get_by_role("button", name="Put the proposal back").click()
    await expect(page.get_by_label("Amount")).to_have_value("420")
    await page.get_by_text("What it rests on: 2 points").click()
    await page.get_by_role("button", name="Accept: Pay").click()

    kept = (await closed(shop, task)).record.proposals[0]
    assert (kept.decision, kept.opened) == ("accept", 2)
