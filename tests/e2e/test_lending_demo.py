"""The value stream of the demo: a few applications executed through all its units, and what is said of them."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from demos.lending import office
from demos.lending.beside import BASES
from demos.lending.playing import PLAYED, begins, plan
from tests.e2e.conftest import Place, Run
from workunits.units import UNITS

PATIENCE = 540.0
"""Seconds for all of it; a test may take ten minutes."""


@pytest.fixture(scope="module")
def ran(place: Place) -> Run:
    """Some applications, lived through to their end."""
    place.module = "demos.lending"
    run = place.start("--many", "12", "--seed", "3", "--json")
    run.until("cases planned")
    deadline = time.monotonic() + PATIENCE
    while run.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert run.process.poll() == 0, run.said
    return run


@pytest.fixture(scope="module")
def document(ran: Run) -> dict[str, Any]:
    """What it says of itself."""
    said: dict[str, Any] = json.loads(ran.gave)
    return said


def test_every_unit_of_the_stream_is_played(document: dict[str, Any]) -> None:
    """Those that others call have cases of their own in the ledger; the plan and the ledger agree on people's work."""
    assert document["missing_units"] == []
    assert set(PLAYED) == {unit.unit_name for unit in UNITS if unit.stream == "lending"}
    assert document["otherwise"] == []
    assert document["fidelity"]["off"] == 0
    started = {view["unit"]: view["started"] for view in document["stream"]["units"]}
    assert started["application_intake"] == 12
    assert started["identity_screening"] >= started["credit_decision"] == started["fraud_review"] > 6
    inside = {(flow["source"], flow["target"]) for flow in document["stream"]["flows"] if flow["inside"]}
    assert ("application_intake", "identity_screening") in inside
    assert ("credit_decision", "affordability_assessment") in inside
    assert document["stream"]["main_line"][:2] == ["application_intake", "credit_decision"]


def test_called_cases_keep_the_time_of_those_that_call_them(document: dict[str, Any]) -> None:
    """An assessment takes people hours, and the decision that waits for it no less: on skipped time, too."""
    cycles = {view["unit"]: view["figures"]["cycle"] for view in document["stream"]["units"]}
    called, caller = cycles["affordability_assessment"], cycles["credit_decision"]
    assert called["median"]["value"] > 60 * 1_000_000
    assert caller["median"]["value"] >= called["median"]["value"]


def test_every_figure_beside_the_banks_says_where_it_is_from(document: dict[str, Any]) -> None:
    """Both sides have a basis; what is not known has none."""
    side = document["before_and_after"]
    assert "van Dongen" in side["source"]
    for row in side["rows"]:
        assert {row["before_is"], row["after_is"]} <= set(BASES)
        assert (row["before"] == "-") == (row["before_is"] == "-")
    assert sum(side["ends"].values()) == 12


def test_the_page_stands_by_itself_and_nothing_is_left_running(ran: Run, document: dict[str, Any]) -> None:
    """No script, no address of another file; engine and worker have ended."""
    page = Path(document["page"]).read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<img|src=|url\((?!#)|@import", page)
    assert "contract_and_disbursement" in page
    assert len(ran.children) == 2
    assert ran.leaves() == []


def test_the_command_reads_the_same_ledger(place: Place, ran: Run, document: dict[str, Any]) -> None:
    """`workunits stream` finds the same flows; without a directory it names no constraint, and says why."""
    folder = Path(document["page"]).parent
    place.module = "workers.cli"
    told = place.start("stream", "lending", "--json", WORKUNITS_STATE=str(folder), WORKUNITS_DATA=str(folder / "data"))
    assert told.end() == 0, told.said
    stream = json.loads(told.gave)["stream"]
    assert stream["flows"] == document["stream"]["flows"]
    assert stream["constraint"] is None
    unknown = place.start("stream", "landing", "--json")
    assert unknown.end() == 2
    assert json.loads(unknown.said)["error"]["code"] == "unknown_stream"
    assert ran.process.returncode == 0


def test_a_plan_is_the_same_whenever_it_is_made() -> None:
    """It begins on a Monday before weeks without a holiday, and draws the same from the same seed."""
    from datetime import UTC, datetime

    begin = begins(datetime(2026, 11, 25, tzinfo=UTC), 5)
    later = begin + 2 * office.WEEK
    plans = [plan(at, "7", PLAYED, [], many=20, weeks=0) for at in (begin, later)]
    shown = [
        [(turn.step, turn.who, turn.claimed - one.begin) for case in one.cases for turn in case.turns] for one in plans
    ]
    assert shown[0] == shown[1]
    assert len(shown[0]) > 30
