"""`workunits metrics serve`: the unit-level figures of a ledger as a process that Prometheus scrapes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from observability.ledger.store import Ledger
from observability.metrics.exporter import Exporter
from workers.console import OnUp
from workers.logs import log
from workers.processes.worker import end_with_stdin
from workers.settings import Settings
from workunits.core.errors import WorkUnitsError
from workunits.registry import Catalog


class MetricsError(WorkUnitsError):
    """The metrics cannot be served."""


async def serve(
    settings: Settings,
    catalog: Catalog,
    *,
    port: int,
    until_stdin_closes: bool = False,
    on_up: OnUp | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; a ledger that is down makes the scrape say so, and ends nothing.

    Args:
        settings: Where the ledger is, and on which address to listen.
        catalog: Whose label sets are exported at zero.
        port: 0 for a free one.
        until_stdin_closes: End when stdin does.
        on_up: Told where, once it listens.

    Raises:
        MetricsError: the port is taken.
        LedgerError: the ledger's address is none.
        SchemaError: its schema is older or newer.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        loop.add_reader(sys.stdin, end_with_stdin, stop)
    ledger = Ledger(settings.ledger_url)
    try:
        await asyncio.to_thread(ledger.check)
        with _served(Exporter(ledger, catalog), settings.metrics_host, port) as served:
            where = f"http://{settings.metrics_host}:{served}/metrics"
            log.info("serving metrics of %s at %s", ledger, where)
            if on_up:
                on_up({"metrics": where, "ledger": str(ledger)})
            await stop.wait()
    finally:
        ledger.close()
    log.info("stopped")


@contextmanager
def _served(exporter: Exporter, host: str, port: int) -> Iterator[int]:
    registry = CollectorRegistry()
    registry.register(exporter)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        why = f"cannot listen on {host}:{port}: {error.strerror}"
        raise MetricsError(f"{why}; name another port with --port or WORKUNITS_METRICS_PORT") from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
