"""`workunits watchdog` as a process, and what a single look prints."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime

from workers.console import OnUp
from workers.logs import core_to_log, log
from workers.processes.watchdog import Look, Watchdog
from workers.processes.worker import end_with_stdin
from workers.settings import Settings
from workers.watching.finding import Finding, ago
from workers.watching.gauges import Gauges
from workunits.registry import Catalog

SHOWN = 200
"""Findings of one kind and unit that a table shows."""


async def watch(
    settings: Settings, catalog: Catalog, *, port: int, until_stdin_closes: bool = False, on_up: OnUp | None = None
) -> None:
    """Watch until SIGTERM or SIGINT.

    Args:
        settings: Where everything is.
        catalog: Whose cases are watched.
        port: Of the metrics, on the loopback; 0 for a free one.
        until_stdin_closes: End when stdin does.
        on_up: Told where its metrics are, once it watches.

    Raises:
        SettingsError, LedgerError: something in the settings is not right.
        WatchdogError: the port is taken.
    """
    core_to_log()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        loop.add_reader(sys.stdin, end_with_stdin, stop)
    watchdog, gauges = Watchdog(settings, catalog), Gauges(catalog)
    try:
        with gauges.served(port, settings.metrics_host) as served:
            metrics = f"http://{settings.metrics_host}:{served}/metrics"
            log.info("watching, metrics at %s", metrics)
            if on_up:
                on_up({"metrics": metrics, "units": [unit.unit_name for unit in catalog]})
            await watchdog.run(stop, gauges)
    finally:
        watchdog.close()
    log.info("stopped")


async def look_once(settings: Settings, catalog: Catalog) -> Look:
    """Look at each open case once.

    Raises:
        SettingsError, LedgerError: something in the settings is not right.
    """
    watchdog = Watchdog(settings, catalog)
    try:
        return await watchdog.once()
    finally:
        watchdog.close()


def render(look: Look) -> None:
    """Print what was found as a table, and the gap as lines."""
    from workers.pages.tables import line, table

    for gap in look.gap:
        line(f"gap: {gap.unit}: {gap.cases} case(s) without {gap.rung}, the longest {ago(gap.largest_seconds)} overdue")
    if look.gap:
        line()
    if not look.change.now:
        line("Nothing stands still.")
        return
    table(
        ("KIND", ">FOR", "WHERE", "CAUSE", "REMEDY"),
        (_row(one, look.at) for one in _some(look.change.now)),
        whole=(0, 2),
    )
    line()
    line(f"{len(look.change.now)} finding(s); docs/watchdog.md has each kind.")


def _some(findings: tuple[Finding, ...]) -> list[Finding]:
    shown: dict[tuple[str, str], int] = {}
    some = []
    for finding in findings:
        key = finding.kind, finding.unit
        shown[key] = shown.get(key, 0) + 1
        if shown[key] <= SHOWN:
            some.append(finding)
    return some


def _row(finding: Finding, at: datetime) -> tuple[str, str, str, str, str]:
    since = finding.since or datetime.now(UTC)
    return finding.kind, ago((at - since).total_seconds()), finding.where, finding.cause, finding.remedy
