"""`workunits export` as a person or a script meets it: into a file that is whole or not there, or down a pipe."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from observability.ledger.store import Ledger
from observability.output import opened
from tests.observability.event_log import check_structure, fill
from tests.workers.conftest import COMMAND, Shell, clean_environment
from workers.cli import app
from workers.console import CommandError
from workers.engine.ports import free_ports

CASES = 3000


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a ledger of some cases."""
    there = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.sqlite'}"
    ledger = Ledger(there)
    ledger.migrate()
    fill(ledger, CASES)
    ledger.close()
    return there


@pytest.fixture
def export(tmp_path, address):
    """Runs the command in a folder of its own."""
    shell = Shell(tmp_path, [])

    def run(*args, ledger=address):
        return shell.run("export", *args, WORKUNITS_LEDGER=ledger)

    return run


def test_into_a_file_and_down_a_pipe(export, tmp_path):
    """Both hold the same; the file is its owner's alone, and says how many cases it holds."""
    said = export("--format", "csv", "--output", "cases.csv", "--json")
    piped = export("--format", "csv")
    file = tmp_path / "cases.csv"

    assert json.loads(said.stdout) == {"cases": CASES, "format": "csv", "output": "cases.csv"}
    assert (piped.returncode, piped.stderr) == (0, "")
    assert file.read_text() == piped.stdout
    assert len(list(csv.DictReader(piped.stdout.splitlines()))) == CASES
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["cases.csv"]


def test_what_is_there_is_not_replaced(export, tmp_path):
    """A file that exists is left as it is, unless replacing it is asked for; a folder is never replaced."""
    there = tmp_path / "log.xes"
    there.write_text("precious")
    refused = export("--format", "xes", "--until", "2026-03-01T08:02:00Z", "--output", "log.xes", "--json")
    left = there.read_text()
    replaced = export("--format", "xes", "--until", "2026-03-01T08:02:00Z", "--output", "log.xes", "--force")
    folder = export("--format", "xes", "--output", ".", "--force")

    assert (refused.returncode, left) == (4, "precious")
    assert json.loads(refused.stderr)["error"] == {
        "code": "exists",
        "message": "the output exists already; name another file, or replace it with --force",
        "field": "--output",
    }
    assert (replaced.returncode, replaced.stdout) == (0, "20 cases written to log.xes\n")
    assert len(list(check_structure(there.read_bytes()).iter("trace"))) == 20
    assert (folder.returncode, folder.stderr) == (4, "workunits: the output is a folder; name a file in it\n")


def test_an_unreachable_ledger(export, tmp_path):
    """Exit 3, one sentence, and no file."""
    said = export("--format", "jsonl", "-o", "x.jsonl", ledger=f"postgresql://nobody@127.0.0.1:{free_ports(1)[0]}/none")

    assert (said.returncode, said.stdout) == (3, "")
    assert said.stderr.startswith("workunits: the ledger postgresql://nobody@127.0.0.1:")
    assert said.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_no_case_fits(export):
    """The export is valid and empty, and a note says so."""
    said = export("--format", "csv", "--close", "expired", "--since", "2999-01-01")

    assert (said.returncode, said.stderr) == (0, "n = 0: no case fits; the export is valid, and empty\n")
    assert said.stdout.startswith("case_id,unit,")
    assert said.stdout.count("\n") == 1


def test_a_reader_that_has_seen_enough(tmp_path, address):
    """When the other end of the pipe closes, the command ends without a word."""
    command = [*COMMAND, "export", "--format", "jsonl"]
    environment = clean_environment(WORKUNITS_LEDGER=address)
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        first = process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()

    assert json.loads(first)["case_id"] == "plain:0"
    assert (process.returncode, said) == (0, b"")


