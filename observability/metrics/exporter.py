"""The collector: reads the totals and how things stand from the ledger, and exports what the contract says.

It keeps nothing of its own but the last answer for a moment, so any number of exporters agree.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from prometheus_client.core import CounterMetricFamily, Exemplar, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from observability.ledger import totals
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.totals import COUNT, SUM, Example, Series
from observability.metrics import loops, zeros
from observability.metrics.autonomy import autonomy
from observability.metrics.contract import BY_NAME, GAUGES, OTHER, TOTALS, Metric
from observability.metrics.known import Known
from observability.metrics.promises import promises
from observability.metrics.standing import Point, standing
from workunits.registry import Catalog

FRESH = 2.0
"""Seconds for which an answer is given again."""
_MILLION = 1_000_000
_IN_MILLIONTHS = ("seconds", "currency", "ratio")
_PLAIN = re.compile(r"[!-~]{1,90}")
"""What may stand in an exemplar: its labels together have at most 128 characters."""
_DOWN = "workunit_ledger_up"

log = logging.getLogger("workunits.metrics")


class Exporter(Collector):
    """Exports one ledger's figures."""

    def __init__(self, ledger: Ledger, catalog: Catalog) -> None:
        """Read nothing yet.

        Args:
            ledger: The ledger.
            catalog: Whose label sets are exported at zero.
        """
        self._ledger = ledger
        self._catalog = catalog
        self._lock = threading.Lock()
        self._last: tuple[float, list[Family]] | None = None
        self._loops: tuple[float, list[Point]] | None = None
        self._strange: set[str] = set()

    def describe(self) -> Iterable[Family]:
        """Nothing: registering it must not read the ledger."""
        return ()

    def collect(self) -> Iterator[Family]:
        """All families; when the ledger does not answer, only that."""
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > FRESH:
                self._last = time.monotonic(), list(self._families())
            yield from self._last[1]

    def _families(self) -> Iterator[Family]:
        try:
            with self._ledger.read() as connection:
                known = Known.load(self._catalog, connection)
                kept = list(totals.read(connection))
                points = list(standing(connection, datetime.now(UTC)))
                points += autonomy(connection, self._catalog, datetime.now(UTC))
                if self._loops is None or time.monotonic() - self._loops[0] > loops.FRESH:
                    self._loops = time.monotonic(), list(loops.loops(connection, self._catalog, datetime.now(UTC)))
        except LedgerError as error:
            log.error("no figures: %s", error)  # noqa: TRY400 - the reason is in it
            yield _gauge(BY_NAME[_DOWN], {(): 0.0})
            return
        points += [*self._loops[1], *promises(self._catalog), Point(_DOWN, (), 1.0)]
        yield from self._totals(known, kept)
        yield from self._gauges(known, points)

    def _totals(self, known: Known, kept: Iterable[tuple[Series, int, Example | None]]) -> Iterator[Family]:
        amounts: dict[str, dict[tuple[str, ...], Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        examples: dict[tuple[str, tuple[str, ...], str], Example] = {}
        for name, labels, part in zeros.totals(self._catalog):
            amounts[name][labels][part] += 0
        for (name, values, part), amount, example in kept:
            fitting = self._fit(known, name, values)
            if fitting is not None:
                amounts[name][fitting][part] += amount
                if example:
                    examples[name, fitting, part] = example
        for metric in TOTALS:
            series = amounts[metric.name]
            if metric.type == "counter":
                yield _counter(metric, series)
            else:
                yield _histogram(metric, series, examples)

    def _gauges(self, known: Known, points: Iterable[Point]) -> Iterator[Family]:
        values: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
        for name, labels in zeros.gauges(self._catalog):
            values[name][labels] = 0.0
        for point in points:
            of_catalog = point.metric == "workunit_build_info"
            fitting = point.labels if of_catalog else self._fit(known, point.metric, point.labels) or ()
            before = values[point.metric].get(fitting, 0.0)
            largest = point.metric.endswith(("_age_seconds", "_level"))
            values[point.metric][fitting] = max(before, point.value) if largest else before + point.value
        for metric in GAUGES:
            yield _gauge(metric, values[metric.name])

    def _fit(self, known: Known, name: str, values: tuple[str, ...]) -> tuple[str, ...] | None:
        """The labels as they may be exported; None for a row that is of no metric of ours, which is said once."""
        metric = BY_NAME.get(name)
        fits = metric is not None and len(metric.labels) == len(values)
        labels = known.fit(metric, values) if metric is not None and fits else None
        if labels != values and name not in self._strange:
            self._strange.add(name)
            what = f"counted as {OTHER!r}" if fits else "left out"
            log.warning("%s has labels that no definition knows: %s", name[:80], what)
        return labels


def _counter(metric: Metric, series: Mapping[tuple[str, ...], Counter[str]]) -> Family:
    family = CounterMetricFamily(metric.name.removesuffix("_total"), metric.meaning, labels=metric.labels)
    for labels, parts in sorted(series.items()):
        family.add_metric(labels, _amount(metric, parts[COUNT]))
    return family


def _histogram(
    metric: Metric,
    series: Mapping[tuple[str, ...], Counter[str]],
    examples: Mapping[tuple[str, tuple[str, ...], str], Example],
) -> Family:
    family = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, parts in sorted(series.items()):
        buckets, so_far = [], 0
        for bound in metric.parts:
            so_far += parts[bound]
            exemplar = _exemplar(examples.get((metric.name, labels, bound)))
            le = bound if bound == "+Inf" else f"{float(bound)}"
            buckets.append((le, float(so_far), exemplar) if exemplar else (le, float(so_far)))
        family.add_metric(labels, buckets, _amount(metric, parts[SUM]))
    return family


def _gauge(metric: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in sorted(values.items()):
        family.add_metric(labels, float(value))
    return family


def _amount(metric: Metric, amount: int) -> float:
    return amount / _MILLION if metric.unit in _IN_MILLIONTHS else float(amount)


def _exemplar(example: Example | None) -> Exemplar | None:
    if example is None or not _PLAIN.fullmatch(example.case):
        return None
    labels = {"workflow_id": example.case}
    if example.trace and len(example.case) + len(example.trace) + len("workflow_idtrace_id") <= 128:  # noqa: PLR2004
        labels["trace_id"] = example.trace
    return Exemplar(labels, example.micros / _MILLION, example.at.timestamp())
