"""The story of the quarter: version 1 runs, the slow step is found, a change is proposed, tried, judged, adopted.

Nothing in it is told beforehand. The advice, the verdict and the decision come from the ledger, by the functions behind
`workunits advise`, `compare`, `learn` and `baseline freeze`; were the verdict another one, the story would end otherwise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from demos.invoices import world
from demos.learn.charts import Dot
from demos.learn.quarter import Quarter
from observability.learning.advising import Advice, Suggestion, advise
from observability.learning.changes import Entry, Proposal, propose
from observability.learning.selection import Asked
from observability.learning.version_baseline import Signature, freeze_version
from observability.ledger.tables import cases
from workers.simulating.executing import Executed, Executor
from workers.simulating.figures import Load
from workers.simulating.house import Build, House
from workers.simulating.plan import moment
from workunits.core.unit import WorkUnit

UNIT = world.UNIT
BUILDS = (Build("invoices-1", "demos.invoices.package_1"), Build("invoices-2", "demos.invoices.package_2"))
OWNER = "fay.finance"
MEASURE = "cycle_time"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Chapter:
    """Something that happened in the quarter, as a reader has it."""

    at: datetime
    """On the simulated clock."""
    title: str
    told: str
    command: str
    """The command that does the same."""
    said: str
    """What that command says, word for word."""


@dataclass
class Story:
    """What came of the quarter."""

    quarter: Quarter
    chapters: list[Chapter] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    """The same for a program."""
    executed: dict[str, Executed] = field(default_factory=dict)
    """Each case as it stood last."""
    seconds: float = 0.0
    """Of real time."""

    @property
    def worst_start(self) -> timedelta:
        """By how much a case's own clock was off at its start, at most."""
        return max((one.late_start for one in self.executed.values()), default=timedelta(0))
