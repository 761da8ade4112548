"""The course of one case: its steps, its close, and its way through continue-as-new.

Not part of the unit's class: the SDK inspects every attribute of a workflow class for every case.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from .approving import note_shown
from .asking import ask
from .branches import Branches
from .calling import have_unit_perform, spans_of
from .calls import Calls
from .carry import Carry, is_full
from .clock_acts import ClockActs
from .compensation import Ending, compensate, end_the_rest
from .ended import Ended
from .errors import BadInput, BusinessException
from .human import Desk
from .hybrid import propose_and_decide
from .incidents import close_incidents
from .last_attempt import perform_or_wait
from .machine import Machines, Said
from .opening import open_record
from .pace import until_next_task
from .pinning import Calendars
from .publishing import attributes, publish, upsert, whole
from .record import Closed, Microseconds, Routed, Work
from .routes import follow
from .sealed import MissingKeyError, holds_sealed
from .sla import Clock
from .spec import Close, I, Kind, O, Step
from .strict_json import VALUE_LIMIT, read

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from temporalio.common import RawValue

    from .unit import WorkUnit

MESSAGES_PER_RUN = 1500
"""Below the server's 2,000 updates a run."""


class Course:
    """Conducts one case of a unit."""

    def __init__(self, unit: WorkUnit, start: Sequence[RawValue]) -> None:
        """Open the case, or go on with it; must not raise, whatever came from outside."""
        info = workflow.info()
        self._is_sealed = holds_sealed(*start)
        self.unit = unit
        self._case: BaseModel | None = None
        self._misfit: BadInput | None = None
        self.done: dict[str, Said] = {}
        """What came of each performance, in the order in which they ended."""
        self.aside: dict[str, Said] = {}
        """What came of parts of a performance: proposals, and the votes of a dual review."""
        self.undone: list[list[str]] = []
        """The performances that each compensation was of."""
        self.compensations = 0
        """How many there were in this run."""
        self._undoes: dict[str, str] = {}
        self._stays = False  # because it carries too much for a new run
        self._ending: Ending | None = None
        self.branches = Branches()
        self.machines = Machines()
        self._floor = info.workflow_start_time
        carried = info.continued_run_id and not self._is_sealed
        carry = Carry.model_validate_json(start[0].payload.data) if carried else None
        if carry:
            self.record, self.done, self._ending = carry.record, carry.done, carry.ending
            self.aside, self.undone = carry.aside, carry.undone
            past = self._ending.times if self._ending else None
            self._calls = Calls(self.record.steps, carry.branches, past)
            self.compensations = self._ending.compensations if self._ending else 0
            self._case = unit.case_type.model_validate_json(carry.case)
        else:
            try:
                self._case = read(unit.case_type, start, limit=VALUE_LIMIT)
            except BadInput as misfit:
                self._misfit = misfit
            self.record = open_record(unit, self._case)
            self._calls = Calls()
        self._steps = {step.name: step for step in unit.steps}
        self.desk = Desk(self.record, self._steps, self.now, (*unit.admins, unit.outcome.accountable))
        if carry:
            self.desk.tasks, self.desk.answers = carry.tasks, carry.answers
        self.desk.reviews.offers = self.aside
        promised = unit.promised
        self._calendars = Calendars(promised, self.record.started, carry.pinned if carry else ())
        self._clock = Clock(self.record, self.desk, promised, self._calendars)
        self.desk.clocks = ClockActs(self.desk, self._clock, self._calendars, unit.outcome.accountable)

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
        return self._clock.is_late(self.end_of_task())

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
        work = asyncio.create_task(self._work(self._case))
        self.branches.begin(work)
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

    async def _work(self, case: BaseModel) -> Any:
        """Do the work; when it ends by a rule that says so, undo what was done before the case closes."""
        try:
            await self._calendars.arm()
            if self._ending is None:
                return await self.unit.work(case)
        except Ended as ended:
            if not ended.compensate:
                raise
            self._ending = Ending.of(ended, self._calls.times, len(self.undone))
            self.desk.changed = True
            # What is under way may take effect although nobody waits for it any more: only its end says what to undo.
            await workflow.wait_condition(lambda: self.machines.undoable == 0)
        assert self._ending is not None  # noqa: S101 - the work is over, or was in an earlier run
        await self._stop_performing(undoing=False)
        end_the_rest(self)
        await compensate(self)
        raise self._ending.as_ended()

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
                await until_next_task(work)
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
        outcome = self.unit.outcome
        if not isinstance(result, outcome.result):
            raise TypeError(f"work() must return {outcome.result.__name__}, not {type(result).__name__}")
        dumped = result.model_dump(mode="json")
        if len(result.model_dump_json().encode()) > VALUE_LIMIT:
            return self._close("failed", "too_large", why=f"the result has over {VALUE_LIMIT} bytes")
        measured = ((quality.name, quality.of_result) for quality in outcome.quality)
        self.record.quality = {name: float(of_result(result)) for name, of_result in measured if of_result}
        if not outcome.achieved(result):
            return self._close("not_achieved", "outcome_not_met", result=dumped)
        return self._close("achieved_late" if self.overdue else "achieved", None, result=dumped)

    def _close(self, close: Close, reason: str | None, *, result: Any = None, why: str = "") -> Closed:
        """Write the last of the record and hand over; a failed case fails its workflow too."""
        record = self.record
        record.closed = self.end_of_task()
        self.desk.drop_unheard()
        self.desk.cancel(record.closed)
        close_incidents(record.incidents, record.closed)
        self._clock.settle(record.closed)
        record.close, record.reason, record.why = close, reason, why[:500] or None
        fits = self._publish()
        closed = Closed(close=close, reason=reason, result=result, record=None if fits else whole(record))
        if workflow.info().parent is not None:
            closed.spans = spans_of(record)
        if close == "failed":
            details = closed.model_dump(mode="json", exclude_none=True)
            raise ApplicationError(record.why or close, details, type=reason, non_retryable=True)
        return closed

    async def _stop_performing(self, *, undoing: bool = True) -> None:
        """Cancel the steps that still run beside the one that ended the case, those that undo among them or not."""
        await self.branches.stop(for_good=undoing)
        for work in self.record.steps:
            if work.done is None and work.kind != "human" and (undoing or not work.undoes):
                work.done, work.end = self.at(), "cancelled"

    # -- steps

    async def compensate(self) -> None:
        """Undo what was done so far."""
        await compensate(self)

    def step_of(self, key: str) -> Step[Any, Any]:
        """The step of a performance."""
        return self._steps[next((w.step for w in self.record.steps if w.key == key), key.partition("-")[0])]

    def question(self, task_id: str) -> dict[str, Any]:
        """What the person of an open task is asked."""
        return self.desk.questions.of(self.desk.tasks.get(task_id))

    async def take_over(
        self,
        step: Step[I, O],
        what: I,
        *,
        again: bool = False,
        because: Said | None = None,
        redo_of: str | None = None,
        times: int = 1,
        key: str = "",
        undoes: str | None = None,
    ) -> O:
        """Have a step performed by whoever its kind names, as the unit's procedure or one of its rules says.

        Args:
            step: The step.
            what: Its input.
            again: It repeats the last performance of the step, which was returned or rejected.
            because: The exception that led here.
            redo_of: The performance that it repeats.
            times: How often it is performed with a mended input, plus one.
            key: Of this performance; the next one of the step when omitted.
            undoes: The performance that it compensates.
        """
        if not key:
            key, before = self._calls.claim(step.name, what, self.branches.current())
            redo_of = before if again and before else redo_of
        if undoes:
            self._undoes[key] = undoes
        if key not in self.done:  # else: an earlier run of this case had it done
            await self._begin()
            note_shown(self, step, key, what)
            self.done[key] = await self._have_done(step, key, what, redo_of, because)
        said = self.done[key]
        if said.out is not None:
            return step.gives.model_validate_json(said.out)
        return await follow(self, step, key, what, said, times=times, undoes=undoes)

    async def _begin(self) -> None:
        """Take note of who performs the next step, so that it can be stopped; nothing begins in a case that is over.

        Raises:
            CancelledError: it was stopped, while something that cannot be told so was under way.
        """
        if self.branches.is_stopped():
            raise asyncio.CancelledError
        self.branches.begin(asyncio.current_task())
        if self._ending and self.branches.current():
            await workflow.wait_condition(lambda: False)  # until this is stopped

    def _have_done(
        self, step: Step[Any, Any], key: str, what: BaseModel, redo_of: str | None, because: Said | None
    ) -> Coroutine[Any, Any, Said]:
        own = self._steps.get(step.name)
        if own != step:
            raise TypeError(f"{step.name} is not declared in {type(self.unit).__name__}; a unit performs its own steps")
        if own.kind == "human":
            return ask(self, own, key, what.model_dump_json(), redo_of=redo_of, because=because)
        if own.kind == "hybrid":
            return propose_and_decide(self, own, key, what, redo_of=redo_of, because=because)
        if own.kind == "unit":
            return have_unit_perform(self, own, self.work_on(own, key, redo_of), what)
        return perform_or_wait(self, own, self.work_on(own, key, redo_of), what)

    def work_on(self, step: Step[Any, Any], key: str, redo_of: str | None, *, kind: Kind | None = None) -> Work:
        """The record of a performance: a new one, or the one that an earlier run began."""
        work = next((w for w in self.record.steps if w.key == key), None)
        if work is None:
            work = Work(key=key, step=step.name, kind=kind or step.kind, ready=self.at(), redo_of=redo_of)
            work.external, work.decides, work.undoes = step.external, step.decides, self._undoes.get(key)
            self.record.steps.append(work)
        return work

    def pass_time(self, until: Microseconds) -> None:
        """Move the case's clock on, for an inline step."""
        self._floor = max(self._floor, self.record.when(until))

    # -- what others see

    def _publish(self, *, for_the_next_run: bool = False) -> bool:
        """Upsert memo and search attributes, once per point; whether the whole record fitted."""
        self.desk.changed = False
        self._clock.show()
        fits = publish(self.record, self.desk.open_tasks(), for_the_next_run=for_the_next_run)
        upsert(attributes(self.record, self.desk.open_tasks(), self.now()))
        return fits

    # -- continue-as-new

    def _must_continue(self) -> bool:
        full = is_full(self.desk.taken, MESSAGES_PER_RUN, stays=self._stays)
        return full and not self.desk.unheard and self.machines.running == 0 and workflow.all_handlers_finished()

    async def _hear_of_a_cancel(self, work: asyncio.Task[Any]) -> None:
        """Wait for the next workflow task: of a cancel that came with the last message, the next run is never told.

        The SDK lets all messages of a task be judged before it says that the case is to be cancelled.
        """
        if workflow.patched("a cancel is heard before the next run"):
            shown = asyncio.create_task(self._show_changes(work))
            await until_next_task(work)
            shown.cancel()

    async def _show_changes(self, work: asyncio.Task[Any]) -> None:
        """Publish what messages change meanwhile: whoever was answered reads it on the case."""
        while not work.done():
            await workflow.wait_condition(lambda: self.desk.changed or work.done())
            await workflow.wait_condition(lambda: True)
            if self.desk.changed and not work.done():
                self._publish()

    def _continue(self) -> None:
        assert self._case is not None  # noqa: S101 - a case without input closed before its first step
        self.desk.forget_old_answers()
        carry = Carry(
            case=self._case.model_dump_json(),
            done=self.done,
            aside=self.aside,
            tasks={task.id: task for task in self.desk.open_tasks()},
            answers=self.desk.answers,
            record=self.record,
            pinned=self._calendars.pinned,
            ending=self._ending,
            branches=self._calls.branches,
            undone=self.undone,
        )
        self._stays = not carry.fits(self.desk.taken)
        if self._stays:
            return
        self.record.runs += 1  # here and not in the next run, which publishes only when something changes
        seen = attributes(self.record, self.desk.open_tasks(), self.now())
        self._publish(for_the_next_run=True)
        carry.go_on(seen)
