"""The ways through the lending units: how a case of each closes, and what its people do on the way.

`test_lending.py` runs those that are marked as an example, `tests/replay/lending.py` records all of them. The machine
steps are performed by the shipped performers, unless a way says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from tests.catalog.loan_money_ways import complaints, contracts, offers
from tests.catalog.loan_way import CANCEL, DAYS, GONE, HOUR, LATE, NO_MODEL, Answers, Way, proposed
from tests.catalog.loans import DAY, application, number, passport, payslips, statement
from workunits.catalog.affordability_assessment import AffordabilityAssessment
from workunits.catalog.application_intake import ApplicationIntake
from workunits.catalog.credit_decision import CreditDecision
from workunits.catalog.fraud_review import FraudReview
from workunits.catalog.identity_screening import IdentityScreening
from workunits.contracts import affordability_assessment as afford
from workunits.contracts import application_intake as intake
from workunits.contracts import credit_decision as credit
from workunits.contracts import fraud_review as fraud
from workunits.contracts import identity_screening as identity
from workunits.contracts.lending import Application
from workunits.testing import Answer, Proposed

# --- application intake -----------------------------------------------------------------------------------------------


def intakes() -> Iterator[Way]:
    """To every close of an intake."""
    unit, called = ApplicationIntake, (IdentityScreening,)
    name, born = "Maria Garcia", date(1990, 6, 3)

    def way(closes: str, case: Application, answers: Answers, reason: str | None = None, *steps: str) -> Way:
        return Way(unit, closes, case, answers, steps, reason, called)

    faint = statement().model_copy(update={"readability": 0.7})
    doubtful = (passport(name, born), *payslips(2_900), faint)
    accept = intake.Admission(verdict="accept")
    back = intake.Admission(verdict="withdrawn", reason="She has bought no car.")
    bare = intake.Submission(received_on=DAY, employment="permanent", papers=())
    whole = bare.model_copy(update={"papers": application(name="Berta Lund").papers})
    seen = identity.Clearance(verdict="clear", identity=VERIFIED, screening=OTHER_PERSON)
    silent = application(papers=())
    yield way("achieved", application(), {}, None, "check_papers", "register", "identify", "tell")
    yield way(
        "achieved",
        application(name="Anna Bergqvist", papers=(passport("A B", born), *payslips(2_900), statement())),
        {
            IdentityScreening.VERIFY: UNREACHED,
            unit.IDENTIFY_IN_BRANCH: Answer(seen, by="cleo", after=HOUR),
        },
        None,
        "check_papers",
        "register",
        "identify",
        "identify_in_branch",
        "tell",
    )
    yield way("achieved", application(name="Berta Lund", papers=()), {unit.COMPLETE: Answer(whole, after=DAYS)})
    yield way(
        "achieved_late",
        application(name="Carla Holm", papers=(passport("Carla Holm", born), *doubtful[1:])),
        {unit.ADMIT: Answer(accept, by="cleo", after=LATE)},
    )
    yield way(
        "not_achieved",
        application(name="Dora Ek", papers=(passport("Dora Ek", born), *doubtful[1:])),
        {unit.ADMIT: back},
        "outcome_not_met",
    )
    yield way("not_achieved", application(papers=()), {unit.COMPLETE: bare}, "documents_incomplete")
    yield way("not_achieved", application(), {unit.REGISTER: intake.DuplicateApplication()}, "duplicate_application")
    yield way("expired", silent, {}, "no_answer")
    yield way("cancelled", application(papers=()), {unit.COMPLETE: CANCEL}, "cancel_requested")
    yield way("failed", application(), {unit.REGISTER: GONE}, "technical_failure")


# --- identity screening -----------------------------------------------------------------------------------------------

VERIFIED = identity.Identity(verdict="verified", document="passport", reason="Seen in a video call.")
UNREACHED = identity.Identity(verdict="not_established", reason="Three calls, no answer.")
OTHER_PERSON = identity.Screening(verdict="false_match", reason="Born in 1999; the listed person in 1961.")


def identifications() -> Iterator[Way]:
    """To every close of an identity screening."""
    unit = IdentityScreening

    def asked(**change: Any) -> identity.Identification:
        return identity.Identification.of(application(**change))

    blurred = {"papers": (passport("Maria Garcia", date(1990, 6, 3), readability=0.3),)}
    yield Way(unit, "achieved", asked(), steps=("check_document", "screen"))
    yield Way(
        unit,
        "achieved",
        asked(name="Victor Dragunowski", born=date(1999, 4, 2)),
        {unit.CLEAR_HIT: Answer(OTHER_PERSON, by="sven", after=HOUR)},
        ("check_document", "screen", "clear_hit"),
    )
    yield Way(unit, "achieved_late", asked(**blurred), {unit.VERIFY: Answer(VERIFIED, by="ida", after=LATE)})
    yield Way(unit, "not_achieved", asked(**blurred), {unit.VERIFY: UNREACHED}, reason="outcome_not_met")
    yield Way(unit, "cancelled", asked(**blurred), {unit.VERIFY: CANCEL}, reason="cancel_requested")
    yield Way(unit, "failed", asked(), {unit.SCREEN: GONE}, reason="technical_failure")


# --- affordability assessment -----------------------------------------------------------------------------------------


def assessments() -> Iterator[Way]:
    """To every close of an affordability assessment."""
    unit = AffordabilityAssessment

    def asked(**change: Any) -> afford.Finances:
        return afford.Finances.of(application(**change))

    reading, less = (afford.Reading(net_income=net, months=3) for net in (2_900, 1_900))
    doubted = {unit.READ_PAPERS: proposed(less, Answer(less, by="jo"))}
    stated = {"papers": payslips(1_900), "net": 2_900}
    believed = afford.Income(net_income=2_500, instalments=0, reason="The new contract is on file.")
    unknown = afford.Income(verdict="not_verifiable", net_income=0, instalments=0, reason="No papers came.")
    strained = {"net": 2_100, "household": {"housing_cost": 800, "net_income": 2_100}, "papers": payslips(2_100)}
    plain = {unit.READ_PAPERS: proposed(reading, Answer(reading, by="jo"))}
    read = ("read_papers-ai", "read_papers", "verify_income", "reckon")
    yield Way(unit, "achieved", asked(), plain, read)
    yield Way(
        unit,
        "achieved",
        asked(**strained),
        {
            unit.READ_PAPERS: Proposed(NO_MODEL, afford.Reading(net_income=2_100, months=3)),
            unit.WEIGH: Answer(afford.Judgement(verdict="affordable"), by="wanda", after=HOUR),
        },
        (*read, "weigh"),
    )
    yield Way(unit, "achieved_late", asked(**stated), {**doubted, unit.JUDGE_INCOME: Answer(believed, after=LATE)})
    yield Way(unit, "not_achieved", asked(**stated), {**doubted, unit.JUDGE_INCOME: unknown}, reason="outcome_not_met")
    yield Way(unit, "cancelled", asked(**stated), {**doubted, unit.JUDGE_INCOME: CANCEL}, reason="cancel_requested")
    yield Way(unit, "failed", asked(), {**plain, unit.RECKON: GONE}, reason="technical_failure")


# --- fraud review -----------------------------------------------------------------------------------------------------


def reviews() -> Iterator[Way]:
    """To every close of a fraud review."""
    unit = FraudReview

    def asked(many: int = 0, **change: Any) -> fraud.Signals:
        own = f"d-{number().lower()}"
        odd = {"device": own, "network_country": "RU", "minutes_to_fill": 1.0, "address_months": 2}
        case = fraud.Signals.of(application(traces=odd if many else {"device": own}, **change))
        account = "9" * (22 - len(own)) + own.upper().replace("-", "")
        return case.model_copy(update={"iban": f"DE00{account}", "phone": f"+49{number()[2:]}"})

    look = fraud.Triage(verdict="investigate", reason="Sent from abroad, and in a minute.")
    doubted = {unit.TRIAGE: proposed(look.model_copy(update={"verdict": "clear"}), Answer(look, by="tom"))}
    harmless = fraud.Finding(verdict="clear", reason="Spoke with the applicant and the employer.")
    guilty = fraud.Finding(verdict="fraud", reason="The employer does not know the applicant.", evidence=("a call",))
    unsure = fraud.Finding(verdict="undetermined", reason="The employer could not be reached.")
    yield Way(unit, "achieved", asked(), steps=("score", "rule"))
    yield Way(
        unit,
        "achieved",
        asked(1),
        {
            **doubted,
            unit.INVESTIGATE: Answer(guilty, by="fay", after=3 * HOUR),
            unit.CONFIRM: Answer(guilty, by="gus", after=HOUR),
        },
        ("score", "triage-ai", "triage", "rule", "investigate", "confirm"),
    )
    yield Way(unit, "achieved_late", asked(1), {**doubted, unit.INVESTIGATE: Answer(harmless, by="fay", after=LATE)})
    yield Way(unit, "not_achieved", asked(1), {**doubted, unit.INVESTIGATE: unsure}, reason="outcome_not_met")
    yield Way(unit, "cancelled", asked(1), {**doubted, unit.INVESTIGATE: CANCEL}, reason="cancel_requested")
    yield Way(unit, "failed", asked(), {unit.SCORE: GONE}, reason="technical_failure")


# --- credit decision --------------------------------------------------------------------------------------------------


def decisions() -> Iterator[Way]:
    """To every close of a credit decision. The fraud signals of the samples are all alike, so they are set apart."""
    unit, called = CreditDecision, (AffordabilityAssessment, FraudReview)
    reading = afford.Reading(net_income=2_900, months=3)
    read = {AffordabilityAssessment.READ_PAPERS: proposed(reading, Answer(reading, by="jo"))}
    clean = {FraudReview.SCORE: fraud.Score(points=0, amount=8_000, channel="web", purpose="car")}
    yes = credit.Recommendation(verdict="approve", amount=8_000, nominal_rate=0.049)
    no = credit.Recommendation(verdict="refuse", reason="The job is too new.")
    back = credit.Recommendation(verdict="withdrawn", reason="She has bought no car.")

    def way(
        closes: str, case: Application, answers: Answers, reason: str | None = None, steps: tuple[str, ...] = ()
    ) -> Way:
        routine = {unit.DECIDE: proposed(yes, Answer(yes, by="olga", after=2 * HOUR))}
        return Way(unit, closes, case, {**read, **clean, **routine, **answers}, steps, reason, called)

    looked = ("look_up", "assess", "review_fraud")
    large = application(amount=30_000, term_months=84, net=5_500)
    more = yes.model_copy(update={"amount": 30_000})
    rich = afford.Reading(net_income=5_500, months=3)
    unknown = afford.Income(verdict="not_verifiable", net_income=0, instalments=0, reason="No papers came.")
    by_hand = afford.Affordability(
        verdict="affordable",
        income=unknown.model_copy(update={"net_income": 2_900}),
        reason="The employer confirms it.",
    )
    unsure = fraud.Finding(verdict="undetermined", reason="The employer could not be reached.")
    odd = fraud.Score(points=70, amount=8_000, channel="web", purpose="car")
    look = fraud.Triage(verdict="investigate", reason="Sent from abroad, and in a minute.")
    judged = fraud.Verdict(verdict="clear", points=70, reason="He came to the branch.")
    few = {"papers": (passport("Sofia Rossi", date(1992, 11, 5)), statement())}
    none = afford.Reading(net_income=0, months=0)
    known = credit.Report(known=True, open_loans=1)
    yield way("achieved", application(), {}, None, (*looked, "score", "decide-ai", "decide", "file"))
    yield way(
        "achieved",
        large,
        {
            AffordabilityAssessment.READ_PAPERS: proposed(rich, Answer(rich, by="jo")),
            unit.DECIDE: proposed(yes, Answer(more, by="olga", after=HOUR)),
            unit.CONFIRM: Answer(no, by="sven", after=HOUR),
        },
        None,
        (*looked, "score", "decide-ai", "decide", "confirm", "file", "tell"),
    )
    yield way(
        "achieved",
        application(name="Sofia Rossi", born=date(1992, 11, 5), **few),
        {
            unit.LOOK_UP_BY_HAND: known,
            AffordabilityAssessment.READ_PAPERS: proposed(none, none),
            AffordabilityAssessment.JUDGE_INCOME: unknown,
            unit.ASSESS_BY_HAND: by_hand,
            FraudReview.SCORE: odd,
            FraudReview.TRIAGE: proposed(look, look),
            FraudReview.INVESTIGATE: unsure,
            unit.JUDGE_FRAUD: judged,
        },
    )
    yield way("achieved_late", application(), {unit.DECIDE: proposed(yes, Answer(yes, by="olga", after=LATE))})
    yield way("not_achieved", application(), {unit.DECIDE: proposed(yes, back)}, "outcome_not_met")
    yield way("cancelled", application(), {unit.DECIDE: proposed(yes, CANCEL)}, "cancel_requested")
    yield way("failed", application(), {unit.FILE: GONE}, "technical_failure")


def ways() -> Iterator[Way]:
    """All of them."""
    for of_unit in (intakes, identifications, assessments, reviews, decisions, offers, contracts, complaints):
        yield from of_unit()
