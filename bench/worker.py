"""The worker process: one variant's workflow and activities on one queue, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
from datetime import timedelta

from temporalio.worker import Worker

from bench.bell import Bell, BellPlugin
from bench.processes import start
from bench.variants import QUEUE, VARIANTS, Variant

UP = "worker"
"""The bell by which a worker says that it polls."""
CACHED = 5000
"""Cases kept in memory: more than any measurement has active."""
STICKY = timedelta(seconds=2)


def start_worker(variant: Variant, address: str, bell_port: int) -> subprocess.Popen[bytes]:
    return start("bench.worker", variant.name, address, bell_port)


async def serve(variant: Variant, address: str, bell_port: int) -> None:
    """Work until told to stop."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    bell = Bell(bell_port)
    client = await variant.connect(address, "bench-worker")
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[variant.workflow()],
        activities=variant.activities(),
        workflow_runner=variant.runner,
        max_cached_workflows=CACHED,
        sticky_queue_schedule_to_start_timeout=STICKY,
        plugins=[BellPlugin(bell)],
    )
    async with worker:
        bell.ring(UP)
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("address")
    parser.add_argument("bell_port", type=int)
    args = parser.parse_args()
    variant = VARIANTS[args.variant]
    work = serve(variant, args.address, args.bell_port)
    if variant.uvloop:
        import uvloop

        uvloop.run(work)
    else:
        asyncio.run(work)
    # A thread of Temporal's core may still let go of an object while Python takes itself apart, and abort it.
    os._exit(0)


if __name__ == "__main__":
    main()
