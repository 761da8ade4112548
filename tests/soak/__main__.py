"""`make soak`: prints JSON lines on stdout as things happen, a summary on stderr, and exits with 1 on a violation."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.soak.plan import Plan
from tests.soak.run import Outcome, soak
from workers.logs import quiet_core


def main() -> int:
    """Run it."""
    options = argparse.ArgumentParser(prog="make soak", description=__doc__)
    options.add_argument("--cases", type=int, default=Plan.cases)
    options.add_argument("--kills", type=int, default=Plan.kills, help="kills and freezes together")
    options.add_argument("--seed", type=int, default=int(time.time()) % 100_000, help="the same seed: the same storm")
    options.add_argument("--seconds", type=float, default=None, help="over which they are spread; 5 for each kill")
    given = options.parse_args()
    seconds = given.seconds if given.seconds is not None else 5.0 * given.kills
    plan = Plan(given.cases, given.kills, given.seed, seconds)
    quiet_core()
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # what the engine's deaths do to a client is counted
    folder = Path(mkdtemp(prefix="workunits-soak-"))
    began = time.monotonic()

    def tell(event: str, **more: Any) -> None:
        print(json.dumps({"event": event, "at": round(time.monotonic() - began, 1), **more}), flush=True)  # noqa: T201

    outcome = asyncio.run(soak(plan, folder, tell))
    for violation in outcome.violations:
        tell("violation", **asdict(violation))
    tell("summary", **asdict(plan), violations=len(outcome.violations), figures=outcome.figures)
    sys.stderr.write(summary(outcome, folder))
    if not outcome.violations:
        shutil.rmtree(folder)
    return 1 if outcome.violations else 0


def summary(outcome: Outcome, folder: Path) -> str:
    """The outcome in words."""
    plan, figures = outcome.plan, outcome.figures
    lines = [
        f"Soak with seed {plan.seed}: {plan.cases} cases, {figures['fault_count']} kills and freezes.",
        f"It took {figures['seconds']:g} s; the ledger had caught up {figures['caught_up_seconds']} s later.",
        *(f"  {times:>3} x {what}" for what, times in sorted(figures["faults"].items())),
        f"Closes: {_list(figures['closes'])}.",
        f"People: {_list(figures['people'])}.",
        f"They met: {_list(figures['errors_seen']) or 'no error'}.",
        f"{figures['actions']} actions on record; {figures['effects']} effects of {figures['attempts']} attempts.",
        f"VIOLATIONS: {len(outcome.violations) or 'none'}",
        *(f"  {one.case or 'site'}: {one.what}" for one in outcome.violations[:20]),
    ]
    if outcome.violations:
        lines.append(f"Logs and state: {folder}. The same storm: make soak ARGS='{_arguments(plan)}'")
    return "\n".join(["", *lines, ""])


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{times} {what}" for what, times in sorted(counts.items(), key=lambda one: -one[1]))


def _arguments(plan: Plan) -> str:
    return f"--cases {plan.cases} --kills {plan.kills} --seed {plan.seed} --seconds {plan.seconds:g}"


if __name__ == "__main__":
    sys.exit(main())
