"""What each unit's case asks of people, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from activities import credit_scoring, screening
from activities.affordability_assessment import plain_reading, reckon, verify_income
from activities.application_intake import check_papers
from activities.contract_and_disbursement import digest_of
from activities.credit_decision import look_up, recommended
from activities.fraud_review import HARD, plain_triage, rule_hits
from activities.identity_screening import check_document
from demos.lending.applicants import statement
from demos.lending.parts import (
    AFFORD,
    COMPLAINT,
    COMPLETE_DAYS,
    COMPLETES_WITHIN,
    CONTRACT,
    CUSTOMER,
    DECISION,
    FRAUD,
    IDENTITY,
    INTAKE,
    OFFER,
    OFFER_DAYS,
    SIGN_DAYS,
    SIGNS_WITHIN,
    sent_back,
)
from workers.simulating.plan import Ask, Course, Silence, Turn
from workunits.catalog.fraud_review import NOTED
from workunits.catalog.offer_and_acceptance import OFFERS
from workunits.contracts import application_intake as intake
from workunits.contracts import contract_and_disbursement as contracting
from workunits.contracts import credit_decision as deciding
from workunits.contracts import decision_complaint as complaining
from workunits.contracts import fraud_review as fraud
from workunits.contracts import identity_screening as identity
from workunits.contracts import offer_and_acceptance as offering
from workunits.contracts.affordability_assessment import (
    Affordability,
    Claimed,
    Finances,
    Income,
    IncomeUnverifiable,
    Judgement,
    Sums,
)
from workunits.contracts.lending import LEAST

if TYPE_CHECKING:
    from demos.lending.threads import Thread

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")
Called = Generator[Sequence[Ask], Sequence[Turn], T | None]
"""The course of a case that another one calls; it ends with its result, or with none when it was not established."""
REFUSED = deciding.Recommendation(verdict="refuse", reason="What is on file does not bear out what was stated.")
VALID = 30
"""Days for which an offer binds the bank, when nothing else is said."""


def application_intake(thread: Thread) -> Course:
    """A customer sends what lacks; the applicant is identified; a clerk looks at what can hardly be read."""
    submission = intake.Submission.of(thread.application)
    try:
        checked = check_papers(submission)
    except intake.DocumentsIncomplete:
        word = thread.word(INTAKE, "complete")
        if word == "never":
            yield [Silence("complete", CUSTOMER, timedelta(days=COMPLETE_DAYS))]
            yield thread.ended(INTAKE, "no_answer")
            return
        waits = timedelta(seconds=round(thread.dice_of("complete/wait").uniform(*COMPLETES_WITHIN)))
        if word == "whole":
            late = statement(thread.application.household, submission.received_on)
            submission = submission.model_copy(update={"papers": (*submission.papers, late)})
        yield [thread.outside("complete", waits, submission)]
        if word != "whole":
            yield thread.ended(INTAKE, "documents_incomplete")
            return
        checked = check_papers(submission)
    thread.application = thread.application.model_copy(update={"papers": submission.papers})
    clearance = yield from _identified(thread)
    if clearance is None:
        seen: Any = thread.word(INTAKE, "identify_in_branch")
        clearance = identity.Clearance(verdict=seen, identity=_identity("verified"))
        yield [thread.work(INTAKE, "identify_in_branch", clearance)]
    if clearance.verdict != "clear":
        yield thread.ended(INTAKE, "return")
        return
    said: Any = "accept"
    if checked.doubts:
        said = thread.word(INTAKE, "admit")
        reason = "" if said == "accept" else "The papers cannot be read."
        yield [thread.work(INTAKE, "admit", intake.Admission(verdict=said, reason=reason))]
    yield thread.ended(INTAKE, said)


def _identified(thread: Thread) -> Called[identity.Clearance]:
    """A document that does not hold up goes to an officer, a name like a listed one to another."""
    case = identity.Identification.of(thread.application)
    try:
        found = check_document(case)
    except identity.IdentityDoubtful:
        found = _identity(thread.word(IDENTITY, "verify"))
        yield [thread.work(IDENTITY, "verify", found, called=True)]
    if found.verdict != "verified":
        return None
    if screening.compare(case.full_name) is not None:
        seen = identity.Screening(verdict="false_match", reason="Born in another year than the listed person.")
        yield [thread.work(IDENTITY, "clear_hit", seen, called=True)]
    return identity.Clearance(verdict="clear", identity=found)


def _identity(word: str) -> identity.Identity:
    if word == "verified":
        return identity.Identity(verdict="verified", document="passport", reason="Seen in a video call.")
    return identity.Identity(verdict="not_established", reason="Nobody answered, and no other document came.")


def credit_decision(thread: Thread) -> Course:
    """Affordability and fraud are looked into side by side; then an officer decides, a second one on large loans."""
    application = thread.application
    report = look_up(deciding.Person.of(application))
    affordable, clean = yield from _together(_affordable(thread), _clean(thread))
    if affordable is None:
        none = Income(verdict="not_verifiable", net_income=0, instalments=0, reason="No further papers came.")
        affordable = Affordability(verdict="unknown", income=none, reason="The income could not be established.")
        yield [thread.work(DECISION, "assess_by_hand", affordable)]
    if clean is None:
        clean = fraud.Verdict(verdict="undetermined", points=0, reason="Neither could be shown.")
        yield [thread.work(DECISION, "judge_fraud", clean)]
    particulars = deciding.Particulars.of(application, report, affordable, clean)
    scored = credit_scoring.score(particulars)
    if deciding.barred(scored) is not None:
        yield thread.ended(DECISION, "refuse")
        return
    dossier = deciding.Dossier(application=thread.number, particulars=particulars, scored=scored)
    refuses = thread.word(DECISION, "decide") == "refuse"
    decided = REFUSED if refuses else recommended(dossier)
    yield [thread.work(DECISION, "decide", REFUSED if refuses else _as_proposed)]
    if decided.verdict == "approve" and decided.amount > deciding.LARGE:
        yield [thread.work(DECISION, "confirm", _as_first)]
    thread.offered = decided.amount
    yield thread.ended(DECISION, decided.verdict)


def _as_proposed(asked: Mapping[str, Any]) -> deciding.Recommendation:
    return recommended(deciding.Dossier.model_validate(asked))


def _as_first(asked: Mapping[str, Any]) -> deciding.Recommendation:
    return deciding.Recommendation.model_validate(asked["first"])


def _together(one: Called[A], other: Called[B]) -> Generator[Sequence[Ask], Sequence[Turn], tuple[A | None, B | None]]:
    """Run two called cases side by side, step by step: the next of either begins when the present ones are done."""
    results: list[Any] = [None, None]
    asked: dict[int, Sequence[Ask]] = {}
    running: list[Called[Any]] = [one, other]

    def go(place: int) -> None:
        try:
            asked[place] = next(running[place])
        except StopIteration as ended:
            results[place] = ended.value
            asked.pop(place, None)

    for place in range(len(running)):
        go(place)
    while asked:
        now = list(asked)
        yield [ask for place in now for ask in asked[place]]
        for place in now:
            go(place)
    return results[0], results[1]


def _affordable(thread: Thread) -> Called[Affordability]:
    """An analyst approves what a model has read; doubtful incomes and strained budgets are judged by people."""
    case, home = Finances.of(thread.application), thread.application.household
    reading = plain_reading(case.papers)
    yield [thread.work(AFFORD, "read_papers", reading, called=True)]
    try:
        income = verify_income(Claimed(household=home, reading=reading))
    except IncomeUnverifiable:
        if thread.word(AFFORD, "judge_income") == "verified":
            others = max(home.instalments, reading.instalments)
            income = Income(net_income=reading.net_income, instalments=others, reason="As the papers have it.")
        else:
            income = Income(verdict="not_verifiable", net_income=0, instalments=0, reason="No further papers came.")
        yield [thread.work(AFFORD, "judge_income", income, called=True)]
    if income.verdict == "not_verifiable":
        return None
    budget = reckon(Sums.of(case, income))
    verdict: Any = budget.verdict
    if verdict == "strained":
        verdict = thread.word(AFFORD, "weigh")
        reason = "" if verdict == "affordable" else "Too little is left for what may come."
        yield [thread.work(AFFORD, "weigh", Judgement(verdict=verdict, reason=reason), called=True)]
    return Affordability(verdict=verdict, income=income, budget=budget, reason="As reckoned.")


def _clean(thread: Thread) -> Called[fraud.Verdict]:
    """What the rules have noted is sorted, investigated, and a finding of fraud confirmed."""
    signals = fraud.Signals.of(thread.application)
    hits = tuple(rule_hits(signals))
    points = min(100, sum(hit.points for hit in hits))
    score = fraud.Score(
        points=points, hits=hits, amount=signals.amount, channel=signals.channel, purpose=signals.purpose
    )
    verdict: Any = "clear"
    if points >= NOTED:
        triage = plain_triage(score)
        yield [thread.work(FRAUD, "triage", triage, called=True)]
        if points >= HARD or triage.verdict == "investigate":
            verdict = thread.word(FRAUD, "investigate")
            yield [thread.work(FRAUD, "investigate", _finding(verdict), called=True)]
        if verdict == "fraud":
            verdict = thread.word(FRAUD, "confirm")
            yield [thread.work(FRAUD, "confirm", _finding(verdict), called=True)]
    return None if verdict == "undetermined" else fraud.Verdict(verdict=verdict, points=points, reason="As found.")


def _finding(word: Any) -> fraud.Finding:
    evidence = ("The employer does not know the applicant.",) if word == "fraud" else ()
    return fraud.Finding(verdict=word, reason="After calls to the applicant and the employer.", evidence=evidence)


def offer_and_acceptance(thread: Thread) -> Course:
    """A customer sends an offer back, wants another one, or says nothing until an adviser calls."""
    unit, word = OFFER, ""
    for number in range(OFFERS):
        dice = thread.dice_of(f"{unit}/wait/{number}")
        waits = timedelta(seconds=round(thread.bank.spread("waits_seconds", "offer_sent_until_sent_back").draw(dice)))
        waits = max(waits, timedelta(minutes=10))
        if dice.random() >= sent_back(thread.bank) or waits >= timedelta(days=OFFER_DAYS):
            word = thread.word(unit, "call", number)
            yield [Silence("answer", CUSTOMER, timedelta(days=OFFER_DAYS))]
            yield [thread.work(unit, "call", _answer(word, OFFER_DAYS), number)]
            break
        word = thread.word(unit, "answer", number)
        if word == "change" and number == OFFERS - 1:
            word = "decline"
        yield [thread.outside("answer", waits, _answer(word, waits.days))]
        if word != "change":
            break
        thread.offered = _less(thread.offered)
    ended = {"accept": "accepted", "unreachable": "lapsed"}.get(word, "declined")
    yield thread.ended(unit, ended)


def _less(amount: int) -> int:
    """What a customer wants who wants another amount."""
    return max(LEAST, round(amount * 0.8 / 50) * 50)


def _answer(word: Any, days: int) -> Callable[[Mapping[str, Any]], offering.Answer]:
    def gives(asked: Mapping[str, Any]) -> offering.Answer:
        day = date.fromisoformat(asked["valid_until"]) - timedelta(days=VALID - days)
        amount = _less(asked["terms"]["amount"]) if word == "change" else None
        return offering.Answer(verdict=word, answered_on=day, amount=amount)

    return gives


def contract_and_disbursement(thread: Thread) -> Course:
    """A customer signs, now and then the wrong text or never; officers release the money."""
    unit, signs = CONTRACT, thread.word(CONTRACT, "sign")
    if signs == "never":
        yield [Silence("sign", CUSTOMER, timedelta(days=SIGN_DAYS))]
        yield thread.ended(unit, "no_answer")
        return
    waits = timedelta(seconds=round(thread.dice_of(f"{unit}/wait").uniform(*SIGNS_WITHIN)))

    def signed(asked: Mapping[str, Any]) -> contracting.Signed:
        case = thread.accepted(date.min)
        digest = digest_of(contracting.Draft.of(case)) if signs == "signed" or "signed_on" in asked else "0" * 64
        return contracting.Signed(
            contract=asked["contract"], digest=digest, signed_on=case.accepted_on + timedelta(days=waits.days)
        )

    yield [thread.outside("sign", waits, signed)]
    if signs == "wrong":
        yield [thread.outside("sign_again", timedelta(days=1), signed)]
    word: Any = thread.word(unit, "release")
    reason = "" if word == "release" else "An attachment of the account came in."
    yield [thread.work(unit, "release", contracting.Released(verdict=word, reason=reason))]
    if word == "release" and thread.large:
        yield [thread.work(unit, "release_large", contracting.Released(verdict="release"))]
    yield thread.ended(unit, "disbursed" if word == "release" else "stopped")


def decision_complaint(thread: Thread) -> Course:
    """A handler looks at the decision again, and somebody independent decides."""
    unit = COMPLAINT
    word: Any = thread.word(unit, "assess")
    yield [thread.work(unit, "assess", complaining.Assessment(verdict=word, reason="The papers were read again."))]
    if word == "withdrawn":
        yield thread.ended(unit, word)
        return
    said: Any = thread.word(unit, "review")
    remedy: Any = "apology" if said == "upheld" else "none"
    found = complaining.Finding(verdict=said, reason="We have looked at the decision again.", remedy=remedy)
    yield [thread.work(unit, "review", found)]
    yield thread.ended(unit, said)
