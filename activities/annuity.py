"""What a loan with equal instalments costs: the instalment, its schedule, and the annual percentage rate of charge.

Sums are in cents. A month's interest is a twelfth of the nominal rate on what is owed; cents are rounded half up.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

from workunits.contracts.lending import Terms
from workunits.contracts.offer_and_acceptance import Instalment

MONTHS = 12


def instalment(cents: float, term_months: int, nominal_rate: float) -> int:
    """The equal instalment of a loan, in cents, rounded up; the last one takes what rounding left over."""
    return math.ceil(cents / _worth(term_months, nominal_rate) - 1e-9)


def affordable(cents_a_month: float, term_months: int, nominal_rate: float) -> int:
    """The largest loan, in cents, whose instalment is at most so much: the annuity formula read backwards."""
    if cents_a_month <= 0:
        return 0
    return int(cents_a_month * _worth(term_months, nominal_rate))


def _worth(term_months: int, nominal_rate: float) -> float:
    """What one cent a month is worth today, in cents."""
    rate = nominal_rate / MONTHS
    # Not 1 - (1 + rate) ** -months, which is nothing for a rate that is next to none.
    return -math.expm1(-term_months * math.log1p(rate)) / rate if rate else float(term_months)


def schedule(terms: Terms) -> tuple[Instalment, ...]:
    """Month by month: interest, principal, and what is left. The last instalment takes what rounding left over."""
    left, monthly = terms.amount * 100, instalment(terms.amount * 100, terms.term_months, terms.nominal_rate)
    rows = []
    for month in range(1, terms.term_months + 1):
        interest = _cents(Decimal(left) * Decimal(str(terms.nominal_rate)) / MONTHS)
        principal = left if month == terms.term_months else min(left, monthly - interest)
        left -= principal
        rows.append(Instalment(month=month, interest=interest, principal=principal, left=left))
    return tuple(rows)


def apr(terms: Terms, rows: tuple[Instalment, ...]) -> float:
    """The annual percentage rate of charge, as a fraction: the rate at which all instalments are worth what was paid.

    What is paid out is the amount less the fee (Directive 2008/48/EC, annex I, with months of equal length).
    """
    from scipy.optimize import brentq  # half a second, that a worker's start need not take

    paid = terms.amount * 100 - terms.fee
    flows = [(row.month / MONTHS, row.interest + row.principal) for row in rows]

    def gap(rate: float) -> float:
        return float(sum(cents / (1 + rate) ** years for years, cents in flows) - paid)

    return 0.0 if gap(0.0) <= 0 else round(float(brentq(gap, 0.0, 10.0)), 4)


def _cents(sum_: Decimal) -> int:
    return int(sum_.quantize(Decimal(1), rounding=ROUND_HALF_UP))