def test_a_full_disk(tmp_path, address):
    """Exit 1 and one sentence, also when the last bytes alone find no room."""
    for when in ("2026-03-01T08:02:00Z", "2027-01-01"):
        with Path("/dev/full").open("wb") as full:
            said = subprocess.run(
                [*COMMAND, "export", "--format", "csv", "--until", when],
                cwd=tmp_path,
                env=clean_environment(WORKUNITS_LEDGER=address),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )

        assert (said.returncode, said.stderr) == (1, "workunits: No space left on device\n")


def test_stopped_in_the_middle(tmp_path, address):
    """A file that was being written is gone with the process that was stopped; no half of it is left."""
    shell = Shell(tmp_path, [])
    process = shell.spawn("export", "--format", "xes", "--output", "log.xes", WORKUNITS_LEDGER=address)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".log.xes.*.partial")) and time.monotonic() < deadline:
        time.sleep(0.005)

    assert process.stop(signal.SIGTERM) == 128 + signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["process-0.log"]


def test_an_error_in_the_middle(tmp_path):
    """Whatever goes wrong, there is no file; and one that appeared meanwhile is not overwritten."""
    target = tmp_path / "log.xes"
    with pytest.raises(TypeError), opened(target) as out:
        out.write("<log>")  # type: ignore[call-overload]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Exception, match="exists already"), opened(target) as out:
        target.write_text("of another")

    assert target.read_text() == "of another"
    assert list(tmp_path.iterdir()) == [target]


def test_a_progress_bar_on_a_terminal(tmp_path, address):
    """A person sees how far it is; in a pipe there is nothing but the export."""
    master, terminal = pty.openpty()
    environment = clean_environment(WORKUNITS_LEDGER=address, TERM="xterm", COLUMNS="80")
    command = [*COMMAND, "export", "--format", "csv"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=terminal
    ) as process:
        os.close(terminal)
        seen = b""
        while True:
            try:
                seen += os.read(master, 4096)
            except OSError:  # the terminal's other end has gone
                break
    os.close(master)

    assert process.returncode == 0
    assert b"cases" in seen
    assert f"/{CASES}".encode() in seen


@pytest.mark.parametrize(
    ("args", "field", "says"),
    [
        (["--format", "xes", "--table", "steps"], "--table", "only a CSV has a table"),
        (["--format", "csv", "--json"], "--json", "name a file for it"),
        (["--format", "csv", "--close", "won"], "--close", "one of achieved, achieved_late"),
        (["--format", "csv", "--state", "asleep"], "--state", "one of open, closed, running"),
        (["--format", "csv", "--since", "yesterday"], "--since", "write a day, or a time with its zone"),
        (["--format", "csv", "--until", "2026-01-31T10:00"], "--until", "write a day, or a time with its zone"),
        (
            ["--format", "csv", "--since", "0001-01-01T00:00:00+05:00"],
            "--since",
            "write a day, or a time with its zone",
        ),
    ],
)
def test_what_is_refused_before_anything_is_read(args, field, says):
    """Each misfit names its option and says what to write, and never repeats what was typed."""
    with pytest.raises(CommandError, match=says) as refused:
        app(["export", *args], standalone_mode=False)

    assert (refused.value.field, int(refused.value.exit_code)) == (field, 2)
    assert "yesterday" not in str(refused.value)


def test_a_day_begins_in_utc(export):
    """A window of days holds the cases that closed in it."""
    inside = export("--format", "csv", "--since", "2026-03-01", "--until", "2026-03-02", "--close", "achieved")
    after = export("--format", "csv", "--since", "2026-03-02", "--state", "closed")

    assert inside.stdout.count("\n") == CASES + 1
    assert after.stdout.count("\n") == 1


def test_without_personal_data_from_the_command(export):
    """The option reaches the export: the person of the cases is nobody but an alias."""
    named = export("--format", "csv", "--table", "steps", "--until", "2026-03-01T08:02:00Z")
    nameless = export(
        "--format", "csv", "--table", "steps", "--until", "2026-03-01T08:02:00Z", "--without-personal-data"
    )

    assert ",ann," in named.stdout
    assert ",ann," not in nameless.stdout
    assert ",person-1," in nameless.stdout
