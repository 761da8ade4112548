"""Sample loans: an application with its papers, and what happens in a case of each lending unit, way by way.

All people are invented. `tests/catalog/test_lending.py` runs some of the ways, `tests/replay/lending.py` records all.
"""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

from activities.identity_screening import check_digit
from workunits.contracts.lending import Applicant, Application, Household, Paper, Terms, Traces

DAY = date(2026, 3, 2)
"""The day on which everything arrives."""
IBAN = "DE89370400440532013000"
_numbers = itertools.count(1)


def number() -> str:
    """A number of its own for each application: it is the business key, and the registers know the earlier ones."""
    return f"L-{900_000 + next(_numbers)}"


def zone(name: str, born: date, expires: date) -> str:
    """The machine-readable zone of an invented passport, with its check digits."""
    last, first = name.upper().split()[-1], name.upper().split()[:-1]
    fields = ("C01X00T47", f"{born:%y%m%d}", f"{expires:%y%m%d}")
    document, birth, until = (f"{field}{check_digit(field)}" for field in fields)
    return f"P<D<<{'<<'.join((last, '<'.join(first))):<<39}\n{document}D<<{birth}F{until}<<<<<<<<<<<<<<<0"


def passport(name: str, born: date, **change: Any) -> Paper:
    """A passport that is whole, valid and the applicant's."""
    until = date(2031, 5, 3)
    whole = Paper(
        kind="passport", readability=0.97, issued_on=date(2021, 5, 4), expires_on=until, text=zone(name, born, until)
    )
    return whole.model_copy(update=change)


def payslips(net: int, months: int = 3) -> tuple[Paper, ...]:
    """One payslip for each month."""
    return tuple(
        Paper(
            kind="payslip",
            readability=0.95,
            issued_on=date(2026, 2 - month, 28) if month < 2 else date(2025, 14 - month, 28),
            text=f"Employer: Nordwerk GmbH. Net pay: {net}.00 EUR",
        )
        for month in range(months)
    )


def statement(instalment: int = 0) -> Paper:
    """A bank statement, with the instalment of another loan where there is one."""
    paid = f" Loan instalment {instalment}.00 EUR" if instalment else ""
    return Paper(
        kind="bank_statement", readability=0.93, issued_on=date(2026, 2, 20), text=f"Balance 1204.00 EUR.{paid}"
    )


def application(*, name: str = "Maria Garcia", born: date = date(1990, 6, 3), **change: Any) -> Application:
    """An application in which nothing is out of the ordinary, or what is changed."""
    net = change.pop("net", 2_900)
    household = Household(
        adults=1,
        housing="rent",
        housing_cost=750,
        net_income=net,
        employment="permanent",
        employed_since=date(2019, 4, 1),
    )
    return Application(
        application=change.pop("application", None) or number(),
        received_on=DAY,
        amount=change.pop("amount", 8_000),
        term_months=change.pop("term_months", 36),
        purpose="car",
        applicant=Applicant(
            full_name=name,
            born_on=born,
            email=change.pop("email", "maria@example.com"),
            phone="+4930123456",
            iban=IBAN,
            country="DE",
        ),
        household=household.model_copy(update=change.pop("household", {})),
        papers=change.pop("papers", (passport(name, born), *payslips(net), statement())),
        traces=Traces(device="d-1", minutes_to_fill=14.0, address_months=40, network_country="DE").model_copy(
            update=change.pop("traces", {})
        ),
    ).model_copy(update=change)


TERMS = Terms(amount=6_000, term_months=12, nominal_rate=0.064, fee=6_000)
