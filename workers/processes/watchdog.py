"""The watchdog: outside the workers, it compares what should have happened with what did, and says what stands still.

It survives what it watches: an engine, a ledger, a directory or a case that cannot be read is a finding like others,
and it goes on. It keeps nothing that lasts; started again, it finds the same with the times that the engine knows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from inbox.directory import Directory
from workers.checks.finding import clock_ahead
from workers.engine.address import UnreachableError
from workers.engine.connect import connect
from workers.settings import Settings, SettingsError
from workers.watching.board import Board, Change
from workers.watching.engine import EngineSide, said_at
from workers.watching.finding import Finding
from workers.watching.gauges import Gauges
from workers.watching.judging import Judge
from workers.watching.people import People
from workers.watching.rounds import Round
from workers.watching.rungs import Gap, gaps
from workers.watching.serving import Serving
from workers.watching.suspects import LedgerSide, Suspicion
from workunits.registry import Catalog

OVERDUE, UNATTENDED, ALL, MARKED, PAUSED = 500, 100, 50, 50, 50
"""Cases that a pass takes from each round; those of the first are only listed, the others described."""
AGAIN_LISTED, AGAIN_DESCRIBED = 300, 100
"""Cases with findings that a pass looks at again."""
CLOCK_EVERY = 600.0
"""Seconds after which the difference of the clocks is measured again."""
LONGEST_LOOK, LONGEST_PAUSE = 60.0, 120.0
"""Seconds: an engine that stands still is given up after the first, and asked again after at most the second."""
ONCE = 1000
"""Passes of a single full round at most."""
_HOLD_UP = ("task_failing", "no_worker", "held", "case_unreadable")
"""Kinds that keep a case from firing its rungs, where they are about all of it."""
_TOLD = 20
"""New findings that a pass writes into the log one by one."""
log = logging.getLogger("workunits.watchdog")


@dataclass(frozen=True, slots=True)
class Look:
    """What one pass gave."""

    at: datetime
    """By the engine's clock, as far as that is known."""
    took: float
    """Seconds."""
    change: Change
    gap: tuple[Gap, ...]

    def as_data(self) -> dict[str, Any]:
        """As a JSON document has it."""
        return {
            "at": self.at,
            "gap": [
                {"unit": one.unit, "kind": one.rung, "cases": one.cases, "largest_seconds": one.largest_seconds}
                for one in self.gap
            ],
            "findings": [finding.as_data() for finding in self.change.now],
        }


@dataclass(slots=True)
class _Rounds:
    """Through which cases it goes."""

    overdue: Round = field(default_factory=lambda: Round(OVERDUE))
    unattended: Round = field(default_factory=lambda: Round(UNATTENDED))
    all: Round = field(default_factory=lambda: Round(ALL))
    marked: Round = field(default_factory=lambda: Round(MARKED, optional=True))
    paused: Round = field(default_factory=lambda: Round(PAUSED, optional=True))

    @property
    def turns(self) -> int:
        """How often all of them have come to their end."""
        return min(one.turns for one in (self.overdue, self.unattended, self.all, self.marked, self.paused))


@dataclass(frozen=True, slots=True)
class _Sight:
    """What came with the connection."""

    engine: EngineSide
    judge: Judge
    serving: Serving


