"""Executes a plan: real cases on a real engine, each fast-forwarded on its own clock to what people do to it.

A case's clock moves by itself, too, by as long as its machine steps really take. So each task is waited for in real
time, and only then is the clock moved to the moment at which the plan has somebody take it up. No jump may end while a
step is at work: the engine then may take it on to the next timer, days away (seen where a step ended with the jump). So
a jump begins when nothing is at work, and ends before anything begins by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from workers.simulating.plan import Planned, Turn, moment, since_1970
from workunits.cases import CaseView
from workunits.client import Cases, UnknownCaseError
from workunits.core.errors import WorkUnitsError
from workunits.core.lifecycle import Task
from workunits.testing import Skipper

AT_ONCE = 24
"""Cases that are executed at a time; two processors have enough to do with them."""
PATIENCE = 240.0
"""Seconds of real time in which a case must get to its next task, or to its close; a busy machine takes long."""
_SHORT = timedelta(milliseconds=300)
"""By how much a jump ends, at least, before something begins by itself."""
_ROUNDS = 6
"""By how many times an answer of the engine it does so: a jump ends late by about one."""
_ASTRAY = timedelta(hours=1)
"""How much later than its last person a case may close: machine steps take as long as they really do."""
_SETTLES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, *(1.0,) * 60)
"""Seconds between looks at whether a case is at work, or its clock skips, in this very moment."""
_POLLS = (0.02, 0.04, 0.08, 0.16, 0.3)
"""Seconds between looks at a case; the last one counts from then on."""


class OtherwiseError(WorkUnitsError):
    """A case went otherwise than planned; says which and how."""


@dataclass(frozen=True, slots=True)
class Executed:
    """A case, and how it stands when its plan has been carried out, or as much of it as was asked for."""

    planned: Planned
    view: CaseView

    @property
    def late_start(self) -> timedelta:
        """By how much the case's own clock was off at its start: what the engine took to note the request."""
        return abs(self.view.started - moment(self.planned.arrival.at))


class Act(NamedTuple):
    """Something that a person does."""

    at: int
    order: int
    """A case's acts of the same moment: what completes something comes before what begins something."""
    action: Literal["start", "stop", "complete", "expire"]
    turn: Turn


