"""Every query of the AI boundary returns data from a real Prometheus, of a ledger with what models proposed."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry, start_http_server

from observability.dashboards.files import FOLDER
from observability.ledger.autonomy import Grant, sign, stop
from observability.ledger.store import Ledger
from observability.metrics.exporter import Exporter
from tests.dashboards.linter import queries
from tests.dashboards.scraper import Prometheus, answered, prometheus, until
from tests.observability.proposed import CATALOG, NOW, blind, decided, keep, proposal

pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None, reason="apt-get install prometheus")


def past(ledger: Ledger) -> None:
    """What there was before anyone looked: a certificate, a stop, and enough of last week for a share of audits."""
    signed: dict[str, Any] = {"unit": "damage", "version": "1", "step": "decide", "executor": "test|1|", "level": "A5"}
    sign(ledger, Grant(**signed, signed_by="ana", role="head of claims", expires_at=NOW + timedelta(days=30)))
    stop(ledger, "damage", "decide", actor="ana", reason="odd")
    at = NOW - timedelta(days=8)
    keep(ledger, "damage:0", *(blind(f"decide-{number}-ai", agrees=True, level="A5", at=at) for number in range(100)))


def news(ledger: Ledger) -> None:
    """What happens while Prometheus looks: a case of each route, and one in which the model fails."""
    unasked: dict[str, Any] = {"route": "human_only", "shown": False, "output_hash": None, "why": "ai_unavailable"}
    keep(ledger, "damage:1", decided(decision="reject", overridden=True, cost_usd=0.01, confidence=0.7))
    keep(ledger, "damage:2", proposal(route="auto", level="A5", why="confident", shown=False, confidence=0.95))
    keep(ledger, "damage:3", blind(agrees=False))
    keep(ledger, "damage:4", proposal(**unasked))


async def test_every_query_returns_data(tmp_path: Path) -> None:
    """Of each panel, once there is something of each kind; and before that not."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    page = json.loads((FOLDER / "workunits-boundary.json").read_text(encoding="utf-8"))
    asked = [query for query in queries(page) if "annotation" not in query.where]
    past(ledger)
    registry = CollectorRegistry()
    registry.register(Exporter(ledger, CATALOG))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        with prometheus(tmp_path, metrics=f"127.0.0.1:{server.server_port}") as there:
            await until(lambda: level(there))
            early = await asyncio.to_thread(there.empty, asked)
            news(ledger)
            assert await answered(there, asked) == []
            assert any("Blind disagreement" in said for said in early)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        ledger.close()


def level(there: Prometheus) -> bool:
    """Whether Prometheus is ready and has scraped the page."""
    try:
        return bool(there.ask("query", query="workunit_autonomy_level")["result"])
    except (httpx2.TransportError, ValueError):
        return False
