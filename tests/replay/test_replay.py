"""The replay gate of this repository: every stored history runs through today's code, and nothing comes out otherwise.

A failure here means that a case which is open now would go on differently, or not at all, after this change. It says
what differs and what to do. Never edit or re-record a stored history to make it pass: it stands for a real case.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.troubles import Held, Trip
from tests.lab.units import Pair, Ruled, Sequence
from tests.replay.planted import Planted
from workers.catalog import OWN
from workers.replaying.histories import load
from workers.replaying.recording import Way, lacking, say, stored_in, ways
from workers.replaying.replay import Verdict, replay
from workunits.registry import Catalog, Package
from workunits.units import UNITS

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.json")) + sorted(HERE.glob("lab/*.json"))
CATALOG = Catalog([OWN, Package("lab", (Planted, Pair, Ruled, Sequence, Held, Trip), ("tests.lab.contracts",), ())])
IMPOSSIBLE: dict[tuple[str, Way], str] = {
    ("refund_request", ("not_achieved", "outcome_not_met")): (
        "a refund that is granted is paid, or the case closes as already_refunded; one that is refused is achieved"
    ),
    ("offer_and_acceptance", ("expired", "no_answer")): "when the customer is silent, an adviser calls",
}
"""Ways of closing that a declaration allows and its procedure never takes, and why."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def verdicts() -> dict[str, Verdict]:
    """All stored histories, replayed once."""
    found = await replay([load(file) for file in FILES], CATALOG)
    return {verdict.history: verdict for verdict in found}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_stored_history_replays(file, verdicts):
    """A case like this one that is open now goes on as before."""
    verdict = verdicts[str(file)]
    found = "".join(f"\n  - {finding}" for finding in verdict.findings)
    assert verdict.status in ("clean", "older"), f"{file.name} {verdict.status}:{found}\nWhat to do: {verdict.remedy}"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.unit_name)
def test_every_way_of_closing_has_a_history(unit):
    """What no stored history shows, the gate cannot see: a new version, rule or expiry needs histories of its own."""
    missing = [way for way in lacking(unit, stored_in(HERE))[0] if (unit.unit_name, way) not in IMPOSSIBLE]
    assert missing == [], f"{unit.unit_name} lacks {', '.join(map(say, missing))}; store them: make record"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.unit_name)
def test_every_step_has_a_history(unit):
    """A step that no stored history performs could get another time limit, and nobody would notice."""
    missing = lacking(unit, stored_in(HERE))[1]
    assert missing == [], f"no history of {unit.unit_name} performs {', '.join(missing)}; store one: make record"


def test_what_is_called_impossible_is_a_way_of_closing():
    """An exemption that outlives its unit's declaration would hide a gap."""
    allowed = {(unit.unit_name, way) for unit in UNITS for way in ways(unit)}
    assert set(IMPOSSIBLE) <= allowed


def test_a_history_goes_by_what_it_shows():
    """Whoever reads the folder sees what is there; -with- names the step for whose sake a second one is kept."""
    for file in FILES:
        history = load(file)
        named = [part for part in (history.unit, f"v{history.version}", history.close, history.reason) if part]
        own, _, step = file.stem.partition("-with-")
        assert own == "-".join(named)
        assert not step or step in history.steps


def test_both_ends_of_a_continuation_are_there():
    """One history goes on as a new run, and one begins with what an earlier run carried over."""
    continued, went_on = (load(HERE / "lab" / f"sequence-v1-{close}.json") for close in ("continued", "achieved"))
    assert continued.close == "continued"
    assert went_on.record
    assert went_on.record.runs == 2


def test_an_incident_and_a_compensation_are_there():
    """One history was held until its step succeeded at last, and one undid what it had done."""
    held, trip = (load(HERE / "lab" / name) for name in ("held-v1-achieved.json", "trip-v1-not_achieved-odd.json"))
    assert held.record
    assert [(one.state, one.tries) for one in held.record.incidents] == [("resolved", 2)]
    assert trip.record
    assert {work.undoes for work in trip.record.steps} >= {"book_flight", "book_room"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_history_does_not_tell_of_the_machine_it_was_made_on(file):
    """No process id, no host, no path of a source file."""
    for event in load(file).events:
        text = str(event)
        assert "stack_trace" not in text
        assert all(line.split('"')[1] == "recorded" for line in text.splitlines() if "identity:" in line)
        assert "STICKY" not in text or 'name: "recorded"' in text
