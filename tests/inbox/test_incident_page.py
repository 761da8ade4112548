"""The pages of incidents: for those who administrate the unit, by cause and one by one, without JavaScript."""

from __future__ import annotations

import asyncio
import html
import re
import uuid
from urllib.parse import quote

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]

from tests.inbox.browsing import browser
from tests.lab.trouble_performers import BROKEN
from tests.lab.troubles import Held
from tests.patience import PATIENCE

__all__ = ["browser"]


async def held(bench, mood=""):
    """A case that is held by an incident, and its request."""
    request = uuid.uuid4().hex[:12]
    BROKEN.add(f"{request}/book")
    case = (await bench.start(Held, mood, request=request)).case
    await bench.until(case, lambda view: view.state == "incident")
    return case, request


async def listed(browser, *cases):
    """The page, once the engine lists these cases on it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            page = (await browser.get("/incidents")).text
            if all(quote(case) in page for case in cases):
                return page
            await asyncio.sleep(0.05)


def address(case):
    """The address of an incident."""
    return f"/incident/{quote(case)}/book"


def hidden(page, start=0):
    """The hidden fields of the first form from there on."""
    form = page[page.index("<form method", page.index("<main", start)) :]
    form = form[: form.index("</form>")]
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form):
        found.setdefault(name, []).append(html.unescape(value))
    return found


def incident(view):
    """The incident of a case's booking."""
    return view.record.incidents[0]


async def test_only_those_who_administrate_see_incidents(bench, enter):
    """A clerk finds neither the entry of the menu nor a page; the head, and whoever has the admins' role, do."""
    case, request = await held(bench)
    ann, hana = await enter("ann"), await enter("hana")
    page = await listed(hana, case)

    assert 'href="/incidents"' in page
    assert 'href="/incidents"' not in (await ann.get("/tasks")).text
    assert {(await ann.get(path)).status_code for path in ("/incidents", address(case))} == {404}
    assert (await ann.post(address(case), data={"_do": "fail", "reason": "x"})).status_code == 404
    assert (await hana.get("/incident/held:nowhere/book")).status_code == 404
    assert f"{request}: Book" in page
    assert "book failed after 1 attempt: bank down" in page
    assert "Ann Example" not in page
    assert "Held by an incident" in (await hana.get(f"/case/{quote(case)}")).text


async def test_a_retry_waits_for_what_comes_of_it(bench, enter):
    """Failed again is no success; resolved is said only when the step has succeeded."""
    case, request = await held(bench)
    hana = await enter("hana")
    first = hidden((await hana.get(address(case))).text)
    again = await hana.post(address(case), data={**first, "_do": "retry"})
    stale = await hana.post(address(case), data={**first, "_do": "retry", "action_id": "another"})
    BROKEN.discard(f"{request}/book")
    now = hidden((await hana.get(address(case))).text)
    done = await hana.post(address(case), data={**now, "_do": "retry", "reason": "the bank is up"})
    view = await bench.cases.show(case)

    assert (again.status_code, "Failed again" in again.text) == (409, True)
    assert (stale.status_code, "at revision 3, not 1" in stale.text) == (409, True)
    assert (done.status_code, "The step has succeeded" in done.text) == (200, True)
    assert (incident(view).state, incident(view).by, incident(view).why) == ("resolved", "hana", "the bank is up")
    assert {acted.origin for acted in view.record.actions} == {"inbox"}
    assert "Nothing is to be decided" in (await hana.get(address(case))).text
    assert "had it tried again" in (await hana.get(f"/case/{quote(case)}")).text


async def test_a_result_is_given_in_a_form(bench, enter):
    """The form is made from what the step gives; what is wrong stands at its field, and nothing typed is lost."""
    case, _ = await held(bench)
    hana = await enter("hana")
    page = (await hana.get(address(case))).text
    fields = {**hidden(page), "_do": "resolve", "a.risk": "by phone", "a.score": "0.5"}
    silent = await hana.post(address(case), data=fields)
    wrong = await hana.post(address(case), data={**fields, "reason": "asked the bank", "a.score": "much"})
    stays = await hana.post(address(case), data={**fields, "_do": "stay"})
    done = await hana.post(address(case), data={**fields, "reason": "asked the bank"})
    view = await bench.cases.show(case)

    assert (silent.status_code, 'href="#reason-resolve"' in silent.text) == (422, True)
    assert (wrong.status_code, 'value="asked the bank"' in wrong.text, "a-score-wrong" in wrong.text) == (
        422,
        True,
        True,
    )
    assert (stays.status_code, 'value="by phone"' in stays.text) == (200, True)
    assert (done.status_code, "Resolved" in done.text) == (200, True)
    assert (incident(view).state, incident(view).why) == ("resolved", "asked the bank")
    assert next(work.by for work in view.record.steps if work.key == "book") == "hana"
    assert "gave its result by hand" in (await hana.get(f"/case/{quote(case)}")).text


