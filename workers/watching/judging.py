"""What the watchdog makes of one case: by its listing, which is cheap, and by its description, which says it all."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse as Described

from inbox.directory import Directory
from workers.watching.eligible import nobody
from workers.watching.engine import EngineSide, OpenCase
from workers.watching.failing import failing
from workers.watching.finding import Finding
from workers.watching.held import held, suspended
from workers.watching.patience import Patience
from workers.watching.rungs import missing
from workers.watching.serving import untaken
from workunits.registry import Catalog

log = logging.getLogger("workunits.watchdog")


class Judge:
    """Judges cases, and keeps what it found of each until it is looked at again."""

    def __init__(self, engine: EngineSide, catalog: Catalog, grace: timedelta) -> None:
        """Begin with nothing."""
        self._engine = engine
        self._units = {unit.unit_name: unit for unit in catalog}
        self._grace = grace
        self._patience = Patience(engine.client, catalog, grace)
        # In the order in which they were looked at: the first are the next to be looked at again.
        self.listed: dict[str, tuple[Finding, ...]] = {}
        """What is wrong with a case by its listing."""
        self.described: dict[str, tuple[Finding, ...]] = {}
        """What is wrong with a case by its description."""

    def by_listing(self, cases: Iterable[OpenCase], now: datetime, directory: Directory | None) -> None:
        """Judge cases that were listed."""
        for case in cases:
            self.listed.pop(case.id, None)
            found = tuple(self._of_listing(case, now, directory))
            if found:
                self.listed[case.id] = found

    async def by_description(self, cases: Iterable[str], now: datetime, directory: Directory | None) -> int:
        """Describe cases and judge them; gives how many were.

        Raises:
            RPCError.
        """
        described = await self._engine.describe(cases)
        for case, said in described.items():
            units = [finding.unit for finding in self.described.pop(case, ())]
            if said is None:
                self.listed.pop(case, None)
            elif isinstance(said, str):
                self.described[case] = (_unreadable(case, units[0] if units else case.partition(":")[0], said),)
            else:
                await self._of_description(said, now, directory)
        return len(described)

    def gone(self, case: str) -> None:
        """Forget a case that is not open any more."""
        self.listed.pop(case, None)
        self.described.pop(case, None)

    def _of_listing(self, case: OpenCase, now: datetime, directory: Directory | None) -> list[Finding]:
        if case.unreadable:
            return [_unreadable(case.id, case.unit, f"what it says of itself cannot be read: {case.unreadable}")]
        try:
            found = [*missing(case, self._units[case.unit], now, self._grace), *suspended(case)]
            return found + list(nobody(case, directory, now)) if directory else found
        except Exception as error:  # noqa: BLE001 - one case that is like no other must not hide the others
            return [_strange(case, error)]

    async def _of_description(self, said: Described, now: datetime, directory: Directory | None) -> None:
        case = await self._engine.read(said)
        self.by_listing([case], now, directory)
        try:
            found = [
                *await failing(self._engine.client, case, said),
                *held(case, said),
                *untaken(case, said, now, self._grace),
                *await self._patience.exceeded(case, said, now),
            ]
        except Exception as error:  # noqa: BLE001 - as above
            found = [_strange(case, error)]
        if found:
            self.described[case.id] = tuple(found)


def _strange(case: OpenCase, error: Exception) -> Finding:
    log.debug("case %s cannot be judged", case.id, exc_info=error)
    return _unreadable(case.id, case.unit, f"it cannot be judged: {type(error).__name__}: {str(error)[:200]}")


def _unreadable(case: str, unit: str, why: str) -> Finding:
    remedy = "look at it with temporal workflow show; a key or a version of code may be missing here"
    return Finding("case_unreadable", why, remedy, case=case, unit=unit)
