"""The pages as HTML: what they say, to whom, and that nothing in them is anything but text."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
import pytest_asyncio
from temporalio.client import Client

from inbox.app import make_app
from inbox.rendering import HERE
from tests.inbox.conftest import client_of, log_in, serving
from tests.inbox.shop import CONTRACTS, URL, Shop, open_shop
from workunits.core.lifecycle import Task
from workunits.plugin import work_units
from workunits.testing import Lab

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' {{ 7*7 }} ]]>&amp;"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop of cases."""
    address = lab.client.service_client.config.target_host
    client = await Client.connect(address, plugins=[work_units(*CONTRACTS)])
    folder = tmp_path_factory.mktemp("shop")
    async with open_shop(client, folder, temporal_ui="http://127.0.0.1:8233") as there:
        yield there


@pytest_asyncio.fixture
async def marta(shop: Shop) -> AsyncIterator[httpx2.AsyncClient]:
    """The browser of an approver."""
    async with as_someone(shop, "marta") as (browser,):
        yield browser


class as_someone:  # noqa: N801 - reads as what it does
    """`async with as_someone(shop, "marta", "sven") as (marta, sven):` browsers at one inbox."""

    def __init__(self, shop: Shop, *names: str) -> None:
        self._shop, self._names = shop, names
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> tuple[httpx2.AsyncClient, ...]:
        app = await self._stack.enter_async_context(serving(make_app(self._shop.doors)))
        browsers = []
        for name in self._names:
            browser = await self._stack.enter_async_context(client_of(app, URL))
            await log_in(browser, name)
            browsers.append(browser)
        return tuple(browsers)

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


class Markup(HTMLParser):
    """What a page consists of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [attrs for name, attrs in self.tags if name == tag]


def href(task: Task) -> str:
    """The address of a task."""
    return f"/task/{quote(task.id)}"


async def fields_of(browser: httpx2.AsyncClient, task: Task) -> dict[str, str]:
    """What the hidden fields of a task's answer carry."""
    page = (await browser.get(href(task))).text
    form = page[page.index('id="answer-form"') :]
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[: form.index("</form>")]))


async def test_a_list_shows_what_there_is_to_do(shop: Shop, marta: httpx2.AsyncClient):
    """An unclaimed task of the actor's role is on the list, with its key, its unit, and when it is due."""
    task = await shop.refund()

    page = (await marta.get(f"/tasks?scope=unclaimed&q={task.id.split(':')[1].split('/')[0]}")).text

    assert f'href="{href(task)}?' in page
    assert "Refund request" in Markup(page).text
    assert "Due in 2 d 23 h" in Markup(page).text
    assert "Europe/Madrid" in Markup(page).text


async def test_filters_are_in_the_address_and_can_be_kept(shop: Shop, marta: httpx2.AsyncClient):
    """A saved view is a link to its filters, and goes away again; what is no filter is not kept in it."""
    said = {"name": "Late refunds", "query": "scope=groups&unit=refund_request&late=overdue&evil=https://e.example"}

    answer = await marta.post("/views", data=said)
    page = Markup((await marta.get("/tasks")).text)

    address = "/tasks?scope=groups&unit=refund_request&late=overdue"
    assert answer.headers["location"] == address
    assert address in [a.get("href") for a in page.all("a")]
    await marta.post("/views/remove", data={"name": "Late refunds"})
    assert "Late refunds" not in (await marta.get("/tasks")).text


async def test_the_page_says_what_is_asked_and_why(shop: Shop, marta: httpx2.AsyncClient):
    """A task's page has the question, why the actor is asked, the data in words, and the decisions as buttons."""
    task = await shop.refund(details="The shade is cracked.")

    page = Markup((await marta.get(href(task))).text)

    assert "You see this because you have the role refund approver." in page.text
    assert "The shade is cracked." in page.text
    assert "129.50\N{NO-BREAK SPACE}EUR" in page.text
    assert "20 November 2026" in page.text
    assert {"decide:pay", "decide:refuse"} <= {str(b.get("value")) for b in page.all("button")}


