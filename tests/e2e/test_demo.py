"""The demo: every way of closing, on fresh state, and nothing that stays."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import workers.demo
from tests.e2e.conftest import Place, Run
from workers.cli import app
from workers.console import CommandError
from workers.demo import Outcome, Row
from workers.demo_cases import SCRIPTS

WAYS = {"achieved": 13, "achieved_late": 3, "not_achieved": 4, "expired": 2, "cancelled": 2, "failed": 4}
FIELDS = {"case", "unit", "close", "reason", "cycle_seconds", "decided_by", "sla"}


@pytest.fixture(scope="module")
def runs(place: Place) -> tuple[Run, Run]:
    """Two demos at once: the first in a folder with remains of another, the second stopped in the middle."""
    old = place.folder / ".workunits" / "demo"
    (old / "data").mkdir(parents=True)
    (old / "data" / "shop.sqlite").write_text("no table")
    (old / "engine.db").write_text("no state")
    whole = place.start("demo", "--json")
    whole.until("engine ")
    stopped = place.start("demo")
    whole.until("closed as")
    return whole, stopped


@pytest.fixture(scope="module")
def cases(runs: tuple[Run, Run]) -> list[dict[str, Any]]:
    """What the first demo says of its cases."""
    whole, _ = runs
    whole.end()
    assert whole.process.returncode == 0, whole.said
    document = json.loads(whole.gave)
    assert set(document) == {"cases"}
    found: list[dict[str, Any]] = document["cases"]
    return found


def test_a_demo_that_is_stopped_in_the_middle_says_so_and_leaves_nothing(runs: tuple[Run, Run]) -> None:
    """SIGTERM ends worker and engine, while another demo goes on."""
    _, stopped = runs
    stopped.until(lambda _: "closed as" in stopped.gave)
    code = stopped.end(signal.SIGTERM)
    assert (code, stopped.said.splitlines()[-1]) == (1, "workunits: stopped in the middle; nothing is left running")
    assert len(stopped.children) == 2
    assert stopped.leaves() == []


def test_the_demo_drives_its_cases_to_every_way_of_closing(cases: list[dict[str, Any]]) -> None:
    """All 28 close as scripted, and the document says how, when and by whom."""
    assert Counter(case["close"] for case in cases) == WAYS
    assert [case["case"] for case in cases] == [f"{script.unit}:{script.key}" for script in SCRIPTS]
    assert all(set(case) == FIELDS for case in cases)
    by_key = {case["case"].partition(":")[2]: case for case in cases}
    assert 26 * 3600 < by_key["RR-9"]["cycle_seconds"] < 27 * 3600
    assert [by_key["A-1003"][name] for name in ("reason", "decided_by", "sla")] == [None, ["ines.officer"], "met"]
    assert [by_key["A-1011"][name] for name in ("reason", "decided_by", "sla")] == ["no_answer", [], "breached"]


def test_the_demo_says_what_is_not_real(runs: tuple[Run, Run], cases: list[dict[str, Any]]) -> None:
    """That waits are skipped and that no AI model is configured stands there once, above the progress."""
    said = runs[0].said
    assert said.index("Long waits are skipped") < said.index(f"1/{len(cases)} ")
    assert said.count("NO AI MODEL IS CONFIGURED") == 1


def test_the_demo_leaves_nothing_running(runs: tuple[Run, Run], cases: list[dict[str, Any]]) -> None:
    """Its engine and its worker have ended with it."""
    assert cases
    assert len(runs[0].children) == 2
    assert runs[0].leaves() == []


def test_a_case_that_closes_otherwise_fails_the_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The document is printed all the same; the error says which case, and how it closed."""

    class OneCase:
        async def play(self, script: Any) -> Any:
            raise TimeoutError if script is SCRIPTS[1] else ConnectionError("the network is gone")

    async def play(*_: object) -> Outcome:
        rows, faults = await workers.demo._play_all(OneCase(), workers.demo.Audience())  # type: ignore[arg-type]
        return Outcome(rows, faults, 1.0, tmp_path)

    monkeypatch.setattr(workers.demo, "play", play)
    result = CliRunner().invoke(app, ["demo", "--json"])
    assert json.loads(result.stdout)["cases"][0]["close"] is None
    assert isinstance(result.exception, CommandError)
    assert result.exception.exit_code == 1
    assert "customer_onboarding:A-1002 did not get on within 120 s" in str(result.exception)
    assert "customer_onboarding:A-1001 could not be played: the network is gone" in str(result.exception)


def test_another_way_of_closing_than_scripted_is_a_fault() -> None:
    """Both are named, with their reasons."""
    script = next(script for script in SCRIPTS if script.reason == "already_refunded")
    row = Row("refund_request:RR-9", "refund_request", "failed", "technical_failure")
    said = workers.demo._judge(script, row)
    assert said == (
        "refund_request:RR-9 closed as failed (technical_failure); scripted is not_achieved (already_refunded)"
    )
