"""Plays the people of a scripted case: starts it, answers its tasks at their times, or cancels it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta

from temporalio.client import WorkflowHandle

from workers.demo_cases import Script
from workunits.cases import CaseView
from workunits.client import Cases
from workunits.core.record import START_MEMO, StartNote
from workunits.testing import Skipper, drive

PATIENCE = 120.0
"""Seconds of real time in which a case must get to its next person, or to its close, on a machine that is busy, too."""
_POLL = 0.05


class Stage:
    """Where scripts are played: the way to the cases, their clocks, and who waits for whom."""

    def __init__(self, cases: Cases, skipper: Skipper, scripts: Iterable[Script], *, queue: str) -> None:
        """Set up.

        Args:
            cases: The way that people take, too.
            skipper: Moves a case's clock.
            scripts: All that will be played.
            queue: The task queue of cases that are started past `cases`.
        """
        self._cases = cases
        self._skipper = skipper
        self._queue = queue
        self._overtaken = {script.overtakes: script.key for script in scripts if script.overtakes}
        self._waits: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._closed: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def play(self, script: Script) -> CaseView:
        """Take one case from its start to its close.

        Raises:
            NobodyAnswersError: it waits for a person whom the script does not know.
            TimeoutError: it does not get on within two minutes of real time.
        """
        if script.overtakes:
            await self._until(self._waits[script.overtakes])
        case = await self._start(script)
        if script.key in self._overtaken:
            await self._look(case, _waits)
            self._waits[script.key].set()
            await self._until(self._closed[self._overtaken[script.key]])
        if script.cancelled:
            view = await self._cancel(case, *script.cancelled)
        else:
            view = await drive(self._cases, self._skipper, case, script.people)
        self._closed[script.key].set()
        return view

    async def _start(self, script: Script) -> str:
        if not script.raw:
            return (await self._cases.start(script.unit, script.data)).case
        handle: WorkflowHandle[object, object] = await self._cases.client.start_workflow(
            script.unit,
            dict(script.case),
            id=f"{script.unit}:{script.key}",
            task_queue=self._queue,
            memo={START_MEMO: StartNote(key=script.key).model_dump(mode="json")},
        )
        return handle.id

    async def _cancel(self, case: str, who: str, reason: str, after: timedelta) -> CaseView:
        view = await self._look(case, _waits)
        await self._skipper.to(self._cases.client.get_workflow_handle(case), view.tasks[0].ready + after)
        await self._cases.cancel(case, actor=who, reason=reason)
        return await self._look(case, lambda view: not view.is_open)

    async def _look(self, case: str, found: Callable[[CaseView], bool]) -> CaseView:
        """Look at a case until something is found in it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                view = await self._cases.show(case)
                if found(view):
                    return view
                await asyncio.sleep(_POLL)

    @staticmethod
    async def _until(event: asyncio.Event) -> None:
        async with asyncio.timeout(PATIENCE):
            await event.wait()


def _waits(view: CaseView) -> bool:
    """Whether a case waits for a person."""
    return bool(view.tasks)