class Watchdog:
    """Looks at one namespace through one catalog."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        """Connect to nothing yet.

        Args:
            settings: Where everything is; how often to look, and how much may be late.
            catalog: Whose cases are watched.

        Raises:
            LedgerError: the ledger's address is none.
        """
        self._settings = settings
        self._catalog = catalog
        self._grace = timedelta(seconds=settings.watchdog_grace_seconds)
        self._people = People(settings)
        self._ledger = LedgerSide(settings.ledger_url, catalog) if settings.has_ledger else None
        self._board = Board()
        self._rounds = _Rounds()
        self._sight: _Sight | None = None
        self._unserved: list[Finding] = []
        self._ahead = 0.0
        self._measured: float | None = None
        self._patient_since: datetime | None = None

    def close(self) -> None:
        """Let go of the ledger."""
        if self._ledger:
            self._ledger.close()

    async def run(self, stop: asyncio.Event, gauges: Gauges) -> None:
        """Look again and again until told to stop; nothing that is broken ends it."""
        pause = every = self._settings.watchdog_every_seconds
        self._patient_since = datetime.now(UTC)
        while not stop.is_set():
            began = time.monotonic()
            try:
                look = await self.look()
            except SettingsError:
                raise
            except Exception as error:  # noqa: BLE001 - who watches the others must not fall over what it does not know
                log.error("the look failed: %s: %s", type(error).__name__, str(error)[:300])  # noqa: TRY400 - as above
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                gauges.show(look.change.now, look.gap, look.at, look.took)
                _tell(look.change)
                down = any(finding.kind == "engine_unavailable" for finding in look.change.now)
                pause = min(pause * 2, LONGEST_PAUSE) if down else every
            try:
                await asyncio.wait_for(stop.wait(), max(pause - (time.monotonic() - began), pause / 10))
            except TimeoutError:
                continue

    async def once(self) -> Look:
        """Look until each open case was looked at once."""
        look = await self.look()
        passes = 1
        while self._sight and self._rounds.turns == 0 and passes < ONCE:
            if any(finding.kind == "engine_unavailable" for finding in look.change.now):
                break
            look = await self.look()
            passes += 1
        return look

    async def look(self) -> Look:
        """Make one pass.

        Raises:
            SettingsError: Temporal's configuration is not right.
        """
        began, found = time.monotonic(), []
        directory, broken = self._people.look()
        found += broken
        try:
            sight = await self._connected()
            now = await self._now(sight.engine.client)
            suspicion = await self._suspects(now, sight.engine.client.namespace, directory)
            async with asyncio.timeout(LONGEST_LOOK):
                await self._look_at_cases(sight, now, suspicion, directory)
        except (UnreachableError, RPCError, TimeoutError) as error:
            now = datetime.now(UTC) - timedelta(seconds=self._ahead)
            suspicion = await self._suspects(now, None, directory)
            found.append(_down(error))
        found += [*suspicion.findings, *self._unserved, *self._of_cases()]
        change = self._board.take(_explained(found), now)
        return Look(now, time.monotonic() - began, change, tuple(gaps(change.now, now)))

    # -- the engine

    async def _connected(self) -> _Sight:
        if self._sight is None:
            engine = EngineSide(await connect(self._settings, self._catalog), self._catalog)
            judge = Judge(engine, self._catalog, self._grace)
            self._sight = _Sight(engine, judge, Serving(engine, self._settings, self._catalog))
        return self._sight

    async def _now(self, client: Client) -> datetime:
        """The engine's time: a watchdog on a machine with a wrong clock must not cry wolf."""
        if self._measured is None or time.monotonic() - self._measured > CLOCK_EVERY:
            measured = await clock_ahead(client)
            self._ahead = measured[0] if measured else self._ahead
            self._measured = time.monotonic()
        return datetime.now(UTC) - timedelta(seconds=self._ahead)

    async def _look_at_cases(
        self, sight: _Sight, now: datetime, suspicion: Suspicion, directory: Directory | None
    ) -> None:
        judge, engine, rounds = sight.judge, sight.engine, self._rounds
        self._unserved = await sight.serving.unserved(self._ahead)
        limit = said_at(now - self._grace)
        late = f"(WorkUnitDueAt < {limit} OR (WorkUnitDueAt IS NULL AND StartTime < {limit}))"
        judge.by_listing(await rounds.overdue.next(engine, late), now, directory)
        again = dict.fromkeys([*islice(judge.listed, AGAIN_LISTED), *suspicion.cases])
        listed = await engine.named(list(again))
        judge.by_listing(listed.values(), now, directory)
        for case in again:
            if case not in listed:
                judge.gone(case)
        pages = [
            await rounds.marked.next(engine, "TemporalReportedProblems IS NOT NULL"),
            await rounds.paused.next(engine, "TemporalPauseInfo IS NOT NULL"),
            # Whatever waits for no person should go on by itself.
            await rounds.unattended.next(engine, "(WorkUnitState = 'running' OR WorkUnitState IS NULL)"),
            await rounds.all.next(engine, ""),
        ]
        names = [*islice(judge.described, AGAIN_DESCRIBED), *(case.id for page in pages for case in page)]
        await judge.by_description(names, now, directory)

    def _of_cases(self) -> list[Finding]:
        if self._sight is None:
            return []
        kept = (*self._sight.judge.described.values(), *self._sight.judge.listed.values())
        return [finding for findings in kept for finding in findings]

    # -- the ledger

    async def _suspects(self, now: datetime, namespace: str | None, directory: Directory | None) -> Suspicion:
        if self._ledger is None:
            return Suspicion()
        return await asyncio.to_thread(
            self._ledger.look,
            now,
            self._grace,
            namespace=namespace,
            directory=directory,
            patient_since=self._patient_since,
        )


def _down(error: Exception) -> Finding:
    why = str(error) if isinstance(error, UnreachableError) else f"the engine does not serve us: {str(error)[:200]}"
    remedy = "start it, or mend the way to it; nothing that it acknowledged is lost. What was found before still stands"
    return Finding("engine_unavailable", " ".join(why.split()) or "the engine does not answer", remedy)


def _explained(found: Sequence[Finding]) -> Iterable[Finding]:
    """Say of each missing rung what holds its case up, where that is found, too."""
    whole = {finding.unit: finding for finding in found if finding.kind == "no_worker" and not finding.case}
    of_case = {finding.case: finding for finding in found if finding.kind in _HOLD_UP and not finding.about}
    for finding in found:
        if not finding.rung:
            # Its queue or build says it already, for all of its cases.
            if finding.kind != "no_worker" or not finding.case or finding.unit not in whole:
                yield finding
            continue
        why = of_case.get(finding.case or "") or whole.get(finding.unit)
        yield replace(finding, cause=f"{finding.cause}: {why.cause}", remedy=why.remedy) if why else finding


def _tell(change: Change) -> None:
    for finding in change.new[:_TOLD]:
        log.warning("new: %s %s: %s -> %s", finding.kind, finding.where, finding.cause, finding.remedy)
    for finding in change.ended[:_TOLD]:
        log.info("ended: %s %s", finding.kind, finding.where)
    for what, some in (("new", change.new), ("ended", change.ended)):
        if len(some) > _TOLD:
            log.warning("%s: %d more, see workunits watchdog --once", what, len(some) - _TOLD)
