"""The units of this repository, listed by hand: what is not named here does not run."""

from workunits.catalog.customer_onboarding import CustomerOnboarding
from workunits.catalog.refund_request import RefundRequest

UNITS = (CustomerOnboarding, RefundRequest)
