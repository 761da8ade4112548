"""Clocks by commands, on a real engine: shown, stopped, let go on, adjusted, void; a calendar moved under a case."""

from __future__ import annotations

import uuid

import pytest

from tests.workers.terminal import served, waits

UNIT = '''
from claims.contracts import Claim, Settled
from workunits.core.spec import (
    Learning, Measure, Outcome, Pause, Target, elapsed, human, working_hours,
)
from workunits.core.unit import WorkUnit


class Claims(WorkUnit, name="claims", version="1", key="claim"):
    """A claim is settled."""

    outcome = Outcome(
        Settled,
        "The claim is settled within 8 working hours.",
        achieved=lambda result: result.yes,
        within=Target(working_hours(8), calendar="desk", pauses=(Pause("customer", cap=elapsed(days=9)),)),
        accountable="head of claims",
    )
    learning = Learning(
        owner="claims owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )
    admins = ("claims desk",)
    DECIDE = human("decide", Claim, Settled, role="assessor", accountable="head of claims", finish_by=elapsed(hours=6))

    async def work(self, case: Claim) -> Settled:
        """Decide."""
        return await self.perform(self.DECIDE, case)
'''
CONTRACTS = """
from pydantic import BaseModel


class Claim(BaseModel):
    claim: str


class Settled(BaseModel):
    yes: bool
"""
PACKAGE = """
from claims.unit import Claims
from workunits.registry import Package

PACKAGE = Package("claims", (Claims,), ("claims.contracts",), ())
"""
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def calendar(version: int, opens: str) -> str:
    """A calendar that is open every day."""
    hours = "\n".join(f'{day} = ["{opens}-24:00"]' for day in DAYS)
    return f'version = {version}\nzone = "Europe/Berlin"\n\n[hours]\n{hours}\n'


@pytest.fixture(scope="module")
def desk(engine, tmp_path_factory):
    """A terminal on an engine with a worker for the unit."""
    folder = tmp_path_factory.mktemp("claims")
    (folder / "claims").mkdir()
    for name, text in {"__init__": "", "contracts": CONTRACTS, "unit": UNIT, "package": PACKAGE}.items():
        (folder / "claims" / f"{name}.py").write_text(text, "utf-8")
    (folder / "workunits.toml").write_text('modules = ["claims.package"]\n', "utf-8")
    (folder / "calendars" / "desk").mkdir(parents=True)
    (folder / "calendars" / "desk" / "1.toml").write_text(calendar(1, "00:00"), "utf-8")
    with served(engine, folder, "claims") as opened:
        yield opened


@pytest.fixture
def case(desk):
    """A case that waits for a person."""
    key = f"C-{uuid.uuid4().hex[:8]}"
    desk.run("start", "claims", "--input", desk.write("claim.json", {"claim": key}))
    desk.shown(f"claims:{key}", lambda said: said["state"] == "waiting")
    return f"claims:{key}"


def clock(desk, case, name="unit"):
    """How a clock stands, by `sla show`."""
    said = desk.run("sla", "show", case, "--json").json
    return next(one for one in said["clocks"] if one["clock"] == name)


def test_the_clocks_of_a_case_are_shown(desk, case):
    """Each with its budget, what is used, when it is due and by which calendar."""
    shown, said = clock(desk, case), desk.run("sla", "show", case)

    assert (shown["state"], shown["budget_seconds"], shown["calendar"]) == ("running", 8 * 3600, "desk@1")
    assert clock(desk, case, "decide.finish_by")["calendar"] is None
    assert "desk@1" in said.out
    assert "decide.finish_by" in said.out


def test_a_clock_is_stopped_and_goes_on(desk, case):
    """By an admin, for a reason that the target lists; both stand on the record with who and why."""
    by = ("--as", "ada", "--role", "claims desk")
    stopped = desk.run("sla", "pause", case, "--reason", "customer", "--evidence", "mail 7", *by)
    during = clock(desk, case)
    desk.run("sla", "resume", case, "--reason", "customer", *by)
    said = desk.run("sla", "show", case, "--json").json

    assert stopped.out.strip() == f"{case}/clock:unit is paused"
    assert during["state"] == "paused"
    assert clock(desk, case)["state"] == "running"
    assert clock(desk, case)["generation"] == 2
    assert [entry["text"] for entry in said["entries"]] == [
        "ada: pause unit, customer (mail 7)",
        "ada: resume unit, customer",
    ]


def test_adjusting_is_the_accountable_roles(desk, case):
    """Without a role said, that role is assumed as a task's own would be; another one is refused."""
    refused = desk.run(
        "sla", "adjust", case, "--hours", "2", "--reason", "outage", "--evidence", "7", "--role", "claims desk"
    )
    done = desk.run(
        "sla", "adjust", case, "--hours", "2", "--reason", "outage", "--evidence", "7", "--as", "bea", "--json"
    )

    assert (refused.code, "head of claims" in refused.err) == (4, True)
    assert done.json["state"] == "running"
    assert clock(desk, case)["budget_seconds"] == 10 * 3600


@pytest.mark.parametrize("hours", ["87601", "-87601", "1e300", "nan", "inf"])
def test_hours_beyond_measure_are_said_in_hours(desk, hours):
    """The option that was typed is named, with its limit in its own unit, and nothing is asked of the engine."""
    said = desk.run(
        "sla", "adjust", "claims:none", f"--hours={hours}", "--reason", "outage", "--evidence", "7", "--json"
    )

    assert (said.code, said.error["field"], said.error["code"]) == (2, "--hours", "invalid_field")
    assert said.error["message"] == "--hours: should be from -87600 to 87600, a number of hours"


def test_a_promise_is_declared_void(desk, case):
    """It counts as nothing from then on."""
    desk.run("sla", "void", case, "--reason", "the contract ended", "--evidence", "letter 3", "--as", "bea")

    assert clock(desk, case)["state"] == "void"


def test_a_reason_that_is_not_listed_and_a_clock_that_is_not_there(desk, case):
    """Each refusal says what there is."""
    why = ("--evidence", "x")
    holiday = desk.run("sla", "pause", case, "--reason", "holiday", *why)
    moon = desk.run("sla", "pause", case, "--clock", "moon", "--reason", "customer", *why)

    assert (holiday.code, moon.code) == (4, 4)
    assert "it lists customer" in holiday.err
    assert "decide.finish_by, unit" in moon.err


def test_publishing_moves_open_clocks_only_when_asked(desk, case):
    """Without the option they keep their version; with it, a reason is required and stands on each record."""
    file = desk.folder / "desk.toml"
    file.write_text(calendar(2, "01:00"), "utf-8")
    bare = desk.run("calendars", "publish", str(file), "--reproject")
    desk.run("calendars", "publish", str(file))
    kept = clock(desk, case)["calendar"]
    moved = desk.run(
        "calendars", "publish", str(file), "--reproject", "--reason", "opens at one", "--as", "op", "--json"
    )
    waits(lambda: clock(desk, case)["calendar"] == "desk@2")
    said = desk.run("sla", "show", case, "--json").json

    assert (bare.code, "--reason" in bare.err) == (2, True)
    assert kept == "desk@1"
    assert {"case": case, "before": "desk@1", "error": None} in moved.json["cases"]
    assert "op: reproject unit, opens at one; desk@2: done" in [entry["text"] for entry in said["entries"]]
