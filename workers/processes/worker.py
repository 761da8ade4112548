"""`workunits worker`: serves cases and machine steps until it is asked to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import uuid
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig

from observability.ledger.autonomy import LedgerStandings
from observability.ledger.store import Ledger
from observability.performing import Performing
from workers.build import build_id
from workers.calendars import calendar_store, check_calendars
from workers.checks.finding import clock, clock_ahead, namespace
from workers.checks.ledger import refuse_other_schema
from workers.console import OnUp
from workers.deployment import current_build
from workers.engine.attributes import register_attributes
from workers.engine.connect import connect
from workers.engine.ports import free_ports
from workers.governing.governed import admit
from workers.logs import core_to_log, log
from workers.performers import load_performers
from workers.queues import CASES, Share, router, shares
from workers.settings import Settings, make_private
from workunits.calendars.activity import calendar_activity
from workunits.core.errors import WorkUnitsError
from workunits.judged import Judged
from workunits.performs import Performer
from workunits.registry import Catalog
from workunits.rollout import note_units

STICKY = timedelta(seconds=2)
"""How long a case's next task waits for the worker that knows it; by default a killed one costs ten seconds."""
STOPS = (signal.SIGTERM, signal.SIGINT)


class WorkerError(WorkUnitsError):
    """The worker cannot go on."""


_TOLD = 30
"""How often a worker tries to say what it serves, a second apart: the engine learns of a build by its first poll."""


@dataclass(frozen=True)
class Job:
    """What a worker process is to do."""

    executors: Collection[str] = ()
    """Of `cases`, `automated`, `ai`; all when empty."""
    versioned: bool = True
    until_stdin_closes: bool = False
    """End when stdin does: whoever started this process holds its other end."""
    metrics_port: int | None = None
    """Of its metrics; the settings' when omitted."""
    on_up: OnUp | None = None
    """Told what is served, once it is polled."""


async def serve(settings: Settings, catalog: Catalog, job: Job) -> None:
    """Serve until SIGTERM or SIGINT, then let running steps end.

    Raises:
        SettingsError, CatalogError, PerformersError, UnknownCalendarError: refuses to start.
        SchemaError: the ledger's schema is another one than this program's.
        GovernanceError: the engine is to be served with published definitions alone, and there is none.
        UnreachableError: no engine, no namespace, or search attributes that do not fit.
        WorkerError: the engine or the SDK gave up on it.
    """
    from workers import metering

    port, only_there = metering.choose_port(settings, job.metrics_port)
    core = free_ports(1)[0]
    core_to_log(metering.core_metrics(core))
    where = settings.metrics_host, port, core, settings.deployment
    with metering.served(*where, only_there=only_there) as served:
        await _serve(settings, catalog, job, served)


async def _serve(settings: Settings, catalog: Catalog, job: Job, metrics_port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, stop.set)
    if job.until_stdin_closes:
        loop.add_reader(sys.stdin, end_with_stdin, stop)
    parts = shares(settings, catalog, job.executors)
    make_private(settings.data)
    check_calendars(settings, catalog)
    performers = load_performers(settings, [step for part in parts for step in part.steps], catalog.performers)
    client, _ = await asyncio.gather(connect(settings, catalog), refuse_other_schema(settings))
    added = await register_attributes(client)
    if added:
        log.info("registered search attributes %s", ",".join(added))
    build = settings.build_id or build_id(catalog)
    catalog, left_out = await _admitted(client, settings, catalog)
    parts = shares(settings, catalog, job.executors)
    config = deployment_config(settings, build) if job.versioned else None
    workers = [make_worker(client, settings, catalog, part, performers=performers, config=config) for part in parts]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    metrics = f"http://{settings.metrics_host}:{metrics_port}/metrics"
    log.info(
        "polling namespace=%s %s build=%s units=%s metrics=%s",
        client.namespace,
        " ".join(str(part) for part in parts),
        build if config else "unversioned",
        ",".join(unit.unit_name for unit in catalog),
        metrics,
    )
    if job.on_up:
        job.on_up(
            {
                "namespace": client.namespace,
                "queues": {part.queue: [*((CASES,) if part.cases else ()), *part.kinds] for part in parts},
                "build": build if config else None,
                "units": [unit.unit_name for unit in catalog],
                "left_out": left_out,
                "metrics": metrics,
            }
        )
    advice = asyncio.create_task(_advise(client, settings, catalog, build if config else None))
    try:
        await _until(stop, running)
    finally:
        advice.cancel()
        log.info("stopping, running steps have %g s to end", settings.grace_seconds)
        await asyncio.gather(*(worker.shutdown() for worker in workers), return_exceptions=True)
        ended = await asyncio.gather(*running, return_exceptions=True)
        await asyncio.gather(advice, return_exceptions=True)
    _raise_first(ended)
    log.info("stopped")


