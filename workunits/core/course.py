"""The course of one case: its steps, its close, and its way through continue-as-new.

Not part of the unit's class: the SDK inspects every attribute of a workflow class for every case.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel, Field
from pydantic_core import to_json
from temporalio import workflow
from temporalio.common import RawValue, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes
from temporalio.exceptions import ApplicationError, FailureError

from .asking import EXPIRED, ask
from .ended import Ended
from .errors import BadInput, BusinessException
from .human import Desk
from .lifecycle import Task
from .machine import Room, Said, perform_machine_step
from .opening import open_record
from .record import (
    CHANGED_AT,
    DUE_AT,
    MEMO,
    MEMO_HARD_LIMIT,
    MEMO_LIMIT,
    OPEN_TASKS,
    STATE,
    Closed,
    Microseconds,
    Record,
    Routed,
    Work,
)
from .sealed import MissingKeyError, holds_sealed
from .sla import Clock
from .spec import Close, I, O, On, OnFailure, Step
from .strict_json import VALUE_LIMIT, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .unit import WorkUnit

MESSAGES_PER_RUN = 1500
"""Below the server's 2,000 updates a run."""
_NEXT_TASK = 0.001
"""Seconds of a timer whose only purpose is that the rest is done in another workflow task."""
CARRY_LIMIT = 256 * 1024
"""Bytes of state through continue-as-new."""


class Carry(BaseModel):
    """What a case takes into its next run."""

    case: str
    done: dict[str, Said]
    tasks: dict[str, Task]
    answers: dict[str, Said] = Field(default_factory=dict)
    """Votes that were given while their set is undecided."""
    record: Record


