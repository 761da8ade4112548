"""The deeds of a case as today's code commands them, seen while its history is replayed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, cast

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import _Definition

from workers.replaying import deeds
from workers.replaying.deeds import INLINE, Deed
from workers.replaying.endless import Patience


class Witness(WorkflowRunner):
    """Sees all that a case is woken with, and all that its code then commands; changes nothing of it.

    Around the runner and not an interceptor: an interceptor is not told of timers, nor of what a case writes.
    """

    def __init__(self, runner: WorkflowRunner) -> None:
        """Stand around a runner."""
        self._runner = runner
        self.forget()

    def forget(self) -> None:
        """Get ready for the next history."""
        self.queue = ""
        """The task queue that the replayer gave the case."""
        self.raised = ""
        """What today's code raised where it should have commanded something."""
        self.patience = Patience()
        self._seen: list[tuple[WorkflowActivation, WorkflowActivationCompletion]] = []

    def prepare_workflow(self, defn: _Definition) -> None:
        """Check a unit's file, as a worker does when it starts."""
        self._runner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        """Pass on."""
        self._runner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Begin to watch one run of a case."""
        self.queue = det.info.task_queue
        return cast("WorkflowInstance", _Watched(self._runner.create_instance(det), self))

    def note(self, woken: WorkflowActivation, done: WorkflowActivationCompletion) -> None:
        """Remember one activation."""
        self._seen.append((woken, done))
        if done.HasField("failed") and not self.raised:
            said = done.failed.failure
            self.raised = f"{said.application_failure_info.type or 'an error'}: {said.message}"

    def deeds(self, tasks: Collection[int]) -> list[Deed]:
        """What today's code commanded in these workflow tasks, in the order in which it would be sent.

        Args:
            tasks: Those that the history has completed, by the id of the event that started them.
        """
        by_task: dict[int, list[Deed]] = {}
        reader = _Commands({self.queue})
        for woken, done in self._seen:
            commanded = list(reader.read(woken, done.successful.commands))
            if woken.history_length in tasks:
                by_task.setdefault(woken.history_length, []).extend(commanded)
        return [deed for task in sorted(by_task) for deed in _as_sent(by_task[task])]


class _Watched:
    """A case's instance with a witness beside it."""

    def __init__(self, instance: WorkflowInstance, witness: Witness) -> None:
        self._instance = instance
        self._witness = witness

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        with self._witness.patience.watch():
            done = self._instance.activate(act)
        self._witness.note(act, done)
        return done

    def __getattr__(self, name: str) -> Any:
        # What else the SDK asks of an instance differs from version to version, and is none of our business.
        return getattr(self._instance, name)


def _as_sent(commanded: list[Deed]) -> Iterator[Deed]:
    """The deeds of one workflow task as Temporal's core sends them: the close last, and nothing that was taken back."""
    begun = {(deed.kind, deed.name) for deed in commanded}
    gone = {_undone(deed) for deed in commanded if deed.kind.startswith("cancel ")} & begun
    kept = [deed for deed in commanded if _undone(deed) not in gone]
    yield from (deed for deed in kept if deed.kind != "close")
    yield from (deed for deed in kept if deed.kind == "close")


def _undone(deed: Deed) -> tuple[str, str]:
    return deed.kind.removeprefix("cancel "), deed.name


class _Commands:
    """Reads commands; the method that reads a kind has its name."""

    def __init__(self, own_queues: set[str]) -> None:
        self._own = own_queues
        self._steps: dict[int, str] = {}
        self._updates: dict[str, str] = {}

    def read(self, woken: WorkflowActivation, commands: Iterable[WorkflowCommand]) -> Iterator[Deed]:
        for job in woken.jobs:
            if job.HasField("do_update"):
                self._updates[job.do_update.protocol_instance_id] = job.do_update.id
        for command in commands:
            kind = command.WhichOneof("variant") or ""
            read: Callable[[WorkflowCommand, Any], Deed | None] | None = getattr(self, f"_{kind}", None)
            deed = read(command, getattr(command, kind)) if read else None
            if deed:
                yield deed

    def _schedule_activity(self, _: WorkflowCommand, said: Any) -> Deed:
        self._steps[said.seq] = said.activity_id
        performer, queue, given = said.activity_type, said.task_queue, said.arguments
        return deeds.step(said, performer=performer, queue=queue, given=given, own=self._own)

    def _request_cancel_activity(self, _: WorkflowCommand, said: Any) -> Deed:
        return Deed("cancel step", self._steps[said.seq], {})

    def _start_timer(self, command: WorkflowCommand, said: Any) -> Deed:
        return deeds.timer(str(said.seq), said, command.user_metadata.summary)

    def _cancel_timer(self, _: WorkflowCommand, said: Any) -> Deed:
        return Deed("cancel timer", str(said.seq), {})

    def _schedule_local_activity(self, _: WorkflowCommand, said: Any) -> Deed:
        return Deed(INLINE, said.activity_id, {"performer": said.activity_type, **deeds.limits(said)})

    def _modify_workflow_properties(self, _: WorkflowCommand, said: Any) -> Deed:
        return deeds.writing("record", said.upserted_memo.fields)

    def _upsert_workflow_search_attributes(self, _: WorkflowCommand, said: Any) -> Deed:
        return deeds.writing("attributes", said.search_attributes.indexed_fields)

    def _update_response(self, _: WorkflowCommand, said: Any) -> Deed | None:
        if said.HasField("accepted"):
            return None
        given = [said.completed] if said.HasField("completed") else []
        return deeds.answer(self._updates[said.protocol_instance_id], given, said.rejected)

    def _start_child_workflow_execution(self, _: WorkflowCommand, said: Any) -> Deed:
        return deeds.child(said.workflow_id, said.workflow_type, said.input)

    def _signal_external_workflow_execution(self, _: WorkflowCommand, said: Any) -> Deed:
        return Deed("signal", said.signal_name, {"input": deeds.values(said.args)})

    def _complete_workflow_execution(self, _: WorkflowCommand, said: Any) -> Deed:
        return Deed("close", "completed", {"result": deeds.values([said.result])})

    def _fail_workflow_execution(self, _: WorkflowCommand, said: Any) -> Deed:
        return Deed("close", "failed", deeds.failure(said.failure))

    def _cancel_workflow_execution(self, *_: Any) -> Deed:
        return Deed("close", "cancelled", {})

    def _continue_as_new_workflow_execution(self, _: WorkflowCommand, said: Any) -> Deed:
        return deeds.continued(said.arguments, said.memo)