async def test_a_case_is_let_fail(bench, enter):
    """With a reason, which stays on the record."""
    case, _ = await held(bench)
    hana = await enter("hana")
    fields = {**hidden((await hana.get(address(case))).text), "_do": "fail"}
    silent = await hana.post(address(case), data=fields)
    done = await hana.post(address(case), data={**fields, "reason": "the bank is gone"})
    view = await bench.closed(case)

    assert (silent.status_code, 'href="#reason-fail"' in silent.text) == (422, True)
    assert (done.status_code, "Failed as decided" in done.text) == (200, True)
    assert (view.close, view.record.why) == ("failed", "book: bank_down: the bank is gone")
    assert "let the case fail" in (await hana.get(f"/case/{quote(case)}")).text


async def test_all_of_one_cause_are_retried_at_once(bench, enter):
    """Each for itself, with the result of each."""
    (good, request), (bad, _) = await held(bench), await held(bench)
    hana = await enter("hana")
    page = await listed(hana, good, bad)
    BROKEN.discard(f"{request}/book")
    fields = hidden(page)
    values = [value for value in fields["incident"] if value.startswith((good, bad))]
    done = await hana.post("/incidents", data={**fields, "incident": values})
    none = await hana.post("/incidents", data={})
    many = await hana.post("/incidents", data={"incident": [f"held:{n}/book:1" for n in range(101)]})

    assert (done.status_code, "1 of 2 done" in done.text) == (200, True)
    assert {"Resolved", "Failed again"} <= set(re.findall(r"</svg>([A-Z][a-z ]+)</span>", done.text))
    assert (none.status_code, none.headers["location"]) == (303, "/incidents")
    assert many.status_code == 422
    assert incident(await bench.cases.show(good)).state == "resolved"
    assert incident(await bench.cases.show(bad)).tries == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_browser_without_javascript_decides_and_axe_finds_nothing(bench, site, browser, scheme):
    """From the list to the decision by plain forms; each page is accessible."""
    case, request = await held(bench)
    plain = await browser.new_context(
        base_url=site.url, java_script_enabled=False, color_scheme=scheme, viewport={"width": 1280, "height": 900}
    )
    page = await plain.new_page()
    await page.goto("/login?next=/incidents")
    await page.select_option("#name", "hana")
    await page.get_by_role("button", name="Log in").click()
    while not await page.get_by_role("link", name=f"{request}: Book").count():
        await page.reload()
    await page.get_by_role("link", name=f"{request}: Book").click()
    await page.get_by_role("button", name="Give the result").click()
    await page.get_by_role("alert").first.wait_for()
    assert await page.get_by_role("alert").count() == 1
    wrong = await page.content()
    BROKEN.discard(f"{request}/book")
    await page.get_by_role("button", name="Try again").click()
    await page.get_by_text("The step has succeeded").first.wait_for()  # the click does not wait for the next page
    assert "The step has succeeded" in await page.content()
    assert incident(await bench.cases.show(case)).state == "resolved"

    lively = await browser.new_context(base_url=site.url, color_scheme=scheme)
    looked = await lively.new_page()
    await looked.goto("/login?next=/incidents")
    await looked.select_option("#name", "hana")
    await looked.get_by_role("button", name="Log in").click()
    other, _ = await held(bench)
    for path in ("/incidents", address(other), address(case)):
        await looked.goto(path)
        assert_clean(await Axe().run(looked))
    await looked.goto(address(other))
    async with looked.expect_navigation():  # else axe would look at a page whose style has not come yet
        await looked.get_by_role("button", name="Close the case as failed").click()
    assert_clean(await Axe().run(looked))
    assert "is-wrong" in wrong


def assert_clean(found):
    """No violation of any rule."""
    assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []
