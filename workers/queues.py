"""Who serves what: by default one queue has all cases and machine steps; an executor kind may have its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

from workers.settings import Settings, SettingsError
from workunits.core.spec import Step
from workunits.registry import Catalog

CASES = "cases"
"""Beside the executor kinds: the cases themselves, with their inline steps."""
MACHINES = ("automated", "ai")


def machine(step: Step[Any, Any]) -> str:
    """The kind of machine that performs a step, or proposes for it."""
    return "ai" if step.kind == "hybrid" else step.kind


@dataclass(frozen=True)
class Share:
    """What one queue is served with."""

    queue: str
    cases: bool
    kinds: tuple[str, ...]
    steps: tuple[Step[Any, Any], ...]

    def __str__(self) -> str:
        """Such as `workunits=cases,automated,ai`."""
        return f"{self.queue}={','.join((*((CASES,) if self.cases else ()), *self.kinds))}"


def shares(settings: Settings, catalog: Catalog, executors: Collection[str] = ()) -> list[Share]:
    """Lay out what this process serves.

    Args:
        settings: Name the queues.
        catalog: Its machine steps.
        executors: Of `cases`, `automated`, `ai`; all when empty.

    Raises:
        SettingsError: an executor is unknown, or shares its queue with one that would not be served.
    """
    everything = (CASES, *MACHINES)
    unknown = [name for name in executors if name not in everything]
    if unknown:
        why = "people do not work in a worker" if unknown == ["human"] else f"known are {', '.join(everything)}"
        raise SettingsError(f"--executors: {unknown[0][:40]!r}: {why}", field="executors")
    homes = {kind: settings.separate_queues.get(kind, settings.queue) for kind in MACHINES} | {CASES: settings.queue}
    wanted = [homes[name] for name in everything if not executors or name in executors]
    result = []
    for queue in dict.fromkeys(wanted):
        at_home = tuple(name for name in everything if homes[name] == queue)
        missing = [name for name in at_home if executors and name not in executors and name != CASES]
        if missing:
            raise SettingsError(
                f"--executors: {' and '.join(at_home)} share the queue {queue}, and who serves it must serve all of "
                f"them: add {', '.join(missing)}, or give one its own queue, such as "
                f"WORKUNITS_QUEUES={missing[0]}={settings.queue}-{missing[0]}",
                field="executors",
            )
        cases = CASES in at_home
        kinds = tuple(kind for kind in MACHINES if kind in at_home)
        steps = tuple(
            step
            for unit in catalog
            for step in unit.steps
            # An inline step runs where its case runs, whatever queue its kind has.
            if step.has_performer and (cases if step.inline else machine(step) in kinds)
        )
        result.append(Share(queue, cases, kinds, steps))
    return result


def router(settings: Settings, catalog: Catalog) -> Interceptor | None:
    """What sends steps to the queue of their kind; None when no kind has its own."""
    separate = settings.separate_queues
    routes = {
        step.activity: separate[machine(step)]
        for unit in catalog
        for step in unit.steps
        if step.has_performer and machine(step) in separate and not step.inline
    }
    return _Router(routes) if routes else None


class _Router(Interceptor):
    def __init__(self, routes: Mapping[str, str]) -> None:
        self._routes = routes

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002, the SDK's name
        del input
        routes = self._routes

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002, the SDK's name
                input.task_queue = routes.get(input.activity, input.task_queue)
                return super().start_activity(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

        return Inbound
