"""The replay process: CPU milliseconds per replayed case, from a folder of histories."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from bench.meter import MILLI
from bench.processes import ROOT, environment
from bench.variants import VARIANTS, Variant

WARM_UP = 10
TIMES = 3


async def replay(variant: Variant, histories: Sequence[WorkflowHistory]) -> float:
    """CPU milliseconds per case."""
    replayer = Replayer(
        workflows=[variant.workflow()], workflow_runner=variant.runner, plugins=variant.worker_plugins()
    )

    async def some(count: int) -> AsyncIterator[WorkflowHistory]:
        for number in range(count):
            yield histories[number % len(histories)]

    await replayer.replay_workflows(some(WARM_UP))
    count, began = TIMES * len(histories), time.process_time()
    await replayer.replay_workflows(some(count))
    return (time.process_time() - began) * MILLI / count


def replay_cpu(variant: Variant, folder: Path) -> float:
    """The same, in a process of its own."""
    command = [sys.executable, "-m", "bench.replay", variant.name, str(folder)]
    said = subprocess.run(command, cwd=ROOT, env=environment(), check=True, stdout=subprocess.PIPE)  # noqa: S603
    return float(json.loads(said.stdout))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    variant, files = VARIANTS[args.variant], sorted(args.folder.glob("*.json"))
    histories = [WorkflowHistory.from_json(f"{variant.unit}:{file.stem}", file.read_text()) for file in files]
    print(json.dumps(asyncio.run(replay(variant, histories))), flush=True)
    # A thread of Temporal's core may still let go of an object while Python takes itself apart, and abort it.
    os._exit(0)


if __name__ == "__main__":
    main()
