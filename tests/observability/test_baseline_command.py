"""The commands of baselines as a person runs them: one sentence, an exit code, one JSON document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from observability.ledger.store import Ledger
from tests.observability.old_process import MAP, write_log
from tests.workers.conftest import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A terminal in a folder with the small log, its map and a ledger."""
    shell = Shell(tmp_path, [])
    write_log(tmp_path, "xes.gz")
    shell.write("map.toml", MAP)
    ledger = Ledger(f"sqlite:///{tmp_path / '.workunits' / 'ledger.sqlite'}")
    ledger.migrate()
    ledger.close()
    return shell


def imported(shell: Shell, *more: str, log: str = "old.xes.gz", **env: str):
    """Import the log."""
    return shell.run("baseline", "import", log, "--unit", "loan", "--map", "map.toml", *more, **env)


def test_import_and_show(shell):
    """A page for people, a document for machines; the second import says that it was there."""
    done = imported(shell)
    assert done.returncode == 0, done.stderr
    assert "not registered here yet" in done.stderr
    assert "n = 6 cases, 1 of them open" in done.stdout
    assert "touch of machines                 the log does not say" in done.stdout
    assert "SLA, quality, cost      the log does not say" in done.stdout

    again = json.loads(imported(shell, "--json").stdout)
    assert (again["existing"], again["baseline"]["n"]) == (True, 6)
    assert again["baseline"]["figures"]["touch_machine_us"] is None

    shown = shell.run("baseline", "show", "loan")
    assert shown.stdout == done.stdout
    told = json.loads(shell.run("baseline", "show", "loan", "--json").stdout)
    assert [found["name"] for found in told["baselines"]] == ["old"]
    assert told["baselines"][0] == again["baseline"]


@pytest.mark.parametrize(
    ("change", "more", "code", "said"),
    [
        (("unit", "unnit"), [], 2, "map.toml:2: unnit: there is no such key"),
        (("loan", "lone"), [], 2, "a map for the unit lone"),
        ((), ["--name", "\n"], 2, "a name is 1 to 100"),
        ((), ["log.xes"], 2, "log.xes: broken XML at line 1, column"),
        ((), ["missing.xes"], 2, "missing.xes: cannot be read"),
        ((), ["--as", "\x07"], 2, "say who acts"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(change, more, code, said, shell):
    """No traceback, and nothing on stdout."""
    shell.write("log.xes", "<log><trace></log>")
    if change:
        shell.write("map.toml", MAP.replace(change[0], change[1], 1))
    logs = [one for one in more if one.endswith(".xes")]
    done = imported(shell, *(one for one in more if one not in logs), log=(logs or ["old.xes.gz"])[0])
    lines = [line for line in done.stderr.splitlines() if "not registered" not in line]
    assert (done.returncode, done.stdout, len(lines)) == (code, "", 1), done.stderr
    assert said in lines[0]


def test_another_map_of_the_same_name_is_refused(shell):
    """Exit code 4, with the remedy; as JSON for a machine."""
    assert imported(shell).returncode == 0
    shell.write("map.toml", MAP.replace("5000", "6000"))
    done = imported(shell, "--json")
    assert (done.returncode, done.stdout) == (4, "")
    assert json.loads(done.stderr)["error"]["code"] == "baseline_exists"


def test_a_step_that_a_registered_unit_lacks_is_refused(shell):
    """The unit is there: its steps are known, and near ones are named."""
    shell.write_loans()
    env = {"WORKUNITS_MODULES": "loans.package", "PYTHONPATH": f"{shell.folder}:{Path(__file__).parents[2]}"}
    done = imported(shell, **env)
    assert done.returncode == 2, done.stderr
    assert "map.toml:11: steps.W_Call.step: the unit loan has no step call" in done.stderr


def test_a_ledger_that_cannot_be_reached(shell):
    """Exit code 3 for one that does not answer, 1 for one without tables, each with what to do."""
    down = imported(shell, WORKUNITS_LEDGER="postgresql://nobody@127.0.0.1:9/none")
    assert down.returncode == 3, down.stderr
    assert "nothing listens there" in down.stderr
    empty = imported(shell, WORKUNITS_LEDGER=f"sqlite:///{shell.folder / 'new.sqlite'}")
    assert empty.returncode == 1
    assert "workunits ledger migrate" in empty.stderr


def test_show_without_a_baseline(shell):
    """It says how to make one."""
    done = shell.run("baseline", "show", "loan")
    assert (done.returncode, done.stdout) == (2, "")
    assert "workunits baseline import LOG" in done.stderr
