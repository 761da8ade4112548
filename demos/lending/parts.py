"""The units of the stream as the demo plays them, as data: which human steps there are and what people answer.

A step's working time is drawn from what the bank's people spent on a work item in all of a case, so that no sitting
is left out. Shares of answers are assumed, but for those that name the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from demos.lending.drawing import Bank

CUSTOMER = "customer"
ASSESS, CALL, COMPLETE = "assess_application", "call_about_offer", "complete_application"


@dataclass(frozen=True, slots=True)
class Part:
    """A human step."""

    unit: str
    step: str
    role: str
    item: str
    """The work item of the log from which the working time is drawn; empty for a customer's step."""
    says: Mapping[str, float]
    """Each answer, and how often it is given; empty where it follows from the case."""
    why: str = ""
    """Where the item is not the step's own."""
    sitting: bool = False
    """Drawn is one sitting, not all of a case's."""


def parts() -> Mapping[tuple[str, str], Part]:
    """All human steps that the demo plays, by unit and step."""
    return _BY_STEP


_NEAREST = "the log has no such work; the nearest item is taken"
_FRAUD = "the log's fraud reviews take half a minute, too short for an investigation: an assessment's time is taken"
_LOOKED = "somebody looks at what a model has read or noted: one sitting of the nearest item"
INTAKE, IDENTITY, AFFORD, FRAUD = "application_intake", "identity_screening", "affordability_assessment", "fraud_review"
DECISION, OFFER, CONTRACT = "credit_decision", "offer_and_acceptance", "contract_and_disbursement"
COMPLAINT = "decision_complaint"
_PARTS = (
    Part(INTAKE, "complete", CUSTOMER, "", {"whole": 0.85, "still_lacking": 0.05, "never": 0.1}),
    Part(INTAKE, "admit", "intake clerk", COMPLETE, {"accept": 0.95, "return": 0.05}),
    Part(INTAKE, "identify_in_branch", "intake clerk", COMPLETE, {"clear": 0.7, "not_established": 0.3}, _NEAREST),
    Part(IDENTITY, "verify", "identity officer", COMPLETE, {"verified": 0.93, "not_established": 0.07}, _NEAREST),
    Part(IDENTITY, "clear_hit", "sanctions officer", ASSESS, {}, _NEAREST),
    Part(AFFORD, "read_papers", "credit analyst", COMPLETE, {}, _LOOKED, sitting=True),
    Part(AFFORD, "judge_income", "credit analyst", ASSESS, {"verified": 0.8, "not_verifiable": 0.2}),
    Part(AFFORD, "weigh", "senior credit analyst", ASSESS, {"affordable": 0.55, "unaffordable": 0.45}),
    Part(FRAUD, "triage", "fraud analyst", COMPLETE, {}, _LOOKED, sitting=True),
    Part(FRAUD, "investigate", "fraud analyst", ASSESS, {"clear": 0.7, "fraud": 0.2, "undetermined": 0.1}, _FRAUD),
    Part(FRAUD, "confirm", "senior fraud analyst", ASSESS, {"fraud": 0.9, "clear": 0.1}, _FRAUD),
    Part(DECISION, "assess_by_hand", "credit officer", ASSESS, {}),
    Part(DECISION, "judge_fraud", "senior credit officer", ASSESS, {}),
    Part(DECISION, "decide", "credit officer", ASSESS, {"as_proposed": 0.94, "refuse": 0.06}),
    Part(DECISION, "confirm", "senior credit officer", ASSESS, {}, _LOOKED, sitting=True),
    Part(OFFER, "answer", CUSTOMER, "", {"accept": 0.68, "change": 0.12, "decline": 0.2}),
    Part(OFFER, "call", "loan adviser", CALL, {"accept": 0.05, "decline": 0.35, "unreachable": 0.6}),
    Part(CONTRACT, "sign", CUSTOMER, "", {"signed": 0.93, "wrong": 0.02, "never": 0.05}),
    Part(CONTRACT, "release", "payments officer", COMPLETE, {"release": 0.985, "stop": 0.015}, _NEAREST),
    Part(CONTRACT, "release_large", "senior payments officer", COMPLETE, {}, _NEAREST),
    Part(COMPLAINT, "assess", "complaint handler", ASSESS, {"uphold": 0.2, "reject": 0.7, "withdrawn": 0.1}, _NEAREST),
    Part(COMPLAINT, "review", "independent reviewer", ASSESS, {"upheld": 0.25, "rejected": 0.75}, _NEAREST),
)
_BY_STEP = {(part.unit, part.step): part for part in _PARTS}
COMPLETES_WITHIN = (3_600, 5 * 86_400)
"""Seconds within which a customer sends missing papers, evenly; assumed."""
SIGNS_WITHIN = (3_600, 6 * 86_400)
"""Seconds within which a customer signs, evenly; assumed, the log has no signatures."""
COMPLAINS = 0.04
"""How many of those who are refused complain."""
HANDED_ON = 60
"""Seconds from a case's last deed until the next unit's case begins."""
OFFER_DAYS, SIGN_DAYS, COMPLETE_DAYS = 21, 14, 14
"""After which an unanswered offer is called about, and what lacks a signature or papers expires: as the units say."""


def sent_back(bank: Bank) -> float:
    """The share of offers that customers sent back, as the log has it; of the others nothing came."""
    told = bank.told["milestones"]
    return float(told["O_SENT_BACK"]["n"] / told["O_SENT"]["n"])
