"""The way to cases: start them, look at them, act on their tasks, cancel them.

The one path that the CLI, the inbox, the demo and the tests share. It judges nothing that the unit judges:
it checks sizes and types before they travel, and says in words what came back.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from opentelemetry import trace
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from workunits import trace_ids
from workunits.cases import CaseView, TaskView, is_unknown, start_note, view_of
from workunits.core.clock_acts import PREFIX
from workunits.core.errors import BadInput, Refused, WorkUnitsError
from workunits.core.proposal import Review
from workunits.core.record import LONGEST_DELAY, OPEN_TASKS, START_MEMO, STATE, StartNote
from workunits.core.spec import CLOSES, OPEN_STATES
from workunits.core.strict_json import BODY_LIMIT, VALUE_LIMIT, parse
from workunits.core.unit import WorkUnit
from workunits.delivery import after_close, deliver, size_of
from workunits.keys import business_key
from workunits.registry import Catalog
from workunits.rollout import DEPLOYMENT, Rollouts

QUEUE = "workunits"
_AGAIN = 0.1
"""Seconds until an action is sent to the next run of its case."""
_tracer = trace.get_tracer("workunits")


class UnknownCaseError(WorkUnitsError):
    """There is no such case."""


class DuplicateCaseError(WorkUnitsError):
    """A case with this business key exists."""

    def __init__(self, case: str, state: str, *, forgotten: bool = False) -> None:
        """Name the case.

        Args:
            case: Its id.
            state: How it stands.
            forgotten: The engine has it no more, and its input cannot be compared.
        """
        self.case = case
        gone, there = f"and has closed: {state}; the engine has forgotten it", f"with another input (it is {state})"
        what = gone if forgotten else there
        super().__init__(f"case {case} exists {what}; show it, or use another business key")


class Memory(Protocol):
    """Who remembers cases that the engine has forgotten: its retention makes their keys free again."""

    async def closed(self, case: str) -> str | None:
        """How and when a case closed, in words; None for one that is open or was never there."""
        ...


@dataclass(frozen=True, slots=True)
class Started:
    """A case that was started, or was there already with the same input."""

    case: str
    run: str
    existing: bool


class Cases:
    """Starts, shows, and acts on cases of the catalog's units."""

    def __init__(
        self,
        client: Client,
        catalog: Catalog,
        *,
        queue: str = QUEUE,
        memory: Memory | None = None,
        deployment: str = DEPLOYMENT,
        admits: Callable[[type[WorkUnit]], Awaitable[None]] | None = None,
    ) -> None:
        """Use a connected client that carries the plugin.

        Args:
            client: See `workunits.plugin.work_units`.
            catalog: The units that can be started.
            queue: The task queue of their workflows.
            memory: Who remembers cases beyond the engine's retention.
            deployment: The Worker Deployment whose rollouts new cases follow.
            admits: Refuses units of which no case may be started here.
        """
        self.rollouts = Rollouts(client, deployment)
        self.client = client
        self.catalog = catalog
        self._queue = queue
        self._memory = memory
        self._admits = admits

    async def admit(self, unit: str) -> type[WorkUnit]:
        """A unit of which cases may be started here; raises what `start` raises of it."""
        cls = self.catalog.get(unit)
        if self._admits:
            await self._admits(cls)
        return cls

    async def start(
        self,
        unit: str,
        data: bytes,
        *,
        key: str | None = None,
        accepted_at: datetime | None = None,
        delay: timedelta = timedelta(0),
        by: str = "",
    ) -> Started:
        """Start a case, or find the one that this key and input already have.

        Args:
            unit: The unit's name.
            data: The case as JSON.
            key: The business key, for a unit that takes none from its case.
            accepted_at: When the request was accepted, for the lead time.
            delay: Start that much later.
            by: Who starts it; the case's initiator.

        Raises:
            UnknownUnitError, BadInput, DuplicateCaseError.
            Refused: its definition is not published, or retired.
        """
        cls = await self.admit(unit)
        case = parse(cls.case_type, data, limit=VALUE_LIMIT)
        key = business_key(cls, case, key)
        if accepted_at and accepted_at.tzinfo is None:
            raise BadInput("a time with its zone", field="accepted_at")
        if not timedelta(0) <= delay <= LONGEST_DELAY:
            raise BadInput(f"from 0 to {LONGEST_DELAY.days} days", field="delay")
        note = StartNote(
            key=key,
            delay=delay.total_seconds(),
            by=by,
            input_hash=hashlib.sha256(case.model_dump_json().encode()).hexdigest()[:16],
            accepted_at=accepted_at,
        )
        case_id = f"{unit}:{key}"
        await self._refuse_forgotten(case_id)
        about = {"workunit.unit": unit, "workunit.case": case_id}
        with (
            trace_ids.named(trace_ids.start_span(case_id)),
            _tracer.start_as_current_span("workunit.start", attributes=about),
        ):
            try:
                handle = await self.rollouts.start(
                    unit,
                    key,
                    case,
                    id=case_id,
                    task_queue=self._queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    memo={START_MEMO: note.model_dump(mode="json")},
                    start_delay=delay or None,
                    static_summary=f"{unit} {key}",
                )
            except WorkflowAlreadyStartedError:
                return await self._existing(case_id, note)
        return Started(case_id, handle.first_execution_run_id or "", existing=False)

    async def _refuse_forgotten(self, case_id: str) -> None:
        """A key is used once, also after the engine's retention."""
        said = await self._memory.closed(case_id) if self._memory else None
        if said is None:
            return
        try:
            await self._describe(case_id)
        except UnknownCaseError:
            raise DuplicateCaseError(case_id, said, forgotten=True) from None

    async def _existing(self, case_id: str, note: StartNote) -> Started:
        description = await self._describe(case_id)
        there = start_note((await description.memo()).get(START_MEMO))
        if there.input_hash != note.input_hash:
            raise DuplicateCaseError(case_id, (await view_of(self.client, description)).state)
        return Started(case_id, description.run_id, existing=True)

    async def show(self, case: str) -> CaseView:
        """Look at a case.

        Raises:
            UnknownCaseError: there is none, or it is no work unit.
        """
        return await view_of(self.client, await self._describe(case))

    async def list(
        self, unit: str | None = None, state: str | None = None, limit: int | None = None
    ) -> AsyncIterator[CaseView]:
        """Go through cases, newest first.

        Args:
            unit: Only this unit's.
            state: Only those that are `running`, `waiting`, held by an `incident`, or closed that way.
            limit: At most so many; all when omitted.
        """
        query = self._types([self.catalog.get(unit)] if unit else list(self.catalog))
        if state:
            known = (*OPEN_STATES, *CLOSES)
            if state not in known:
                raise BadInput(f"one of {', '.join(known)}", field="state")
            query += f" AND {_in_state(state)}"
        async for execution in self.client.list_workflows(query, limit=limit):
            yield await view_of(self.client, execution)

    async def tasks(self, unit: str | None = None, role: str | None = None) -> AsyncIterator[TaskView]:
        """Go through open tasks.

        Args:
            unit: Only this unit's.
            role: Only those that this role may do.
        """
        query = self._types([self.catalog.get(unit)] if unit else list(self.catalog))
        query += f" AND ExecutionStatus = 'Running' AND {OPEN_TASKS.name} > 0"
        async for execution in self.client.list_workflows(query):
            view = await view_of(self.client, execution)
            for task in view.tasks:
                if role is None or role in (task.role, *task.also):
                    yield TaskView(task=task, case=view.case, unit=view.unit, key=view.key, due=view.due)

    async def question(self, task_id: str, patience: float = 10) -> dict[str, Any]:
        """What the person of an open task is asked: input, evidence, and the answer's JSON schema.

        Raises:
            UnknownCaseError, Refused: `unknown_task`, `no_worker`.
        """
        handle = self._handle(case_of(task_id))
        try:
            said: dict[str, Any] = await handle.query("question", task_id, rpc_timeout=timedelta(seconds=patience))
        except (WorkflowQueryFailedError, WorkflowQueryRejectedError):
            raise Refused("unknown_task", f"there is no open task {task_id[:200]}") from None
        except RPCError as error:
            if is_unknown(error):
                raise UnknownCaseError(f"there is no case {case_of(task_id)}") from None
            raise Refused("no_worker", "no worker answers for this case; is one running?") from error
        return said

    async def act(
        self,
        task_id: str,
        action: str,
        *,
        actor: str,
        roles: Sequence[str],
        body: Mapping[str, Any] | None = None,
        action_id: str | None = None,
        revision: int | None = None,
        sent_at: datetime | None = None,
        acting_for: str | None = None,
        review: Review | None = None,
        patience: float = 20,
    ) -> dict[str, Any]:
        """Act on a task and have the unit's answer.

        Args:
            task_id: `<case>/<task>`.
            action: Such as `claim` or `complete`.
            actor: Who acts.
            roles: The roles that the actor has; the caller vouches for them.
            body: The answer of a `complete`.
            action_id: The same id again has the first answer again; a new one when omitted.
            revision: The revision that the actor saw; the task's present one when omitted.
            sent_at: When the actor decided; now when omitted.
            acting_for: Whom the actor stands in for.
            review: What the actor says about the proposal that was shown.
            patience: Seconds of repeating while nobody answers.

        Returns:
            `{"task_id", "state", "revision"}` after the action.

        Raises:
            BadInput: the body does not fit; names each field.
            Refused: with the unit's code, or `closed` with how and when the case closed.
            UnknownCaseError, UndeliveredError.
        """
        envelope = {
            "action": action,
            "action_id": action_id or uuid.uuid4().hex,
            "task_id": task_id,
            "revision": revision or await self._revision(case_of(task_id), task_id),
            "actor": actor,
            "roles": list(roles),
            "acting_for": acting_for,
            "sent_at": (sent_at or datetime.now(UTC)).isoformat(),
            "body": dict(body or {}),
        } | ({"review": review.model_dump(mode="json")} if review else {})
        return await self.send(envelope, patience=patience)

    async def send(self, envelope: dict[str, Any], *, patience: float = 20) -> dict[str, Any]:
        """Send a whole action; the same one again has the same answer.

        Args:
            envelope: As `workunits.core.lifecycle.Action` has it.
            patience: Seconds of repeating while nobody answers.

        Raises:
            BadInput, Refused, UnknownCaseError, UndeliveredError: as `act`.
        """
        case = case_of(envelope["task_id"])
        size = size_of(envelope)
        if size > BODY_LIMIT:
            raise BadInput(f"{size} bytes, at most {BODY_LIMIT} are taken", field="body", code="too_large")
        until = time.monotonic() + patience
        about = {"workunit.case": case, "workunit.action": str(envelope["action"])[:60]}
        with _tracer.start_as_current_span("workunit.act", attributes=about, record_exception=False):
            return await self._deliver(case, envelope, until)

    async def _deliver(self, case: str, envelope: dict[str, Any], until: float) -> dict[str, Any]:
        while True:
            said = await deliver(self._handle(case), envelope, until - time.monotonic())
            if said is not None:
                return said
            view = await self.show(case)
            if not view.is_open:
                return after_close(view, envelope)
            await asyncio.sleep(_AGAIN)  # only its run has ended, by a reset: there is another one

    async def _revision(self, case: str, task_id: str) -> int:
        view = await self.show(case)
        incident = view.record.incident(task_id) if view.record else None
        if incident is not None:
            return incident.revision
        clock = task_id.rpartition("/")[2]
        if view.record and clock.startswith(PREFIX):
            return view.record.revision_of_clock(clock.removeprefix(PREFIX))
        return next((task.revision for task in view.tasks if task.id == task_id), 1)

    async def cancel(self, case: str, *, actor: str, reason: str) -> None:
        """Ask a case to close as cancelled.

        Raises:
            UnknownCaseError, Refused: `closed`: Temporal itself would accept it silently.
        """
        view = await self.show(case)
        if not view.is_open:
            raise Refused("closed", f"the case closed as {view.state}")
        await self._handle(case).cancel(reason=f"{actor}: {reason}"[:500])

    def _handle(self, case: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(case)

    async def _describe(self, case: str) -> WorkflowExecutionDescription:
        try:
            description = await self._handle(case).describe()
        except RPCError as error:
            if is_unknown(error) or error.status == RPCStatusCode.INVALID_ARGUMENT:
                raise UnknownCaseError(f"there is no case {case[:200]!r}") from None
            raise
        if description.workflow_type not in self.catalog:
            raise UnknownCaseError(f"{case[:200]!r} is no case of a unit in this catalog")
        return description

    @staticmethod
    def _types(units: Sequence[type[WorkUnit]]) -> str:
        names = ", ".join(f"'{unit.unit_name}'" for unit in units)
        return f"WorkflowType IN ({names})"


def _in_state(state: str) -> str:
    """The condition of a listing; a case that was ended from outside keeps the attribute of an open one."""
    wanted = f"{STATE.name} = '{state}'"
    if state == "running":  # in its first machine steps a case has no attribute yet
        wanted = f"({wanted} OR {STATE.name} IS NULL)"
    return wanted if state in CLOSES else f"ExecutionStatus = 'Running' AND {wanted}"


def case_of(task_id: str) -> str:
    """The case of a task id, `<case>/<task>`."""
    return task_id.rpartition("/")[0] or task_id
