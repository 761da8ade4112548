"""The pages that say where a promise broke, and the forecast beside a task."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest_asyncio
from sqlalchemy import insert
from temporalio.client import Client

from inbox.app import make_app
from inbox.moments import micro
from inbox.rendering import breach_words
from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import baselines
from observability.ledger.writing import write
from tests.inbox.conftest import client_of, log_in, serving
from tests.inbox.past import COUNT, late, remember
from tests.inbox.shop import CONTRACTS, URL, Shop, open_shop
from tests.inbox.test_pages import Markup, as_someone
from tests.observability.invented import BUDGET, case_rows
from workunits.core.record import Record
from workunits.plugin import work_units
from workunits.testing import Lab


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(lab: Lab, tmp_path_factory) -> AsyncIterator[Shop]:
    """A shop whose ledger knows refunds of the last days."""
    address = lab.client.service_client.config.target_host
    client = await Client.connect(address, plugins=[work_units(*CONTRACTS)])
    folder: Path = tmp_path_factory.mktemp("explained")
    async with open_shop(client, folder) as there:
        remember(there.ledger)
        yield there


async def test_a_case_is_explained(shop: Shop):
    """The sentence first, bars with their words beside them, each part with its median, and what happened."""
    async with as_someone(shop, "marta") as (marta,):
        told = Markup((await marta.get(f"/explain/{quote(late()[0].case)}")).text)
        task = await shop.refund()
        waiting = Markup((await marta.get(f"/explain/{quote(task.id.split('/')[0])}")).text)
        case = (await marta.get(f"/case/{quote(task.id.split('/')[0])}")).text
    bars = [svg for svg in told.all("svg") if svg.get("role") == "img"]

    assert re.search(r"\d+ % of the lateness is .+ against a median of .+ \(n=\d+\)\.", told.text)
    assert "after it was due" in told.text
    assert "When the due time passed:" in told.text
    others = re.search(r"Medians are of (\d+) other closed cases of this version\.", told.text)
    assert others is not None
    assert int(others[1]) >= COUNT - 1  # on this engine other files close refunds, too
    assert "Odd (Look): Mend takes over" in told.text
    assert all(re.search(r"\d+ %|\d+%", str(bar["aria-label"])) for bar in bars)
    assert "Open for" in waiting.text
    assert f'href="/explain/{quote(task.id.split("/")[0])}"' in case


async def test_the_parts_on_the_page_are_all_there(shop: Shop):
    """Eight parts and their sum, and the bar is as long as the case."""
    async with as_someone(shop, "marta") as (marta,):
        page = (await marta.get(f"/explain/{quote(late()[0].case)}")).text
    first = page[page.index('role="img"') :]
    widths = [float(w) for w in re.findall(r'class="part-\w+" x="[\d.]+" y="0" width="([\d.]+)"', first)]

    assert abs(sum(widths) - 1000) < 1
    for part in ("Rework", "Touch human", "Touch machine", "Retry", "External wait", "Off hours", "Queue", "Idle"):
        assert f"{part}</th>" in page
    assert "Together</th>" in page


async def test_a_case_that_has_told_no_steps(shop: Shop):
    """It says so, and when it can be explained."""
    now = datetime.now(UTC)
    case = "refund_request:E-1"
    record = Record(unit="refund_request", version="1", case=case, key="E-1", started=now, due=BUDGET, elsewhere=True)
    with shop.ledger.write() as connection:
        write(connection, [case_rows(record, now)], Forgetting.load(connection), now)
    async with as_someone(shop, "marta") as (marta,):
        page = await marta.get(f"/explain/{quote(case)}")

    assert page.status_code == 200
    assert "Nothing can be said yet" in page.text


async def test_whoever_may_not_see_the_case_learns_nothing(shop: Shop):
    """Neither of the case, nor of a unit in which one has no part."""
    async with as_someone(shop, "zoe") as (zoe,):
        answers = [
            await zoe.get(address)
            for address in (f"/explain/{quote(late()[0].case)}", "/explain/x", "/catalog/refund_request/late")
        ]

    assert [answer.status_code for answer in answers] == [404] * 3


async def test_what_makes_a_unit_late(shop: Shop):
    """A page for whoever has a part in the unit: four splits of the lateness, and no case by name."""
    total = sum((record.closed or 0) - BUDGET for record in late())
    async with as_someone(shop, "marta") as (marta,):
        told = (await marta.get("/catalog/refund_request/late")).text
        odd = (await marta.get("/catalog/refund_request/late?days=nonsense")).text
        unit = (await marta.get("/catalog/refund_request")).text

    assert f"{len(late())} of " in told
    assert f"by {micro(total)} together" in told
    assert told.count("The rows add up to the whole lateness.") == 4
    assert "refund_request:" not in told
    assert 'aria-current="page">30 days' in odd
    assert 'href="/catalog/refund_request/late"' in unit


async def test_the_owner_of_a_unit_reads_what_its_loop_waits_for(shop: Shop):
    """On the catalog and on the unit's page; nobody else is told."""
    row = {"baseline_id": "old", "unit": "refund_request", "name": "old", "source": "a log", "source_hash": ""}
    rest = {"n": 1, "n_open": 0, "frozen_at": datetime.now(UTC), "metrics": "0", "mapping": {}, "figures": {}}
    with shop.ledger.write() as connection:
        connection.execute(insert(baselines).values({**row, **rest, "segments": {}}))
    async with as_someone(shop, "olga", "marta") as (olga, marta):
        pages = ("/catalog", "/catalog/refund_request")
        owners = [(await olga.get(page)).text for page in pages]
        others = [(await marta.get(page)).text for page in pages]

    said = "You own it: its baseline is stale: it follows metric definitions 0"
    assert [page.count(said) for page in owners] == [1, 1]
    assert [page.count("You own it") for page in others] == [0, 0]


async def test_a_task_says_how_probably_its_promise_is_broken(shop: Shop):
    """On the list and on its page, once it is known; the first look does not wait for it."""
    task = await shop.refund()
    app = make_app(shop.doors)
    async with serving(app), client_of(app, URL) as marta:
        await log_in(marta, "marta")
        await marta.get("/tasks?scope=all")
        app.state.service._forecaster.wait()
        listed = (await marta.get("/tasks?scope=all&unit=refund_request")).text
        shown = (await marta.get(f"/task/{quote(task.id)}")).text

    assert re.search(r"<span>breach (\d+|&lt;1) %</span>", listed)
    assert re.search(r", breach (\d+|&lt;1) %</dd>", shown)


def test_a_probability_in_words():
    """Never more certain than it is; nothing where nobody knows."""
    assert [breach_words(p) for p in (None, 0.0, 0.004, 0.7049, 0.99, 0.996, 1.0)] == [
        "",
        "breach <1 %",
        "breach <1 %",
        "breach 70 %",
        "breach 99 %",
        "breach >99 %",
        "breach >99 %",
    ]
