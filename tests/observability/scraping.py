"""A scrape as data, and what it should say by a recount that shares no code with the totals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from observability.ledger.store import Ledger
from observability.metrics.exporter import Exporter
from workunits.registry import Catalog

Series = tuple[str, frozenset[tuple[str, str]]]


def scraped(ledger: Ledger, catalog: Catalog) -> dict[Series, float]:
    """Every sample of a scrape, read back by the library's parser."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text_of(ledger, catalog))
        for sample in family.samples
    }


def text_of(ledger: Ledger, catalog: Catalog) -> str:
    """A scrape as it is sent."""
    registry = CollectorRegistry()
    registry.register(Exporter(ledger, catalog))
    text: bytes = generate_latest(registry)
    return text.decode()


def series(name: str, **labels: str) -> Series:
    """One series."""
    return name, frozenset(labels.items())


def recounted(cases: Iterable[Mapping[str, Any]], steps: Iterable[Mapping[str, Any]]) -> dict[Series, float]:
    """What the totals of closed cases are, from figures of cases and steps that say `unit` and `version`."""
    found: Counter[Series] = Counter()

    def add(row: Mapping[str, Any], name: str, amount: float, **labels: str) -> None:
        found[series(f"workunit_{name}", unit=row["unit"], version=row["version"], **labels)] += amount  # type: ignore[assignment]

    for case in cases:
        close = case["close"]
        fine = close in ("achieved", "achieved_late") and not case["reworked"] and case["exceptions"] == 0
        add(case, "started_total", 1)
        add(case, "closed_total", 1, close=close)
        add(case, "exception_cases_total", case["exceptions"] > 0)
        add(case, "rework_cases_total", case["reworked"])
        add(case, "first_pass_cases_total", fine)
        add(case, "straight_through_cases_total", case["human_touches"] == 0)
        add(case, "cycle_time_seconds_count", 1, close=close)
        add(case, "cycle_time_seconds_sum", case["cycle_us"] / 1e6, close=close)
        add(case, "lead_time_seconds_sum", case["lead_us"] / 1e6, close=close)
        add(case, "external_wait_seconds_sum", case["external_us"] / 1e6)
        add(case, "rework_seconds_total", case["rework_effort_us"] / 1e6)
        for kind in ("human", "machine"):
            add(case, "effort_seconds_total", case[f"{kind}_effort_us"] / 1e6, kind=kind)
        for kind in ("hh", "hm", "mh", "mm"):
            add(case, "handoffs_total", case[f"handoffs_{kind}"], kind=kind)
        for part in [name[:-3] for name in case if name in _PARTS]:
            add(case, "part_seconds_total", case[f"{part}_us"] / 1e6, part=part)
    for step in steps:
        labels = {"step": step["step"], "executor": step["kind"]}
        add(step, "steps_total", 1, **labels, ended=step["ended"])
        add(step, "step_attempts_total", step["attempts"], **labels)
    return found  # type: ignore[return-value]  # a Counter that also adds floats


def differing(wanted: Mapping[Series, float], said: Mapping[Series, float]) -> dict[Series, tuple[float, float | None]]:
    """What a scrape says otherwise than it should; to a millionth, for sums of floats."""
    return {
        key: (value, said.get(key))
        for key, value in wanted.items()
        if not math.isclose(value, said.get(key, 0.0), rel_tol=1e-9, abs_tol=1e-6)
    }


_PARTS = {
    "rework_us",
    "touch_human_us",
    "touch_machine_us",
    "retry_us",
    "external_wait_us",
    "off_hours_us",
    "queue_us",
    "idle_us",
}
