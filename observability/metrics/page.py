"""The reference of all metrics; it is the end of docs/metrics.md, and a test compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from observability.metrics.contract import BUCKETS, GAUGES, TOTALS, WATCHDOG, WORKERS, Metric

MARK = "<!-- workunits metrics reference -->"
"""What stands below it in docs/metrics.md is generated."""
_SECTIONS = (
    (
        "Totals",
        "Cumulative, exact, kept by the ledger. Ask for `increase()` or `rate()`; a histogram for a quantile.",
        TOTALS,
    ),
    ("How things stand", "Read from the ledger at each scrape; as late as the follower is.", GAUGES),
    ("The watchdog's", "On a port of its own; measured from outside the workers.", WATCHDOG),
    (
        "A worker's",
        "On each worker's port, with the SDK's own names; gone with the worker. See [telemetry.md](telemetry.md).",
        WORKERS,
    ),
)


def reference_page() -> str:
    """The reference in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for title, said, metrics in _SECTIONS:
        yield from (f"### {title}", "", said, "")
        yield from _table(metrics)
        yield ""
    bounds = ", ".join(f"{bound:.0f}" for bound in BUCKETS)
    yield f"Upper bounds of the totals' histograms, in seconds, but for those below: {bounds}."
    yield ""
    for metric in TOTALS:
        if metric.type == "histogram" and metric.buckets != BUCKETS:
            yield f"- Of `{metric.name}`: {', '.join(f'{bound:g}' for bound in metric.buckets)}."


def _table(metrics: Iterable[Metric]) -> Iterator[str]:
    yield "| metric | type | labels | means |"
    yield "| --- | --- | --- | --- |"
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        yield f"| `{metric.name}` | {metric.type} | {labels} | {metric.meaning} |"