class Executor:
    """Carries plans out."""

    def __init__(
        self,
        cases: Cases,
        skipper: Skipper,
        *,
        at_once: int = AT_ONCE,
        on_done: Callable[[Executed], None] | None = None,
    ) -> None:
        """Use a way to the cases and one to their clocks.

        Args:
            cases: The way that people take, too.
            skipper: Moves the clock of one case.
            at_once: Cases at a time.
            on_done: Told of each case whose plan has been carried out.
        """
        self._cases = cases
        self._skipper = skipper
        self._at_once = at_once
        self._on_done = on_done
        self._reached: dict[str, int] = {}
        """How many of its acts each case has seen that was started."""

    async def execute(self, planned: Iterable[Planned], until: int | None = None) -> list[Executed]:
        """Execute cases from where they stand to their close, or up to a moment.

        Args:
            planned: The cases; those that come in later than the moment are left out.
            until: Microseconds since 1970, when nobody works: whoever looks then sees open cases as they are.

        Returns:
            The cases that have come in, in the order given.

        Raises:
            OtherwiseError: a case asks for something that its plan does not know, or the reverse.
        """
        room = asyncio.Semaphore(self._at_once)

        async def one(case: Planned) -> Executed:
            async with room:
                done = await self._play(case, until)
            if self._on_done:
                self._on_done(done)
            return done

        tasks = [asyncio.create_task(one(case)) for case in planned if until is None or case.arrival.at < until]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _play(self, planned: Planned, until: int | None) -> Executed:
        arrival = planned.arrival
        case = f"{arrival.unit}:{arrival.key}"
        handle = self._handle(case)
        wanted = list(acts(planned.turns))
        if case not in self._reached:
            await self._start(planned)
            await self._jump_before(handle, moment(arrival.at))
            self._reached[case] = 0
        while self._reached[case] < len(wanted):
            act = wanted[self._reached[case]]
            if until is not None and act.at >= until:
                return Executed(planned, await self._stays(case, handle, act.turn, until))
            if not act.turn.of:
                await self._catch_up(planned, handle, wanted[: self._reached[case]])
            at = f"{act.turn.of}:{arrival.key}" if act.turn.of else case
            task = await self._task(at, act.turn)
            if moment(act.at) < task.ready:
                raise OtherwiseError(f"the clock of {at} is past the moment of its step {act.turn.step!r}")
            if act.action == "expire":
                await self._jump_before(self._handle(at), moment(act.at))
            else:
                await self._jump(self._handle(at), moment(act.at))
                await self._act(task, act)
            self._reached[case] += 1
        await self._catch_up(planned, handle, wanted)
        unanswered = {turn.step for turn in planned.turns if turn.gives is None and not turn.of}
        closed = await self._closed(case, unanswered)
        if closed.closed is not None and closed.closed > moment(planned.ends) + _ASTRAY:
            raise OtherwiseError(f"the clock of {case} has gone on past its last step")
        return Executed(planned, closed)

    async def _catch_up(self, planned: Planned, handle: WorkflowHandle[Any, Any], done: Sequence[Act]) -> None:
        """Move a case's clock to when the last of those ended that it had called: till then it stood still."""
        if not done or not done[-1].turn.of:
            return  # it has caught up before its own last act
        called = {f"{act.turn.of}:{planned.arrival.key}" for act in done if act.turn.of}
        ends = [(await self._closed(case)).closed for case in sorted(called)]
        await self._jump_before(handle, max(end for end in ends if end is not None))

    async def _jump(self, handle: WorkflowHandle[Any, Any], at: datetime) -> None:
        """Move a case's clock, once nothing in it is at work."""
        await _until(handle, lambda said: not (said.HasField("pending_workflow_task") or said.pending_activities))
        await self._skipper.to(handle, at)
        await _until(handle, _stands)

    async def _jump_before(self, handle: WorkflowHandle[Any, Any], event: datetime) -> None:
        """Move a case's clock to shortly before something begins by itself, which it then does in real time."""
        asked = time.monotonic()
        await self._skipper.now(handle)
        took = timedelta(seconds=time.monotonic() - asked)
        await self._jump(handle, event - max(_SHORT, _ROUNDS * took))

    def _handle(self, case: str) -> WorkflowHandle[Any, Any]:
        return self._cases.client.get_workflow_handle(case)

    async def _start(self, planned: Planned) -> None:
        arrival = planned.arrival
        ahead = moment(arrival.at) - datetime.now(UTC)
        if ahead < timedelta(0):
            raise OtherwiseError(f"{arrival.unit}:{arrival.key} should have come in by now; begin the plan later")
        case = arrival.case if isinstance(arrival.case, BaseModel) else arrival.case()
        data = case.model_dump_json().encode()
        await self._cases.start(arrival.unit, data, key=arrival.key, delay=ahead)

    async def _stays(self, case: str, handle: WorkflowHandle[Any, Any], turn: Turn, until: int) -> CaseView:
        """Leave a case open with its clock at a moment, so that what falls due by then has fallen due."""
        await self._task(case, turn)
        await self._jump(handle, moment(until))
        return await self._cases.show(case)

    async def _act(self, task: Task, act: Act) -> None:
        body = await self._answer(task, act.turn) if act.action == "complete" else None
        await self._cases.act(
            task.id,
            act.action,
            actor=act.turn.who,
            roles=[act.turn.role],
            body=body,
            revision=task.revision,
            sent_at=moment(act.at),
        )

    async def _answer(self, task: Task, turn: Turn) -> dict[str, Any] | None:
        gives = turn.gives
        if gives is not None and not isinstance(gives, BaseModel):
            gives = gives((await self._cases.question(task.id))["asked"])
        return None if gives is None else gives.model_dump(mode="json")

    async def _task(self, case: str, turn: Turn) -> Task:
        """The open task of a turn, once it is open."""
        async for view in self._looks(case):
            found = next((task for task in view.tasks if task.step == turn.step), None)
            if found:
                return found
            if not view.is_open:
                raise OtherwiseError(f"{case} closed as {view.state}, and its plan still has the step {turn.step!r}")
        raise OtherwiseError(f"{case} did not ask for the step {turn.step!r} within {PATIENCE:g} s")

    async def _closed(self, case: str, unanswered: Collection[str] = ()) -> CaseView:
        """A case when it has closed; what nobody answers is open until it has expired."""
        async for view in self._looks(case):
            if not view.is_open:
                return view
            asked = next((task.step for task in view.tasks if task.step not in unanswered), None)
            if asked:
                raise OtherwiseError(f"{case} asks for the step {asked!r}, which its plan does not have")
        raise OtherwiseError(f"{case} did not close within {PATIENCE:g} s")

    async def _looks(self, case: str) -> AsyncIterator[CaseView]:
        """Look at a case again and again, for as long as patience lasts."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        pauses = iter(_POLLS)
        while loop.time() < until:
            with suppress(UnknownCaseError):  # one that is called is there a moment after its caller says so
                yield await self._cases.show(case)
            await asyncio.sleep(next(pauses, _POLLS[-1]))


def _stands(said: Any) -> bool:
    """Whether a case's clock skips no more; of one that closed meanwhile, the engine always says that it does."""
    if said.workflow_execution_info.status != WorkflowExecutionStatus.RUNNING:
        return True
    return not said.workflow_extended_info.time_skipping_info.effective_config.enabled


async def _until(handle: WorkflowHandle[Any, Any], holds: Callable[[Any], bool]) -> None:
    """Wait for a moment until the engine says something of a case; what never comes is seen by its consequences."""
    for pause in _SETTLES:
        if holds((await handle.describe()).raw_description):
            break
        await asyncio.sleep(pause)


def acts(turns: Sequence[Turn]) -> Iterator[Act]:
    """What people do to a case, in the order of its moments."""
    begun = (Act(turn.claimed, 1, "start", turn) for turn in turns if turn.claimed < turn.completed and turn.gives)
    done = (Act(turn.completed, 0, "expire" if turn.gives is None else "complete", turn) for turn in turns)
    rests = (Act(rest[0], 0, "stop", turn) for turn in turns for rest in turn.breaks)
    again = (Act(rest[1], 1, "start", turn) for turn in turns for rest in turn.breaks)
    yield from sorted((*begun, *rests, *again, *done), key=lambda act: act[:2])


def next_monday(after: datetime) -> int:
    """The first midnight of a Monday, UTC, at least an hour away: where a plan may begin."""
    there = (after + timedelta(hours=1)).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return since_1970(there + timedelta(days=7 - there.weekday()))
