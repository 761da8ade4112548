"""The learning demo: a small quarter, executed to its end, and what becomes of a plan and of a trial."""

from __future__ import annotations

import json
import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demos.learn.quarter import PastChangedError, Quarter, Weeks
from tests.e2e.conftest import Place, Run
from workers.simulating.executing import acts, next_monday
from workunits.core.working import DAY

SMALL = ("--every", "150", "--json")
"""Fewer invoices: some two hundred in thirteen weeks."""


@pytest.fixture(scope="module")
def runs(place: Place) -> tuple[Run, Run]:
    """Two quarters at once: one in a folder with remains of another, and one that is stopped in the middle."""
    place.module = "demos.learn"
    old = place.folder / ".workunits" / "learn-demo"
    old.mkdir(parents=True)
    (old / "ledger.sqlite").write_text("no ledger")
    whole = place.start(*SMALL)
    whole.until("version 1 alone")
    stopped = place.start(*SMALL)
    stopped.until("version 1 alone")
    stopped.end(signal.SIGTERM)
    return whole, stopped


@pytest.fixture(scope="module")
def document(runs: tuple[Run, Run]) -> dict[str, Any]:
    """What the whole quarter says of itself."""
    whole, _ = runs
    whole.until("What the learning ledger keeps")
    assert whole.end() == 0, whole.said
    said: dict[str, Any] = json.loads(whole.gave)
    return said


def test_a_quarter_that_is_stopped_in_the_middle_says_so_and_leaves_nothing(runs: tuple[Run, Run]) -> None:
    """SIGTERM ends the engine and both builds, while another quarter goes on."""
    _, stopped = runs
    assert stopped.process.returncode == 1
    assert json.loads(stopped.said.splitlines()[-1])["error"]["code"] == "stopped"
    assert len(stopped.children) == 3
    assert stopped.leaves() == []


def test_the_slow_step_is_found_changed_tried_and_the_better_version_adopted(document: dict[str, Any]) -> None:
    """The advice names the queue before the budget owner; the trial says better, and the ledger keeps all of it."""
    first = document["advice"]["suggestions"][0]
    assert (first["kind"], first["step"], first["part"]) == ("excess", "release", "queue")
    assert document["proposal"]["measure"] == "cycle_time"
    compared = document["comparison"]
    assert (compared["outcome"], compared["assignment"]) == ("better", "split")
    assert compared["judged"][-1]["outcome"] == "better"
    assert compared["breached"] == []
    decided = document["decision"]
    assert (decided["verdict"], decided["decision"], decided["change"]) == ("better", "adopt", 1)
    assert decided["detail"]["outcome"] == "better"
    assert [(frozen["name"], frozen["median_hours"] < 2) for frozen in document["baselines"]] == [
        ("version 1", False),
        ("version 2", True),
    ]


def test_every_case_is_executed_as_it_was_planned(document: dict[str, Any]) -> None:
    """The ledger has each piece of people's work with the person and at the moments that were computed."""
    fidelity = document["fidelity"]
    assert document["cases"] > 120
    assert fidelity["turns"] > document["cases"]
    assert fidelity["off"] == 0
    assert fidelity["machine_steps"] > document["cases"]


def test_the_page_stands_by_itself_and_nothing_is_left_running(runs: tuple[Run, Run], document: dict[str, Any]) -> None:
    """No script, no address of another file; both processes and the engine have ended."""
    whole, _ = runs
    page = Path(document["page"]).read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<img|src=|url\((?!#)|@import", page)
    for words in ("What is simulated", "workunits advise", "version 2", "BETTER", "The baseline is raised"):
        assert words in page
    assert page.count("<svg") == 2
    assert len(whole.children) == 3
    assert whole.leaves() == []


def test_a_new_plan_leaves_the_past_as_it_was() -> None:
    """Other versions from a moment on change nothing that people did before it; other ones before it are refused."""
    quarter = Quarter(next_monday(datetime.now(UTC)), 3, timedelta(minutes=100), Weeks(2, 2, 1))
    quarter.replan(lambda _key, _at: "1", quarter.begin)
    first = quarter.plan
    quarter.replan(lambda _key, at: "1" if at < quarter.trial else "2", quarter.trial)

    until = [[act for act in acts(one.turns) if act.at < quarter.trial] for one in (*first, *quarter.plan)]
    assert until[: len(first)] == until[len(first) :]
    assert [one.turns for one in first] != [one.turns for one in quarter.plan]
    with pytest.raises(PastChangedError, match="versions change from now on only"):
        quarter.replan(lambda _key, _at: "2", quarter.trial)


def test_a_quarter_is_the_same_whenever_it_begins() -> None:
    """Its calendars know no holiday and no change of clocks: four weeks later all happens four weeks later."""
    begin = next_monday(datetime.now(UTC))
    now, later = (Quarter(at, 3, timedelta(minutes=100), Weeks(2, 2, 1)) for at in (begin, begin + 28 * DAY))
    for quarter in (now, later):
        quarter.replan(lambda _key, _at: "1", quarter.begin)

    shown = [[(t.who, t.claimed - q.begin) for one in q.plan for t in one.turns] for q in (now, later)]
    assert shown[0] == shown[1]
    assert len(shown[0]) > 150
