"""`workunits learn`, `workunits advise` and `workunits baseline freeze` as people and scripts meet them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from observability.ledger.store import Ledger
from tests.observability.invented import fill
from tests.workers.conftest import Shell

UNIT = "refund_request"
PROPOSED = ("--from", "1", "--to", "2", "--hypothesis", "Less to ask.", "--expected", "An hour.", "--as", "bob")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs a command beside a ledger of 300 invented cases."""
    folder: Path = tmp_path_factory.mktemp("learn")
    address = f"sqlite:///{folder / 'ledger.sqlite'}"
    ledger = Ledger(address)
    ledger.migrate()
    fill(ledger, 300)
    ledger.close()
    shell = Shell(folder, [])
    return lambda *args: shell.run(*args, WORKUNITS_LEDGER=address)


def test_from_a_warning_to_a_baseline_and_a_proposal(run):
    """`check` warns of the review; freezing and proposing count as one; the history shows all of it."""
    before = run("check", UNIT, "--json")
    frozen = run("baseline", "freeze", UNIT, "--as", "ann")
    again = run("baseline", "freeze", UNIT, "--as", "ann", "--name", "second", "--json")
    proposed = run("learn", "propose", UNIT, *PROPOSED, "--measure", "cycle_time")
    reviewed = json.loads(
        run("learn", "review", UNIT, "--reason", "Nothing to change.", "--as", "ann", "--json").stdout
    )
    after, history = run("check", UNIT), run("learn", "history", UNIT)
    told = json.loads(run("learn", "history", UNIT, "--json").stdout)

    (loop,) = json.loads(before.stdout)["learning"]
    assert (before.returncode, loop["review_overdue"], loop["baseline"]) == (0, True, None)
    assert "Baseline version 1 of refund_request" in frozen.stdout
    assert "SLA attainment" in frozen.stdout
    assert (again.returncode, json.loads(again.stderr)["error"]["code"]) == (4, "not_justified")
    assert "bob  refund_request, change 1: proposed version 2, judged by cycle_time" in proposed.stdout
    assert reviewed["entry"]["entry"] == "reviewed"
    assert (after.returncode, "warning: its review" in after.stdout) == (0, False)
    assert [entry["entry"] for entry in told["entries"]] == ["baseline", "proposed", "reviewed"]
    assert told["drift"]["cycle_time"]["enough"] is True
    for text in ("Baseline  version 1", "Change 1: version 1 to 2", "never judged", "cycle_time, median", "LIMITS"):
        assert text in history.stdout


def test_advice_in_words_and_as_json(run):
    """Nothing is invented; the ids of cases are given on request."""
    said = run("advise", UNIT)
    told = json.loads(run("advise", UNIT, "--cases", "--json").stdout)

    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("refund_request, version 1: 300 closed cases\n")
    assert (told["enough"], told["needed"], told["n"]) == (True, 30, 300)
    assert {"never_performed"} == {one["kind"] for one in told["suggestions"]}
    assert all("cases" in one for one in told["suggestions"])


def test_what_is_not_right_is_one_sentence(run):
    """It names the field, and not the value."""
    measure = run("learn", "propose", UNIT, *PROPOSED, "--measure", "mood", "--json")
    role = run("baseline", "freeze", UNIT, "--as", "ann", "--role", "clerk", "--name", "x")
    unit = run("advise", "nonsense", "--json")

    assert (measure.returncode, json.loads(measure.stderr)["error"]["field"]) == (2, "measure")
    assert "mood" not in measure.stderr
    assert (role.returncode, unit.returncode) == (4, 2)
    assert "signed by the unit's owner: sign with the role head of customer care" in role.stderr
