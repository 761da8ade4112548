"""What `doctor` checks of the engine and of this machine."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    GetSystemInfoRequest,
    PollWorkflowTaskQueueRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.service import __version__ as sdk_version

import workers
from workers.calendars import check_calendars
from workers.catalog import OWN
from workers.engine.attributes import misfits, registered, remedy, wanted
from workers.performers import load_performers
from workers.settings import Settings
from workunits.core.errors import WorkUnitsError
from workunits.registry import Catalog

SERVER = (1, 29, 1)
"""The first server whose Worker Versioning is meant for production."""
SKEW = 2.0
"""Seconds by which clocks may differ: beyond them an answer's `sent_at` is judged at another time than it was sent."""
RETENTION = timedelta(days=3)
"""Below it, a weekend is enough to lose closed cases that nothing has copied."""
LITTLE, NOTHING = 200_000_000, 1_000_000
"""Bytes free below which a disk is about to be full, and counts as full: SQLite then refuses to write."""
OURS = ("activities", "inbox", "observability", "workers", "workunits")
_PROBE = "workunits-doctor"
_PROBE_PATIENCE = 5.0
_SETTLE = 0.05


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    status: Literal["ok", "warn", "fail"]
    message: str
    remedy: str = ""


async def namespace(client: Client) -> Sequence[Finding]:
    """Whether it exists is known by now; how long it keeps closed cases."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    said = await client.workflow_service.describe_namespace(request, retry=True)
    kept = said.config.workflow_execution_retention_ttl.ToTimedelta()
    message = f"{client.namespace} keeps closed cases for {_days(kept)}"
    if kept >= RETENTION:
        return [Finding("namespace", "ok", message)]
    how = f"temporal operator namespace update --namespace {client.namespace} --retention 30d"
    return [Finding("namespace", "warn", message, f"for work that matters: {how}")]


async def attributes(client: Client) -> Sequence[Finding]:
    """Search attributes: without them, or with another type, every case is stuck."""
    there = await registered(client)
    if there is None:
        why = "the server does not list its search attributes"
        return [Finding("attributes", "warn", why, remedy(client.namespace))]
    wrong = misfits(there) + [f"search attribute {name} is missing" for name in wanted() if name not in there]
    if wrong:
        return [Finding("attributes", "fail", "; ".join(wrong), remedy(client.namespace))]
    return [Finding("attributes", "ok", f"{', '.join(wanted())} are registered with their types")]


async def versions(client: Client) -> Sequence[Finding]:
    """The server's version and the SDK's."""
    said = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    message = f"server {said.server_version or 'unknown'}, Python SDK {sdk_version}, Python {sys.version.split()[0]}"
    numbers = tuple(int(part) for part in said.server_version.split("-")[0].split(".") if part.isdigit())
    if numbers and numbers < SERVER:
        least = ".".join(str(part) for part in SERVER)
        return [
            Finding("versions", "warn", message, f"Worker Versioning needs server {least}; or worker --unversioned")
        ]
    return [Finding("versions", "ok", message)]


async def clock_ahead(client: Client) -> tuple[float, float] | None:
    """By how many seconds this machine's clock is ahead of the server's, and how exactly that is known.

    The server tells its time only as that of a poll: so one polls. None when it does not tell even that.
    """
    # A name of its own: the server remembers the poll of an earlier examination for minutes.
    queue, name = TaskQueue(name=_PROBE), f"{_PROBE}-{uuid.uuid4().hex[:8]}"
    request = PollWorkflowTaskQueueRequest(namespace=client.namespace, task_queue=queue, identity=name)
    before = time.time()
    polling = asyncio.create_task(
        client.workflow_service.poll_workflow_task_queue(request, timeout=timedelta(seconds=2 * _PROBE_PATIENCE))
    )
    try:
        async with asyncio.timeout(_PROBE_PATIENCE):
            server = None
            while server is None:
                await asyncio.sleep(0.02)
                server = await _probed(client, queue, name)
        after = time.time()
    except (TimeoutError, RPCError):
        return None
    finally:
        polling.cancel()
        with suppress(RPCError, asyncio.CancelledError):
            await polling
        # Its end is to reach us while there is still an event loop: later, the SDK's threads abort the process.
        await asyncio.sleep(_SETTLE)
    # It polled somewhere in between; inside that window the clocks agree.
    return max(before - server, 0.0) or min(after - server, 0.0), after - before


def clock(measured: tuple[float, float] | None) -> Finding:
    """This machine's clock against the server's, as `clock_ahead` measured it."""
    if measured is None:
        return Finding("clock", "warn", "the server does not tell its time", "compare with NTP on both machines")
    ahead, exactly = measured
    message = f"this machine's clock and the server's agree within {abs(ahead) + exactly:.1f} s"
    if abs(ahead) <= SKEW:
        return Finding("clock", "ok", message)
    side = "ahead of" if ahead > 0 else "behind"
    message = f"this machine's clock is {abs(ahead):.0f} s {side} the server's"
    return Finding("clock", "fail", message, "synchronise both with NTP: an answer's time is judged by its sender's")


async def _probed(client: Client, queue: TaskQueue, name: str) -> float | None:
    """When the server saw our poll, by its own clock."""
    kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    said = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(namespace=client.namespace, task_queue=queue, task_queue_type=kind)
    )
    seen = [p.last_access_time.ToNanoseconds() / 1e9 for p in said.pollers if p.identity == name]
    return max(seen, default=None)


def performers(settings: Settings, catalog: Catalog) -> Finding:
    """Whether each machine step has one performer."""
    steps = [step for unit in catalog for step in unit.steps]
    try:
        found = load_performers(settings, steps, catalog.performers)
    except WorkUnitsError as error:
        said, *each = str(error).split("\n")
        message = f"{said} {'; '.join(line.removeprefix('  - ') for line in each)}".rstrip()
        return Finding("performers", "fail", message, "mend each as it says: until then no worker starts")
    return Finding("performers", "ok", f"{len(found)} machine steps of {len(catalog)} units have one performer each")


def calendars(settings: Settings, catalog: Catalog) -> Finding:
    """Whether each promise in working time has its calendar."""
    try:
        check_calendars(settings, catalog)
    except WorkUnitsError as error:
        return Finding("calendars", "fail", str(error), "publish it: until then no worker starts")
    return Finding("calendars", "ok", "every promise in working time has its calendar")


def shadows(catalog: Catalog) -> Sequence[Finding]:
    """Modules of someone else's that have the name of one of ours: one of the two is not found."""
    home = Path(workers.__file__).parent.parent.resolve()
    found = []
    for folder in dict.fromkeys([Path.cwd(), *(Path(entry or ".") for entry in sys.path)]):
        if folder.resolve() == home:
            continue
        places = ((name, place) for name in OURS for place in (folder / f"{name}.py", folder / name / "__init__.py"))
        found += [
            f"{place} has the name of one of ours"
            for name, place in places
            if place.is_file() and place.parent.resolve() != home / name
        ]
    remedy = "put your modules under one package of your own, as `workunits init` does"
    named = [p.name for p in catalog.packages if p.name != OWN.name and p.name in OURS]
    found += [f"the package {name!r} has the name of one of ours" for name in named]
    if found:
        return [Finding("modules", "fail", "; ".join(found), remedy)]
    packages = ", ".join(package.name for package in catalog.packages)
    return [Finding("modules", "ok", f"packages {packages}; no module hides another")]


def space(settings: Settings) -> Finding:
    """Whether there is room where this machine keeps an engine's state, the ledger's file and the performers' data."""
    free = {}
    for folder in (settings.state, settings.data):
        there = next(part for part in (folder.absolute(), *folder.absolute().parents) if part.exists())
        free[there] = shutil.disk_usage(there).free
    folder, left = min(free.items(), key=lambda one: one[1])
    if left >= LITTLE:
        return Finding("disk", "ok", f"{left / 1e9:.1f} GB are free for what is kept here")
    what = "is full" if left < NOTHING else f"has {left // 1_000_000} MB left"
    remedy = "free some space: an engine there goes on by itself, cases and ledger are not lost"
    return Finding("disk", "fail" if left < NOTHING else "warn", f"the disk of {folder} {what}", remedy)


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):g} day(s)"
