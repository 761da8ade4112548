"""Proposals of hybrid steps: what people are shown of them, what they are not, and what they say about them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import pytest_asyncio
from temporalio.client import Client

from inbox import stamping, task_page
from inbox.answering import Answer
from inbox.app import make_app
from inbox.journal import Journal
from inbox.reader import Reader
from inbox.stamping import stamps
from inbox.task_page import UNSAID
from inbox.timeline import course_of
from observability.ledger.forgetting import Forgetting
from observability.ledger.store import Ledger
from observability.ledger.writing import write
from tests.inbox.browsing import closed, href
from tests.inbox.calls import API, post, problem
from tests.inbox.conftest import client_of, log_in, serving
from tests.inbox.shop import CONTRACTS, URL, Shop, open_shop
from tests.inbox.wide import Verdict
from tests.observability.invented import case_rows
from tests.workers.conftest import clean_environment
from tests.workers.terminal import Ended, terminal
from workunits.client import case_of
from workunits.core.lifecycle import Task
from workunits.core.proposal import Proposed
from workunits.core.record import Record, Work
from workunits.plugin import work_units
from workunits.testing import Lab

ASKS = {"accept": "application/json"}
RULING = {"verdict": "pay", "amount": 420, "note": "The policy covers storms."}
TRACES = ("Proposed by", "The policy covers storms", "test-model", "weather service", "0.93")
"""What the page of a proposal has."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop of cases."""
    client = await Client.connect(lab.client.service_client.config.target_host, plugins=[work_units(*CONTRACTS)])
    async with open_shop(client, tmp_path_factory.mktemp("shop")) as there:
        yield there


@pytest_asyncio.fixture
async def marta(shop: Shop) -> AsyncIterator[httpx2.AsyncClient]:
    """The browser of an adjuster."""
    async with serving(make_app(shop.doors)) as app, client_of(app, URL) as browser:
        await log_in(browser, "marta")
        yield browser


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No decision is held."""
    monkeypatch.setattr(task_page, "HOLD", 0.0)


async def send(browser: httpx2.AsyncClient, task: Task, what: str, **more: str) -> httpx2.Response:
    """Press a button of a task's page, with the form as the page has it."""
    return await browser.post(href(task), data=await form_of(browser, task, what) | more)


async def form_of(browser: httpx2.AsyncClient, task: Task, what: str) -> dict[str, str]:
    """What a button of a task's page sends."""
    page = (await browser.get(href(task))).text
    return {
        "_do": what,
        "revision": str(task.revision),
        "proposal": re.findall(r'name="proposal" value="(\w+)"', page)[0],
        "opened": "js evidence",
        "a.amount": "420",
        "a.note": "The policy covers storms.",
    }


@pytest.mark.parametrize(
    ("level", "means", "worth"),
    [
        ("A2", "A suggestion.", "Not calibrated"),
        ("A3", "For your approval.", "74 of 100 such proposals were right"),
        ("A4", "It counts unless someone objects.", "74 of 100 such proposals were right"),
    ],
)
async def test_the_page_says_what_it_is_worth_and_what_a_decision_means(
    shop: Shop, marta: httpx2.AsyncClient, level: Any, means: str, worth: str
):
    """The model's own 93 % is on no page; the answer begins as proposed; the API says all of it."""
    task = await shop.damage(level)

    page = (await marta.get(href(task))).text
    said = (await marta.get(f"{API}/tasks/{task.id}", headers=ASKS)).json()["proposal"]

    others = page[page.index("What else it thought of: 2") :].partition("</details>")[0]
    assert means in page
    assert worth in page
    assert "93" not in re.sub(r'D-\w+|[0-9a-f]{32}|datetime="[^"]*"', "", page)
    assert "The storm of Sunday is on the list of the weather service." in page
    assert "Only what differs from the proposal, the next best first." in others
    assert [re.findall(r"<dt>(\w+)</dt>", one) for one in others.split("<li>")[1:]] == [
        ["Verdict", "Amount", "Note"],
        ["Amount"],
    ]
    assert 'name="a.amount" value="420"' in page
    assert ("If nobody decides otherwise" in page) == (level == "A4")
    assert said["output"] == {"verdict": "pay", "amount": 420, "note": "The policy covers storms."}
    assert (said["raw"], said["hash"], said["alternatives"][0]["verdict"]) == (0.93, task.proposal, "refuse")


