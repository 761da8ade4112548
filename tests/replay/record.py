"""`make record`: stores the histories that tests/replay lacks; those that are there stay as they are.

Two units come from the demo, run as `workunits demo` runs it, those of lending from `lending.py`. The units of
tests/lab get an engine on which a run is long after a few actions, so that one of its cases goes on as a new run.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.testing import TimeSkipper
from temporalio.worker import Worker

from activities import customer_onboarding
from tests.lab import performers as lab_performers
from tests.lab import trouble_performers
from tests.lab.contracts import Decision, Facts, Request
from tests.lab.troubles import Held, Trip
from tests.lab.units import Pair, Ruled, Sequence
from tests.patience import PATIENCE
from tests.replay import performers
from tests.replay.lending import bank, run_lending
from tests.replay.planted import Planted
from workers.catalog import OWN
from workers.demo import Audience, play
from workers.demo_cases import SCRIPTS
from workers.engine.attributes import register_attributes
from workers.engine.connect import connect
from workers.engine.embedded import Engine, Plan
from workers.performers import resources
from workers.replaying.recording import record
from workers.settings import Settings
from workunits.cases import CaseView
from workunits.catalog.customer_onboarding import CustomerOnboarding
from workunits.client import QUEUE, Cases
from workunits.contracts.customer_onboarding import Application, RiskSummary
from workunits.contracts.customer_onboarding import Decision as OnboardingDecision
from workunits.core.spec import Step
from workunits.performs import collect, match
from workunits.registry import Catalog, Package
from workunits.testing import Answer, Canned, Lab, Settle, Skipper, drive

HERE = Path(__file__).parent
LAB = HERE / "lab"
RUN_IS_LONG = 60
"""Events, where a server by itself says 4,096."""
PLANTED = Package("planted", (Planted,), ("tests.lab.contracts",), ())
OTHERS = Package("lab", (Pair, Ruled, Sequence, Held, Trip), ("tests.lab.contracts",), ())

GRANT, REFUSE = Decision(decision="grant"), Decision(decision="refuse", reason="too risky")
FACTS = Facts(risk="by hand")
LATE = timedelta(hours=30)


class ShortRuns(Engine):
    """An engine on which a case soon goes on as a new run."""

    def _command(self) -> Iterator[str]:
        yield from super()._command()
        yield from ("--dynamic-config-value", f"limit.historyCount.suggestContinueAsNew={RUN_IS_LONG}")


async def main() -> None:
    """Record both, and say what was stored."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await record_units(folder)
        await record_lending(folder)
        await record_lab(folder)


async def record_units(folder: Path) -> None:
    """Play the demo, then look at what it left on its engine."""
    settings = Settings(state=folder / "state", data=folder / "data")
    played = await play(settings, Audience())
    async with Engine(Plan(played.folder, usual_ports=False, ui=False, skip_time=True)) as engine:
        client = await connect(settings, Catalog([OWN]), address=engine.address)
        await _record(client, Catalog([OWN]), HERE)
    await record_silent_model(folder)


async def record_silent_model(folder: Path) -> None:
    """The one way through the units that the demo does not show: no model answers, and a person writes the summary."""
    settings = Settings(data=folder / "silent")
    settings.data.mkdir()
    script = next(script for script in SCRIPTS if script.unit == CustomerOnboarding.unit_name)
    async with Lab(performers=[customer_onboarding], resources=resources(settings)) as lab:
        answers: dict[Step[Any, Any], Canned] = {
            CustomerOnboarding.SUMMARISE: ConnectionError("the model is down"),
            CustomerOnboarding.SUMMARISE_BY_HAND: RiskSummary(level="low", summary="One employer, one salary."),
            CustomerOnboarding.DECIDE: OnboardingDecision(verdict="approve"),
        }
        await lab.run(CustomerOnboarding, Application.model_validate_json(script.data), answers)
        await _record(lab.client, Catalog([OWN]), HERE)


async def record_lending(folder: Path) -> None:
    """Run every way through the lending units."""
    async with bank(folder / "lending") as lab:
        await run_lending(lab)
        await _record(lab.client, Catalog([OWN]), HERE)


