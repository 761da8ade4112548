"""What `doctor` checks between cases and workers: does someone poll each queue, and each build?"""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.client import Client

from workers.checks.finding import Finding
from workers.deployment import describe_deployment, pollers
from workers.queues import shares
from workers.settings import Settings
from workunits.registry import Catalog


async def queues(client: Client, settings: Settings, catalog: Catalog, *, ahead: float = 0.0) -> Sequence[Finding]:
    """Whether anyone polls each queue for what it is to be served with.

    Args:
        client: A connected client.
        settings: Name the queues.
        catalog: Its machine steps.
        ahead: Seconds by which our clock is ahead of the engine's.
    """
    found = []
    for part in shares(settings, catalog):
        wanted = [(True, "cases")] if part.cases else []
        if any(not step.inline for step in part.steps):
            wanted.append((False, f"{' and '.join(part.kinds)} steps"))
        counts = {what: await pollers(client, part.queue, None, cases=cases, ahead=ahead) for cases, what in wanted}
        idle = [what for what, count in counts.items() if not count]
        if idle:
            message = f"no worker polls queue {part.queue} for {' or '.join(idle)}"
            found.append(Finding("queue", "fail", message, "start one: workunits worker"))
        else:
            said = ", ".join(f"{count} for {what}" for what, count in counts.items())
            found.append(Finding("queue", "ok", f"{part.queue} is polled: {said}"))
    return found


async def builds(client: Client, settings: Settings, *, ahead: float = 0.0) -> Sequence[Finding]:
    """Whether someone polls for the build that gets new cases, and for each that open cases are pinned to.

    Args:
        client: A connected client.
        settings: Name the deployment and the queue.
        ahead: Seconds by which our clock is ahead of the engine's.
    """
    name = settings.deployment
    there = await describe_deployment(client, name)
    found = []
    for build in there.builds:
        current = build == there.current
        count = await pollers(client, settings.queue, build, cases=True, ahead=ahead)
        if count and not current:
            continue
        version = f"TemporalWorkerDeploymentVersion = '{name}:{build}' AND ExecutionStatus = 'Running'"
        pinned = (await client.count_workflows(version)).count
        if count:
            message = f"{build} is current, {count} worker(s) poll for it, {pinned} open case(s)"
            found.append(Finding("build", "ok", message))
        elif current or pinned:
            what = " and all new ones" if current else ""
            message = f"no poller for version {name}:{build}: {pinned} open case(s){what} wait for it"
            remedy = f"start a worker of that code: workunits worker --build-id {build}"
            found.append(Finding("build", "fail", message, remedy + ("; or deploy another build" if current else "")))
    if there.builds and not there.current:
        newest = there.builds[0]
        # Unversioned workers, which need no current build, may poll beside them.
        if not await pollers(client, settings.queue, "", cases=True, ahead=ahead):
            message = f"no build of {name} is current: new cases wait; {', '.join(there.builds)} have polled"
            found.append(Finding("build", "fail", message, f"workunits deploy {newest}"))
    return found or [Finding("build", "ok", f"no versioned worker has polled for {name} yet")]
