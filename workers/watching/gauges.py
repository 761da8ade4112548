"""The watchdog's own metrics, on a loopback port of its own; labels are the unit and the kind, never a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from workers.engine.ports import LOOPBACK
from workers.watching.finding import OF_CASES, OF_RUNTIME, Finding, Kind
from workers.watching.rungs import NAMES, Gap
from workunits.core.errors import WorkUnitsError
from workunits.registry import Catalog

PREFIX = "workunit_watchdog_"
_LABELS = ("unit", "kind")


class WatchdogError(WorkUnitsError):
    """The watchdog cannot start."""


class Gauges:
    """Every series is there from the start, at zero: an alert cannot see one that is born with its first value."""

    def __init__(self, catalog: Catalog) -> None:
        """Export zeros."""
        self._registry = CollectorRegistry()
        self._gap = self._gauge("gap_cases", "Open cases with a rung of the clock that was due and has not fired")
        self._late = self._gauge("gap_largest_seconds", "How long ago the longest overdue of these rungs was due")
        self._found = self._gauge("findings", "Findings; kinds that are about no unit have an empty one")
        self._passed = Gauge(f"{PREFIX}last_pass_timestamp_seconds", "When it last looked", registry=self._registry)
        self._took = Gauge(f"{PREFIX}pass_duration_seconds", "How long the last look took", registry=self._registry)
        self._rungs = [(unit.unit_name, rung) for unit in catalog for rung in NAMES]
        self._kinds: list[tuple[str, Kind]] = [(unit.unit_name, kind) for unit in catalog for kind in OF_CASES]
        self._kinds += [("", kind) for kind in OF_RUNTIME]
        self.show((), (), None, 0.0)

    def show(self, findings: Sequence[Finding], gap: Sequence[Gap], at: datetime | None, took: float) -> None:
        """Export what a pass found.

        Args:
            findings: All of them.
            gap: Of rungs, by unit.
            at: When it looked.
            took: Seconds.
        """
        counted = Counter((finding.unit, finding.kind) for finding in findings)
        gaps = {(one.unit, one.rung): one for one in gap}
        for labels in self._rungs:
            one = gaps.get(labels)
            self._gap.labels(*labels).set(one.cases if one else 0)
            self._late.labels(*labels).set(one.largest_seconds if one else 0)
        for unit, kind in self._kinds:
            self._found.labels(unit, kind).set(counted[unit, kind])
        if at:
            self._passed.set(at.timestamp())
        self._took.set(took)

    @contextmanager
    def served(self, port: int, host: str = LOOPBACK) -> Iterator[int]:
        """Answer on a port; 0 for a free one. Gives the port.

        Raises:
            WatchdogError: it is taken.
        """
        try:
            server, thread = start_http_server(port, host, self._registry)
        except OSError as error:
            why = f"cannot listen on {host}:{port}: {error.strerror}"
            raise WatchdogError(f"{why}; name another port with --port or WORKUNITS_WATCHDOG_PORT") from None
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _gauge(self, name: str, said: str) -> Gauge:
        return Gauge(f"{PREFIX}{name}", said, _LABELS, registry=self._registry)
