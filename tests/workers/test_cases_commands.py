"""`list`, `show` and `cancel` on a real engine, and names that fit no case."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from contextlib import suppress

import pytest
from temporalio.client import Client

from tests.workers.conftest import COMMAND
from tests.workers.terminal import refund, served, waits

UNSERVED = "unserved"
"""A queue that no worker polls: what is started there stays in its first step."""


@pytest.fixture(scope="module")
def desk(engine, tmp_path_factory):
    """A terminal on an engine with a worker."""
    with served(engine, tmp_path_factory.mktemp("cases"), "cases-commands") as opened:
        yield opened


# --- look -------------------------------------------------------------------------------------------------------------


def test_show_a_case_that_waits(desk):
    """The header, the steps, for whom it waits and what is left; in a pipe without colours or frames."""
    case = desk.start(refund("R-1017"))
    said = desk.shown(case)

    text = desk.run("show", case.partition(":")[2]).out

    assert text.splitlines()[0] == f"{case} is waiting"
    assert "Accountable  head of customer care" in text
    assert "Waits for    refund approver: decide, for " in text
    assert " UTC, 2 d 23 h left" in text
    assert text.isprintable() is False
    assert all(line.isprintable() and line.isascii() and line == line.rstrip() for line in text.splitlines())
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert rows["find_order"][1:3] == ["automated", "done"]
    assert rows["find_order"][-2:] == ["ms", "1"]
    assert rows["decide"][1:3] == ["human", "open"]
    assert said["case"] == case
    assert said["record"]["version"] == "1"
    assert said["tasks"][0]["role"] == "refund approver"
    assert said["sla"]["state"] == "running"
    assert sum(said["parts"].values()) > said["record"]["steps"][-1]["ready"]


def test_show_what_led_to_an_exception(desk):
    """A routed exception, with the step that takes over, and that the task has it as its reason."""
    case = desk.start(refund("R-none"))
    desk.shown(case)

    text = desk.run("show", case).out

    assert "order_unknown" in text
    assert "correct_number takes over" in text
    assert "because of order_unknown" in text


def test_show_a_closed_case(desk):
    """How and when it closed, and that it was in time; the parts add up to the elapsed time exactly."""
    case = desk.start(refund())
    said = desk.shown(case, lambda said: not said["open"])

    text = desk.run("show", case).out

    assert said["state"] == said["record"]["close"] == "achieved"
    assert said["sla"]["state"] == "met"
    assert sum(said["parts"].values()) == said["record"]["closed"]
    assert "Closed       achieved at " in text
    assert "UTC, in time" in text


def test_show_a_case_in_its_first_step(desk):
    """A case that has published nothing yet has its due time from its unit."""
    case = desk.start(refund(), WORKUNITS_QUEUE=UNSERVED)

    text, said = desk.run("show", case).out, desk.run("show", case, "--json").json

    assert "Waits for    a worker" in text
    assert "2 d 23 h left" in text
    assert (said["record"], said["parts"], said["tasks"]) == (None, None, [])
    assert said["sla"]["state"] == "running"
    assert "2 d 23 h left" in desk.listed(case, "--state", "running")


def test_explain_a_case_that_no_ledger_has(desk):
    """From the engine, without a comparison: one that is open up to now, and a closed one."""
    waiting, done = desk.start(refund("R-1017")), desk.start(refund())
    desk.shown(waiting)
    desk.shown(done, lambda said: not said["open"])

    opened, closed = desk.run("explain", waiting, "--json").json, desk.run("explain", done, "--json").json
    text, nothing = desk.run("explain", done.partition(":")[2]).out, desk.run("explain", "refund_request:none")
    unserved = desk.run("explain", desk.start(refund(), WORKUNITS_QUEUE=UNSERVED), "--json")

    assert (opened["close"], closed["close"]) == (None, "achieved")
    for said in (opened, closed):
        assert round(sum(said["parts"].values()) * 1e6) == round(said["elapsed_seconds"] * 1e6) > 0
        assert said["compared"]["n"] == 0
    assert text.startswith("There is nothing to compare with: the ledger does not have the case;")
    assert (nothing.code, unserved.code, unserved.error["code"]) == (2, 2, "no_record")


async def test_a_case_that_was_ended_from_outside(desk, engine):
    """Terminated is no way of closing: the case is called that, and is in no list of what waits."""
    case = desk.start(refund("R-1017"))
    desk.shown(case)
    client = await Client.connect(engine.address.host)
    await client.get_workflow_handle(case).terminate("an operator's mistake")

    waits(lambda: case not in desk.run("list", "--state", "waiting", "--limit", "1000").out)
    text = desk.run("show", case).out

    assert f"{case} is terminated" in text
    assert "terminated from outside at " in text


def test_list_says_when_there_are_more(desk):
    """The limit is said, in words and in JSON; a unit and a state narrow the list down."""
    waiting = desk.start(refund("R-1017"))
    desk.shown(waiting)
    desk.listed(desk.start(refund(), WORKUNITS_QUEUE=UNSERVED))
    desk.listed(waiting, "--state", "waiting")

    short = desk.run("list", "--limit", "1")
    document = desk.run("list", "--limit", "1", "--json").json
    narrow = desk.run("list", "--state", "waiting", "--unit", "refund_request", "--json").json["cases"]
    nobody = desk.run("list", "--state", "achieved_late")
    wrong = desk.run("list", "--state", "stuck")

    assert "These are the first 1; for others: --limit, --unit, --state" in short.out
    assert (len(document["cases"]), document["more"]) == (1, True)
    entry = next(entry for entry in narrow if entry["case"] == waiting)
    assert {"unit": "refund_request", "state": "waiting", "open": True, "sla": "running"}.items() <= entry.items()
    assert entry["waiting_for"][0]["role"] == "refund approver"
    assert {entry["state"] for entry in narrow} == {"waiting"}
    assert (nobody.code, nobody.out, nobody.err) == (0, "", "No such cases.\n")
    assert wrong.code == 2
    assert "state: one of running, waiting, incident, achieved" in wrong.err


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "..", "a\nb", "\x1b[31mRR-1", "a\\b", "x" * 401, ""])
def test_inputs_41_and_42_odd_names(desk, name):
    """A path, a control character, nothing or too much: refused as a name, before anyone is asked."""
    for args in (("show", name), ("cancel", name, "--reason", "x"), ("tasks", "claim", f"{name}/../x")):
        ended = desk.run(*args)
        assert ended.code == 2
        assert "printable characters, and no path" in ended.err
        assert "\x1b" not in ended.err


async def test_a_name_that_fits_no_case_or_several(desk, engine):
    """Near names for a mistyped one; both names when a key has two cases."""
    case = desk.start(refund())
    desk.listed(case)  # near names are those that the list has
    key = case.partition(":")[2]
    near = desk.run("show", f"{case[:-1]}{(int(case[-1]) + 1) % 10}")
    other = desk.run("show", "refund_reqest:RR-1")
    client = await Client.connect(engine.address.host)
    await client.start_workflow("customer_onboarding", {}, id=f"customer_onboarding:{key}", task_queue=UNSERVED)
    several = desk.run("show", key, "--json")

    assert near.code == other.code == several.code == 2
    assert case in near.err
    assert "did you mean refund_request?" in other.err
    assert several.error["code"] == "ambiguous"
    assert f"customer_onboarding:{key} or {case}" in several.error["message"]


def test_a_terminal_of_80_columns(desk):
    """On a terminal the list fits, with colour; starting many shows how far it is, and leaves only the sum."""
    case = desk.start(refund("R-1017"))
    desk.shown(case)
    lines = desk.write("progress.jsonl", "".join(json.dumps(refund()) + "\n" for _ in range(40)))

    code, text = on_a_terminal(desk, "list", "--state", "waiting")
    started, said = on_a_terminal(desk, "start", "refund_request", "--input", lines, WORKUNITS_QUEUE=UNSERVED)

    rows = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).splitlines()
    assert code == started == 0
    assert "\x1b[1mCASE" in text
    assert any(case in row for row in rows)
    assert max(len(row) for row in rows) <= 80
    assert "\x1b[2K" in said
    assert said.rstrip().endswith("40 started")


def on_a_terminal(desk, *args, **variables):
    """Run a command on a terminal of 80 columns: its exit code, and all that was written."""
    screen, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = desk.variables | {"TERM": "xterm-256color"} | variables
    for name in ("COLUMNS", "NO_COLOR"):
        env.pop(name, None)
    said = b""
    with subprocess.Popen([*COMMAND, *args], cwd=desk.folder, env=env, stdin=end, stdout=end, stderr=end) as process:
        os.close(end)
        with suppress(OSError):  # how a terminal says that the other side has closed it
            while piece := os.read(screen, 65536):
                said += piece
    os.close(screen)
    return process.returncode, said.decode()


def test_when_a_request_was_accepted_stands_on_the_record(desk):
    """The time has a zone and has come; else it is refused, with an example."""
    file = desk.write("accepted.json", case := refund("R-1017"))

    def give(when):
        return desk.run("start", "refund_request", "--input", file, "--accepted-at", when)

    naive, future, good = give("2026-01-31T10:00"), give("2999-01-01T00:00Z"), give("2025-06-01T10:00:00+02:00")

    assert (naive.code, future.code, good.code) == (2, 2, 0)
    assert "with its zone, such as 2026-01-31T14:05:00Z" in naive.err
    assert "it lies in the future" in future.err
    assert desk.shown(case["request"])["record"]["accepted_at"] == "2025-06-01T08:00:00Z"


async def test_text_of_others_cannot_steer_the_terminal(desk, engine):
    """A reason given elsewhere is shown without escape codes, line breaks or signs that turn the line around."""
    case = desk.start(refund("R-1017"))
    desk.shown(case)
    client = await Client.connect(engine.address.host)
    await client.get_workflow_handle(case).cancel(reason="\x1b[31mgone\u202e\nClosed  achieved \x9b2J")
    desk.shown(case, lambda said: not said["open"])

    text = desk.run("show", case).out

    assert "Cancelled by  ?[31mgone? Closed achieved ?2J\n" in text


# --- cancel -----------------------------------------------------------------------------------------------------------


def test_input_48_cancel(desk):
    """A cancel needs a reason, which stays on the record with who gave it; a closed case refuses another."""
    case = desk.start(refund("R-1017"))
    desk.shown(case)

    silent, blank = desk.run("cancel", case), desk.run("cancel", case, "--reason", " ")
    done = desk.run("cancel", case, "--reason", "asked  twice", "--as", "marta", "--json")
    again = desk.run("cancel", case, "--reason", "once more")
    text = desk.run("show", case).out

    assert (silent.code, blank.code) == (2, 2)
    assert "--reason" in silent.err
    assert "--reason: say why" in blank.err
    assert done.json == {"case": case, "state": "cancelled", "open": False, "by": "marta", "reason": "asked twice"}
    assert again.code == 4
    assert "the case closed as cancelled" in again.err
    assert "Cancelled by  marta: asked twice" in text


# --- no engine --------------------------------------------------------------------------------------------------------


def test_input_54_unreachable(desk):
    """Every command ends with exit code 3, and says where it looked and how to start an engine."""
    nowhere = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}  # a port that nobody is given
    file = desk.write("case.json", refund())
    commands = [
        ("start", "refund_request", "--input", file),
        ("list",),
        ("show", "RR-1"),
        ("cancel", "RR-1", "--reason", "x"),
        ("tasks", "ls"),
        ("tasks", "complete", "RR-1/decide"),
    ]

    for command in commands:
        ended = desk.run(*command, "--json", **nowhere)
        assert (ended.code, ended.out) == (3, "")
        assert ended.error["code"] == "unreachable"
        assert "workunits up" in ended.error["message"]
