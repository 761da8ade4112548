"""Pages of roles in the inbox, and what the catalog says of boundaries that others than people and code share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from temporalio.client import Client

from inbox.catalog_map import entry_of
from inbox.catalog_page import _boundary, _kinds
from inbox.timeline import _by
from tests.inbox.shop import CATALOG, CONTRACTS, Shop, open_shop
from tests.inbox.test_pages import Markup, as_someone
from workunits.catalog.refund_request import RefundRequest
from workunits.core.record import Work
from workunits.plugin import work_units
from workunits.testing import Lab

HEAD = "/roles/head of customer care"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(lab: Lab, tmp_path_factory) -> AsyncIterator[Shop]:
    """A shop of its own."""
    address = lab.client.service_client.config.target_host
    client = await Client.connect(address, plugins=[work_units(*CONTRACTS)])
    async with open_shop(client, tmp_path_factory.mktemp("roles")) as there:
        yield there


async def test_a_role_shows_what_it_answers_for(shop: Shop):
    """Outcomes, units and decisions of those units in which one has a part, with what waits now; no tasks."""
    await shop.refund()
    async with as_someone(shop, "marta") as (marta,):
        listed, head, own = [
            Markup((await marta.get(page)).text) for page in ("/roles", HEAD, "/roles/refund approver")
        ]

    assert "Refund approver" not in listed.text  # a role is called as the directory calls it
    roles = [str(a["href"]) for a in listed.all("a") if str(a.get("href", "")).startswith("/roles/")]
    assert roles.index("/roles/refund%20approver") < roles.index("/roles/head%20of%20customer%20care")
    assert "head of customer care" in listed.text
    for said in (
        "Olga Orlova",
        "Outcomes it answers for",
        "Units it owns",
        "Decisions it answers for",
        "pay or refuse",
    ):
        assert said in head.text
    assert "Decisions it takes" not in head.text
    assert "Correct number" not in head.text
    assert "Decisions it takes" in own.text
    assert "head of customer care" in own.text


async def test_a_role_without_outcome_and_decision_is_empty_and_says_so(shop: Shop):
    """It helps, and others answer."""
    async with as_someone(shop, "ines") as (ines,):
        page = Markup((await ines.get("/roles/onboarding analyst")).text)

    assert "It answers for no outcome, owns no unit and takes no decision" in page.text
    assert "Summarise by hand" not in page.text


async def test_roles_of_units_without_a_part_in_them_are_not_there(shop: Shop):
    """Neither listed nor told apart from roles that do not exist."""
    async with as_someone(shop, "zoe", "ines") as (zoe, ines):
        listed = (await zoe.get("/roles")).text
        found = [await someone.get(page) for someone in (zoe, ines) for page in (HEAD, "/roles/nothing")]

    assert "There are no roles" in listed
    assert [answer.status_code for answer in found] == [404] * 4


async def test_the_catalog_says_stage_and_decisions(shop: Shop):
    """Beside the version; a package of the tests publishes nothing."""
    async with as_someone(shop, "marta") as (marta,):
        listed, unit = [Markup((await marta.get(page)).text) for page in ("/catalog", "/catalog/refund_request")]

    assert "version 1, not published" in listed.text
    assert "version 1, not published" in unit.text
    assert "verdict: pay or refuse or ask" in unit.text


@pytest.mark.parametrize(
    ("kind", "shown", "counted", "done"),
    [
        ("hybrid", "model and person, at most A2", "1 by models with people", "a model"),
        ("unit", "another unit, at most A2", "1 by other units", "another unit"),
    ],
)
def test_every_kind_of_executor_has_its_words(kind, shown, counted, done):
    """Also those that share a step: a page that does not know one must not break."""
    entry = entry_of(RefundRequest, CATALOG.packages[0])
    place, step = replace(entry.steps[3], kind=kind, level="A2"), replace(RefundRequest.DECIDE, kind=kind)
    unit = type("Shown", (), {"steps": (step, RefundRequest.PAY)})
    work = Work(key="decide", step="decide", kind=kind, ready=0)

    assert _boundary(place, step, str, {})["kind"] == shown
    assert _kinds(unit) == f"2: 1 by code, {counted}"
    assert _by(work, str) == done
