"""The units of this repository, listed by hand: what is not named here does not run."""

from workunits.catalog.affordability_assessment import AffordabilityAssessment
from workunits.catalog.application_intake import ApplicationIntake
from workunits.catalog.contract_and_disbursement import ContractAndDisbursement
from workunits.catalog.credit_decision import CreditDecision
from workunits.catalog.customer_onboarding import CustomerOnboarding
from workunits.catalog.decision_complaint import DecisionComplaint
from workunits.catalog.fraud_review import FraudReview
from workunits.catalog.identity_screening import IdentityScreening
from workunits.catalog.offer_and_acceptance import OfferAndAcceptance
from workunits.catalog.refund_request import RefundRequest

LENDING = (
    ApplicationIntake,
    IdentityScreening,
    AffordabilityAssessment,
    FraudReview,
    CreditDecision,
    OfferAndAcceptance,
    ContractAndDisbursement,
    DecisionComplaint,
)
"""The value stream `lending`, in the order in which the outcomes feed each other."""

UNITS = (CustomerOnboarding, RefundRequest, *LENDING)
