"""The units with their real performers: a case of each on real input, and what it left behind."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest_asyncio

from activities import customer_onboarding, refund_request
from workunits.ai import Model
from workunits.catalog.customer_onboarding import CustomerOnboarding
from workunits.catalog.refund_request import RefundRequest
from workunits.contracts.customer_onboarding import Application, Decision, Document, Documents
from workunits.contracts.refund_request import Money, Request
from workunits.messages import FileOutbox, Transport
from workunits.testing import Answer, Lab


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def data(tmp_path_factory):
    """Where the performers keep their files."""
    return tmp_path_factory.mktemp("data")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def real(data):
    """A lab whose machine steps need no canned answers."""
    resources = {Path: data, Model: Model("test"), Transport: FileOutbox(data / "outbox")}
    async with Lab(performers=[customer_onboarding, refund_request], resources=resources) as lab:
        yield lab


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    """What a performer's own store has."""
    with closing(sqlite3.connect(file)) as db:
        return db.execute(query).fetchall()


def letters(data: Path, words: str) -> list[str]:
    """The messages that say something."""
    return [text for path in (data / "outbox").glob("*.eml") if words in (text := path.read_text(encoding="utf-8"))]


async def test_an_application_is_checked_screened_and_opened(real, data):
    """Only the officer's decision is canned: the account is in the bank's table, the letter in the outbox."""
    documents = Documents(
        received_on=date(2026, 3, 2),
        items=(
            Document(kind="passport", readability=0.97, issued_on=date(2021, 5, 4), expires_on=date(2031, 5, 3)),
            Document(kind="utility_bill", readability=0.91, issued_on=date(2026, 2, 1)),
        ),
    )
    application = Application(
        application=f"A-{uuid.uuid4().int % 10**12}",
        full_name="Ines Duarte",
        born_on=date(1988, 7, 14),
        email="ines@example.org",
        country="PT",
        product="current_account",
        monthly_income=2_900,
        source_of_funds="salary",
        documents=documents,
    )
    approve = Answer(Decision(verdict="approve"), by="olga")
    view = await real.run(CustomerOnboarding, application, {CustomerOnboarding.DECIDE: approve})
    accounts = rows(data / "bank.sqlite", "SELECT number, application, effect_key FROM accounts")

    assert (view.close, view.record.routes, view.record.decided_by) == ("achieved", [], ["olga"])
    assert [(application, key) for _, application, key in accounts] == [(view.key, f"{view.case}/open_account")]
    assert len(letters(data, str(accounts[0][0]))) == 1


async def test_a_refund_is_found_judged_paid_and_told(real, data):
    """Nobody decides: the policy does, on the shipped order table, and pays once."""
    request = Request(
        request=f"RR-{uuid.uuid4().int % 10**12}",
        order="R-1001",
        amount=Money(minor=10_00, currency="EUR"),
        cause="damaged",
        requested_on=date(2025, 5, 10),
        email="ana@example.com",
    )
    view = await real.run(RefundRequest, request, {})
    payments = rows(data / "shop.sqlite", "SELECT order_id, amount_minor, effect_key FROM payments")

    assert (view.close, view.record.decided_by) == ("achieved", [])
    assert payments == [(request.order, 10_00, f"{view.case}/pay")]
    assert len(letters(data, "We have paid back 10.00 EUR")) == 1
