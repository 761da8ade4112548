"""An inbox with a shop of cases: the repository's own units and one that asks for every kind of field."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.worker import Worker

from inbox.app import Doors
from inbox.directory import Directory
from inbox.journal import Journal
from inbox.limits import Limits, Rate
from inbox.sessions import Ended
from observability.ledger.follower import Follower
from observability.ledger.store import Ledger
from tests.inbox.damages import Damage
from tests.inbox.insurer import Insurer
from tests.inbox.museum import CallBack, Museum
from tests.inbox.proposer import Levels, proposal
from tests.inbox.wide import Call, Opinion, Seen
from tests.patience import PATIENCE
from workunits.catalog.customer_onboarding import CustomerOnboarding
from workunits.catalog.refund_request import RefundRequest
from workunits.client import Cases
from workunits.contracts import customer_onboarding as onboarding
from workunits.contracts import refund_request as refund
from workunits.core.lifecycle import Task
from workunits.core.spec import Step
from workunits.core.unit import WorkUnit
from workunits.performs import Performer, match
from workunits.registry import Catalog, Package

CONTRACTS = (
    "tests.inbox.damages",
    "tests.inbox.wide",
    "workunits.contracts.customer_onboarding",
    "workunits.contracts.refund_request",
)
PEOPLE = """
zone = "Europe/Madrid"
admins = ["operations"]

[groups]
approvers = ["refund approver", "onboarding officer", "curator", "adjuster"]
officers = ["onboarding officer", "sanctions officer", "onboarding analyst"]
operations = []

[[person]]
name = "marta"
display = "Marta Moreno"
zone = "Europe/Madrid"
groups = ["approvers"]

[[person]]
name = "sven"
display = "Sven Svensson"
zone = "Europe/Madrid"
groups = ["approvers"]

[[person]]
name = "ines"
display = "Inés Ibarra"
zone = "Europe/Madrid"
groups = ["officers"]

[[person]]
name = "olga"
display = "Olga Orlova"
zone = "Europe/Madrid"
groups = ["operations"]

[[person]]
name = "zoe"
display = "Zoe Zimmer"

[[accountable]]
role = "head of customer care"
person = "olga"

[[accountable]]
role = "head of onboarding"
person = "ines"

