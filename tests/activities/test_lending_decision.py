"""The score card, and the performers of credit decisions and of complaints about them, run directly."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from activities import credit_decision as deciding
from activities import credit_scoring as scoring
from activities import decision_complaint as complaining
from activities.affordability_assessment import reckon
from tests.catalog.loans import application
from workunits.contracts.affordability_assessment import Affordability, Finances, Income, Sums
from workunits.contracts.credit_decision import (
    LARGE,
    Decided,
    Dossier,
    FileAmbiguous,
    Particulars,
    Person,
    Recommendation,
    Report,
    barred,
    refusal_of,
    risk_of,
)
from workunits.contracts.decision_complaint import DecisionUnknown, Finding, Reference, Reply
from workunits.contracts.fraud_review import Verdict

CLEAR = Verdict(verdict="clear", points=0, reason="nothing was noted")
CLEAN = Report(known=True)
BORN = date(1992, 11, 5)


def _affordability(net: int = 2_900, **change: Any) -> Affordability:
    income = Income(net_income=net, instalments=0, reason="as the papers say")
    budget = reckon(Sums.of(Finances.of(application(**change)), income))
    verdict: Literal["affordable", "unaffordable"] = "affordable" if budget.verdict == "affordable" else "unaffordable"
    return Affordability(verdict=verdict, income=income, budget=budget, reason="the rule")


def _known(report: Report = CLEAN, fraud: Verdict = CLEAR, net: int = 2_900, **change: Any) -> Particulars:
    case = application(**change)
    return Particulars.of(case, report, _affordability(net, **change), fraud)


def _dossier(known: Particulars) -> Dossier:
    return Dossier(application="L-1", particulars=known, scored=scoring.score(known))


def test_the_card_adds_up() -> None:
    """A good applicant: the score is the base and its lines, and no line adds more than its best."""
    scored = scoring.score(_known())
    assert scored.score == scoring.BASE + sum(factor.points for factor in scored.factors)
    assert all(factor.points <= factor.best for factor in scored.factors)
    assert (scored.grade, scored.barred, scored.most) == ("A", (), 18_001)


def test_the_best_card_is_a_thousand() -> None:
    """The scale ends where its contract says."""
    assert scoring.BASE + sum(factor.best for factor in scoring.score(_known()).factors) == 1_000


@pytest.mark.parametrize(("total", "grade"), [(780, "A"), (779, "B"), (690, "B"), (600, "C"), (500, "D"), (499, "E")])
def test_grades_on_both_sides_of_their_edges(total: int, grade: str) -> None:
    """A grade begins at its score."""
    assert scoring.grade_of(total) == grade


def test_a_higher_score_is_a_lower_risk() -> None:
    """What worsens an application lowers its score and raises its odds of a default."""
    good = scoring.score(_known())
    for worse in (
        _known(Report(known=False)),
        _known(Report(known=True, inquiries=4)),
        _known(Report(known=True, defaults=1, months_since_default=40)),
        _known(household={"employment": "temporary"}),
        _known(net=2_100),
        _known(fraud=CLEAR.model_copy(update={"points": 30})),
    ):
        scored = scoring.score(worse)
        assert scored.score < good.score
        assert scored.default_odds > good.default_odds


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (_known(Report(known=True, defaults=1, months_since_default=11)), "within the last year"),
        (_known(fraud=Verdict(verdict="fraud", points=80, reason="x", confirmed=True)), "could not be confirmed"),
        (_known(born=date(2008, 3, 3)), "does not fit the applicant's age"),
        (_known(born=date(1953, 3, 1)), "does not fit the applicant's age"),
        (_known(net=1_700), "too little to live on"),
    ],
)
def test_a_hard_rule_leaves_no_choice(known: Particulars, said: str) -> None:
    """Nobody is asked, whatever the score; the reason is one that the applicant can read."""
    decision = barred(scoring.score(known))
    assert decision is not None
    assert decision.verdict == "refuse"
    assert said in decision.reason


def test_an_old_default_bars_nothing() -> None:
    """It costs points for longer than it bars."""
    assert scoring.score(_known(Report(known=True, defaults=1, months_since_default=12))).barred == ()


def test_a_recommendation_stays_within_what_is_affordable() -> None:
    """Less than was asked, at the rate of the grade; a bad card is refused with what weighed most."""
    asked = _dossier(_known(amount=30_000, term_months=60))
    said = deciding.recommended(asked)
    assert (said.verdict, said.amount) == ("approve", asked.scored.most)
    assert said.nominal_rate == scoring.RATES[asked.scored.grade]
    weak = {"employment": "temporary", "employed_since": date(2026, 1, 1), "housing": "family"}
    late = Report(known=True, inquiries=9, defaults=1, months_since_default=13)
    bad = deciding.recommended(_dossier(_known(late, household=weak)))
    assert bad.verdict == "refuse"
    assert "paid back before" in bad.reason


def test_what_a_model_may_never_do_alone() -> None:
    """Refuse somebody, or approve a large loan, or one of more than policy allows, however small it is."""
    dossier = _dossier(_known())
    dossier = dossier.model_copy(update={"scored": dossier.scored.model_copy(update={"most": 50_000})})
    tight = dossier.model_copy(update={"scored": dossier.scored.model_copy(update={"most": 2_000})})
    for amount, risk in ((2_000, "routine"), (2_001, "over_limit")):
        assert risk_of(tight, Recommendation(verdict="approve", amount=amount, nominal_rate=0.05)) == risk
    for amount, risk in ((LARGE, "routine"), (LARGE + 1, "over_limit")):
        assert risk_of(dossier, Recommendation(verdict="approve", amount=amount, nominal_rate=0.05)) == risk
    assert risk_of(dossier, Recommendation(verdict="refuse", reason="no")) == "external"


def test_the_bureau_knows_a_person_by_name_and_birthday() -> None:
    """Accents and order do not matter, the birthday does; two files are for an officer to tell apart."""
    person = Person(application="L-1", full_name="García, María", born_on=date(1990, 6, 3))
    assert deciding.look_up(person).open_loans == 1
    assert not deciding.look_up(person.model_copy(update={"born_on": BORN})).known
    with pytest.raises(FileAmbiguous) as raised:
        deciding.look_up(Person(application="L-1", full_name="Sofia Rossi", born_on=BORN))
    assert len(raised.value.details[0]["files"]) == 2


@pytest.mark.parametrize(
    "fields", [{"verdict": "refuse"}, {"verdict": "approve"}, {"verdict": "approve", "amount": 1_000}]
)
def test_half_a_decision_is_none(fields: dict[str, Any]) -> None:
    """A refusal has a reason, an approval an amount and a rate."""
    with pytest.raises(ValidationError):
        Recommendation(**fields)


def test_a_decision_is_filed_once_and_found_by_a_complaint(tmp_path: Any, attempt: Any) -> None:
    """The register begins with the shipped ones; the latest decision on an application counts."""
    decisions, finder = deciding.Decisions(tmp_path), complaining.Decisions(tmp_path)
    refusal = Recommendation(verdict="refuse", reason="The income could not be verified.")
    decided = Decided(application="L-77", grade="D", decision=refusal)
    assert attempt(decisions.file, decided, case="c", step="file") == attempt(
        decisions.file, decided, case="c", step="file"
    )

    found = finder.find_decision(Reference(application="L-77"))
    assert (found.verdict, found.grade, found.reason) == ("refuse", "D", refusal.reason)
    assert finder.find_decision(Reference(application="L-502")).amount == 8_000
    with pytest.raises(DecisionUnknown):
        finder.find_decision(Reference(application="L-999"))


def test_a_refusal_tells_of_the_complaint() -> None:
    """An approval is told with the offer."""
    letter = refusal_of(application(), Recommendation(verdict="refuse", reason="Too little is left."))
    assert letter is not None
    assert "Too little is left." in letter.says
    assert "complain" in letter.says
    assert refusal_of(application(), Recommendation(verdict="approve", amount=1_000, nominal_rate=0.05)) is None


@pytest.mark.parametrize(
    ("verdict", "remedy", "fits"),
    [
        ("upheld", "none", False),
        ("upheld", "decide_again", True),
        ("rejected", "better_terms", False),
        ("rejected", "apology", True),
    ],
)
def test_a_finding_and_its_remedy_fit(verdict: Any, remedy: Any, *, fits: bool) -> None:
    """Who is right gets something, who is not gets at most an apology."""
    if fits:
        assert Finding(verdict=verdict, reason="r", remedy=remedy).remedy == remedy
        return
    with pytest.raises(ValidationError):
        Finding(verdict=verdict, reason="r", remedy=remedy)


def test_the_answer_says_what_was_found(transport: Any, attempt: Any) -> None:
    """The finding, its reason, its remedy, and that it was somebody independent."""
    finding = Finding(verdict="upheld", reason="We reckoned with an old rent.", remedy="decide_again")
    reply = Reply(complaint="C-1", full_name="Petra Novotna", email="petra@example.com", finding=finding)
    attempt(complaining.Answers(transport).send_answer, reply, case="c", step="send_answer")
    body = transport.sent[0][2]
    for said in ("We agree", "an old rent.", "decide on your application again", "no part in the decision"):
        assert said in body
