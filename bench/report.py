"""The report: each figure beside its budget, and whether every must holds."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.budget import BUDGET
from bench.variants import INLINE, PLAIN, PRODUCT, TUNED

Run = Mapping[str, Any]
Figures = dict[str, dict[str, list[float]]]
"""Figure -> variant -> one value per round."""

_RATIOS = {
    "worker CPU / plain": ("worker_cpu_ms", PLAIN),
    "worker CPU / tuned": ("worker_cpu_ms", TUNED),
    "total CPU / plain": ("total_cpu_ms", PLAIN),
    "decision to result, quiet / plain": ("quiet_ms", PLAIN),
    "decision to result, 20 at once / plain": ("loaded_ms", PLAIN),
    "cases per second / plain": ("cases_per_s", PLAIN),
    "replay CPU / plain": ("replay_cpu_ms", PLAIN),
}
_COUNTS = {
    "history events per case": "events",
    "history bytes per case": "bytes",
    "workflow tasks per case": "workflow_tasks",
    "fsyncs per case": "fsyncs",
}


def figures(runs: Sequence[Run]) -> Figures:
    """Counts as they are, times as ratios to the twin of the same round."""
    found: Figures = defaultdict(lambda: defaultdict(list))
    by_round = {(run["round"], run["variant"]): run for run in runs}
    for run in runs:
        name = run["variant"]
        for figure, key in _COUNTS.items():
            if run.get(key) is not None:
                found[figure][name].append(run[key])
        for figure, (key, base) in _RATIOS.items():
            twin = by_round.get((run["round"], base.name), {})
            if key in run and key in twin:
                found[figure][name].append(run[key] / twin[key])
    return found


def print_figures(found: Figures) -> bool:
    """Print the table; whether every must of the product holds."""
    table = Table(title="The approval case; ratios are medians of paired rounds (min-max)", title_justify="left")
    for heading in ("figure", "product", "must", "", "moonshot", "to go", "inline", "to go", "plain", "tuned"):
        table.add_column(heading, justify="left" if heading == "figure" else "right", no_wrap=True)
    holds = True
    for figure, budget in BUDGET.items():
        by_variant = found.get(figure)
        if not by_variant or PRODUCT.name not in by_variant:
            continue
        value = statistics.median(by_variant[PRODUCT.name])
        ok = budget.holds(value)
        holds = holds and ok
        inline = by_variant.get(INLINE.name)
        table.add_row(
            figure,
            _spread(by_variant[PRODUCT.name]),
            f"{'>=' if budget.at_least else '<='} {budget.must:g}",
            "ok" if ok else "MISS",
            f"{budget.moonshot:g}",
            budget.distance(value),
            _spread(inline or []),
            budget.distance(statistics.median(inline)) if inline else "",
            *(_spread(by_variant.get(twin.name, [])) for twin in (PLAIN, TUNED)),
        )
    _console().print(table)
    return holds


def print_absolute(runs: Sequence[Run]) -> None:
    """Print each variant's own figures: they belong to this machine and this hour."""
    keys = ["worker_cpu_ms", "server_cpu_ms", "driver_cpu_ms", "total_cpu_ms", "replay_cpu_ms"]
    keys += ["quiet_ms", "loaded_ms", "cases_per_s"]
    table = Table(title="As measured here: medians (min-max)", title_justify="left")
    table.add_column("")
    variants = list(dict.fromkeys(run["variant"] for run in runs))
    for variant in variants:
        table.add_column(variant, justify="right", no_wrap=True)
    for key in keys:
        cells = [_spread([run[key] for run in runs if run["variant"] == v and key in run]) for v in variants]
        if any(cells):
            table.add_row(key, *cells)
    _console().print(table)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    show: Callable[[float], str] = lambda v: f"{v:.2f}" if abs(v) < 10 else f"{v:.1f}" if v % 1 else f"{v:.0f}"  # noqa: E731
    middle = show(statistics.median(values))
    return middle if len(set(values)) == 1 else f"{middle} ({show(min(values))}-{show(max(values))})"


def _console() -> Console:
    # Wide enough for every column: in a log there is nobody to scroll, and a cut figure says nothing.
    return Console(width=190)
