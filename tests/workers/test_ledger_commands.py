"""The ledger's commands as people and scripts meet them: what they say, their exit codes, and what they leave."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from observability.ledger.keeping import evidence as told
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from tests.observability.invented import BEGIN, fill
from tests.workers.conftest import Shell

HEADER = "case,measure,value,source,occurred_at"


@pytest.fixture
def ledger(shell: Shell) -> Ledger:
    """The ledger where the commands look for it, with invented cases; the last of them closed a day ago."""
    ledger = Ledger(f"sqlite:///{shell.folder / '.workunits' / 'ledger.sqlite'}")
    ledger.migrate()
    fill(ledger, 40)
    return ledger


def achieved(ledger: Ledger) -> tuple[str, datetime]:
    """A case that was achieved, and when it closed."""
    with ledger.read() as connection:
        row = connection.execute(select(cases).where(cases.c.close == "achieved").limit(1)).one()
    return row.case_id, row.closed_at


def files_of(folder: Path) -> set[str]:
    """The names of what stands in a folder, hidden ones among them."""
    return {path.name for path in folder.iterdir()}


ASKING = ("status", "letters", "reconcile")


@pytest.mark.parametrize(
    "command",
    [
        *(("ledger", name) for name in ASKING),
        ("report", "refund_request"),
        ("export", "--format", "csv"),
        ("baseline", "show", "refund_request"),
        ("evidence", "refund_request:X-1", "wrong_payments", "1", "--source", "letter"),
        ("forget", "--case", "refund_request:X-1"),
        ("ledger", "prune", "2025-01-31"),
    ],
    ids=" ".join,
)
def test_without_a_ledger_nothing_is_made(command, shell):
    """Each says how to make one; an empty file would stop the next worker."""
    said = shell.run(*command)

    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.endswith("has no tables yet: workunits ledger migrate\n")
    assert files_of(shell.folder) == set()


def test_migrate_and_status(shell):
    """From nothing to a ledger of which somebody has yet to say something."""
    made = json.loads(shell.run("ledger", "migrate", "--json").stdout)
    again = shell.run("ledger", "migrate")
    status = shell.run("ledger", "status")

    assert (made["before"], made["ledger"]) == (None, "sqlite:///.workunits/ledger.sqlite")
    assert f"was at {made['after']}, is at {made['after']}" in again.stdout
    assert status.returncode == 0
    assert status.stdout.splitlines()[1:] == ["Nobody has followed yet: workunits follow"]
    assert json.loads(shell.run("ledger", "status", "--json").stdout)["followers"] == []
    assert shell.run("ledger", "letters").stdout == "0 dead letter(s).\n"


def test_a_newer_schema_stops_every_process(shell, ledger, at):
    """A worker, a follower and a report: each says what to do, and does nothing."""
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for command in (("worker",), ("follow",), ("report", "refund_request"), ("ledger", "migrate")):
        said = shell.run(*command, **at)

        assert said.returncode == 1
        assert "Traceback" not in said.stderr
        assert "revision 9999" in said.stderr
        assert "upgrade" in said.stderr


def test_reconcile_with_an_engine(shell, ledger, at):
    """What the engine never had or has forgotten is counted; as data, for a machine."""
    said, found = shell.run("ledger", "reconcile", **at), shell.run("ledger", "reconcile", "--json", **at)

    counted = json.loads(found.stdout)
    # Other tests leave cases on this engine that no follower has seen.
    assert "; 40 closed case(s) are in the ledger only" in said.stdout
    assert counted["outlived"] == 40
    assert {one["what"] for one in counted["differences"]} <= {"missing"}


def test_evidence_and_the_report_of_it(shell, ledger):
    """Told in time, it counts; told again, it is known; a report says as of when, and one of before knows nothing."""
    case, closed = achieved(ledger)
    when = (closed + timedelta(days=1)).isoformat()
    command = ("evidence", case, "wrong_payments", "yes", "--source", "letter 7", "--occurred-at", when)
    before = datetime.now(UTC).isoformat()
    first, again = shell.run(*command, "--as", "ops"), json.loads(shell.run(*command, "--json").stdout)
    count = [
        json.loads(shell.run("report", "refund_request", "--json", *more).stdout)["report"]["figures"]
        for more in ((), ("--as-of", before))
    ]
    page = shell.run("report", "refund_request").stdout

    assert first.stdout == f"{case}: wrong_payments noted, it counts as not_achieved\n"
    assert [one["new"] for one in again["noted"]] == [False]
    assert count[0]["outcome_attainment"]["count"] + 1 == count[1]["outcome_attainment"]["count"]
    assert count[0]["quality"]["wrong_payments"] == [1.0, 1]
    assert f"n = 40 as of {datetime.now(UTC):%Y-%m-%d}" in page


def test_evidence_in_bulk(shell, ledger):
    """Good lines are kept, bad ones are named by their line in the file; what was told is summed up."""
    case, closed = achieved(ledger)
    when = (closed + timedelta(days=1)).isoformat()
    good = f'{case},wrong_payments,1,"letter, page 2",{when}'
    lines = [HEADER, good, f"{case},wrong_payments,x,letter,", "refund_request:none,wrong_payments,1,letter,"]
    shell.write("told.csv", "\r\n".join([*lines, f"{case},mood,1,letter,", f"{case},wrong_payments,1,,"]))
    said = shell.run("evidence", "--csv", "told.csv")
    data = json.loads(shell.run("evidence", "--csv", "told.csv", "--json").stdout)

    assert said.returncode == 5
    assert said.stdout.endswith("1 piece(s) of evidence noted, 4 line(s) refused\n")
    assert [line.partition(":")[0] for line in said.stderr.splitlines()] == [f"line {n}" for n in (3, 4, 5, 6)]
    assert [error["code"] for error in data["errors"]] == [
        "invalid_field",
        "unknown_case",
        "invalid_field",
        "invalid_field",
    ]
    assert [one["new"] for one in data["noted"]] == [False]


def test_a_decimal_comma_is_no_evidence(shell, ledger):
    """An unquoted comma would tell 1 instead of 1.5 for good: the line is refused, and quoted it is told."""
    case, _ = achieved(ledger)
    lines = [f"{case},wrong_payments,1,5,audit 7", f'{case},wrong_payments,"1,5",audit 7']
    shell.write("told.csv", "\n".join(["case,measure,value,source", *lines, f"{case},wrong_payments,0,audit 8, "]))
    said = shell.run("evidence", "--csv", "told.csv", "--json")
    data = json.loads(said.stdout)

    assert (said.returncode, [error["line"] for error in data["errors"]]) == (5, [2, 3])
    assert data["errors"][0]["message"] == (
        "cells: there are 5, more than the 4 columns; quote a value that has a comma"
    )
    assert "should be a number" in data["errors"][1]["message"]
    assert [one["case"] for one in data["noted"]] == [case]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "names no column case"),
        (b"case;measure;value;source\n", "separated by commas"),
        (b"case,measure,value,source,occured_at\n", "column 5 is none of"),
        (b"case,measure,value,source\nX,wrong_payments,1,\xff\n", "no CSV file in UTF-8"),
        (b'case,measure,value,source\nX,wrong_payments,1,"open\n', "no CSV file in UTF-8"),
    ],
    ids=["empty", "semicolons", "misspelt", "encoding", "quote"],
)
def test_a_file_that_is_not_whole_tells_nothing(content, why, shell, ledger):
    """Also what stands before the place where it breaks off."""
    case, _ = achieved(ledger)
    path = shell.write("told.csv", "")
    path.write_bytes(content.replace(b"\nX", f"\n{case},wrong_payments,1,letter\nX".encode()))
    said = shell.run("evidence", "--csv", "told.csv")

    assert (said.returncode, said.stdout) == (2, "")
    assert why in said.stderr
    with ledger.read() as connection:
        assert connection.execute(select(told)).all() == []


@pytest.mark.parametrize(
    ("command", "code", "why"),
    [
        (("evidence",), 2, "name the case, the measure and the value"),
        (("evidence", "a:1", "m", "1", "--source", "s"), 2, "has no case"),
        (("evidence", "a:1", "m", "1", "--csv", "x.csv"), 2, "leave the rest out"),
        (("evidence", "--csv", "none.csv"), 2, "No such file or directory: none.csv"),
        (("report", "refund_requst"), 2, "did you mean refund_request"),
        (("report", "refund_request", "--since", "monday"), 2, "--since: write a day or time"),
        (("report", "refund_request", "--by", "day"), 2, "--by: should be step, executor or segment"),
        (("report", "refund_request", "--html", "none/x.html"), 2, "there is no such folder: none"),
        (("report", "refund_request", "--html", "here.html"), 4, "exists already"),
        (("export", "--format", "csv", "--unit", "refund_requst"), 2, "did you mean refund_request"),
        (("export", "--format", "csv", "-o", "none/x.csv"), 2, "there is no such folder: none"),
        (("forget",), 2, "name one of --case, --subject, --export, --import"),
        (("forget", "--export", "here.html"), 4, "exists already"),
        (("forget", "--import", "here.html"), 2, "holds no marks"),
        (("ledger", "prune", "2025-02-30"), 2, "before: should be a day"),
        (("ledger", "prune", "2100-01-01"), 2, "before: should lie in the past"),
        (("ledger", "prune", "2025-01-31", "--unit", "none"), 2, "there is no such unit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_input_is_one_sentence(command, code, why, shell, ledger):
    """No traceback, nothing on stdout, nothing half-written."""
    shell.write("here.html", "mine")
    said = shell.run(*command)

    assert (said.returncode, said.stdout, len(said.stderr.splitlines())) == (code, "", 1)
    assert why in said.stderr
    assert files_of(shell.folder) == {"here.html", ".workunits"}
    assert (shell.folder / "here.html").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("by", ["step", "segment"])
def test_a_report_of_nothing(by, shell, ledger):
    """No case has closed in the window: n = 0, on the terminal, as JSON and as a page."""
    command = ("report", "refund_request", "--since", "2025-12-31", "--by", by)
    said, data = shell.run(*command, "--html", "empty.html"), json.loads(shell.run(*command, "--json").stdout)

    assert said.returncode == 0
    assert "n = 0" in said.stdout
    assert (data["report"]["figures"]["n"], data["report"]["figures"]["cycle"], data["by"]) == (0, None, {})
    assert "n = 0" in (shell.folder / "empty.html").read_text(encoding="utf-8")


def test_a_page_is_replaced_when_that_is_asked_for(shell, ledger):
    """With `--force`, and beside its breakdown on the terminal."""
    page = shell.write("report.html", "old")
    refused = shell.run("report", "refund_request", "--html", "report.html", "--json")
    said = shell.run("report", "refund_request", "--html", "report.html", "--force", "--by", "segment")

    assert json.loads(refused.stderr)["error"]["code"] == "exists"
    assert said.returncode == 0
    assert "Written: report.html" in said.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_forget_and_its_marks(shell, ledger):
    """The mark is kept; its file is the owner's alone and is not replaced unless that is asked for."""
    said = [shell.run("forget", "--subject", "ann", "--as", "officer"), shell.run("forget", "--export", "marks.json")]
    again = shell.run("forget", "--export", "marks.json", "--force", "--json")
    back = shell.run("forget", "--import", "marks.json", "--json")

    assert [one.returncode for one in (*said, again, back)] == [0, 0, 0, 0]
    assert "The mark is kept" in said[0].stdout
    assert json.loads(again.stdout) == {"marks": 1, "file": "marks.json"}
    assert json.loads(back.stdout) == {"cases": 0, "on_its_way": 0}
    assert (shell.folder / "marks.json").stat().st_mode & 0o777 == 0o600


def test_prune(shell, ledger):
    """Counted first, then done; also of a unit that no catalog here has."""
    with ledger.write() as connection:
        connection.execute(update(cases).where(cases.c.case_id == "refund_request:X-0").values(unit="retired"))
    day = f"{BEGIN + timedelta(weeks=30):%Y-%m-%d}"
    dry, done = shell.run("ledger", "prune", day, "--dry-run"), shell.run("ledger", "prune", day, "--json")
    left = shell.run("ledger", "prune", day)

    assert dry.stdout == "refund_request: 39 case(s)\nretired: 1 case(s)\n40 case(s) would be deleted.\n"
    assert json.loads(done.stdout)["cases"] == {"refund_request": 39, "retired": 1}
    assert left.stdout == "0 case(s) were deleted.\n"


def test_the_generated_page(shell):
    """`ledger schema` needs no ledger."""
    assert shell.run("ledger", "schema").stdout.startswith("# The ledger\n")