async def test_who_decides_without_it_is_sent_nothing_of_it(shop: Shop, marta: httpx2.AsyncClient, at_once: None):
    """Not by the page of the task or the case, nor by the API; once it is decided, the case tells both."""
    task = await shop.damage("A1")
    case = f"/case/{quote(case_of(task.id))}"
    sent = [(await marta.get(where)).text for where in (href(task), case, case.replace("/case", "/explain", 1))]
    api = [await marta.get(f"{API}/{what}", headers=ASKS) for what in (f"tasks/{task.id}", f"cases/{case_of(task.id)}")]

    for text in (*sent, *(one.text for one in api)):
        assert [trace for trace in TRACES if trace in text] == []
    assert api[0].json()["proposal"] is None
    assert not api[1].json()["record"].get("proposals")

    refused = await post(marta, task.id, "complete", {"verdict": "refuse", "review": {"decision": "accept"}}, **ASKS)
    problem(refused, 422, "invalid_field")
    await marta.post(href(task), data={"_do": "decide:refuse", "revision": "1", "a.amount": "0", "a.note": ""})
    record = (await closed(shop, task)).record
    assert record.proposals[0].agrees is False
    assert "decided otherwise in amount, note, verdict, without seeing it" in (await marta.get(case)).text


async def test_as_it_is_with_changes_or_not_at_all(shop: Shop, marta: httpx2.AsyncClient, at_once: None):
    """Each button says what it does, and is taken at its word; what was opened and why is on the record."""
    taken, mended, rejected = [await shop.damage() for _ in range(3)]

    assert "You have changed Amount" in (await send(marta, taken, "accept:pay", **{"a.amount": "300"})).text
    await send(marta, taken, "accept:pay")
    await send(marta, mended, "decide:pay", **{"a.amount": "300"})
    assert "still as it was proposed" in (await send(marta, rejected, "reject:pay")).text
    assert "Say why you reject" in (await send(marta, rejected, "reject:refuse")).text
    await send(marta, rejected, "reject:refuse", review_reason="wrong_facts", opened="")

    kept = [(await closed(shop, task)).record.proposals[0] for task in (taken, mended, rejected)]
    assert [(one.decision, one.fields, one.reason, one.opened) for one in kept] == [
        ("accept", [], "", 2),
        ("edit", ["amount"], "", 2),
        ("reject", ["verdict"], "wrong_facts", None),
    ]
    page = (await marta.get(f"/case/{quote(case_of(rejected.id))}")).text
    for text in ("Rule, proposal", "Marta Moreno", "rejected in verdict: wrong facts", "level is to suggest"):
        assert text in page


async def test_what_nobody_can_compare_now_is_not_sent(
    shop: Shop, marta: httpx2.AsyncClient, at_once: None, monkeypatch: pytest.MonkeyPatch
):
    """Who rejects what stands unchanged would else have accepted it; what was typed is there again with the worker."""
    task = await shop.damage()
    form = await form_of(marta, task, "reject:pay") | {"a.note": "As I typed it."}

    async def nobody(*_: Any) -> None:
        """No worker answers in time."""

    with monkeypatch.context() as gone:
        gone.setattr(Reader, "_question", nobody)
        page = await marta.post(href(task), data=form)
    again = (await marta.get(href(task))).text

    assert page.status_code == 503
    assert UNSAID in page.text
    assert "As I typed it." in again
    assert (await shop.cases.show(case_of(task.id))).tasks[0].revision == 1


async def test_another_proposal_than_the_one_that_was_shown(shop: Shop, marta: httpx2.AsyncClient):
    """Nothing is sent, what was typed stays, and the page says why; the API answers 409."""
    task = await shop.damage()

    page = await send(marta, task, "accept:pay", proposal="0" * 32, **{"a.note": "As I typed it."})
    answer = await post(marta, task.id, "complete", RULING | {"review": {"proposal": "0" * 32}}, **ASKS)

    assert page.status_code == 412
    assert "Another proposal stands now" in page.text
    assert "As I typed it." in page.text
    problem(answer, 409, "stale_proposal")
    assert (await shop.cases.show(case_of(task.id))).tasks[0].revision == 1


