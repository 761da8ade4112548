"""A version for a share of the new cases: the same cases each time, both in the ledger, and back when it goes wrong."""

import asyncio
import uuid

import pytest

from observability.ledger.store import Ledger
from tests.faults.package import PACKAGE
from tests.faults.units import Errand
from workers import rollout as rolling
from workers.deployment import pollers
from workunits import rollout
from workunits.client import Cases
from workunits.core.errors import BadInput
from workunits.registry import Catalog

NEWER = 'name="errand", version="1"', 'name="errand", version="2"'
KEYS = [f"K-{number}" for number in range(40)]


@pytest.fixture
async def place(fleet, tmp_path):
    """Two builds that serve two versions of a unit; the older one is current."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    fleet._env["WORKUNITS_LEDGER"] = ledger.url.render_as_string()
    fleet.worker("--build-id", "old")
    fleet.command("deploy", "old")
    fleet.worker("--build-id", "new", PYTHONPATH=fleet.edited(*NEWER))
    for build, version in (("old", "1"), ("new", "2")):
        await fleet.until(lambda build=build, version=version: serves(fleet, build, version))
    yield rolling.Place(fleet.client, ledger, fleet.queue, fleet.queue)
    ledger.close()


async def serves(fleet, build, version):
    """Whether the worker has said which version it serves, and the engine knows that it polls."""
    said = (await rollout.units_of(fleet.client, fleet.queue, build)).get(Errand.unit_name)
    return said == version and await pollers(fleet.client, fleet.queue, build, cases=True)


async def started(fleet, keys):
    """The versions on which cases of these keys run."""
    cases = Cases(fleet.client, Catalog([PACKAGE]), queue=fleet.queue, deployment=fleet.queue)
    made = [(await cases.start(Errand.unit_name, f'{{"request": "{key}"}}'.encode())).case for key in keys]
    closed = await asyncio.gather(*(fleet.until_case(case, lambda view: view.record) for case in made))
    return [record.version for record in closed]


async def test_a_share_of_the_cases_goes_to_a_version_and_comes_back(fleet, place):
    """By the key and by nothing else; a stop sends new cases back, and whoever starts sees it at once or soon."""
    run = uuid.uuid4().hex[:6]
    keys = [f"{run}-{key}" for key in KEYS]
    said = fleet.command("rollout", "errand", "--to", "2", "--percent", "50", "--as", "ann")
    split = rollout.Rollout(**said["rollout"])
    versions = await started(fleet, keys)
    stopped = fleet.command("rollout", "errand", "--stop", "--reason", "enough", "--as", "ann")
    after = await started(fleet, [f"{key}-b" for key in keys[:6]])

    assert (split.older, split.newer, split.build) == ("1", "2", "new")
    assert versions == ["2" if split.takes(key) else "1" for key in keys]
    assert 8 <= versions.count("2") <= 32
    assert stopped["rollout"]["newer"] == "2"
    assert after == ["1"] * 6
    assert fleet.command("rollout", "errand")["rollout"] is None
    with pytest.raises(rolling.RolloutError, match="no worker serves version 9 of errand; start one beside the others"):
        await rolling.roll_out(place, "errand", "9", 10, "ann")
    with pytest.raises(BadInput, match="--to: is the version that all new cases get already"):
        await rolling.roll_out(place, "errand", "1", 10, "ann")


async def test_a_broken_guardrail_stops_it(fleet, place, monkeypatch):
    """It is noted why, and by whom; what goes well goes on."""
    await rolling.roll_out(place, "errand", "2", 20, "ann")
    quiet = await rolling.guard(place, Catalog([PACKAGE]))
    monkeypatch.setattr(rolling, "_broken", lambda *_: "exception_rate got worse for certain")
    said = await rolling.guard(place, Catalog([PACKAGE]))

    assert quiet == []
    assert said == ["errand: version 2 gets no new cases any more: exception_rate got worse for certain"]
    assert await rollout.read(fleet.client, fleet.queue) == {}


def test_the_split_is_sticky_and_even():
    """A key that is in at one percentage is in at every larger one; shares come out as they were asked for."""
    keys = [f"A-{number}" for number in range(4000)]
    small, large = (rollout.Rollout("u", "1", "2", "b", percent) for percent in (10, 30))
    inside = [key for key in keys if small.takes(key)]

    assert all(large.takes(key) for key in inside)
    assert len(inside) == pytest.approx(400, abs=80)
    assert sum(map(large.takes, keys)) == pytest.approx(1200, abs=130)
    assert [rollout.Rollout("u", "1", "3", "b", 10).takes(key) for key in keys] != [small.takes(key) for key in keys]