async def record_lab(folder: Path) -> None:
    """Drive a few cases of the tests' own units."""
    settings = Settings(state=folder / "lab", data=folder / "lab")
    catalog = Catalog([PLANTED, OTHERS])
    async with ShortRuns(Plan(folder / "lab", persistent=False, usual_ports=False, ui=False, skip_time=True)) as engine:
        client = await connect(settings, catalog, address=engine.address)
        await register_attributes(client)
        async with _served(client, catalog) as stage:
            await stage.close_in_every_way()
            await stage.run("ruled", "look odd", look_by_hand=FACTS)
            await stage.run("pair", left=GRANT, right=GRANT)
            await stage.run_on("sequence")
            await stage.run("held", "twice", sign=GRANT)
            await stage.run_by_itself("trip", "no car")
        await _record(client, catalog, LAB)


@asynccontextmanager
async def _served(client: Client, catalog: Catalog) -> AsyncIterator[Stage]:
    steps = [step for unit in catalog for step in unit.steps]
    found = collect([performers, lab_performers, trouble_performers], {})
    own = {step.activity for step in steps}
    activities = [p.as_activity() for p in match(steps, [p for p in found if p.step.activity in own])]
    async with Worker(client, task_queue=QUEUE, workflows=list(catalog), activities=activities):
        yield Stage(client, catalog)


class Stage:
    """Runs cases of the tests' units."""

    def __init__(self, client: Client, catalog: Catalog) -> None:
        self._client = client
        self._cases = Cases(client, catalog)
        self._skipper = Skipper(TimeSkipper(client))
        self._number = 0

    async def close_in_every_way(self) -> None:
        """Every way of closing of the planted unit."""
        await self.run("planted", decide=Answer(GRANT, after=LATE))
        await self.run("planted", decide=REFUSE)
        await self.run("planted")
        await self.run("planted", "broken")
        await self.run("planted", "odd", look_by_hand=FACTS, decide=GRANT)
        await self.run("planted", "no advice", advise_by_hand=FACTS, decide=GRANT)
        await self._cancel(await self._start("planted", ""))
        misfit = await self._client.start_workflow("planted", {"amount": "much"}, id="planted:misfit", task_queue=QUEUE)
        await drive(self._cases, self._skipper, misfit.id, {})
        # Of two that close alike the later one is stored first: the plain course, without any rule.
        await self.run("planted", decide=Answer(GRANT, after=timedelta(hours=3)))

    async def run(self, unit: str, mood: str = "", **people: Answer | Decision | Facts) -> None:
        """Run a case to its close; a task without an answer expires, and what failed for good is tried again."""
        answers = {step: given if isinstance(given, Answer) else Answer(given) for step, given in people.items()}
        operators = {"book": [Settle("retry")]}
        await drive(self._cases, self._skipper, await self._start(unit, mood), answers, operators)

    async def run_by_itself(self, unit: str, mood: str) -> None:
        """Leave a case alone until it has closed, whoever it asks meanwhile."""
        await self._until(await self._start(unit, mood), lambda view: not view.is_open)

    async def run_on(self, unit: str) -> None:
        """Have someone take up and put down a task until the case goes on as a new run, then finish it."""
        case = await self._start(unit, "")
        while (view := await self._cases.show(case)).record is None or view.record.runs == 1:
            for task in view.tasks:
                action = "claim" if task.state == "ready" else "release"
                await self._cases.act(task.id, action, actor="ann", roles=[task.role])
        ann = Answer(GRANT, by="ann")  # she may still have the task
        await drive(self._cases, self._skipper, case, {"first": ann, "last": ann})

    async def _start(self, unit: str, mood: str) -> str:
        self._number += 1
        case = Request(request=f"R-{self._number}", mood=mood)
        return (await self._cases.start(unit, case.model_dump_json().encode())).case

    async def _cancel(self, case: str) -> None:
        await self._until(case, lambda view: view.tasks)
        await self._cases.cancel(case, actor="ann", reason="it came in twice")
        await self._until(case, lambda view: not view.is_open)

    async def _until(self, case: str, look: Callable[[CaseView], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                if look(await self._cases.show(case)):
                    return
                await asyncio.sleep(0.01)


async def _record(client: Client, catalog: Catalog, folder: Path) -> None:
    done = await record(client, catalog, folder, list(catalog))
    for path in done.stored:
        print(f"stored {path.relative_to(HERE)}")  # noqa: T201, this is a command
    for unit, way in done.missing:
        if catalog.packages == (OWN,):  # of the others a few are enough
            print(f"still missing: {unit} {way}")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