async def test_the_api_takes_a_review_beside_the_answer(shop: Shop, marta: httpx2.AsyncClient):
    """It is described, checked at the door, part of what an idempotency key stands for, and on the record."""
    task = await shop.damage()
    described = (await marta.get(f"{API}/openapi.json", headers=ASKS)).json()["components"]["schemas"]
    review = {"proposal": task.proposal, "decision": "reject", "reason": "wrong_judgement", "opened": 1}
    body = RULING | {"verdict": "refuse", "review": review}
    key = {"idempotency-key": "k-1", **ASKS}

    unknown = body | {"review": review | {"reason": "mood"}}
    said = problem(await post(marta, task.id, "complete", unknown, **ASKS), 422, "invalid_field")
    first = await post(marta, task.id, "complete", body, **key)
    again = await post(marta, task.id, "complete", body, **key)
    other = await post(marta, task.id, "complete", body | {"review": review | {"opened": 2}}, **key)

    assert "review" in described["RulingOnProposal"]["properties"]
    assert said["field"] == "review.reason"
    assert (first.status_code, again.json()["revision"]) == (200, first.json()["revision"])
    problem(other, 409, "action_id_reused")
    kept = (await closed(shop, task)).record.proposals[0]
    assert (kept.decision, kept.reason, kept.opened) == ("reject", "wrong_judgement", 1)


async def test_several_at_once_leaves_proposals_out(shop: Shop, marta: httpx2.AsyncClient):
    """A batch is decided item by item; also where the proposal is not shown, for that would give it away."""
    shown, unseen = await shop.damage("A3"), await shop.damage("A1")

    page = await marta.post("/bulk", data={"_do": "complete", "task": [f"{one.id}:1" for one in (shown, unseen)]})
    mixed = await marta.post(
        "/bulk", data={"_do": "complete", "task": [f"{shown.id}:1", f"{(await shop.piece()).id}:1"]}
    )

    assert page.text.count("a model proposes there: each is decided by itself") == 2
    assert "Left out" in mixed.text
    assert "Decide: 1 task at once" in mixed.text


def test_what_nobody_touched_is_as_it_was_proposed():
    """A form shows less than there is, such as no seconds: what is untouched is sent to the last digit all the same."""
    proposed = {"decision": "keep", "count": 3, "at": "2026-01-31T14:05:33.250000Z", "urgent": True, "title": "x\ny"}
    answer = Answer(Verdict.model_json_schema(), "Europe/Madrid", proposed=proposed)
    assert answer.read().items() >= proposed.items()
    assert answer.changes == []

    answer.typed = {**answer.typed, "a.count": ["4"], "a.urgent": [], "a.title": ["x\r\ny"]}
    assert answer.read().items() >= {**proposed, "count": 4, "urgent": False}.items()
    assert answer.changes == ["count", "urgent"]


def test_the_words_for_a_proposal_on_the_time_line():
    """The model's part is told from the person's; who was asked again is no vote."""
    keys = ("rule-ai", "rule", "rule-2-ai", "rule-again", "rule-v2")
    works = [Work(key=key, step="rule", kind="human", ready=0, done=1, end="done") for key in keys]
    started = datetime(2026, 1, 5, tzinfo=UTC)
    course = course_of(Record(unit="u", version="1", case="u:1", started=started, due=9, steps=works), 5)
    assert course is not None
    assert [row.label for row in course.rows] == [
        "Rule, proposal",
        "Rule",
        "Rule, 2. time, proposal",
        "Rule, asked again",
        "Rule, vote 2",
    ]


