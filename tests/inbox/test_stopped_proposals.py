"""What doors show of a proposal whose model was stopped: nothing, and whoever accepts it is told to decide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from inbox.app import make_app
from tests.inbox.browsing import closed, href
from tests.inbox.calls import API, post, problem
from tests.inbox.conftest import client_of, log_in, serving
from tests.inbox.shop import CONTRACTS, URL, Shop, open_shop
from tests.inbox.test_proposals import ASKS, RULING, TRACES
from tests.workers.conftest import clean_environment
from tests.workers.terminal import Ended, terminal
from workers.console import Exit
from workunits.client import case_of
from workunits.plugin import work_units
from workunits.testing import Lab

YOURSELF = "the model was stopped: decide yourself"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop of cases."""
    client = await Client.connect(lab.client.service_client.config.target_host, plugins=[work_units(*CONTRACTS)])
    async with open_shop(client, tmp_path_factory.mktemp("shop")) as there:
        yield there


async def test_no_door_shows_it_any_more(shop: Shop, tmp_path: Path):
    """The page, the API and the command line ask the same without it; what is decided is the person's own."""
    task = await shop.damage("A3")
    env = clean_environment(
        TEMPORAL_ADDRESS=shop.client.service_client.config.target_host,
        WORKUNITS_MODULES="tests.inbox.insurers",
        WORKUNITS_DATA=str(tmp_path / "data"),
    )

    def typed() -> tuple[Ended, ...]:
        with terminal(tmp_path, env) as desk:
            return desk.run("tasks", "show", task.id), desk.run("tasks", "complete", task.id, "--accepts", "--json")

    async with serving(make_app(shop.doors)) as app, client_of(app, URL) as marta:
        await log_in(marta, "marta")
        before = (await marta.get(href(task))).text
        await shop.cases.act(
            f"{case_of(task.id)}/ai:rule",
            "stop_autonomy",
            actor="eve",
            roles=["head of customer care"],
            body={"reason": "it pays everyone"},
            revision=1,
        )
        page = (await marta.get(href(task))).text
        api = await marta.get(f"{API}/tasks/{task.id}", headers=ASKS)
        show, accepts = await asyncio.to_thread(typed)
        review = {"review": {"proposal": task.proposal, "decision": "accept"}}
        current = {"if-match": api.headers["etag"], **ASKS} if "etag" in api.headers else ASKS
        refused = await post(marta, task.id, "complete", RULING | review, **current)
        decided = await post(marta, task.id, "complete", RULING | {"verdict": "refuse"}, **current)
        record = (await closed(shop, task)).record

    assert [trace for trace in TRACES if trace not in before] == ["0.93"]
    for text in (page, api.text, show.out):
        assert [trace for trace in (*TRACES, "PROPOSED") if trace in text] == []
    assert "A window broke in the storm of Sunday." in page
    assert api.json()["proposal"] is None
    assert (accepts.code, accepts.error["code"]) == (Exit.CONFLICT, "stopped")
    assert YOURSELF in accepts.err
    assert YOURSELF in problem(refused, 409, "stopped")["detail"]
    assert decided.status_code == 200
    assert (record.proposals[0].decision, record.proposals[0].agrees, record.decided_by) == (None, None, ["marta"])
