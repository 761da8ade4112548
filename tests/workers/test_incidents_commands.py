"""Incidents by commands, on a real engine: listed, retried one by one and by their cause, resolved, failed."""

from __future__ import annotations

import uuid

import pytest

from tests.workers.terminal import served, waits

UNIT = '''
from depot.contracts import Parcel, Sent
from workunits.core.spec import Learning, Measure, Outcome, automated, elapsed
from workunits.core.unit import WorkUnit


class Depot(WorkUnit, name="depot", version="1", key="parcel"):
    """A parcel is sent."""

    outcome = Outcome(
        Sent,
        "The parcel is sent within 24 hours.",
        achieved=lambda result: bool(result.track),
        within=elapsed(hours=24),
        accountable="head of depot",
    )
    learning = Learning(
        owner="depot owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )
    admins = ("depot desk",)
    SEND = automated("send", Parcel, Sent, attempts=1, after="incident")

    async def work(self, case: Parcel) -> Sent:
        """Send it."""
        return await self.perform(self.SEND, case)
'''
CONTRACTS = """
from pydantic import BaseModel


class Parcel(BaseModel):
    parcel: str


class Sent(BaseModel):
    track: str
"""
PERFORMERS = '''
from pathlib import Path

from depot.contracts import Parcel, Sent
from depot.unit import Depot
from temporalio.exceptions import ApplicationError
from workunits.performs import performs


@performs(Depot.SEND)
def send(parcel: Parcel) -> Sent:
    """Send it, unless a file says what is wrong."""
    trouble = Path(f"trouble-{parcel.parcel}")
    if trouble.exists():
        raise ApplicationError("the lane of Ann Example is closed", type=trouble.read_text(), non_retryable=True)
    return Sent(track=f"T-{parcel.parcel}")
'''
PACKAGE = """
from depot.unit import Depot
from workunits.registry import Package

PACKAGE = Package("depot", (Depot,), ("depot.contracts",), ("depot.performers",))
"""


@pytest.fixture(scope="module")
def desk(engine, tmp_path_factory):
    """A terminal on an engine with a worker for the unit."""
    folder = tmp_path_factory.mktemp("incidents")
    (folder / "depot").mkdir()
    files = {"__init__": "", "contracts": CONTRACTS, "unit": UNIT, "performers": PERFORMERS, "package": PACKAGE}
    for name, text in files.items():
        (folder / "depot" / f"{name}.py").write_text(text, "utf-8")
    (folder / "workunits.toml").write_text('modules = ["depot.package"]\n', "utf-8")
    with served(engine, folder, "incidents") as opened:
        yield opened


@pytest.fixture
def code():
    """A cause of this test's own."""
    return f"lane_{uuid.uuid4().hex[:8]}"


def held(desk, code):
    """A case that is held by an incident, and its key."""
    key = f"P-{uuid.uuid4().hex[:8]}"
    desk.write(f"trouble-{key}", code)
    desk.run("start", "depot", "--input", desk.write("parcel.json", {"parcel": key}))
    desk.shown(f"depot:{key}", lambda said: said["state"] == "incident")
    return f"depot:{key}", key


def listed(desk, code, count):
    """What `ls` says of a cause, once it lists so many."""

    def look():
        found = desk.run("incidents", "ls", "--code", code, "--json").json["incidents"]
        return found if len(found) == count else None

    return waits(look)


def mend(desk, key):
    """Take the trouble away."""
    (desk.folder / f"trouble-{key}").unlink()


def test_incidents_are_listed_and_shown(desk, code):
    """What failed, how often and since when; `list` and `show` say that the case is held."""
    case, key = held(desk, code)
    (found,) = listed(desk, code, 1)
    table = desk.run("incidents", "ls", "--unit", "depot", "--code", code).out.splitlines()
    shown, whole = desk.run("incidents", "show", key).out, desk.run("show", case).out
    row = desk.listed(case, "--state", "incident")

    assert {"case": case, "unit": "depot", "step": "send", "code": code, "state": "open", "tries": 1}.items() <= (
        found.items()
    )
    assert table[0].split() == ["CASE", "STEP", "CODE", "TRIES", "OPEN", "FOR", "CAUSE"]
    assert table[1].split()[:4] == [case, "send", code, "1"]
    assert shown.splitlines()[0] == f"{case}/send is open"
    assert f"send failed after 1 attempt: {code}" in shown
    assert f"decide it: workunits incidents show {case}" in whole
    assert "an operator decides" in whole
    assert row.rstrip().endswith("an operator")
    assert not any("Ann" in text for text in (shown, whole, *table))
    assert desk.run("list", "--state", "incident", "--json").json["cases"][0]["incidents"]
    assert desk.run("incidents", "ls", "--code", "nothing_of_this").err == "No open incident with that unit or code.\n"


def test_a_retry_says_whether_it_succeeded(desk, code):
    """It waits for the step; the exit code says it, too, and only a success reads resolved."""
    case, key = held(desk, code)
    again = desk.run("incidents", "retry", key)
    mend(desk, key)
    done = desk.run("incidents", "retry", case, "send", "--as", "olga", "--reason", "the lane is open", "--json")
    closed = desk.shown(case, lambda said: said["state"] == "achieved")
    late = desk.run("incidents", "retry", case, "--json")

    assert (again.code, again.out) == (1, f"{case}/send: failed again\n")
    assert (done.code, done.json["result"], done.json["error"]) == (0, "succeeded", None)
    (incident,) = closed["record"]["incidents"]
    assert (incident["state"], incident["tries"], incident["by"], incident["why"]) == (
        "resolved",
        2,
        "olga",
        "the lane is open",
    )
    assert (late.code, late.error["code"]) == (4, "no_incident")
    assert late.error["message"].endswith("the last one is resolved")


