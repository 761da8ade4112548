"""An application on its way through the units: what each of its cases asks of people, and which case follows.

What machines say is worked out with the performers' own functions, so that the plan and the executed cases agree; a
later case's input is made from what the earlier ones have really come to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from random import Random
from typing import Any

from pydantic import BaseModel

from demos.lending import courses
from demos.lending.drawing import Bank
from demos.lending.parts import (
    COMPLAINS,
    COMPLAINT,
    CONTRACT,
    CUSTOMER,
    DECISION,
    HANDED_ON,
    INTAKE,
    OFFER,
    parts,
)
from workers.simulating.plan import Arrival, Begins, Course, Gives, Outside, Work, moment
from workunits.catalog.contract_and_disbursement import LARGE
from workunits.contracts import contract_and_disbursement as contracting
from workunits.contracts import offer_and_acceptance as offering
from workunits.contracts.decision_complaint import Complaint
from workunits.contracts.lending import Application
from workunits.core.working import SECOND

_NUMBERS: Mapping[str, str] = {COMPLAINT: "C"}
"""The first letter of a case's key, where it is not the application's."""


@dataclass
class Thread:
    """One application."""

    application: Application
    at: int
    """When it comes in, in microseconds since 1970."""
    bank: Bank
    seed: str
    have: Collection[str]
    """The units that can be played."""
    verdicts: dict[str, str] = field(default_factory=dict)
    """What each unit's case is planned to end with."""
    really: dict[str, Any] = field(default_factory=dict)
    """What each unit's executed case has come to."""
    offered: int = 0
    """The amount of the last offer, in whole euros; 0 before there is any."""

    @property
    def number(self) -> str:
        """The application's number: the key of its cases."""
        return self.application.application

    def dice_of(self, what: str) -> Random:
        """Dice for one thing."""
        return Random(f"{self.seed}/{self.number}/{what}")  # noqa: S311, simulated

    def arrivals(self) -> list[Arrival]:
        """The case with which it begins."""
        course = partial(courses.application_intake, self)
        return [Arrival(INTAKE, self.number, self.at, self.application, course)] if INTAKE in self.have else []

    def word(self, unit: str, step: str, again: int = 0) -> str:
        """What somebody says, drawn from the shares of the step's answers.

        Args:
            unit: The unit.
            step: Its human step.
            again: How often the step was asked before.
        """
        part = parts()[unit, step]
        return self.dice_of(f"{unit}/{step}/{again}/says").choices(list(part.says), list(part.says.values()))[0]

    def work(self, unit: str, step: str, gives: Gives, again: int = 0, *, called: bool = False) -> Work:
        """A piece of work for somebody, with how long it lasts drawn from the bank's log.

        Args:
            unit: The unit.
            step: Its human step.
            gives: The answer.
            again: How often the step was asked before.
            called: The unit's case is called by the one whose course asks.
        """
        part = parts()[unit, step]
        lasts = self.bank.touch(part.item, self.dice_of(f"{unit}/{step}/{again}/lasts"), sitting=part.sitting)
        return Work(step, part.role, lasts, gives, unit if called else "")

    def outside(self, step: str, after: timedelta, gives: Gives) -> Outside:
        """What the customer does."""
        return Outside(step, CUSTOMER, f"applicant {self.number}", after, gives)

    def ended(self, unit: str, verdict: str) -> list[Begins]:
        """Note what a unit's case is to come to; gives the cases that begin because of it."""
        self.verdicts[unit] = verdict
        if (unit, verdict) == (INTAKE, "accept"):
            return self._next(DECISION, courses.credit_decision, lambda _: self.really[INTAKE].application)
        if (unit, verdict) == (DECISION, "approve"):
            return self._next(OFFER, courses.offer_and_acceptance, self.approval)
        if (unit, verdict) == (DECISION, "refuse") and self.dice_of("complains").random() < COMPLAINS:
            return self._next(COMPLAINT, courses.decision_complaint, self.complaint)
        if (unit, verdict) == (OFFER, "accepted"):
            return self._next(CONTRACT, courses.contract_and_disbursement, self.accepted)
        return []

    def _next(self, unit: str, course: Callable[[Thread], Course], case: Callable[[date], BaseModel]) -> list[Begins]:
        if unit not in self.have:
            return []

        def arrive(at: int) -> Arrival:
            begins = at + HANDED_ON * SECOND
            key = f"{_NUMBERS.get(unit, 'L')}-{self.number[2:]}"
            return Arrival(unit, key, begins, partial(case, moment(begins).date()), partial(course, self))

        return [Begins(arrive)]

    @property
    def large(self) -> bool:
        """Whether a second person releases the payment."""
        return self.offered > LARGE

    def approval(self, day: date) -> offering.Approval:
        """The case of the offer."""
        who, terms = self.application.applicant, self.really[DECISION].terms
        return offering.Approval(
            application=self.number,
            full_name=who.full_name,
            email=who.email,
            terms=terms,
            most=terms.amount,
            approved_on=day,
        )

    def accepted(self, day: date) -> contracting.Accepted:
        """The case of the contract, from the offer that was really made and accepted."""
        made, who = self.really[OFFER], self.application.applicant
        offer = made.offer
        return contracting.Accepted(
            application=self.number,
            offer=offer.offer,
            full_name=who.full_name,
            email=who.email,
            iban=who.iban,
            terms=offer.terms,
            instalment=offer.instalment,
            accepted_on=made.binding.accepted_on if made.binding else day,
        )

    def complaint(self, day: date) -> Complaint:
        """The case of a complaint."""
        who = self.application.applicant
        return Complaint(
            complaint=f"C-{self.number[2:]}",
            application=self.number,
            received_on=day,
            cause="refused",
            full_name=who.full_name,
            email=who.email,
            words="I do not understand why you refuse the loan. My income is as I said.",
        )
