"""Invented cases with one thing planted that advice has to find, and without it: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from observability.ledger.forgetting import Forgetting
from observability.ledger.store import Ledger
from observability.ledger.writing import write
from tests.observability.invented import BEGIN, BUDGET, HOUR, case_rows
from workunits.core.record import Microseconds, Record, Routed, Work
from workunits.core.spec import Kind, Learning, Measure, Outcome, automated, elapsed, human
from workunits.core.unit import WorkUnit

UNIT = "claim"
MINUTE: Microseconds = HOUR // 60
Planted = Literal["slow_segment", "slow_step", "slow_version", "rubber_stamp", "handoff", "no_rule"]


class Paper(BaseModel):
    """All that is passed on."""

    number: str = ""
    kind: str = ""
    granted: bool = False


class Claim(WorkUnit, name=UNIT, version="1", key="number"):
    """A claim is read, checked, and decided."""

    outcome = Outcome(
        Paper,
        "The claim is decided within 3 days.",
        achieved=lambda paper: paper.granted,
        within=elapsed(days=3),
        accountable="head",
    )
    learning = Learning(
        owner="head",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(days=2), baseline="the first 100 cases"),),
        segment=lambda case: case.kind,
    )

    READ = automated("read", Paper, Paper)
    CHECK = human("check", Paper, Paper, role="clerk", accountable="head")
    LOOK = human("look", Paper, Paper, role="clerk", decides=False)
    DECIDE = human("decide", Paper, Paper, role="senior", accountable="head")
    ARCHIVE = human("archive", Paper, Paper, role="clerk", decides=False)

    async def work(self, case: Paper) -> Paper:
        """Settle it; nobody reads what the look found."""
        read = await self.perform(self.READ, case)
        seen = await self.perform(self.LOOK, case)  # noqa: F841
        checked = await self.perform(self.CHECK, read)
        if not checked.granted:
            await self.perform(self.ARCHIVE, checked)
            return checked
        return await self.perform(self.DECIDE, checked)


@dataclass
class Draft:
    """A case that is being invented."""

    record: Record
    draw: random.Random
    at: Microseconds = 0

    def perform(self, step: str, kind: Kind, queue: float, touch: float, *, by: str = "", decides: bool = True) -> None:
        """Let a step wait for so many hours, and be worked on for so many, at the median."""
        waited, worked = (round(self.draw.lognormvariate(0, 0.5) * of * HOUR) for of in (queue, touch))
        begun = self.at + waited
        work = Work(key=step, step=step, kind=kind, ready=self.at, end="done", decides=decides)
        work.work, work.done, work.by = [(begun, begun + worked)], begun + worked, by or None
        work.claimed = begun if kind == "human" else None
        self.record.steps.append(work)
        self.at = begun + worked


def invent(
    count: int, planted: Planted | None = None, *, seed: int = 5, version: str = "1", begin: datetime = BEGIN
) -> Sequence[Record]:
    """Cases over ten weeks: read, look, check, and decide or archive; each person takes whatever comes."""
    draw = random.Random(seed)  # noqa: S311 - invented on purpose
    return [_case(draw, number, planted, version, begin) for number in range(count)]


def _case(draw: random.Random, number: int, planted: Planted | None, version: str, begin: datetime) -> Record:
    key = f"{version}-{number}"
    segment = draw.choice(["car", "home", "travel"])
    start = begin + timedelta(hours=draw.random() * 24 * 7 * 10)
    record = Record(
        unit=UNIT, version=version, case=f"{UNIT}:{key}", key=key, started=start, due=BUDGET, segment=segment
    )
    draft = Draft(record, draw)
    draft.perform("read", "automated", 0.001, 0.01)
    draft.perform("look", "human", 2, 0.2, by="ann", decides=False)
    slow = planted == "slow_segment" and segment == "home"
    draft.perform(
        "check", "human", 8 if slow else 2, 0.3, by="ann" if planted == "handoff" else draw.choice(["ann", "bob"])
    )
    if planted == "no_rule" and number % 8 == 0:
        record.steps[-1].end, record.steps[-1].code = "exception", "illegible"
        record.routes.append(Routed(at=draft.at, key="check", code="illegible", to="close"))
        record.close, record.reason = "not_achieved", "illegible"
    elif planted not in ("rubber_stamp", "handoff") and draw.random() < 0.2:
        draft.perform("archive", "human", 2, 0.1, by="ann", decides=False)
        record.close = "not_achieved"
    else:
        queue = 9.0 if planted in ("slow_step", "slow_version") else 2.0
        decided = 0.01 if planted == "handoff" else 0.4
        draft.perform(
            "decide", "human", queue, decided, by="eve" if planted == "handoff" else draw.choice(["eve", "joe"])
        )
        varied = planted not in ("rubber_stamp", "handoff") and draw.random() < 0.3
        record.close = "not_achieved" if varied else "achieved"
    record.closed = draft.at
    return record


def keep(ledger: Ledger, made: Sequence[Record]) -> None:
    """Put them into a ledger."""
    with ledger.write() as connection:
        write(connection, [case_rows(record) for record in made], Forgetting.load(connection), BEGIN)
