"""The strict workflow runner: a unit's file may import contracts and the core, and nothing that acts."""

from __future__ import annotations

from dataclasses import replace

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxMatcher, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy as Policy

RUNTIME = ("activities", "inbox", "observability", "workers")
"""Our packages that act; a unit that imports one is refused when its worker is built."""


def strict_runner(*contracts: str) -> SandboxedWorkflowRunner:
    """Make the runner.

    Args:
        contracts: Modules of pydantic models that pass through: executed again for every case, they would
            double the memory of an open case. The unit's own file does not pass through, so that it stays guarded.
    """
    restrictions = SandboxRestrictions.default.with_passthrough_modules(
        "workunits.core", "workunits.contracts", *contracts
    ).with_import_notification_policy(Policy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH | Policy.WARN_ON_DYNAMIC_IMPORT)
    return SandboxedWorkflowRunner(
        restrictions=replace(restrictions, invalid_modules=SandboxMatcher(access=set(RUNTIME)))
    )
