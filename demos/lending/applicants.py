"""Who applies: invented people and households. Only the amount is drawn from the bank's log; all else is assumed."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any, Literal

from activities.identity_screening import check_digit
from demos.lending.drawing import Bank
from workunits.contracts.lending import LARGEST, LEAST, Applicant, Application, Household, Paper, Traces

FIRST = (
    "Anna",
    "Bram",
    "Clara",
    "Daan",
    "Elif",
    "Femke",
    "Gijs",
    "Hanna",
    "Ines",
    "Joris",
    "Karin",
    "Lars",
    "Mila",
    "Noor",
)
LAST = ("Albers", "Bakker", "Claassen", "Dekker", "Evers", "Faber", "Groen", "Hendriks", "Jansen", "Kuipers", "Meijer")
LISTED = "Viktor Dragunovski"
"""Close to an entry of the shipped, invented sanctions list; born in another year."""
SHARES = {
    "hardly_readable": 0.05,
    "passport_misfits": 0.05,
    "like_a_listed_name": 0.004,
    "papers_below_statement": 0.09,
    "noted_by_fraud_rules": 0.03,
    "dear_household": 0.48,
}
"""How many applications have what a person has to look at. Assumed: the log does not say why its people looked.

That of dear households is chosen so that about as many are approved as got an offer in the log, 38 of a hundred. How
many lack a paper is drawn from the log.
"""
_PAPERS = {"permanent": 3, "temporary": 3, "self_employed": 6, "retired": 2}
_EMPLOYMENT: tuple[Literal["permanent", "temporary", "self_employed", "retired"], ...] = (
    "permanent",
    "temporary",
    "self_employed",
    "retired",
)
_EMPLOYED = (68, 14, 10, 8)


def apply(number: int, day: date, bank: Bank, dice: Random) -> Application:
    """Draw an application.

    Args:
        number: Of the application: whose account, telephone and device follow from it, so that none is shared.
        day: On which it comes in.
        bank: For the amount.
        dice: Decides.
    """
    listed = dice.random() < SHARES["like_a_listed_name"]
    name = LISTED if listed else f"{dice.choice(FIRST)} {dice.choice(LAST)}"
    born = date(day.year - dice.randrange(23, 64), dice.randrange(1, 13), dice.randrange(1, 29))
    amount = round(min(LARGEST, max(LEAST, bank.spread("amount_requested").draw(dice))) / 50) * 50
    household = _household(day, dice)
    odd = dice.random() < SHARES["noted_by_fraud_rules"]
    return Application(
        application=f"L-{number}",
        received_on=day,
        channel=dice.choices(("web", "branch", "broker"), (80, 12, 8))[0],
        amount=amount,
        term_months=_term(amount, dice),
        purpose=dice.choices(("car", "home_improvement", "debt_consolidation", "other"), (30, 30, 22, 18))[0],
        applicant=Applicant(
            full_name=name,
            born_on=born,
            email=f"applicant.{number}@example.com",
            phone=f"+4930{number:07d}",
            iban=iban(number),
            country="DE",
        ),
        household=household,
        papers=(
            _passport(name, born, day, dice),
            *_payslips(household, day, dice),
            *([] if dice.random() < lacking(bank) else [statement(household, day)]),
        ),
        traces=Traces(
            device=f"device-{number}",
            minutes_to_fill=1.0 if odd else round(dice.uniform(6, 40), 1),
            address_months=2 if odd else dice.randrange(8, 240),
            network_country="RO" if odd else "DE",
        ),
    )


def iban(number: int) -> str:
    """An invented account whose check digits hold (ISO 13616)."""
    account = f"37040044{number:010d}"
    return f"DE{98 - int(f'{account}131400') % 97:02d}{account}"


def _term(amount: int, dice: Random) -> int:
    longest = 24 if amount < 3_000 else 60 if amount < 12_000 else 84  # noqa: PLR2004
    return dice.choice([months for months in (12, 24, 36, 48, 60, 72, 84) if months <= longest])


def _household(day: date, dice: Random) -> Household:
    adults, children = dice.choice((1, 1, 2, 2, 2)), dice.choices((0, 1, 2, 3), (52, 20, 20, 8))[0]
    net = round(dice.lognormvariate(7.87, 0.32) / 10) * 10 + (600 if adults > 1 else 0)
    dear = dice.random() < SHARES["dear_household"]
    return Household(
        adults=adults,
        children=children,
        housing=dice.choices(("rent", "mortgage", "own", "family"), (52, 30, 10, 8))[0],
        housing_cost=round(net * dice.uniform(0.38, 0.5) if dear else net * dice.uniform(0.18, 0.34)),
        net_income=net,
        instalments=round(dice.choice((0, 0, 0, 90, 160, 260)) * (1.4 if dear else 1)),
        employment=dice.choices(_EMPLOYMENT, _EMPLOYED)[0],
        employed_since=day - timedelta(days=dice.randrange(120, 5_000)),
    )


def _passport(name: str, born: date, day: date, dice: Random) -> Paper:
    issued = day - timedelta(days=dice.randrange(200, 2_800))
    until = issued + timedelta(days=3_650)
    seen = 0.7 if dice.random() < SHARES["hardly_readable"] else 0.95
    shown = "Another Name" if dice.random() < SHARES["passport_misfits"] else name
    return Paper(kind="passport", readability=seen, issued_on=issued, expires_on=until, text=zone(shown, born, until))


def zone(name: str, born: date, expires: date) -> str:
    """The machine-readable zone of an invented passport, with its check digits (ICAO Doc 9303)."""
    words = name.upper().split()
    fields = ("C01X00T47", f"{born:%y%m%d}", f"{expires:%y%m%d}")
    document, birth, until = (f"{field}{check_digit(field)}" for field in fields)
    return f"P<D<<{'<<'.join((words[-1], '<'.join(words[:-1]))):<<39}\n{document}D<<{birth}F{until}<<<<<<<<<<<<<<<0"


def _payslips(household: Household, day: date, dice: Random) -> list[Paper]:
    less = dice.random() < SHARES["papers_below_statement"]
    net = round(household.net_income * (0.78 if less else 1.0))
    what: dict[str, Any] = {
        "retired": ("pension_notice", "Net pension"),
        "self_employed": ("tax_assessment", "Net income"),
    }
    kind, words = what.get(household.employment, ("payslip", "Net pay"))
    return [
        Paper(
            kind=kind, readability=0.95, issued_on=day - timedelta(days=30 * month + 5), text=f"{words}: {net}.00 EUR"
        )
        for month in range(_PAPERS[household.employment])
    ]


def lacking(bank: Bank) -> float:
    """The share of applications that lacked documents, as the log has it: of all that closed."""
    return float(bank.told["of_closed"]["exceptions"]["documents_incomplete"]["share"])


def statement(household: Household, day: date) -> Paper:
    """A bank statement, with the instalments of other loans."""
    paid = f" Loan instalment {household.instalments}.00 EUR" if household.instalments else ""
    return Paper(
        kind="bank_statement", readability=0.93, issued_on=day - timedelta(days=9), text=f"Balance 1204.00 EUR.{paid}"
    )
