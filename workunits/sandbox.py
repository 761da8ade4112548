"""The strict workflow runner: a unit's file may import contracts and the core, and nothing that acts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxMatcher, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy as Policy

RUNTIME = ("activities", "inbox", "observability", "workers")
"""Our packages that act; a unit that imports one is refused when its worker is built."""


class StrictRunner(SandboxedWorkflowRunner):
    """The SDK's sandbox, asked for the context of a payload without entering it.

    The SDK asks some forty times in a case, and each time enters the sandbox, which compiles a string and patches
    every restricted built-in: a tenth of a case's cost. The question runs none of the unit's code.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Make the sandbox of one case."""
        instance: Any = super().create_instance(det)
        inside = instance.globals_and_locals.get("__temporal_in_sandbox")
        if inside is not None:  # tests/core/test_sandbox.py fails when an SDK keeps it elsewhere
            instance.get_serialization_context = inside.instance.get_serialization_context
            instance.get_external_store_context = inside.instance.get_external_store_context
        made: WorkflowInstance = instance
        return made


def strict_runner(*contracts: str) -> SandboxedWorkflowRunner:
    """Make the runner.

    Args:
        contracts: Modules of pydantic models that pass through: executed again for every case, they would
            double the memory of an open case. The unit's own file does not pass through, so that it stays guarded.
    """
    restrictions = SandboxRestrictions.default.with_passthrough_modules(
        "workunits.core", "workunits.contracts", *contracts
    ).with_import_notification_policy(Policy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH | Policy.WARN_ON_DYNAMIC_IMPORT)
    return StrictRunner(restrictions=replace(restrictions, invalid_modules=SandboxMatcher(access=set(RUNTIME))))