def test_a_retry_that_goes_on_is_not_called_resolved(desk, code):
    """Within no time at all nobody knows yet, and the command says so."""
    case, key = held(desk, code)
    mend(desk, key)
    ended = desk.run("incidents", "retry", case, "--wait", "0s")
    assert (ended.code, ended.out.split(": ")[1]) in [(6, "still being tried; look again"), (0, "resolved")]
    desk.shown(case, lambda said: said["state"] == "achieved")


def test_a_bulk_retry_says_what_came_of_each(desk, code):
    """All of one cause, each for itself; some that fail again make it partly done."""
    cases = [held(desk, code) for _ in range(3)]
    other, _ = held(desk, f"{code}_other")
    listed(desk, code, 3)
    mend(desk, cases[0][1])
    mend(desk, cases[1][1])
    ended = desk.run("incidents", "retry", "--code", code, "--unit", "depot", "--json")
    words = desk.run("incidents", "retry", "--code", code)
    results = {result["case"]: result["result"] for result in ended.json["results"]}

    assert (ended.code, ended.json["succeeded"], ended.json["of"]) == (5, 2, 3)
    assert results == {cases[0][0]: "succeeded", cases[1][0]: "succeeded", cases[2][0]: "failed_again"}
    assert (words.code, words.err) == (1, "0 of 1 succeeded\n")
    assert words.out.splitlines()[1].split("  ") == [f"{cases[2][0]}/send", "failed again"]
    assert desk.run("show", other, "--json").json["record"]["incidents"][0].get("tries", 1) == 1


def test_an_operator_gives_the_result(desk, code):
    """Checked against what the step declares; the option that does not fit is named."""
    case, key = held(desk, code)
    wrong = desk.run(
        "incidents", "resolve", key, "--reason", "by phone", "--result", desk.write("wrong.json", {"track": 7})
    )
    file = desk.write("result.json", {"track": "by hand"})
    stranger = desk.run("incidents", "resolve", key, "--reason", "x", "--result", file, "--role", "clerk", "--json")
    silent = desk.run("incidents", "resolve", key, "--reason", "", "--result", file)
    said = desk.run("incidents", "resolve", key, "--reason", "by phone", "--result", file, "--role", "depot desk")
    closed = desk.shown(case, lambda said: said["state"] == "achieved")

    assert (wrong.code, wrong.err) == (2, "workunits: --result: track: Input should be a valid string\n")
    assert (stranger.code, stranger.error["code"]) == (4, "not_allowed")
    assert (silent.code, "--reason" in silent.err) == (2, True)
    assert (said.code, said.out) == (0, f"{case}/send is resolved\n")
    assert closed["record"]["incidents"][0]["why"] == "by phone"
    assert {acted["origin"] for acted in closed["record"]["actions"]} == {"cli"}


def test_an_operator_lets_the_case_fail(desk, code):
    """With a reason that stays on the record; the same action id again has the same answer."""
    case, _ = held(desk, code)
    id_ = uuid.uuid4().hex
    said = desk.run("incidents", "fail", case, "--reason", "the lane is gone", "--action-id", id_, "--json")
    closed = desk.shown(case, lambda said: said["state"] == "failed")

    again = desk.run("incidents", "fail", case, "--reason", "the lane is gone", "--action-id", id_, "--json")
    other = desk.run("incidents", "fail", case, "--reason", "another", "--action-id", id_, "--json")

    assert (said.json["state"], said.json["incident"]) == ("failed", f"{case}/send")
    assert (again.code, again.json) == (0, said.json)
    assert (other.code, other.error["code"]) == (4, "action_id_reused")
    assert closed["record"]["why"] == f"send: {code}: the lane is gone"
    assert desk.run("incidents", "show", case, "--json").json["incidents"][0]["state"] == "failed"


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (("retry",), "case"),
        (("retry", "depot:x", "--code", "y"), "case"),
        (("retry", "depot:x", "--unit", "depot"), "--unit"),
        (("retry", "--code", "y", "--action-id", "z"), "--action-id"),
        (("retry", "depot:x", "--wait", "soon"), "--wait"),
        (("show", "depot:nowhere"), "case"),
        (("fail", "depot:nowhere", "--reason", "x"), "case"),
    ],
)
def test_what_cannot_be_meant_is_refused(desk, args, field):
    """Before anything is sent, with the option that is not right."""
    ended = desk.run("incidents", *args, "--json")
    assert (ended.code, ended.error["field"]) == (2, field)


def test_a_step_without_an_incident_is_named(desk, code):
    """With what is open instead."""
    _, key = held(desk, code)
    ended = desk.run("incidents", "retry", key, "weigh", "--json")

    assert (ended.code, ended.error["code"], ended.error["field"]) == (2, "no_incident", "step")
    assert "open are send" in ended.error["message"]
