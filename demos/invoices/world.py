"""The office that receives invoices: what comes in, who is there, and what people answer. All of it is invented.

Whatever is drawn for an invoice is drawn from its own number, not from its version: the same invoice asks its people
for the same work in either, and two runs differ in nothing but what the version changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random

from demos.invoices.contracts import Coding, Invoice, Release
from demos.invoices.performers import rule
from workers.simulating.plan import Arrival, Course, Person, Spread, Work, arrivals
from workunits.calendars.pinning import pin
from workunits.calendars.spec import Calendar, Week
from workunits.core.working import Hours

UNIT = "supplier_invoice"
CLERK, OWNER = "accounts clerk", "budget owner"
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
_OFFICE = ("09:00-17:00",)
# No holidays, and clocks that never change: a quarter is the same whenever it is run.
OFFICE = Calendar(version=1, zone="UTC", hours=Week.model_validate(dict.fromkeys(_DAYS, _OFFICE)))
AFTERNOONS = Calendar(
    version=1, zone="UTC", hours=Week.model_validate(dict.fromkeys(("tuesday", "thursday"), ("14:00-16:00",)))
)
"""When the budget owner sees to invoices."""
_CODING = Spread(timedelta(minutes=25), timedelta(minutes=70))
_RELEASING = Spread(timedelta(minutes=5), timedelta(minutes=14))
_SUPPLIERS = ("Aster Paper", "Birch & Sons", "Cobalt Cleaning", "Delta Freight", "Elm Catering")
_NO_ORDER, _ABOVE, _LARGE, _RETURNED = 0.06, 0.08, 0.2, 0.25


def people(since: int, until: int) -> list[Person]:
    """Who works in the office, with their hours over a time."""
    office, afternoons = (pin(calendar, "office", since, until).working for calendar in (OFFICE, AFTERNOONS))
    return [
        Person("ada.clerk", (CLERK,), office),
        Person("bo.clerk", (CLERK,), office),
        Person("cleo.owner", (OWNER,), afternoons),
    ]


def incoming(
    since: int, until: int, every: timedelta, seed: int, version: Callable[[str, int], str]
) -> Iterator[Arrival]:
    """The invoices of a time.

    Args:
        since: Microseconds since 1970.
        until: The same.
        every: The mean working time from one to the next.
        seed: The same one gives the same invoices at the same distances from the beginning.
        version: Which version of the unit a case is of, by its business key and the moment at which it comes in.
    """
    hours: Hours = pin(OFFICE, "office", since, until).working
    for number, at in enumerate(arrivals(hours, since, until, every, Random(f"{seed}/arrivals")), 1):  # noqa: S311, simulated
        invoice = _invoice(number, Random(f"{seed}/invoice/{number}"))  # noqa: S311
        yield Arrival(UNIT, invoice.invoice, at, invoice, _course(invoice, seed, version(invoice.invoice, at)))


def _invoice(number: int, dice: Random) -> Invoice:
    large = dice.random() < _LARGE
    ordered = dice.randrange(2500_00, 9000_00) if large else dice.randrange(40_00, 1900_00)
    billed = round(ordered * 1.04) if dice.random() < _ABOVE else ordered
    return Invoice(
        invoice=f"I-{number}",
        supplier=dice.choice(_SUPPLIERS),
        billed_cents=billed,
        ordered_cents=0 if dice.random() < _NO_ORDER else ordered,
        size="large" if large else "small",
    )


def _course(invoice: Invoice, seed: int, version: str) -> Callable[[], Course]:
    def course() -> Course:
        dice = Random(f"{seed}/work/{invoice.invoice}")  # noqa: S311
        coding, releasing, doubt = _CODING.draw(dice), _RELEASING.draw(dice), dice.random()
        yield [Work("code", CLERK, coding, Coding(cost_centre=f"{dice.randrange(1000, 1040)}"))]
        said = rule(invoice)
        if said.verdict == "ask" or version == "1":
            yield [Work("release", OWNER, releasing, _answer(said.verdict, said.reason, doubt))]

    return course


def _answer(verdict: str, reason: str, doubt: float) -> Release:
    """What the budget owner says: what the rule says, wherever it says something."""
    if verdict == "ask":
        return Release(verdict="return", reason="Not agreed upon.") if doubt < _RETURNED else Release(verdict="release")
    return Release(verdict="return", reason=reason) if verdict == "return" else Release(verdict="release")
