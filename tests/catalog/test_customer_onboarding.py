"""Customer onboarding, told case by case: an example of how to test a unit of your own."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from workunits.catalog.customer_onboarding import CustomerOnboarding as Unit
from workunits.contracts.customer_onboarding import (
    Account,
    Application,
    Decision,
    Document,
    DocumentCheck,
    Documents,
    DocumentsIllegible,
    Hits,
    RiskSummary,
    SanctionsHit,
    Screening,
    Sent,
    Unreadable,
)
from workunits.core.parts import parts
from workunits.testing import Answer, Cancel

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

DOCUMENTS = Documents(
    received_on=date(2026, 3, 2),
    items=(
        Document(kind="passport", readability=0.97, issued_on=date(2021, 5, 4), expires_on=date(2031, 5, 3)),
        Document(kind="utility_bill", readability=0.91, issued_on=date(2026, 2, 1)),
    ),
)
APPROVE = Decision(verdict="approve")
REFUSE = Decision(verdict="refuse", reason="We could not verify the source of funds.")
LEDGER_DOWN = ApplicationError("the ledger is down", type="ledger_down", non_retryable=True)
"""A failure for good: no other attempt is made."""

ROUTINE = {
    Unit.CHECK_DOCUMENTS: DocumentCheck(complete=True),
    Unit.SCREEN: Screening(verdict="no_match", reason="no entry comes close"),
    Unit.SUMMARISE: RiskSummary(level="low", summary="Nothing stands out."),
    Unit.DECIDE: Answer(APPROVE, by="olga", after=2 * HOUR),
    Unit.OPEN_ACCOUNT: Account(number="4001"),
    Unit.SEND_DECISION: Sent(message="m-1"),
}
"""What happens in a case in which nothing is out of the ordinary."""


def application() -> Application:
    """An application, each with a number of its own: it is the business key."""
    return Application(
        application=f"A-{uuid.uuid4().int % 10**12}",
        full_name="Ines Duarte",
        born_on=date(1988, 7, 14),
        email="ines@example.org",
        country="PT",
        product="current_account",
        monthly_income=2_900,
        source_of_funds="salary",
        documents=DOCUMENTS,
    )


def performed(view) -> list[str]:
    """The steps of a case, in the order in which they were ready."""
    return [work.key for work in view.record.steps]


async def result_of(lab, view):
    """What the case delivered."""
    return (await lab.client.get_workflow_handle(view.case).result())["result"]


async def test_an_approved_application_opens_an_account(lab):
    """Checked and screened at once, summed up, decided, opened, told."""
    view = await lab.run(Unit, application(), ROUTINE)
    result = await result_of(lab, view)

    assert view.close == "achieved"
    assert performed(view) == ["check_documents", "screen", "summarise", "decide", "open_account", "send_decision"]
    assert view.record.decided_by == ["olga"]
    assert (result["account"]["number"], result["letter"]["message"]) == ("4001", "m-1")
    assert view.record.facts == {"product": "current_account", "country": "PT", "channel": "web"}


async def test_a_refused_application_is_a_decision_too(lab):
    """The outcome is the decision that was promised: no account, and a letter with the reason."""
    view = await lab.run(Unit, application(), ROUTINE | {Unit.DECIDE: REFUSE})
    result = await result_of(lab, view)

    assert view.close == "achieved"
    assert "open_account" not in performed(view)
    assert (result["account"], result["decision"]["reason"]) == (None, REFUSE.reason)


async def test_an_applicant_who_withdraws_leaves_it_unachieved(lab):
    """No decision was issued, and nobody is to blame."""
    withdrawn = Decision(verdict="withdrawn", reason="You told us that you no longer need it.")
    view = await lab.run(Unit, application(), ROUTINE | {Unit.DECIDE: withdrawn})

    assert (view.close, view.record.reason) == ("not_achieved", "outcome_not_met")


@pytest.mark.parametrize(
    ("verdict", "steps"),
    [
        ("false_match", ["clear_hit", "summarise", "decide", "open_account", "send_decision"]),
        ("true_match", ["clear_hit", "send_decision"]),
    ],
)
async def test_a_sanctions_hit_goes_to_a_second_person(lab, verdict, steps):
    """A true match is refused by law, without a decision; a false one goes its way."""
    hit = SanctionsHit(evidence=Hits(not_comparable=True))
    cleared = Answer(Screening(verdict=verdict, reason="compared by hand"), by="sven", after=HOUR)
    view = await lab.run(Unit, application(), ROUTINE | {Unit.SCREEN: hit, Unit.CLEAR_HIT: cleared})
    result = await result_of(lab, view)

    assert view.close == "achieved"
    assert performed(view)[2:] == steps
    assert [(route.code, route.to) for route in view.record.routes] == [("sanctions_hit", "clear_hit")]
    assert (result["decision"]["verdict"] == "refuse") == (verdict == "true_match")
    assert view.record.decided_by == (["sven"] if verdict == "true_match" else ["sven", "olga"])


def illegible(first: Documents):
    """The check: the documents that came first cannot be read, those that are sent again can."""

    def check(documents: Documents) -> DocumentCheck:
        if documents == first:
            raise DocumentsIllegible(evidence=Unreadable(kinds=("passport",)))
        return DocumentCheck(complete=True)

    return check


async def test_illegible_documents_go_back_to_the_customer_once(lab):
    """Two days of waiting for the customer are external; checking again is rework."""
    again = DOCUMENTS.model_copy(update={"received_on": date(2026, 3, 4)})
    answers = {
        Unit.CHECK_DOCUMENTS: illegible(DOCUMENTS),
        Unit.RESEND_DOCUMENTS: Answer(again, by="ines", after=2 * DAY),
    }
    view = await lab.run(Unit, application(), ROUTINE | answers)

    assert (view.close, view.record.sla) == ("achieved_late", "breached")
    assert performed(view)[2:4] == ["resend_documents", "check_documents-2"]
    assert round(parts(view.record)["external_wait"] / 60_000_000) == 2 * 24 * 60
    assert next(work for work in view.record.steps if work.key == "check_documents-2").redo_of == "check_documents"


async def test_documents_that_stay_illegible_end_it(lab):
    """The customer is asked once, not for ever."""
    answers = {Unit.CHECK_DOCUMENTS: DocumentsIllegible(), Unit.RESEND_DOCUMENTS: DOCUMENTS}
    view = await lab.run(Unit, application(), ROUTINE | answers)

    assert (view.close, view.record.reason) == ("not_achieved", "documents_illegible")
    assert [route.to for route in view.record.routes] == ["resend_documents", "close"]


async def test_a_customer_who_sends_nothing_lets_it_expire(lab):
    """Silence for 14 days is no decision."""
    view = await lab.run(Unit, application(), ROUTINE | {Unit.CHECK_DOCUMENTS: DocumentsIllegible()})

    assert (view.close, view.record.reason) == ("expired", "no_answer")
    asked = view.record.steps[-1]
    assert view.record.closed == asked.done == asked.ready + 14 * DAY // timedelta(microseconds=1)


async def test_a_decision_after_24_hours_is_late(lab):
    """The breach is a fact of its own, beside the close."""
    view = await lab.run(Unit, application(), ROUTINE | {Unit.DECIDE: Answer(APPROVE, after=25 * HOUR)})

    assert (view.close, view.record.sla) == ("achieved_late", "breached")
    assert [rung.rung for rung in view.record.rungs] == ["warn", "deadline"]


async def test_without_the_model_an_analyst_sums_up(lab):
    """A model that is down costs a person's time, and stops no case."""
    answers = {
        Unit.SUMMARISE: ApplicationError("no model", type="ai_unavailable", non_retryable=True),
        Unit.SUMMARISE_BY_HAND: Answer(RiskSummary(level="low", summary="Read by hand."), by="ana"),
    }
    view = await lab.run(Unit, application(), ROUTINE | answers)

    assert view.close == "achieved"
    assert [(work.key, work.by) for work in view.record.steps if work.by] == [
        ("summarise_by_hand", "ana"),
        ("decide", "olga"),
    ]
    assert [(route.code, route.business) for route in view.record.routes] == [("ai_unavailable", False)]


async def test_an_account_that_cannot_be_opened_fails_the_case(lab):
    """A technical failure after its last attempt: it closes as failed, and no letter claims otherwise."""
    view = await lab.run(Unit, application(), ROUTINE | {Unit.OPEN_ACCOUNT: LEDGER_DOWN})

    assert (view.close, view.record.why) == ("failed", "open_account: ledger_down")
    assert "send_decision" not in performed(view)


async def test_a_cancelled_application_ends_its_open_tasks(lab):
    """Nobody is left with a task of a case that is over."""
    view = await lab.run(Unit, application(), ROUTINE | {Unit.DECIDE: Cancel(by="ops", reason="entered twice")})

    assert (view.close, view.record.cancelled_by) == ("cancelled", "ops: entered twice")
    assert (view.tasks, view.record.steps[-1].end) == ((), "cancelled")