async def _admitted(client: Client, settings: Settings, catalog: Catalog) -> tuple[Catalog, Sequence[Judged]]:
    """The units that may be served on this engine, and those that are left out; says which and why.

    Raises:
        GovernanceError: none is left.
        WorkerError: the engine does not say what it is.
    """
    try:
        admitted = await admit(client, settings, catalog)
    except RPCError as error:
        raise WorkerError(f"the engine does not say which units it may serve: {error.message[:200]}") from None
    for found in admitted.left_out:
        log.warning("left out: %s", found)
    for said in admitted.notes:
        log.warning("%s", said)
    return admitted.catalog, admitted.left_out


def make_worker(
    client: Client,
    settings: Settings,
    catalog: Catalog,
    part: Share,
    *,
    performers: Sequence[Performer],
    config: WorkerDeploymentConfig | None = None,
) -> Worker:
    """Make the Temporal worker of one queue.

    Raises:
        UnknownCalendarError: a package of calendars cannot be found.
        WorkerError: a unit's file does what replayed code may not do; says which and what.
    """
    route = router(settings, catalog)
    names = {step.activity for step in part.steps}
    shared = [calendar_activity(calendar_store(settings, catalog))] if part.cases else []
    standings = LedgerStandings(Ledger(settings.ledger_url))
    try:
        return Worker(
            client,
            task_queue=part.queue,
            identity=_identity(),
            workflows=list(catalog) if part.cases else [],
            activities=[*shared, *(p.as_activity(standings) for p in performers if p.step.activity in names)],
            interceptors=[*([route] if route else []), Performing(catalog)],
            max_cached_workflows=settings.max_cached_cases,
            max_concurrent_activities=settings.max_activities,
            max_concurrent_local_activities=settings.max_activities,
            sticky_queue_schedule_to_start_timeout=STICKY,
            graceful_shutdown_timeout=timedelta(seconds=settings.grace_seconds),
            deployment_config=config,
        )
    except (RuntimeError, ValueError) as error:
        reasons = [str(error)]
        while error.__cause__ is not None:
            error = error.__cause__  # type: ignore[assignment]
            reasons.append(str(error))
        raise WorkerError(f"queue {part.queue} cannot be served: {': '.join(dict.fromkeys(reasons))}") from error


def deployment_config(settings: Settings, build: str) -> WorkerDeploymentConfig:
    """Worker Versioning: a case stays on the build that it began on."""
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment, build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


@cache
def _identity() -> str:
    """Whose name the engine shows; never an earlier process's: in containers, pids repeat."""
    return f"{os.getpid()}@{socket.gethostname()}-{uuid.uuid4().hex[:6]}"


def end_with_stdin(stop: asyncio.Event) -> None:
    """End with the process that started us: it holds the other end of our stdin."""
    if not os.read(sys.stdin.fileno(), 1):
        asyncio.get_running_loop().remove_reader(sys.stdin)
        stop.set()


async def _until(stop: asyncio.Event, running: Sequence[asyncio.Task[None]]) -> None:
    """Wait for a signal, or for a worker that ends by itself."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()


def _raise_first(ended: Sequence[BaseException | None]) -> None:
    for error in ended:
        if isinstance(error, Exception):
            raise WorkerError(f"the worker gave up: {type(error).__name__}: {str(error)[:300]}") from error


async def _advise(client: Client, settings: Settings, catalog: Catalog, build: str | None) -> None:
    """Say once what keeps no worker from starting and yet is wrong: the retention, the clock, a build without cases."""
    with suppress(Exception):
        for finding in (*await namespace(client), clock(await clock_ahead(client))):
            if finding.status != "ok":
                log.warning("%s: %s", finding.message, finding.remedy)
    if build:
        await _say_what_it_serves(client, settings, catalog, build)
        await _hint(client, settings, build)


async def _say_what_it_serves(client: Client, settings: Settings, catalog: Catalog, build: str) -> None:
    """Note with the build which version of each unit it serves, once the engine knows it: rollouts name versions."""
    versions = {unit.unit_name: unit.version for unit in catalog}
    for _ in range(_TOLD):
        try:
            await note_units(client, settings.deployment, build, versions)
        except RPCError:
            await asyncio.sleep(1)
        else:
            return


async def _hint(client: Client, settings: Settings, build: str) -> None:
    """Say once when new cases will not come here: a versioned worker waits until its build is current."""
    with suppress(Exception):
        await asyncio.sleep(2)
        current = await current_build(client, settings.deployment)
        if current != build:
            log.warning(
                "build %s is not current (%s is): it gets no new cases until: workunits deploy %s",
                build,
                current or "none",
                build,
            )
