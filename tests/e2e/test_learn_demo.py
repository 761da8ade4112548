"""The learning demo: a small quarter, executed to its end, and what becomes of a plan and of a trial."""

from __future__ import annotations

import json
import re
import signal
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demos.learn.quarter import PastChangedError, Quarter, Weeks
from demos.learn.trial import _difference
from tests.e2e.conftest import Place, Run
from workers.simulating.arms import share
from workers.simulating.executing import acts, next_monday
from workunits.core.working import DAY

SMALL = ("--every", "180", "--json")
"""Half of the invoices: a hundred and seventy in thirteen weeks."""


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
    looks = document["looks"]
    assert [look["outcome"] for look in looks[:-1]] == ["undecided"] * (len(looks) - 1)
    assert looks[-1]["outcome"] == "better"
    assert looks[-1]["high_hours"] < 0
    assert min(looks[-1]["before"]["closed"], looks[-1]["after"]["closed"]) >= 30
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
    for words in ("What is simulated", "workunits advise", "version 2", "verdict    better", "The baseline is raised"):
        assert words in page
    assert page.count("<svg") == 2
    assert len(whole.children) == 3
    assert whole.leaves() == []


def test_a_new_plan_leaves_the_past_as_it_was() -> None:
    """Other versions from a moment on change nothing that people did before it; other ones before it are refused."""
    quarter = Quarter(next_monday(datetime.now(UTC)), 3, timedelta(minutes=100), Weeks(2, 2, 1, looks=2))
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


def test_half_of_the_keys_are_in_each_arm_and_stay_there() -> None:
    """A key's place is its own, evenly spread, and another one for another unit."""
    places = [share("unit", f"I-{n}") for n in range(4000)]

    assert places == [share("unit", f"I-{n}") for n in range(4000)]
    assert 0.47 < sum(place < 0.5 for place in places) / 4000 < 0.53
    assert places != [share("other", f"I-{n}") for n in range(4000)]


def test_equal_versions_are_seldom_called_different_and_others_are_found() -> None:
    """Of 40 trials of equal versions hardly any interval leaves 0 out; half the time is seen in all of five."""
    dice = np.random.default_rng(11)
    days = np.array([date(2026, 1, 1) + timedelta(days=n // 4) for n in range(160)], dtype=object)

    def trial(factor: float) -> tuple[float, float, float]:
        hours = dice.lognormal(3, 0.8, 320)
        hours[160:] *= factor
        closed = hours < 100
        times = [(np.minimum(hours, 100)[half], closed[half], days) for half in (slice(160), slice(160, 320))]
        return _difference(times[0], times[1], 120, 1 - 0.05 / 3, draws=200)

    equal = [trial(1) for _ in range(40)]
    halved = [trial(0.5) for _ in range(5)]
    assert sum(not low < 0 < high for _, low, high in equal) <= 3
    assert all(high < 0 for _, _, high in halved)
    assert all(low <= value <= high for value, low, high in equal)
