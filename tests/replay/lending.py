"""Records the histories of the lending units: each way of `tests/catalog/loan_ways.py` is run once, on skipped time."""

from __future__ import annotations

import uuid
from pathlib import Path

from temporalio.worker import Worker

from tests.catalog.loan_ways import ways
from tests.catalog.test_lending import PERFORMERS
from workers.catalog import OWN
from workers.performers import resources
from workers.settings import Settings
from workunits.client import Cases
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog
from workunits.testing import Lab, Skipper, drive
from workunits.units import LENDING


async def run_lending(lab: Lab) -> None:
    """Run every way. Of two that close alike the later one is stored first, so the plain ones come last."""
    for way in reversed(list(ways())):
        view = await lab.run(way.unit, way.case, way.answers, beside=way.beside)
        closed = view.record and view.record.reason
        if (view.close, closed) != (way.closes, way.reason):
            raise AssertionError(f"{view.case} closed as {view.close} ({closed}), not as {way.closes} ({way.reason})")
    for unit in LENDING:
        await _misfit(lab, unit)


async def _misfit(lab: Lab, unit: type[WorkUnit]) -> None:
    """A case past the client's own check, as a foreign system might start one."""
    queue = f"misfit-{uuid.uuid4().hex[:8]}"
    case = f"{unit.unit_name}:misfit"
    async with Worker(lab.client, task_queue=queue, workflows=[unit]):
        await lab.client.start_workflow(unit.unit_name, {"amount": "much"}, id=case, task_queue=queue)
        cases = Cases(lab.client, Catalog([OWN]), queue=queue)
        await drive(cases, Skipper(lab._env), case, {})


def bank(folder: Path) -> Lab:
    """A lab whose performers keep their registers in a folder."""
    settings = Settings(data=folder)
    folder.mkdir(exist_ok=True)
    return Lab(performers=PERFORMERS, resources=resources(settings))
