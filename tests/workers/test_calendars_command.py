"""`workunits calendars`, and docs/calendars.md, whose examples are followed word for word."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.service import RPCError, RPCStatusCode

from tests.workers.conftest import clean_environment
from tests.workers.terminal import ROOT, terminal
from workers.cli import main
from workers.commands import calendars
from workers.reprojecting import Reprojected

PAGE = (ROOT / "docs" / "calendars.md").read_text(encoding="utf-8")
SUNDAYS = 'version = 1\nzone = "Europe/Berlin"\n[hours]\nsunday = ["02:30-06:00"]\n'


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """One terminal for all: opening it takes seconds."""
    with terminal(tmp_path_factory.mktemp("calendars"), clean_environment()) as opened:
        yield opened


@pytest.fixture
def desk(opened, tmp_path):
    """The terminal, in an empty folder."""
    return replace(opened, folder=tmp_path)


def test_the_examples_of_the_page(desk):
    """Each file can be written and each command typed as it stands, in order; what it says is what the page says."""
    years = re.compile(r"from \d{4} to \d{4}")
    for name, text in re.findall(r"This is `([a-z-]+\.toml)`:\n\n```toml\n(.*?)```", PAGE, re.DOTALL):
        desk.write(name, text)
    typed = 0
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for part in block.removeprefix("$ ").split("\n$ "):
            command, _, printed = part.partition("\n")
            ended = desk.run(*shlex.split(command)[1:])
            assert (ended.code, ended.err) == (0, "")
            assert years.sub("", ended.out).splitlines() == years.sub("", printed).splitlines()
            typed += 1
    assert typed == 8


def test_check_says_everything_at_once(desk):
    """Each with file, line, field and remedy; exit code 1."""
    file = desk.write("bad.toml", 'version = 1\nzone = "../x"\n[hours]\nmonday = ["9-17"]\n')
    ended = desk.run("calendars", "check", file)
    said = desk.run("calendars", "check", file, "--json")

    assert ended.code == said.code == 1
    assert ended.out.splitlines() == [
        "bad.toml:2: zone: a zone is a name such as Europe/Berlin, never a path",
        'bad.toml:4: hours.monday, interval 1: write an interval as "09:00-17:00", up to "24:00"',
    ]
    assert not said.json["ok"]
    assert [(one["file"], one["line"], one["field"]) for one in said.json["problems"]] == [
        ("bad.toml", 2, "zone"),
        ("bad.toml", 4, "hours.monday, interval 1"),
    ]


def test_inputs_58_and_59_check_names_the_dates(desk):
    """Six years of openings that fall on a change of clocks, two a year."""
    file = desk.write("sundays.toml", SUNDAYS)
    found = desk.run("calendars", "check", file, "--json").json
    this = datetime.now(UTC).year

    assert (found["ok"], found["years"]) == (True, [this, this + 5])
    assert [edge["rule"] for edge in found["edges"]] == ["dst_gap", "dst_overlap"] * 6
    assert {edge["time"] for edge in found["edges"]} == {"02:30"}
    lines = desk.run("calendars", "check", file).out.splitlines()[1:]
    assert [line.partition(": ")[2] for line in lines[:2]] == [
        "clocks skip 02:30, opens at 03:00",
        "clocks show 02:30 twice, opens with the first (+02:00)",
    ]


def test_publish_refuses_and_says_what_to_do(desk):
    """What is published stays; what is not right is not published; exit codes tell which."""
    file = desk.write("sundays.toml", SUNDAYS)
    first = desk.run("calendars", "publish", file, "--json").json
    again = desk.run("calendars", "publish", file, "--json").json
    assert (first["version"], first["existing"], again["existing"]) == (1, False, True)

    desk.write("sundays.toml", SUNDAYS + "# another\n")
    other = desk.run("calendars", "publish", file, "--json")
    assert (other.code, other.error["code"], other.out) == (4, "calendar_published", "")
    assert other.error["message"].endswith("write version = 2")
    bad = desk.run("calendars", "publish", desk.write("bad.toml", "version = 1\n"), "--json")
    assert (bad.code, bad.error["code"]) == (2, "bad_calendar")
    assert "bad.toml: zone: it is missing; add it" in bad.error["message"]
    missing = desk.run("calendars", "publish", "none.toml")
    assert (missing.code, missing.err) == (
        2,
        "workunits: none.toml: there is no such calendar file; name one that is there\n",
    )


def test_show_is_one_json_document(desk):
    """The dates with their hours and names, and the due time with its offset."""
    args = ["--from", "2026-12-24", "--days", "2", "--in", "8 working hours", "--at", "2026-12-23T14:00:00Z"]
    shown = desk.run("calendars", "show", "back-office", *args, "--json").json

    assert shown["days"] == [
        {"date": "2026-12-24", "hours": ["09:00-12:00"], "why": "Christmas Eve"},
        {"date": "2026-12-25", "hours": [], "why": "Christmas Day"},
    ]
    assert shown["due"] == {
        "in": "8 working hours",
        "from": "2026-12-23T15:00:00+01:00",
        "at": "2026-12-28T12:00:00+01:00",
        "rule": "",
    }
    now = desk.run("calendars", "show", "back-office", "--json").json
    assert (len(now["days"]), now["due"]) == (14, None)
    assert datetime.fromisoformat(now["days"][0]["date"]).weekday() == 0


@pytest.mark.parametrize(
    ("args", "code", "field"),
    [
        (["back-offfice"], "unknown_calendar", None),
        (["../back-office"], "unknown_calendar", None),
        (["back-office", "--version", "9"], "unknown_calendar", None),
        (["back-office", "--in", "1 day"], "invalid_field", "--in"),
        (["back-office", "--in", "0 working hours"], "invalid_field", "--in"),
        (["back-office", "--in", "1.5 working days"], "invalid_field", "--in"),
        (["back-office", "--in", "99999 working hours"], "invalid_field", "--in"),
        (["back-office", "--in", "99999 working days"], "invalid_field", "--in"),
        (["back-office", "--at", "2026-01-01T10:00"], "invalid_field", "--in"),
        (["back-office", "--in", "1 working hour", "--at", "soon"], "invalid_field", "--at"),
        (["back-office", "--in", "1 working hour", "--at", "9999-12-31T23:00"], "invalid_field", "--at"),
        (["back-office", "--in", "1 working hour", "--at", "2300-01-01T10:00"], "bad_horizon", None),
        (["back-office", "--from", "9999-12-31"], "invalid_field", "--from"),
        (["back-office", "--from", "9999-12-01"], "bad_horizon", None),
        (["back-office", "--from", "0001-01-01"], "bad_horizon", None),
        (["back-office", "--from", "2101-01-01"], "bad_horizon", None),
        (["back-office", "--from", "tomorrow"], "usage", None),
        (["back-office", "--days", "0"], "usage", None),
    ],
)
def test_show_refuses_what_it_cannot_answer(desk, args, code, field):
    """In one sentence, with exit code 2."""
    ended = desk.run("calendars", "show", *args, "--json")

    assert (ended.code, ended.out) == (2, "")
    error = json.loads(ended.err)["error"]
    assert (error["code"], error.get("field")) == (code, field)


def test_ls_goes_on_when_a_file_is_not_right(desk):
    """What somebody broke by hand is named beside the others."""
    desk.write("sundays.toml", SUNDAYS)
    desk.run("calendars", "publish", "sundays.toml")
    (desk.folder / "calendars" / "sundays" / "1.toml").write_text("version = 1\n", encoding="utf-8")
    found = desk.run("calendars", "ls", "--json").json["calendars"]

    assert [one["name"] for one in found] == ["back-office", "sundays"]
    assert found[0]["error"] is None
    assert "zone: it is missing" in found[1]["error"]
    assert desk.run("calendars", "ls", WORKUNITS_CALENDARS="elsewhere").out.count("\n") == 2


@pytest.fixture
def here(tmp_path, monkeypatch):
    """We are in a folder with a calendar's file, and commands run in this process, without what is set."""
    for name in [name for name in os.environ if name.startswith("WORKUNITS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("workers.cli._leave", sys.exit)
    (tmp_path / "sundays.toml").write_text(SUNDAYS, encoding="utf-8")
    return monkeypatch


MOVED, KEPT = Reprojected("claims:1", "sundays@0"), Reprojected("claims:2", "sundays@0", "refused: it is being undone")
DOWN = RPCError("connection reset", RPCStatusCode.UNAVAILABLE, b"")


@pytest.mark.parametrize(
    ("came", "code"),
    [((MOVED,), 0), ((MOVED, KEPT), 5), ((KEPT,), 1), ((MOVED, DOWN), 5), ((KEPT, DOWN), 3), ((DOWN,), 3)],
    ids=["all", "some", "none", "some, then down", "none, then down", "down"],
)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_what_became_of_open_cases_is_said_in_any_case(here, capsys, came, code, form):
    """5 when only some moved; where the engine drops out, that it is published, and which cases have moved."""

    async def some(*_args, **_more):
        for one in came:
            if isinstance(one, Exception):
                raise one
            yield one

    @asynccontextmanager
    async def nowhere(_ctx):
        yield None

    here.setattr("workers.reprojecting.reproject", some)
    here.setattr(calendars, "open_cases", nowhere)
    typed = ("calendars", "publish", "sundays.toml", "--reproject", "--reason", "opens at two", "--as", "ops")
    here.setattr("sys.argv", ["workunits", *typed, *form])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()

    assert (ended.value.code, Path("calendars/sundays/1.toml").exists()) == (code, True)
    if form:
        said = json.loads(out)
        assert [one["case"] for one in said["cases"]] == [one.case for one in came if one is not DOWN]
        assert said["whole"] == (DOWN not in came)
    else:
        assert ("claims:1 went on from sundays@0" in out) == (MOVED in came and DOWN in came)
        assert ("claims:2 keeps sundays@0: refused" in out) == (KEPT in came)
    assert ("sundays version 1 is published" in err) == (DOWN in came)
    assert ("say the same again" in err) == (DOWN in came)
