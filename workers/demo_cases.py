"""The cases of the demo: who applies or asks for what, and what the people answer, to every way of closing.

All people are invented; the orders are those of `activities/data/orders.csv`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from workunits.contracts import customer_onboarding as onboarding
from workunits.contracts import refund_request as refund
from workunits.core.spec import Close
from workunits.testing import Answer

DAY = date(2025, 6, 2)
"""The day on which everything arrives."""
OFFICER, ANALYST, SANCTIONS = "ines.officer", "noah.analyst", "tariq.sanctions"
APPROVER, SECOND_APPROVER = "marta.approver", "sven.approver"
PASSPORT = onboarding.Document(
    kind="passport", readability=0.97, issued_on=date(2020, 1, 1), expires_on=date(2030, 1, 1)
)
BILL = onboarding.Document(kind="utility_bill", readability=0.93, issued_on=date(2025, 5, 12))
BLURRED = PASSPORT.model_copy(update={"readability": 0.31})


@dataclass(frozen=True)
class Script:
    """One case, and what the people do."""

    unit: str
    key: str
    case: Mapping[str, Any]
    closes: Close
    """How it is meant to close; the demo fails when one closes differently."""
    reason: str | None = None
    people: Mapping[str, Answer] = field(default_factory=dict)
    """Answers by step; a task without one is left to expire."""
    cancelled: tuple[str, str, timedelta] | None = None
    """Who cancels it, why, and how long after its first task is ready."""
    raw: bool = False
    """Started past the client's own check, as a foreign system might."""
    overtakes: str = ""
    """Starts once the case of this key waits for a person, and closes before that person answers."""

    @property
    def data(self) -> bytes:
        """The case as JSON."""
        return json.dumps(self.case).encode()


_BY_HAND = onboarding.RiskSummary(level="medium", summary="Written by hand: the AI model did not answer.")
"""What the analyst says when an AI model is configured and fails."""


def _hours(hours: float) -> timedelta:
    return timedelta(hours=hours)


# --- customer onboarding ----------------------------------------------------------------------------------------------

Product = Literal["current_account", "savings_account", "business_account"]


def _application(
    number: int,
    name: str,
    born: date,
    *,
    country: str = "DE",
    product: Product = "current_account",
    items: tuple[onboarding.Document, ...] = (PASSPORT, BILL),
    income: int = 3200,
    funds: str = "salary",
    channel: Literal["web", "branch"] = "web",
) -> dict[str, Any]:
    case = onboarding.Application(
        application=f"A-{number}",
        full_name=name,
        born_on=born,
        email=f"{name.split(maxsplit=1)[0].lower()}@example.com",
        country=country,
        product=product,
        channel=channel,
        monthly_income=income,
        source_of_funds=funds,
        documents=onboarding.Documents(received_on=DAY, items=items),
    )
    return case.model_dump(mode="json")


def _decide(
    verdict: Literal["approve", "refuse", "withdrawn"], hours: float, reason: str = "", worked: float = 0.2
) -> dict[str, Answer]:
    given = onboarding.Decision(verdict=verdict, reason=reason)
    decided = Answer(given, OFFICER, after=_hours(hours), started_after=_hours(max(0.1, hours - worked)))
    return {"decide": decided, "summarise_by_hand": Answer(_BY_HAND, ANALYST, after=_hours(0.5))}


def _resent(*items: onboarding.Document, by: str, hours: float) -> dict[str, Answer]:
    return {"resend_documents": Answer(onboarding.Documents(received_on=DAY, items=items), by=by, after=_hours(hours))}


def _cleared(verdict: Literal["false_match", "true_match"], reason: str, hours: float) -> dict[str, Answer]:
    given = onboarding.Screening(verdict=verdict, reason=reason)
    return {"clear_hit": Answer(given, SANCTIONS, after=_hours(hours), started_after=_hours(hours / 2))}


def _onboarding(case: dict[str, Any], closes: Close, reason: str | None = None, **more: Any) -> Script:
    return Script("customer_onboarding", case["application"], case, closes, reason, **more)