[[accountable]]
role = "head of compliance"
person = "ines"
"""
URL = "http://127.0.0.1:1"
_PLENTY = Rate(1e9, 1e9)


UNITS: tuple[type[WorkUnit], ...] = (CustomerOnboarding, RefundRequest, Museum, CallBack, Insurer)
CATALOG = Catalog([Package("shop", UNITS, CONTRACTS, ())])
_EUR = refund.Money(minor=12950, currency="EUR")
_ORDER = refund.Order(
    order="O-5512",
    email="lena@example.com",
    cost=refund.Money(minor=25900, currency="EUR"),
    ordered_on=date(2026, 10, 2),
    delivered_on=date(2026, 10, 9),
    refunded_minor=0,
)
_RISK = onboarding.RiskSummary(
    level="medium",
    summary="Income and product fit together. The proof of address is older than three months, which is the one point "
    "that speaks against opening the account at once.",
    points=("Utility bill of 12 May is over 90 days old", "Source of funds is stated in one word only"),
)
_CANNED: dict[Any, Any] = {
    CustomerOnboarding.CHECK_DOCUMENTS: onboarding.DocumentCheck(
        complete=False, findings=("utility_bill of 2026-05-12 is more than 90 days old",)
    ),
    CustomerOnboarding.SCREEN: onboarding.Screening(verdict="no_match", reason="No entry is alike."),
    CustomerOnboarding.SUMMARISE: _RISK,
    CustomerOnboarding.OPEN_ACCOUNT: onboarding.Account(number="DE-100200"),
    CustomerOnboarding.SEND_DECISION: onboarding.Sent(message="m-1"),
    RefundRequest.FIND_ORDER: _ORDER,
    RefundRequest.APPLY_POLICY: refund.Ruling(
        verdict="ask", reason="The return period is over, but the parcel arrived damaged."
    ),
    RefundRequest.PAY: refund.Paid(payment=7, amount=_EUR),
    RefundRequest.TELL_CUSTOMER: refund.Sent(message="m-2"),
    Museum.JUDGE: Opinion(summary="Genuine, with a later frame.", confidence=0.87),
    Insurer.RULE: proposal,
}


@dataclass
class Shop:
    """A running shop."""

    client: Client
    cases: Cases
    ledger: Ledger
    journal: Journal
    doors: Doors
    queue: str

    def worker(self) -> Worker:
        """A worker for its units; not started."""
        steps = [step for unit in UNITS for step in unit.steps]
        performers = match(steps, [_performer(s) for s in _CANNED])
        activities = [performer.as_activity(Levels()) for performer in performers]
        return Worker(self.client, task_queue=self.queue, workflows=list(UNITS), activities=activities)

    async def refund(self, **more: Any) -> Task:
        """A refund request that waits for an approver."""
        case = refund.Request(
            request=more.pop("request", f"RR-{uuid.uuid4().int % 10**9}"),
            order="O-5512",
            amount=_EUR,
            cause="damaged",
            details=more.pop("details", "The lamp arrived with a cracked shade.\nI have sent two photos."),
            requested_on=date(2026, 11, 20),
            email="lena@example.com",
            **more,
        )
        return await self._waiting("refund_request", case)

    async def application(self, number: int | None = None, name: str = "Maria Garcia") -> Task:
        """An application that waits for an officer."""
        case = onboarding.Application(
            application=f"A-{number or uuid.uuid4().int % 10**9}",
            full_name=name,
            born_on=date(1990, 6, 3),
            email="maria@example.com",
            country="DE",
            product="current_account",
            monthly_income=3200,
            source_of_funds="salary",
            documents=onboarding.Documents(received_on=date(2026, 11, 24), items=()),
        )
        return await self._waiting("customer_onboarding", case)

    async def piece(self, **more: Any) -> Task:
        """A museum piece that waits for a curator."""
        return await self._waiting("museum_piece", Seen(request=f"M-{uuid.uuid4().hex[:8]}", **more))

    async def damage(self, how: Literal["A1", "A2", "A3", "A4"] = "A2", claim: str = "", **more: Any) -> Task:
        """A damage on which a model has proposed a ruling, at a level of autonomy."""
        case = Damage(claim=claim or f"D-{uuid.uuid4().hex[:8]}", how=how, **more)
        return await self._waiting("damage_claim", case)

    async def call(self, request: str = "") -> Task:
        """A call that nobody makes in time."""
        return await self._waiting(
            "call_back", Call(request=request or f"C-{uuid.uuid4().hex[:8]}", number="+34 600 000 000")
        )

    async def _waiting(self, unit: str, case: BaseModel) -> Task:
        started = await self.cases.start(unit, case.model_dump_json().encode())
        return await self.open_task(started.case)

    async def open_task(self, case: str) -> Task:
        """The task of a case, once it is open and the ledger has it."""
        from sqlalchemy import select

        from observability.ledger.tables import tasks

        async with asyncio.timeout(PATIENCE):
            while True:
                view = await self.cases.show(case)
                if view.tasks:
                    with self.ledger.read() as connection:
                        there = select(tasks.c.task_id).where(tasks.c.task_id == view.tasks[0].id, tasks.c.open)
                        if connection.execute(there).first():
                            return view.tasks[0]
                await asyncio.sleep(0.02)


def _performer(step: Step[Any, Any]) -> Performer:
    async def perform(what: Any) -> Any:
        canned = _CANNED[step]
        return canned(what) if callable(canned) else canned

    return Performer(step, perform, "canned answer")


@asynccontextmanager
async def open_shop(client: Client, folder: Path, **more: Any) -> AsyncIterator[Shop]:
    """Open a shop on an engine: a worker, a ledger that follows, a journal, and people.

    Args:
        client: Of the engine, with the plugin.
        folder: For its files.
        more: Further facts of its doors.
    """
    queue = f"shop-{uuid.uuid4().hex[:8]}"
    cases = Cases(client, CATALOG, queue=queue)
    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    ledger.migrate()
    journal = Journal(f"sqlite:///{folder / 'journal.sqlite'}")
    journal.open()
    people = folder / "directory.toml"
    people.write_text(PEOPLE, encoding="utf-8")
    doors = Doors(
        cases=cases,
        catalog=CATALOG,
        ledger=ledger,
        directory=Directory.watch(people, every=0),
        journal=journal,
        url=URL,
        session_key="a key for tests, and for nothing else",
        ended=Ended(),
        dev_login=True,
        limits=Limits(_PLENTY, _PLENTY, _PLENTY, _PLENTY),
        **more,
    )
    shop = Shop(client, cases, ledger, journal, doors, queue)
    stop = asyncio.Event()
    following = asyncio.create_task(Follower(client, ledger, CATALOG, every=0.1).run(stop))
    try:
        async with shop.worker():
            yield shop
    finally:
        stop.set()
        await following
        journal.close()
        ledger.close()
