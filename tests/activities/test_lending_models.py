"""What the lending units show a model, and what it proposes without one: the `test` model's plain rules."""

from __future__ import annotations

from activities.affordability_assessment import PaperReader, plain_reading
from activities.credit_decision import Adviser, recommended
from activities.decision_complaint import Reader
from activities.fraud_review import Sorter, plain_triage
from tests.activities.test_lending_decision import _dossier, _known
from tests.catalog.loan_ways import ways
from tests.catalog.loans import payslips, statement
from workunits.ai import Model
from workunits.catalog.decision_complaint import DecisionComplaint
from workunits.contracts.affordability_assessment import Pages
from workunits.contracts.decision_complaint import Decision, Grievance
from workunits.contracts.fraud_review import Score

MODEL = Model("test")
PERSONAL = ("full_name", "email", "phone", "iban", "born_on")


async def test_papers_are_read() -> None:
    """Where there is nothing to read, it is not sure."""
    papers = (*payslips(2_900), statement())
    full, empty = [await PaperReader(MODEL).read_papers(Pages(papers=these)) for these in (papers, ())]
    assert full.output == plain_reading(papers)
    assert (full.confidence, empty.confidence) == (0.9, 0.2)
    assert (full.model, full.prompt, full.tools) == ("test", "1", "")


async def test_a_triage_is_surer_away_from_the_edge() -> None:
    """In the middle it is as likely wrong as right."""
    scores = [Score(points=points, amount=1_000, channel="web", purpose="car") for points in (0, 35, 90)]
    said = [await Sorter(MODEL).triage(score) for score in scores]
    assert [one.output for one in said] == [plain_triage(score) for score in scores]
    assert said[1].confidence == 0.5
    assert all((one.confidence or 0) > 0.5 for one in (said[0], said[2]))


async def test_a_recommendation_is_that_of_the_card() -> None:
    """As sure as the card's own odds."""
    dossier = _dossier(_known())
    said = await Adviser(MODEL).decide(dossier)
    assert said.output == recommended(dossier)
    assert said.confidence == 1 - dossier.scored.default_odds


async def test_a_complaint_is_summed_up_in_its_own_claims() -> None:
    """One claim for each sentence."""
    decision = Decision(application="L-1", verdict="refuse", amount=0, grade="D", reason="r")
    grievance = Grievance(cause="refused", words="My rent is lower. I wrote twice!", decision=decision)
    said = await Reader(MODEL).summarise(grievance)
    assert said.claims == ("My rent is lower.", "I wrote twice!")


def test_no_model_is_told_who_somebody_is() -> None:
    """Names, addresses, numbers and birthdays are in none of the contracts that models see."""
    models = [step.takes for way in ways() for step in way.unit.steps if step.kind in ("ai", "hybrid")]
    assert len(set(models)) == 4
    for takes in set(models):
        schema = str(takes.model_json_schema())
        assert [name for name in PERSONAL if f"'{name}'" in schema] == [], takes.__name__
    assert DecisionComplaint.SUMMARISE.takes in models