class Course:
    """Conducts one case of a unit."""

    def __init__(self, unit: WorkUnit, start: Sequence[RawValue]) -> None:
        """Open the case, or go on with it; must not raise, whatever came from outside."""
        info = workflow.info()
        self._is_sealed = holds_sealed(*start)
        self._unit = unit
        self._case: BaseModel | None = None
        self._misfit: BadInput | None = None
        self._done: dict[str, Said] = {}
        self._times: dict[str, int] = {}
        self._performing: list[asyncio.Task[Any]] = []
        self._machines = 0
        self._room = Room()
        self._floor = info.workflow_start_time
        carried = info.continued_run_id and not self._is_sealed
        carry = Carry.model_validate_json(start[0].payload.data) if carried else None
        if carry:
            self.record, self._done = carry.record, carry.done
            self._case = unit.case_type.model_validate_json(carry.case)
        else:
            try:
                self._case = read(unit.case_type, start, limit=VALUE_LIMIT)
            except BadInput as misfit:
                self._misfit = misfit
            self.record = open_record(unit, self._case)
        self._steps = {step.name: step for step in unit.steps}
        self.desk = Desk(self.record, self._steps, self.now, (*unit.admins, unit.outcome.accountable))
        if carry:
            self.desk.tasks, self.desk.answers = carry.tasks, carry.answers
        self._clock = Clock(self.record, self.desk, unit.outcome.warn)
        self.check, self.take, self.hear = self.desk.check, self.desk.take, self.desk.hear

    # -- the case's time

    def now(self) -> datetime:
        """The case's clock: the workflow's, moved on by inline steps, during which that one stands still."""
        return max(workflow.now(), self._floor)

    def at(self) -> Microseconds:
        """The case's clock as an offset."""
        return self.record.offset(self.now())

    def end_of_task(self) -> Microseconds:
        """When what happens now counts as having happened: when the person acted, if that is why."""
        judged = self.desk.judged
        if judged and judged[0] == self.now():
            return max(self.record.offset(judged[1]), max((w.done or 0 for w in self.record.steps), default=0))
        return self.at()

    @property
    def overdue(self) -> bool:
        """Whether the SLA's due time has passed, by times and not by timers."""
        return self.end_of_task() > self.record.due

    # -- from the first step to the close

    async def conduct(self) -> Closed:
        """Do the work and close the case.

        Raises:
            MissingKeyError: its input is sealed with a key that this worker does not have; the case waits for it.
        """
        if self._is_sealed:
            raise MissingKeyError
        if self._case is None:
            misfit = self._misfit or BadInput("nothing was given", code="bad_body")
            return self._close("failed", "bad_input", why=str(misfit))
        clock = asyncio.create_task(self._clock.run())
        work = asyncio.create_task(self._unit.work(self._case))
        self._performing.append(work)
        try:
            await self._until_done(work, clock)
            result = work.result()
        except Ended as ended:
            await self._stop_performing()
            return self._close(ended.close, ended.reason, why=ended.why)
        except FailureError as raised:
            # By the unit itself: left alone, it would end the workflow and leave a record without a close.
            await self._stop_performing()
            return self._close_as_raised(raised)
        except asyncio.CancelledError:
            await self._stop_performing()
            self.record.cancelled_by = workflow.cancellation_reason() or None
            self._close("cancelled", "cancel_requested")
            raise
        else:
            return self._judge(result)
        finally:
            clock.cancel()

    async def _until_done(self, work: asyncio.Task[Any], clock: asyncio.Task[None]) -> None:
        """Publish what changes while the work goes on, and go on as a new run when the history gets long."""
        while True:
            await workflow.wait_condition(
                lambda: (
                    work.done() or clock.done() or self.desk.changed or bool(self.desk.unheard) or self._must_continue()
                )
            )
            # All that this activation made ready runs first, so that an action that closes the case publishes once.
            await workflow.wait_condition(lambda: True)
            if work.done():
                return
            if clock.done():
                clock.result()  # a bug in the clock must not vanish with its task
            if self.desk.unheard:
                await self._until_next_task(work)
                if not work.done():
                    self.desk.hear_more()
                continue
            if self.desk.changed:
                self._publish()
            if self._must_continue():
                await self._hear_of_a_cancel(work)
                if not work.done() and self._must_continue():
                    self._continue()

    def _close_as_raised(self, raised: FailureError) -> Closed:
        if isinstance(raised, BusinessException):
            self.record.routes.append(Routed(at=self.at(), key="", code=raised.code, to="close"))
            return self._close("not_achieved", raised.code, why=raised.message)
        code = (raised.type if isinstance(raised, ApplicationError) else None) or type(raised).__name__
        return self._close("failed", "technical_failure", why=f"{code}: {raised.message}")

    def _judge(self, result: Any) -> Closed:
        outcome = self._unit.outcome
        if not isinstance(result, outcome.result):
            raise TypeError(f"work() must return {outcome.result.__name__}, not {type(result).__name__}")
        dumped = result.model_dump(mode="json")
        if len(result.model_dump_json().encode()) > VALUE_LIMIT:
            return self._close("failed", "too_large", why=f"the result has over {VALUE_LIMIT} bytes")
        measured = ((quality.name, quality.of_result) for quality in outcome.quality)
        self.record.quality = {name: float(of_result(result)) for name, of_result in measured if of_result}
        if not outcome.achieved(result):
            return self._close("not_achieved", "outcome_not_met", result=dumped)
        return self._close("achieved_late" if self.end_of_task() > self.record.due else "achieved", None, result=dumped)

    def _close(self, close: Close, reason: str | None, *, result: Any = None, why: str = "") -> Closed:
        """Write the last of the record and hand over; a failed case fails its workflow too."""
        record = self.record
        record.closed = self.end_of_task()
        self.desk.drop_unheard()
        self.desk.cancel(record.closed)
        self._clock.settle(record.closed)
        record.close, record.reason, record.why = close, reason, why[:500] or None
        fits = self._publish()
        closed = Closed(close=close, reason=reason, result=result, record=None if fits else record.compact())
        if close == "failed":
            details = closed.model_dump(mode="json", exclude_none=True)
            raise ApplicationError(record.why or close, details, type=reason, non_retryable=True)
        return closed

    async def _stop_performing(self) -> None:
        """Cancel the steps that still run beside the one that ended the case."""
        for task in self._performing:
            task.cancel()
        await workflow.wait_condition(lambda: all(task.done() for task in self._performing))
        for work in self.record.steps:
            if work.done is None and work.kind != "human":
                work.done, work.end = self.at(), "cancelled"

    # -- steps

    async def perform(self, step: Step[I, O], what: I, *, again: bool = False) -> O:
        """Have a declared step performed by whoever its kind names, and follow the unit's rules.

        Args:
            step: The step.
            what: Its input.
            again: It repeats the last performance of the step, which was returned or rejected.
        """
        before = self._times.get(step.name, 0)
        redo_of = _key(step, before) if again and before else None
        return await self._perform(step, what, redo_of=redo_of)

    def question(self, task_id: str) -> dict[str, Any]:
        """What the person of an open task is asked."""
        return self.desk.questions.of(self.desk.tasks.get(task_id))

    async def _perform(
        self, step: Step[I, O], what: I, *, because: Said | None = None, redo_of: str | None = None, times: int = 1
    ) -> O:
        number = self._times[step.name] = self._times.get(step.name, 0) + 1
        key = _key(step, number)
        if key not in self._done:  # else: an earlier run of this case had it done
            self._done[key] = await self._have_done(step, key, what, redo_of, because)
        said = self._done[key]
        if said.out is not None:
            return step.gives.model_validate_json(said.out)
        return await self._follow_rule(step, key, what, said, times)

    async def _follow_rule(self, step: Step[I, O], key: str, what: I, said: Said, times: int) -> O:
        rule = self._rule(step, said)
        instead = step.instead if said.code == EXPIRED else rule.instead if rule else None
        repair = rule.repair if isinstance(rule, On) and times <= rule.times else None
        to = instead or repair
        if not any(routed.key == key for routed in self.record.routes):
            routed = Routed(
                at=self.at(), key=key, code=said.code, business=said.business, to=to.name if to else "close"
            )
            self.record.routes.append(routed)
        if instead is not None:
            return await self._perform(instead, what, because=said)
        if repair is not None:
            mended = await self._perform(repair, what, because=said)
            return await self._perform(step, mended, redo_of=key, times=times + 1)
        if said.business:
            raise Ended("not_achieved", said.code, f"{key}: {said.code}")
        raise Ended("failed", "technical_failure", f"{key}: {said.code}")

    def _rule(self, step: Step[Any, Any], said: Said) -> On[Any, Any] | OnFailure[Any, Any] | None:
        for rule in self._unit.rules:
            if rule.step == step and (
                (isinstance(rule, On) and said.business and rule.exception.code == said.code)
                or (isinstance(rule, OnFailure) and not said.business)
            ):
                return rule
        return None

    async def _have_done(
        self, step: Step[Any, Any], key: str, what: BaseModel, redo_of: str | None, because: Said | None
    ) -> Said:
        if self._steps.get(step.name) is not step:
            raise TypeError(
                f"{step.name} is not declared in {type(self._unit).__name__}; a unit performs its own steps"
            )
        text = what.model_dump_json()
        current = asyncio.current_task()
        if current and current not in self._performing:
            self._performing.append(current)
        if step.kind == "human":
            return await ask(self, step, key, text, redo_of=redo_of, because=because)
        work, size = self.work_on(step, key, redo_of), len(text.encode())
        if size > VALUE_LIMIT:
            work.done, work.end, work.code = self.at(), "failed", "too_large"
            return Said(code="too_large")
        await self._room.make(size)
        self._machines += 1
        try:
            return await perform_machine_step(self, step, work, what)
        finally:
            self._machines -= 1

    def work_on(self, step: Step[Any, Any], key: str, redo_of: str | None) -> Work:
        """The record of a performance: a new one, or the one that an earlier run began."""
        work = next((w for w in self.record.steps if w.key == key), None)
        if work is None:
            work = Work(key=key, step=step.name, kind=step.kind, ready=self.at(), redo_of=redo_of)
            work.external, work.decides = step.external, step.decides
            self.record.steps.append(work)
        return work

    def pass_time(self, until: Microseconds) -> None:
        """Move the case's clock on, for an inline step."""
        self._floor = max(self._floor, self.record.when(until))

    # -- what others see

    def _publish(self, *, for_the_next_run: bool = False) -> bool:
        """Upsert memo and search attributes, once per point; whether the whole record fitted."""
        self.desk.changed = False
        tasks = [task.model_dump(mode="json", exclude_defaults=True) for task in self.desk.open_tasks()]
        record = self.record.compact()
        fits = len(to_json(record)) <= (MEMO_HARD_LIMIT if self.record.close == "cancelled" else MEMO_LIMIT)
        if not fits:
            for large in ("steps", "routes", "actions", "rungs", "ignored"):
                record.pop(large, None)
            record["elsewhere"] = True
        workflow.upsert_memo({MEMO: {"record": record, "tasks": tasks}})
        if not for_the_next_run:
            kept: Any = workflow.info().raw_memo  # a copy, for as long as the case is open
            kept.pop(MEMO)
        workflow.upsert_search_attributes(self._attributes())
        return fits

    def _attributes(self) -> list[SearchAttributeUpdate[Any]]:
        tasks = self.desk.open_tasks()
        due = min([self.record.when(self.record.due), *(task.expires for task in tasks if task.expires)])
        return [
            STATE.value_set(self.record.close or ("waiting" if tasks else "running")),
            DUE_AT.value_set(due),
            OPEN_TASKS.value_set(len(tasks)),
            CHANGED_AT.value_set(self.now()),
        ]

    # -- continue-as-new

    def _must_continue(self) -> bool:
        full = self.desk.taken >= MESSAGES_PER_RUN or workflow.info().is_continue_as_new_suggested()
        return full and not self.desk.unheard and self._machines == 0 and workflow.all_handlers_finished()

    async def _hear_of_a_cancel(self, work: asyncio.Task[Any]) -> None:
        """Wait for the next workflow task: of a cancel that came with the last message, the next run is never told.

        The SDK lets all messages of a task be judged before it says that the case is to be cancelled.
        """
        if workflow.patched("a cancel is heard before the next run"):
            await self._until_next_task(work)

    @staticmethod
    async def _until_next_task(work: asyncio.Task[Any]) -> None:
        """Wait for the next workflow task, but not with the close: a decision that ends the case ends it at once."""
        with suppress(TimeoutError):
            await workflow.wait_condition(work.done, timeout=_NEXT_TASK)

    def _continue(self) -> NoReturn:
        assert self._case is not None  # noqa: S101 - a case without input closed before its first step
        self.desk.forget_old_answers()
        open_tasks = {task.id: task for task in self.desk.open_tasks()}
        carry = Carry(
            case=self._case.model_dump_json(),
            done=self._done,
            tasks=open_tasks,
            answers=self.desk.answers,
            record=self.record,
        )
        if len(carry.model_dump_json().encode()) > CARRY_LIMIT:
            raise Ended("failed", "too_large", f"the case carries over {CARRY_LIMIT} bytes; pass data by reference")
        self.record.runs += 1  # here and not in the next run, which publishes only when something changes
        attributes = [SearchAttributePair(u.key, u.value) for u in self._attributes() if u.value is not None]
        self._publish(for_the_next_run=True)
        # An upserted memo does not travel by itself; raw, because an outsider's part of it may not be readable.
        memo = {key: RawValue(payload) for key, payload in workflow.info().raw_memo.items()}
        workflow.continue_as_new(carry, memo=memo, search_attributes=TypedSearchAttributes(attributes))


def _key(step: Step[Any, Any], number: int) -> str:
    """The key of a performance: the step's name, with `-2`, `-3` when it is performed again."""
    return step.name if number == 1 else f"{step.name}-{number}"