def test_whoever_stamps_is_told(tmp_path: Path):
    """Twenty in a row, none changed, each faster than it can be read; one that took longer, or is missing, and not."""
    ledger, journal = Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}"), Journal(f"sqlite:///{tmp_path / 'j.sqlite'}")
    ledger.migrate()
    journal.open()
    now = datetime.now(UTC)

    def decided(number: int, seconds: int = 5, **more: Any) -> Record:
        at = 1_000_000
        work = Work(
            key="rule", step="rule", kind="human", ready=at, done=at + seconds * 1_000_000, end="done", by="ana"
        )
        work.work = [(at, at + seconds * 1_000_000)]
        made = Work(key="rule-ai", step="rule", kind="ai", ready=0, done=at, end="done", work=[(0, at)])
        facts: dict[str, Any] = {
            "level": "A2",
            "route": "review",
            "why": "suggest",
            "output": "h",
            "shown": True,
            "words": 80,
        }
        facts |= {"decision": "accept", "decided": work.done, **more}
        return Record(
            unit="u",
            version="1",
            case=f"u:{number}",
            started=now - timedelta(hours=2) + timedelta(minutes=number),
            due=10**10,
            close="achieved",
            closed=work.done,
            steps=[made, work],
            proposals=[Proposed(key="rule", step="rule", at=at, input="i", **facts)],
        )

    def keep(*records: Record) -> bool:
        with ledger.write() as connection:
            write(connection, [case_rows(one) for one in records], Forgetting.load(connection), now)
        return stamps(ledger, journal, "ana", ("u", "rule"), now)

    assert not keep(*(decided(number) for number in range(stamping.LAST - 1)))
    assert keep(decided(40))
    assert not stamps(ledger, journal, "ben", ("u", "rule"), now)
    assert not keep(decided(41, 60))
    assert keep(*(decided(50 + number) for number in range(stamping.LAST)))
    assert not keep(decided(90, decision="edit", fields=["note"]))
    journal.close()
    ledger.close()
    assert not stamps(Ledger(f"sqlite:///{tmp_path / 'none.sqlite'}"), journal, "ana", ("u", "rule"), now)


async def test_on_the_command_line(shop: Shop, tmp_path: Path):
    """`tasks show` shows it, `complete` takes it as it is or rejects it with a reason, and `show` tells who decided."""
    taken, rejected, unseen = await shop.damage("A3"), await shop.damage(), await shop.damage("A1")
    env = clean_environment(
        TEMPORAL_ADDRESS=shop.client.service_client.config.target_host,
        WORKUNITS_MODULES="tests.inbox.insurers",
        WORKUNITS_DATA=str(tmp_path / "data"),
    )

    def all_of_it() -> dict[str, Ended]:
        with terminal(tmp_path, env) as desk:
            refuse = ("complete", rejected.id, "--rejects", "--set", "verdict=refuse")
            return {
                "shown": desk.run("tasks", "show", taken.id),
                "unseen": desk.run("tasks", "show", unseen.id),
                "taken": desk.run("tasks", "complete", taken.id, "--accepts"),
                "no reason": desk.run("tasks", *refuse),
                "wrong reason": desk.run("tasks", *refuse, "--review-reason", "mood"),
                "none": desk.run("tasks", "complete", unseen.id, "--accepts"),
                "rejected": desk.run("tasks", *refuse, "--review-reason", "wrong_facts", "--as", "sven"),
                "case": desk.run("show", case_of(rejected.id)),
            }

    said = await asyncio.to_thread(all_of_it)

    assert "74% of such, as measured" in said["shown"].out
    assert "weather service" in said["shown"].out
    assert [" ".join(line.split()) for line in said["shown"].out.splitlines() if line.startswith("  Or ")] == [
        "Or verdict=refuse, amount=0, note=-",
        "Or verdict=pay, amount=300, note=The policy covers storms.",
    ]
    assert f"workunits tasks complete {taken.id} --accepts\n" in said["shown"].out
    assert [trace for trace in (*TRACES, "PROPOSED") if trace in said["unseen"].out] == []
    assert (said["taken"].code, (await closed(shop, taken)).record.proposals[0].decision) == (0, "accept")
    assert "say why: one of wrong_facts, wrong_judgement" in said["no reason"].err
    assert "--review-reason: should be one of wrong_facts, wrong_judgement" in said["wrong reason"].err
    assert "no proposal is shown with this task" in said["none"].err
    assert said["rejected"].code == 0
    assert "rejected in amount, note, verdict: wrong facts" in " ".join(said["case"].out.split())
