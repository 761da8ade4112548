"""What the stored histories have to show before `workunits publish` takes a sign-off."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.replay import planted
from tests.workers.test_publishing import HISTORIES
from tests.workers.test_publishing import desk as desk  # noqa: PLC0414 - a fixture
from workers.console import judge


def only(desk, name):
    """A folder of the checkout's histories that has this one alone."""
    kept = desk.folder / "tests" / "replay"
    kept.mkdir(parents=True, exist_ok=True)
    shutil.copy(HISTORIES / name, kept)


@pytest.mark.parametrize("close", ["failed-bad_input", "cancelled-cancel_requested", "not_achieved-outcome_not_met"])
def test_a_history_in_which_nothing_was_achieved_is_not_enough(desk, close):
    """A case that was refused at once went through no step, so it shows nothing of those that are open."""
    only(desk, f"planted-v1-{close}.json")

    with pytest.raises(Exception, match="no stored history of planted version 1 in tests/replay closed as") as raised:
        desk.run("publish", "planted", "--as", "olga")

    said = judge(raised.value)
    assert said
    assert said.code == "none_achieved"
    assert f"(those that are there: {close.partition('-')[0]})" in str(said)
    assert "let a case of it close as achieved on an engine" in str(said)


def test_the_steps_that_no_history_shows_are_named(desk):
    """Of cases that are open there nothing is known, and whoever signs is to know that."""
    only(desk, "planted-v1-achieved.json")

    page = desk.run("publish", "planted")
    said = json.loads(desk.run("publish", "planted", "--json"))
    only(desk, "planted-v1-achieved-with-look_by_hand.json")

    assert "Replayed 1 stored history of this version: open cases go on." in page
    assert "NOT SHOWN: no history performs look_by_hand, advise_by_hand. Of open cases there" in page
    assert (said["histories"], said["unseen_steps"]) == (1, ["look_by_hand", "advise_by_hand"])
    assert json.loads(desk.run("publish", "planted", "--json"))["unseen_steps"] == ["advise_by_hand"]
    assert "NOT SHOWN" not in desk.publish()


@pytest.mark.parametrize("elsewhere", [False, True], ids=["from the checkout", "from another folder"])
def test_a_history_that_breaks_cannot_be_left_out(desk, monkeypatch, elsewhere):
    """What `--histories` names comes beside those of the checkout, wherever the command is typed."""
    only(desk, "planted-v1-achieved.json")
    desk.load(planted.StepInserted)
    clean = desk.folder / "clean"
    clean.mkdir()
    text = (HISTORIES / "planted-v1-failed-bad_input.json").read_text(encoding="utf-8")
    (clean / "one.json").write_text(text, encoding="utf-8")
    if elsewhere:
        monkeypatch.chdir(clean)

    with pytest.raises(Exception, match="1 of 2 stored histories would break open cases"):
        desk.run("publish", "planted", "--as", "olga", "--histories", str(clean))