_NO_SINCE = "We could not establish where the expected payments come from."
_ONBOARDINGS = (
    _onboarding(_application(1001, "Maria Garcia", date(1990, 6, 3)), "achieved", people=_decide("approve", 1.5)),
    _onboarding(
        _application(1002, "Jonas Lindqvist", date(1984, 2, 19), product="savings_account", channel="branch"),
        "achieved",
        people=_decide("approve", 3.2),
    ),
    _onboarding(
        _application(1003, "Petra Novotna", date(1971, 9, 30), income=90_000, funds="not stated", country="CZ"),
        "achieved",
        people=_decide("refuse", 5, _NO_SINCE, worked=1.4),
    ),
    _onboarding(
        _application(1004, "Ana Ferreira", date(1995, 1, 8), items=(BLURRED, BILL), country="PT"),
        "achieved",
        people=_resent(PASSPORT, BILL, by="ana@example.com", hours=7) | _decide("approve", 2),
    ),
    _onboarding(
        _application(1005, "Victor Dragunowski", date(1999, 4, 2), country="PL"),
        "achieved",
        people=_cleared("false_match", "Born in 1999; the listed person in 1961.", 4) | _decide("approve", 2),
    ),
    _onboarding(
        _application(1006, "Serafina Malacosta", date(1984, 7, 21), country="IT"),
        "achieved",
        people=_cleared("true_match", "Name and year of birth are those of entry X-014.", 6),
    ),
    _onboarding(_application(1007, "Oskar Brandt", date(1966, 3, 14)), "achieved_late", people=_decide("approve", 30)),
    _onboarding(
        _application(1008, "Lucie Marchand", date(1979, 12, 1), items=(PASSPORT, BLURRED), country="FR"),
        "achieved_late",
        people=_resent(PASSPORT, BILL, by="lucie@example.com", hours=52)
        | _decide("refuse", 3, "The income stated differs from the bank statement."),
    ),
    _onboarding(
        _application(1009, "Daan Visser", date(2001, 5, 25), country="NL"),
        "not_achieved",
        "outcome_not_met",
        people=_decide("withdrawn", 4, "The applicant has found another bank."),
    ),
    _onboarding(
        _application(1010, "Greta Olsen", date(1958, 8, 17), items=(BLURRED,), country="DK"),
        "not_achieved",
        "documents_illegible",
        people=_resent(BLURRED, BILL, by="greta@example.com", hours=20),
    ),
    _onboarding(
        _application(1011, "Emil Horvat", date(1988, 10, 10), items=(BLURRED, BILL), country="HR"),
        "expired",
        "no_answer",
    ),
    _onboarding(
        _application(1012, "Sofia Rossi", date(1992, 11, 5), country="IT"),
        "cancelled",
        "cancel_requested",
        cancelled=(OFFICER, "the same application came in twice", _hours(2)),
    ),
    _onboarding(
        _application(1013, "Henrik Dahl", date(1975, 6, 28), product="business_account", income=45_000, country="SE"),
        "failed",
        "technical_failure",
        people=_decide("approve", 2.5),
    ),
    Script(
        "customer_onboarding",
        "A-1014",
        {"application": "A-1014", "full_name": "Ivo Petrov", "born_on": "in spring", "product": "gold_account"},
        "failed",
        "bad_input",
        raw=True,
    ),
)

# --- refund request ---------------------------------------------------------------------------------------------------


def _request(
    number: int,
    order: str,
    minor: int,
    cause: Literal["damaged", "not_delivered", "not_wanted", "other"],
    by: str,
    *,
    details: str = "",
    currency: str = "EUR",
) -> dict[str, Any]:
    case = refund.Request(
        request=f"RR-{number}",
        order=order,
        amount=refund.Money(minor=minor, currency=currency),
        cause=cause,
        details=details,
        requested_on=DAY,
        email=f"{by}@example.com",
    )
    return case.model_dump(mode="json")


def _settle(
    verdict: Literal["pay", "refuse"], hours: float, reason: str = "", by: str = APPROVER, worked: float = 0.15
) -> dict[str, Answer]:
    given = refund.Decision(verdict=verdict, reason=reason)
    return {"decide": Answer(given, by, after=_hours(hours), started_after=_hours(max(0.05, hours - worked)))}


def _corrected(order: str, by: str, hours: float) -> dict[str, Answer]:
    return {"correct_number": Answer(refund.OrderNumber(order=order), by=f"{by}@example.com", after=_hours(hours))}


def _refund(case: dict[str, Any], closes: Close, reason: str | None = None, **more: Any) -> Script:
    return Script("refund_request", case["request"], case, closes, reason, **more)


_REFUNDS = (
    _refund(_request(1, "R-1001", 4990, "damaged", "ana", details="The lid is cracked."), "achieved"),
    _refund(_request(2, "R-1009", 3500, "not_delivered", "ines"), "achieved"),
    _refund(_request(3, "R-1010", 5900, "not_wanted", "jonas"), "achieved"),
    _refund(_request(4, "R-1017", 15900, "damaged", "quinn"), "achieved", people=_settle("pay", 2)),
    _refund(
        _request(5, "R-1019", 45000, "other", "samir", details="I do not like the colour."),
        "achieved",
        people=_settle("refuse", 20, "The goods are as described.", by=SECOND_APPROVER),
    ),
    _refund(
        _request(6, "R-99999", 2599, "damaged", "paul"),
        "achieved",
        people=_corrected("R-1016", "paul", 9),
    ),
    _refund(_request(7, "R-1006", 24900, "damaged", "farid"), "achieved_late", people=_settle("pay", 98)),
    _refund(
        _request(8, "R-0", 1200, "other", "kim"),
        "not_achieved",
        "order_unknown",
        people=_corrected("R-00", "kim", 3),
    ),
    _refund(
        _request(9, "R-1007", 89900, "damaged", "grace"),
        "not_achieved",
        "already_refunded",
        people=_settle("pay", 26, by=SECOND_APPROVER),
    ),
    _refund(
        _request(10, "R-1007", 80000, "damaged", "grace", details="Asked for again by telephone."),
        "achieved",
        people=_settle("pay", 1),
        overtakes="RR-9",
    ),
    _refund(_request(11, "R-88888", 900, "not_delivered", "lena"), "expired", "no_answer"),
    _refund(
        _request(12, "R-1012", 14000, "not_delivered", "liam"),
        "cancelled",
        "cancel_requested",
        cancelled=(APPROVER, "the parcel has turned up", _hours(11)),
    ),
    _refund(_request(13, "R-1013", 4400, "damaged", "mina"), "failed", "technical_failure"),
    Script(
        "refund_request",
        "RR-14",
        {"request": "RR-14", "order": "R-1002", "amount": "12.50 EUR", "cause": "damaged"},
        "failed",
        "bad_input",
        raw=True,
    ),
)

SCRIPTS: tuple[Script, ...] = _ONBOARDINGS + _REFUNDS
"""28 cases of two units, to every way of closing."""

SEED_CASES: tuple[tuple[str, dict[str, Any]], ...] = tuple(
    (script.unit, dict(script.case)) for script in SCRIPTS if not script.raw
)
"""What `up --seed` starts: unit and case. Nobody answers for the people there: that is left to whoever looks."""
