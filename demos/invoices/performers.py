"""Who performs the machine steps of a supplier's invoice, in either version: both name them alike."""

from __future__ import annotations

from demos.invoices.contracts import Booked, Invoice, Match, Question
from demos.invoices.version_1 import SupplierInvoice
from workunits.performs import performs

TOLERANCE = 0.02
"""By which share of the order an invoice may be off."""
OPEN_ABOVE = 2000_00
"""Euro cents above which the rule leaves an invoice to a person."""


def rule(invoice: Invoice) -> Match:
    """The purchase rule."""
    if not invoice.ordered_cents:
        return Match(verdict="ask", reason="There is no order for this invoice.")
    if invoice.billed_cents > OPEN_ABOVE:
        return Match(verdict="ask", reason="It is above 2,000 euros.")
    if invoice.billed_cents - invoice.ordered_cents > TOLERANCE * invoice.ordered_cents:
        return Match(verdict="return", reason="It is more than 2 % above what was ordered.")
    return Match(verdict="release", reason="It is what was ordered.")


@performs(SupplierInvoice.MATCH)
def match(invoice: Invoice) -> Match:
    """Compare an invoice with its order."""
    return rule(invoice)


@performs(SupplierInvoice.BOOK)
def book(question: Question) -> Booked:
    """Book it; the entry's number follows from the invoice's, so that a second attempt books nothing twice."""
    return Booked(entry=f"B{question.invoice.invoice[1:]}")