async def test_a_proposal_stands_apart_with_its_confidence(shop: Shop, marta: httpx2.AsyncClient):
    """What a model proposed is shown as such, with how sure it is, apart from the case's data."""
    page = (await marta.get(href(await shop.piece()))).text

    assert "Proposed by a model" in page
    assert "87 % sure of itself" in page


async def test_whoever_may_not_see_it_learns_nothing(shop: Shop):
    """A task of others, one that is not there, and a path that is none look alike: case and task pages both."""
    task = await shop.refund()
    async with as_someone(shop, "zoe") as (zoe,):
        answers = [
            await zoe.get(address)
            for address in (
                href(task),
                "/task/refund_request:none/decide",
                f"/case/{quote(task.id.split('/')[0])}",
                "/case/x",
            )
        ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({answer.text for answer in answers}) == 1


async def test_a_decision_is_held_and_can_be_undone(shop: Shop, marta: httpx2.AsyncClient):
    """After a decision comes the next task, with an undo; undone, the task is as it was, with what was typed."""
    task = await shop.refund()
    fields = await fields_of(marta, task)

    answer = await marta.post(href(task), data={**fields, "_do": "decide:refuse", "a.reason": "Too late."})
    following = (await marta.get(answer.headers["location"])).text
    action_id = re.search(r'name="action_id" value="([^"]+)"><input type="hidden" name="back"', following)
    assert answer.status_code == 303
    assert action_id is not None
    undone = await marta.post("/undo", data={"action_id": action_id[1], "back": ""})
    page = (await marta.get(undone.headers["location"])).text

    assert "Undone" in page
    assert "Too late." in page
    assert (await shop.cases.show(task.id.split("/")[0])).is_open


async def test_errors_are_told_at_each_field_and_nothing_is_lost(shop: Shop, marta: httpx2.AsyncClient):
    """A wrong answer comes back with a summary that leads to each field, and all that was typed."""
    task = await shop.piece()
    fields = await fields_of(marta, task)

    answer = await marta.post(href(task), data={**fields, "_do": "decide:keep", "a.title": "T" * 60, "a.count": "none"})
    page = Markup(answer.text)

    assert answer.status_code == 422
    assert {"#a-title", "#a-count", "#a-checked", "#a-on", "#a-price-minor"} <= {
        str(a.get("href")) for a in page.all("a")
    }
    title = next(field for field in page.all("input") if field.get("name") == "a.title")
    assert title["value"] == "T" * 60
    assert title["aria-invalid"] == "true"
    assert str(title["aria-describedby"]).split()[-1] == "a-title-wrong"


async def test_a_check_of_the_unit_is_told(shop: Shop, marta: httpx2.AsyncClient):
    """What only the model's own check refuses is in the summary, and the task stays open."""
    task = await shop.refund()
    fields = await fields_of(marta, task)

    answer = await marta.post(href(task), data={**fields, "_do": "decide:refuse"})

    assert answer.status_code == 422
    assert "A reason is required when refusing." in answer.text


async def test_lines_are_added_without_javascript(shop: Shop, marta: httpx2.AsyncClient):
    """The buttons of a list give the page again with one line more or less, and what was typed."""
    task = await shop.piece()
    fields = await fields_of(marta, task)

    more = await marta.post(href(task), data={**fields, "_do": "add:a.lines", "a.title": "kept"})
    less = await marta.post(
        href(task), data={**fields, "_do": "remove:a.lines:0", "a.lines.#": "1", "a.lines.0.sku": "x"}
    )

    assert 'name="a.lines.0.sku"' in more.text
    assert 'value="kept"' in more.text
    assert 'name="a.lines.0.sku"' not in less.text


async def test_a_draft_is_kept(shop: Shop, marta: httpx2.AsyncClient):
    """What is typed is there again, saved by the button or by the script, and for nobody else."""
    task = await shop.refund()

    saved = await marta.post(f"/draft/{quote(task.id)}", data={"a.reason": "half a sen"})

    assert saved.status_code == 204
    assert "half a sen" in (await marta.get(href(task))).text
    async with as_someone(shop, "sven") as (sven,):
        assert "half a sen" not in (await sven.get(href(task))).text


async def test_a_conflict_says_who_did_what(shop: Shop):
    """Whoever decides on what has changed is told who did what, keeps what was typed, and sends nothing."""
    task = await shop.refund()
    async with as_someone(shop, "marta", "sven") as (marta, sven):
        fields = await fields_of(marta, task)
        claimed = await fields_of(sven, task)
        await sven.post(href(task), data={**claimed, "_do": "claim", "action_id": uuid.uuid4().hex})
        answer = await marta.post(
            href(task), data={**fields, "_do": "release", "action_id": uuid.uuid4().hex, "reason": "mine"}
        )

    assert answer.status_code in (409, 412)
    assert "Sven Svensson" in answer.text


async def test_a_claim_and_what_follows(shop: Shop, marta: httpx2.AsyncClient):
    """Claiming shows the task as one's own; a comment stands in its history; releasing gives it back."""
    task = await shop.refund()
    fields = await fields_of(marta, task)

    claimed = await marta.post(href(task), data={**fields, "_do": "claim"})
    page = (await marta.get(claimed.headers["location"])).text
    await marta.post(href(task), data={"_do": "comment", "text": "I call her."})
    again = (await marta.get(href(task))).text

    assert "Done: you claimed it" in page
    assert "you have claimed it" in page
    assert "I call her." in again
    assert "Marta Moreno" in again


async def test_a_small_form_that_lacks_something_stays_open(shop: Shop, marta: httpx2.AsyncClient):
    """Delegating to nobody is refused in words, with the form open and its note kept."""
    task = await shop.refund()
    fields = await fields_of(marta, task)
    await marta.post(href(task), data={**fields, "_do": "start"})

    answer = await marta.post(href(task), data={"_do": "delegate", "revision": "2", "reason": "on holiday"})

    assert answer.status_code == 422
    assert "To whom: fill this in" in answer.text
    assert 'value="on holiday"' in answer.text


async def test_several_tasks_at_once(shop: Shop, marta: httpx2.AsyncClient):
    """The same answer for several tasks of one step is asked for once, and each task has its own result."""
    first, second, third = await shop.refund(), await shop.refund(), await shop.piece()
    chosen = [f"{first.id}:1", f"{second.id}:1"]

    mixed = await marta.post("/bulk", data={"_do": "complete", "task": [*chosen, f"{third.id}:1"]})
    asked = await marta.post("/bulk", data={"_do": "complete", "task": chosen})
    gone = f"{first.id.split(':')[0]}:none/decide:1"
    done = await marta.post("/bulk", data={"_do": "decide:pay", "task": chosen, "a.reason": ""})
    claimed = await marta.post("/bulk", data={"_do": "claim", "task": [f"{third.id}:1", gone]})

    assert mixed.status_code == 422
    assert "The same answer for all" in asked.text
    assert "Complete: 2 of 2 done" in done.text
    assert "Claim: 1 of 2 done" in claimed.text


async def test_the_case_page_tells_the_whole_story(shop: Shop, marta: httpx2.AsyncClient):
    """A case has its steps as bars with words beside them, its promise, its record, and a link to Temporal."""
    task = await shop.application()
    await shop.cases.act(task.id, "claim", actor="ines", roles=[task.role])

    page = Markup((await marta.get(f"/case/{quote(task.id.split('/')[0])}")).text)

    assert "claimed by Inés Ibarra" in page.text
    bars = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(bars) == 4
    assert all(str(bar["aria-label"]).startswith("waited ") for bar in bars)
    assert "The application is reviewed and a decision is issued within 24 hours." in page.text
    assert any("/workflows/" in str(a.get("href")) for a in page.all("a"))


async def test_the_catalog_has_the_four_elements(shop: Shop, marta: httpx2.AsyncClient):
    """A unit's page has its outcome, rules, boundary and measures; a figure that nobody can say is a dash."""
    page = Markup((await marta.get("/catalog/refund_request")).text)

    for said in ("Outcome", "Logic", "Structure", "Learning", "head of customer care: Olga Orlova", "Order unknown"):
        assert said in page.text
    assert "\N{EN DASH}" in page.text
    assert "Refund request" in (await marta.get("/catalog")).text


async def test_input_44_hostile_text_is_only_text(shop: Shop, marta: httpx2.AsyncClient):
    """Markup, scripts and `javascript:` in every text of a case are text on every page that shows it."""
    task = await shop.piece(
        text=HOSTILE,
        link="javascript:alert(3)",
        notes=[HOSTILE, "https://good.example/?<x>", "data:text/html,x"],
        lines=[{"sku": "<b>", "count": 1}, {"sku": HOSTILE[:20], "count": 2}],
    )
    fields = await fields_of(marta, task)
    await marta.post(href(task), data={"_do": "comment", "text": HOSTILE})
    wrong = await marta.post(href(task), data={**fields, "_do": "decide:keep", "a.title": HOSTILE, "a.reason": HOSTILE})
    await marta.post(f"/draft/{quote(task.id)}", data={"a.reason": HOSTILE})
    pages = [
        wrong.text,
        (await marta.get(href(task))).text,
        (await marta.get(f"/case/{quote(task.id.split('/')[0])}")).text,
    ]
    await marta.post("/views", data={"name": HOSTILE[:60], "query": HOSTILE})
    pages.append((await marta.get("/tasks?q=" + quote(HOSTILE))).text)

    for page in pages:
        markup = Markup(page)
        assert all("src" in script for script in markup.all("script"))
        assert not markup.all("b")
        assert not markup.all("img")
        assert not any(name.startswith("on") or name == "style" for _, attrs in markup.tags for name in attrs)
        links = [str(a["href"]) for a in markup.all("a") if "href" in a]
        assert all(link.startswith(("/", "#", "http://", "https://")) for link in links)
    assert HOSTILE in Markup(pages[1]).text


@pytest.mark.parametrize(
    "query", ["scope=evil&state=x&late=y", "cursor=zzz", "q=" + "x" * 500, "did=" + "y" * 300, "unit=nope"]
)
async def test_a_strange_address_is_a_list_all_the_same(marta: httpx2.AsyncClient, query: str):
    """What no list can hold counts as not said, or is refused in words; it never breaks the page."""
    answer = await marta.get(f"/tasks?{query}")

    assert answer.status_code in (200, 404)


async def test_input_43_another_site_cannot_act(shop: Shop, marta: httpx2.AsyncClient):
    """A form that another site sends with this browser's cookie is refused, and nothing happens."""
    task = await shop.refund()

    answer = await marta.post(href(task), data={"_do": "claim"}, headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403
    assert (await shop.cases.show(task.id.split("/")[0])).tasks[0].state == "ready"


async def test_every_page_obeys_its_own_policy(shop: Shop, marta: httpx2.AsyncClient):
    """No page has a script or a style of its own, so the policy can forbid them."""
    task = await shop.refund()

    for address in (
        "/tasks",
        href(task),
        f"/case/{quote(task.id.split('/')[0])}",
        "/catalog",
        "/keys",
        "/catalog/refund_request/late",
        "/roles",
        "/roles/head of customer care",
    ):
        answer = await marta.get(address)
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "<style" not in answer.text
        assert " style=" not in answer.text


def test_the_parts_of_others_are_as_they_were_published():
    """Htmx and its extension are the files of the named version, with their licence beside them."""
    import hashlib

    static = HERE / "static"
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in static.glob("h*.min.js")}
    told = (Path(__file__).parents[2] / "docs" / "inbox.md").read_text(encoding="utf-8")

    assert (static / "htmx-LICENSE.txt").exists()
    assert len(hashes) == 2
    for name, digest in hashes.items():
        assert name in told
        assert digest in told
