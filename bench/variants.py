"""What is measured: the twin in its two settings, and the product with its steps as activities and inline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from temporalio.client import Client, Plugin
from temporalio.worker import Plugin as WorkerPlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from observability.tracing import tracing_plugin
from workunits.plugin import work_units

QUEUE = "bench"


@dataclass(frozen=True)
class Variant:
    """One way to run the approval case."""

    name: str
    unit: str
    """The workflow's type."""
    product: bool
    by_signal: bool = False
    uvloop: bool = False
    """Worker and driver run on uvloop."""
    runner: WorkflowRunner = field(default_factory=SandboxedWorkflowRunner)

    def plugins(self) -> list[Plugin]:
        """The client's plugins, which its workers inherit."""
        if not self.product:
            return []
        return [work_units("bench.contracts"), tracing_plugin()]

    def worker_plugins(self) -> list[WorkerPlugin]:
        """The same for a replayer, which has no client."""
        return [plugin for plugin in self.plugins() if isinstance(plugin, WorkerPlugin)]

    async def connect(self, address: str, identity: str) -> Client:
        """Connect with the variant's plugins."""
        # A fixed identity: it is written into every event, and the default one holds this machine's name.
        return await Client.connect(address, identity=identity, plugins=self.plugins())

    def workflow(self) -> type:
        """Imported late: a worker holds only what it runs."""
        if not self.product:
            from bench.plain import PlainApproval

            return PlainApproval
        from bench.approval import Approval
        from bench.approval_inline import ApprovalInline

        return Approval if self.unit == "approval" else ApprovalInline

    def activities(self) -> Sequence[Callable[..., Any]]:
        """Its machine steps; imported late, as its workflow is."""
        if not self.product:
            from bench.plain_steps import assess, enrich

            return [enrich, assess]
        from bench import performers
        from workunits.performs import collect, match

        steps: Any = self.workflow()
        wanted = [p for p in collect([performers], {}) if p.step.unit == self.unit]
        return [performer.as_activity() for performer in match(steps.steps, wanted)]


PLAIN = Variant("plain", "PlainApproval", product=False, by_signal=True)
TUNED = replace(
    PLAIN,
    name="tuned",
    by_signal=False,
    uvloop=True,
    runner=SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules()),
)
PRODUCT = Variant("product", "approval", product=True)
INLINE = Variant("product-inline", "approval_inline", product=True)
VARIANTS = {variant.name: variant for variant in (PLAIN, TUNED, PRODUCT, INLINE)}
