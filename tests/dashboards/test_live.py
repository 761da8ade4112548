"""Every query of every dashboard returns data from a real Prometheus that scrapes the really running system."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from observability.dashboards.files import FOLDER
from tests.dashboards.linter import Query, queries, variables
from tests.dashboards.scraper import SPANS, Prometheus, answered, prometheus, until
from tests.e2e.conftest import Place
from tests.patience import PATIENCE
from workers.catalog import OWN
from workers.demo_cases import SCRIPTS
from workers.engine.address import Address
from workers.engine.connect import connect
from workers.settings import Settings
from workunits.client import Cases
from workunits.registry import Catalog

ANSWERED = ("RR-4", "A-1001")
"""The seeded cases that a person closes while Prometheus looks."""
WITHOUT = {
    "workunits-unit: The baseline": "It takes 30 closed cases to freeze one, and the seeded ones are fewer.",
    "workunits-runtime: Incidents": "No seeded step gives up so soon, and a step without an incident has no series.",
}
"""Queries that rightly return nothing, each with its reason."""
HYBRID = "workunits-boundary: "
"""Those of a page that no seeded case has anything for: `test_live_boundary` asks them."""
pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None, reason="apt-get install prometheus")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watched(tmp_path_factory) -> AsyncIterator[Prometheus]:
    """Everything runs, Prometheus looks, and then people close two cases."""
    place = Place(tmp_path_factory.mktemp("place"))
    try:
        run = place.start("up", "--seed", "--no-ui", "--json")
        run.until("Ctrl-C stops everything")
        run.until("watching, metrics at")
        run.until(lambda _: run.gave.rstrip().endswith("}"))
        where = json.loads(run.gave)
        ours, watchdog = (
            re.findall(r"127\.0\.0\.1:\d+", text)[0] for text in (where["metrics"], run.said.split("metrics at")[1])
        )
        worker = re.findall(r"polling .* metrics=http://(127\.0\.0\.1:\d+)", run.said)[0]
        with prometheus(place.folder, metrics=ours, watchdog=watchdog, workers=worker) as there:
            await until(lambda: closed(there) is not None)
            before = closed(there) or 0
            await answer(where["engine"])
            await until(lambda: (closed(there) or 0) >= before + len(ANSWERED))
            yield there
    finally:
        place.close()


def closed(there: Prometheus) -> float | None:
    """Cases, by Prometheus."""
    try:
        found = there.ask("query", query="sum(workunit_closed_total) and on () (count(up == 1) == 3)")["result"]
    except httpx2.TransportError:
        return None
    return float(found[0]["value"][1]) if found else None


async def answer(engine: str) -> None:
    """Complete the seeded cases' tasks, as a person would."""
    catalog = Catalog([OWN])
    address = Address(engine, "default", {}, "the test", encrypted=False)
    cases = Cases(await connect(Settings.model_construct(), catalog, address=address), catalog)
    for script in SCRIPTS:
        if script.key in ANSWERED:
            task = (await cases.show(f"{script.unit}:{script.key}")).tasks[0]
            given = script.people[task.step]
            body = given.gives.model_dump(mode="json")
            await cases.act(task.id, "complete", actor=given.by, roles=[task.role], body=body, patience=PATIENCE)


async def test_every_query_returns_data(watched):
    """Of panels, annotations and variables, but for those declared to have none; a renamed metric has none."""
    pages = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    asked = [query for page in pages for query in queries(page)]
    wanted = [query for query in asked if query.where not in WITHOUT and not _is_of_hybrids(query)]
    renamed = [Query(query.where, query.expr.replace("workunit_", "work_unit_")) for query in wanted]
    renamed = [query for query in renamed if "work_unit_" in query.expr]
    left = await answered(watched, wanted)
    series = {(name, Query("", of).filled(**SPANS), label) for page in pages for name, of, label in variables(page)}

    assert left == []
    assert len(watched.empty(renamed)) == len(renamed) > 0
    assert [name for name, of, label in series if not watched.ask(f"label/{label}/values", **{"match[]": of})] == []
    assert {query.where for query in asked} >= set(WITHOUT)


def _is_of_hybrids(query: Query) -> bool:
    return query.where.startswith(HYBRID) and "annotation" not in query.where
