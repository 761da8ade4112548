"""The lending units with their real performers, end to end on skipped time: only what people answer is canned."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from activities import (
    affordability_assessment,
    application_intake,
    contract_and_disbursement,
    credit_decision,
    decision_complaint,
    fraud_review,
    identity_screening,
    offer_and_acceptance,
)
from tests.catalog.loan_way import DAYS
from tests.catalog.loan_ways import ways
from tests.catalog.loans import DAY, application, passport, payslips, statement
from workers.catalog import OWN
from workunits.ai import Model
from workunits.catalog.application_intake import ApplicationIntake
from workunits.catalog.credit_decision import CreditDecision
from workunits.catalog.identity_screening import IdentityScreening
from workunits.catalog.offer_and_acceptance import OfferAndAcceptance
from workunits.client import Cases
from workunits.contracts import offer_and_acceptance as offering
from workunits.contracts.application_intake import Submission
from workunits.messages import FileOutbox, Transport
from workunits.registry import Catalog
from workunits.testing import Answer, Lab

PERFORMERS = [
    affordability_assessment,
    application_intake,
    contract_and_disbursement,
    credit_decision,
    decision_complaint,
    fraud_review,
    identity_screening,
    offer_and_acceptance,
]
UNITS = list(dict.fromkeys(way.unit for way in ways()))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bank(tmp_path_factory):
    """A lab with a bank's registers in a folder of its own."""
    data = tmp_path_factory.mktemp("lending")
    resources = {Path: data, Model: Model("test"), Transport: FileOutbox(data / "outbox")}
    async with Lab(performers=PERFORMERS, resources=resources) as lab:
        yield lab


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.unit_name)
async def test_the_ways_through_a_unit(unit, bank):
    """Each example closes as it should, and each step was performed when its turn came."""
    examples = [way for way in ways() if way.unit is unit and way.steps]
    views = await asyncio.gather(*(bank.run(way.unit, way.case, way.answers, beside=way.beside) for way in examples))

    assert len(examples) > 1
    for way, view in zip(examples, views, strict=True):
        assert (view.close, view.record.reason) == (way.closes, way.reason)
        assert tuple(work.key for work in view.record.steps) == way.steps


async def test_a_wish_for_another_amount_never_leaves_two_offers_open(bank):
    """Each wish withdraws the offer before it; the third one counts as declined, and drawing up again is rework."""
    way = next(way for way in ways() if way.unit is OfferAndAcceptance)
    smaller = offering.Answer(verdict="change", amount=5_000, answered_on=DAY)
    view = await bank.run(way.unit, way.case, {OfferAndAcceptance.ANSWER: smaller})
    drawn = [work for work in view.record.steps if work.step == "draw_up"]

    assert view.close == "achieved"
    assert [work.redo_of for work in drawn] == [None, "draw_up", "draw_up-2"]
    assert [work.undoes for work in view.record.steps if work.step == "withdraw"] == [
        "draw_up",
        "draw_up-2",
        "draw_up-3",
    ]


async def test_papers_that_come_later_are_judged_by_the_day_on_which_they_came(bank):
    """An identity document that was issued after the application, and before it was sent, is no false one."""
    case, unit = application(name="Elsa Borg", papers=()), ApplicationIntake
    later = DAY + timedelta(days=12)
    passed = passport("Elsa Borg", date(1990, 6, 3), issued_on=DAY + timedelta(days=8))
    papers = (passed, *payslips(2_900), statement())
    sent = Submission(received_on=later, employment="permanent", papers=papers)
    view = await bank.run(unit, case, {unit.COMPLETE: Answer(sent, after=DAYS)}, beside=(IdentityScreening,))
    identified = await Cases(bank.client, Catalog([OWN])).show(f"identity_screening:{view.key}")

    assert view.close == "achieved"
    assert identified.record
    assert [work.step for work in identified.record.steps] == ["check_document", "screen"]


async def test_a_called_unit_has_a_promise_and_a_record_of_its_own(bank):
    """Affordability and fraud are cases under the same number; the decision's record leads to both."""
    way = next(way for way in ways() if way.unit is CreditDecision)
    view = await bank.run(way.unit, way.case, way.answers, beside=way.beside)
    cases = Cases(bank.client, Catalog([OWN]))
    called = [await cases.show(work.child) for work in view.record.steps if work.child]

    assert [one.case for one in called] == [f"affordability_assessment:{view.key}", f"fraud_review:{view.key}"]
    records = [one.record for one in called if one.record]
    assert [(record.close, record.sla) for record in records] == [("achieved", "met")] * 2
    assert [work.step for record in records for work in record.steps if work.by] == ["read_papers"]


async def test_what_was_proposed_and_decided_stands_on_the_record(bank):
    """The officer came to another amount than the model: it is an edit of a material field."""
    way = [way for way in ways() if way.unit is CreditDecision][1]
    view = await bank.run(way.unit, way.case, way.answers, beside=way.beside)
    (proposed,) = view.record.proposals

    assert (proposed.step, proposed.level, proposed.risk) == ("decide", "A2", "routine")
    assert proposed.executor == "sample|1|"
    if proposed.sampled != "blind":  # one case in twenty, drawn by chance
        assert (proposed.route, proposed.decision, proposed.fields) == ("review", "edit", ["amount"])
        assert proposed.material
    else:
        assert (proposed.route, proposed.agrees) == ("human_only", False)
