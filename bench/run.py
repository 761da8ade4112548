"""The benchmark: `python -m bench.run [full|quick|memory|growth|restart|ledger|inbox]`.

Every figure stands beside its budget; the exit code is 1 when the product misses a must.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.driver import measure
from bench.replay import replay_cpu
from bench.report import Figures, figures, print_absolute, print_figures
from bench.server import Server, serving, strace
from bench.variants import INLINE, PLAIN, PRODUCT, VARIANTS, Variant

ROUNDS = 5
ALL = tuple(VARIANTS.values())


def full(rounds: int) -> bool:
    """Counts, then everything that is a time, in interleaved rounds."""
    runs = _counts_and_replay(replays=1)
    for number in range(1, rounds + 1):
        with serving() as server:
            # Each round begins elsewhere, so that no variant always has the emptiest server.
            order = ALL[number % len(ALL) :] + ALL[: number % len(ALL)]
            runs += [_say(number, variant, measure("load", variant, server, f"r{number}")) for variant in order]
    print_absolute(runs)
    return print_figures(figures(runs))


def quick(_: int) -> bool:
    """Counts and replay only."""
    runs = _counts_and_replay(replays=3)
    print_absolute(runs)
    return print_figures(figures(runs))


def memory(_: int) -> bool:
    """A worker's memory per open case."""
    found: Figures = {"worker KiB per open case": {}}
    for variant in (PLAIN, PRODUCT, INLINE):
        with serving() as server:
            run = _say(1, variant, measure("memory", variant, server, "m"))
        found["worker KiB per open case"][variant.name] = [run["kib_per_open_case"]]
    return print_figures(found)


def growth(_: int) -> bool:
    """What 10,000 open cases do to the next one."""
    runs: dict[str, dict[str, Any]] = {}
    for variant in (PLAIN, PRODUCT):
        with serving() as server:
            runs[variant.name] = _say(1, variant, measure("growth", variant, server, "g"))
    twin, product = runs[PLAIN.name], runs[PRODUCT.name]
    return print_figures(
        {
            f"{what}, 10,000 open, over the twin's slope": {PRODUCT.name: [product[key] - twin[key]]}
            for what, key in (("server CPU", "server_slope"), ("quiet latency", "quiet_slope"))
        }
    )


def restart(_: int) -> bool:
    """How soon cases go on after a worker is gone."""
    found: Figures = {
        "first decision after a killed worker, s": {},
        "first decision after SIGTERM, s": {},
        "worker process start to polling, s": {},
    }
    for variant in (PLAIN, PRODUCT):
        with serving() as server:
            run = _say(1, variant, measure("restart", variant, server, "r"))
        for figure, key in zip(found, ("killed_s", "stopped_s", "started_s"), strict=True):
            found[figure][variant.name] = run[key]
    return print_figures(found)


def ledger(rounds: int) -> bool:
    """The follower beside a steady load, then catching up, and the report: on each database."""
    from bench.ledger_databases import databases
    from bench.ledger_report import report_times

    found: Figures = {}
    with databases(rounds + 2) as by_kind:
        with serving() as server:
            for kind, urls in by_kind.items():
                tag = f"ledger-{kind.lower()}"
                run = _say(1, PRODUCT, measure("ledger", PRODUCT, server, tag, server.address, *urls[:-1]))
                found[f"cases projected per second, {kind}"] = {PRODUCT.name: run["projected_per_s"]}
                found[f"close to row under load, p99, s, {kind}"] = {PRODUCT.name: [run["lag_p99_s"]]}
                found[f"follower MiB, {kind}"] = {PRODUCT.name: [run["follower_mib"]]}
        for kind, urls in by_kind.items():
            run = _say(1, PRODUCT, {"database": kind, **report_times(urls[-1])})
            found[f"report over 100,000 cases, s, {kind}"] = {PRODUCT.name: run["report_s"]}
    return print_figures(found)


def inbox(_: int) -> bool:
    """A page of the inbox among many open tasks."""
    from bench.inbox import inbox_figures

    return print_figures({figure: {PRODUCT.name: [taken]} for figure, taken in inbox_figures().items()})


def _counts_and_replay(replays: int) -> list[dict[str, Any]]:
    """Counts on a server of their own, for strace slows it; then the histories replayed, interleaved."""
    if not strace():
        print("fsyncs are not counted: there is no strace here", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="workunits-bench-") as folder:
        with serving(count_fsyncs=True) as server:
            counts = {variant.name: _counts(variant, server, Path(folder, variant.name)) for variant in ALL}
        runs = []
        for number in range(replays):
            for variant in ALL:
                said = {"replay_cpu_ms": replay_cpu(variant, Path(folder, variant.name))}
                # A round of its own: its twin is the one replayed just before it.
                runs.append(_say(-number, variant, {**(counts[variant.name] if number == 0 else {}), **said}))
    return runs


def _counts(variant: Variant, server: Server, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    before = server.fsyncs()
    said = measure("counts", variant, server, "c", folder)
    after = server.fsyncs()
    cases = said.pop("cases")
    fsyncs = None if before is None or after is None else (after - before) / cases
    return {**said, "fsyncs": fsyncs}


def _say(number: int, variant: Variant, said: dict[str, Any]) -> dict[str, Any]:
    """One line per run, as it is measured."""
    run = {"round": number, "variant": variant.name, "load_average": os.getloadavg()[0], **said}
    print(json.dumps(run, default=float), flush=True)
    return run


def main(args: Sequence[str] | None = None) -> int:
    plans = {plan.__name__: plan for plan in (full, quick, memory, growth, restart, ledger, inbox)}
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("plan", nargs="?", choices=plans, default="full")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="rounds of `full` and `ledger` (default %(default)s)"
    )
    chosen = parser.parse_args(args)
    began = time.monotonic()
    holds = plans[chosen.plan](chosen.rounds)
    print(f"{'every must holds' if holds else 'a must is missed'}; took {time.monotonic() - began:.0f} s")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
