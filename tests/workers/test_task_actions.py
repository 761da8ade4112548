"""The whole life of a task by commands, on a real engine, with roles that were typed and with a directory."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from inbox.journal import Journal
from tests.workers.terminal import served
from workers.acts import read_until
from workunits.core.errors import BadInput

UNIT = '''
from datetime import timedelta

from pydantic import BaseModel

from workunits.core.errors import NoQuorum
from workunits.core.spec import Learning, Measure, On, Outcome, Votes, elapsed, human
from workunits.core.unit import WorkUnit
from shift.contracts import Draft, Illegible, Vote


class Shift(WorkUnit, name="shift", version="1", key="request"):
    """One prepares, and two of three agree."""

    outcome = Outcome(
        Vote,
        "The shift is decided within 24 hours.",
        achieved=lambda result: result.agreed,
        within=elapsed(hours=24),
        accountable="head of shifts",
    )
    learning = Learning(
        owner="shifts owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )
    admins = ("shift admin",)
    PREPARE = human(
        "prepare",
        Draft,
        Draft,
        role="planner",
        accountable="shift lead",
        raises=(Illegible,),
        waits=("customer", "works council"),
        if_skipped=Draft(request="none"),
    )
    VOTE = human(
        "vote",
        Draft,
        Vote,
        role="voter",
        accountable="shift lead",
        excludes=(PREPARE,),
        votes=Votes(of=3, quorum=2, on=lambda vote: vote.agreed),
        forwardable=False,
    )
    rules = (On(Illegible, PREPARE), On(NoQuorum, VOTE))

    async def work(self, case: Draft) -> Vote:
        """Prepare and vote."""
        return await self.perform(self.VOTE, await self.perform(self.PREPARE, case))
'''
CONTRACTS = """
from pydantic import BaseModel

from workunits.core.errors import BusinessException


class Draft(BaseModel):
    request: str


class Vote(BaseModel):
    agreed: bool


class Illegible(BusinessException, code="illegible"):
    \"\"\"It cannot be read.\"\"\"
"""
PACKAGE = """
from shift.unit import Shift
from workunits.registry import Package

PACKAGE = Package("shift", (Shift,), ("shift.contracts",), ())
"""
PEOPLE = """
[groups]
planners = ["planner"]
voters = ["voter"]

[[person]]
name = "paula"
display = "Paula"
groups = ["planners"]

[[person]]
name = "peter"
display = "Peter"
groups = ["voters"]

[[person]]
name = "lea"
display = "Lea"

[[accountable]]
role = "shift lead"
person = "lea"

[[absence]]
person = "paula"
from = 2020-01-01
until = 2999-01-01
substitute = "peter"
"""


@pytest.fixture(scope="module")
def desk(engine, tmp_path_factory):
    """A terminal on an engine with a worker for the unit."""
    folder = tmp_path_factory.mktemp("actions")
    (folder / "shift").mkdir()
    for name, text in {"__init__": "", "contracts": CONTRACTS, "unit": UNIT, "package": PACKAGE}.items():
        (folder / "shift" / f"{name}.py").write_text(text, "utf-8")
    (folder / "workunits.toml").write_text('modules = ["shift.package"]\n', "utf-8")
    (folder / "people.toml").write_text(PEOPLE, "utf-8")
    with served(engine, folder, "task-actions") as opened:
        yield opened


class Play:
    """One case, and what people do with its task."""

    def __init__(self, desk):
        self.desk = desk
        file = desk.write("shift.json", {"request": f"S-{uuid.uuid4().hex[:12]}"})
        started = desk.run("start", "shift", "--json", "--input", file)
        assert started.code == 0, started.err
        self.case = started.json["cases"][0]["case"]
        self.task = desk.shown(self.case)["tasks"][0]["id"]

    def run(self, action, *more, who="paula", **variables):
        """Act."""
        return self.desk.run("tasks", action, self.task, "--as", who, *more, **variables)

    def act(self, action, *more, who="paula", **variables):
        """Act, and have the task's state."""
        ended = self.run(action, *more, "--json", who=who, **variables)
        assert ended.code == 0, ended.err
        return ended.json["state"]

    def shown(self):
        """What `show` says of the task: its rows by their names."""
        rows = self.desk.run("tasks", "show", self.task).out.splitlines()
        return {name: said for name, _, said in (row.partition("  ") for row in rows)} | {"": rows[0]}

    def record(self):
        """The case's record."""
        return self.desk.run("show", self.case, "--json").json["record"]


@pytest.fixture
def play(desk):
    """A case with a task."""
    return Play(desk)


def test_a_task_waits_is_delegated_and_comes_back(play):
    """For whom one may wait is named; `show` says for whom it waits, and whose it is."""
    play.act("start")
    wrong, missing = play.run("wait", "--reason", "the weather"), play.run("wait", "--json")
    waiting = play.act("wait", "--reason", "works council", "--until", "2h")
    shown = play.shown()
    resumed, delegated = play.act("resume"), play.act("delegate", "--to", "olaf", "--reason", "on leave")
    owner = play.shown()
    early = play.run("complete", "--set", "request=x", who="olaf")
    back = play.run("delegate", "--to", "paula", who="olaf")
    resolved, completed = play.act("resolve", who="olaf"), play.act("complete", "--set", "request=x")

    assert wrong.err.endswith("workunits: --reason: should be one of customer, works council\n")
    assert missing.error == {
        "code": "invalid_field",
        "message": "--reason: say it: one of customer, works council",
        "field": "--reason",
    }
    assert (waiting, resumed, delegated, resolved, completed) == (
        "waiting",
        "in_progress",
        "claimed",
        "claimed",
        "completed",
    )
    assert shown["Waits for"].strip().startswith("works council, until ")
    assert (owner["Owner"].strip(), owner["On behalf of"].strip()) == ("olaf", "paula, who signs it off")
    assert (early.code, early.err.splitlines()[-1].endswith("resolve it: workunits tasks resolve")) == (4, True)
    assert (back.code, "--to: should be someone else" in back.err) == (2, True)
    assert {acted["origin"] for acted in play.record()["actions"]} == {"cli"}


def test_what_nobody_answers_is_kept_in_the_journal(desk, play, tmp_path):
    """Written before it is sent, with its first answer; what is on its way is sent by the next, whoever that is."""
    url = f"sqlite:///{tmp_path / 'journal.sqlite'}"
    on = {"WORKUNITS_JOURNAL": url}
    assert play.act("claim", "--action-id", "first", **on) == "claimed"
    refused = play.run("claim", "--action-id", "second", "--json", who="olaf", **on)
    wrong = play.run("complete", "--action-id", "third", "--set", "requests=x", "--json", **on)
    journal = Journal(url)
    kept = {one: entry for one in ("first", "second", "third") if (entry := journal.find(one))}
    late = {**kept["first"].envelope, "action": "start", "action_id": "fourth", "revision": 2}
    journal.take(late)  # as of a command that nobody answered

    assert {one: entry.state for one, entry in kept.items()} == {
        "first": "answered",
        "second": "refused",
        "third": "refused",
    }
    assert kept["first"].envelope["origin"] == "cli"
    assert (refused.code, refused.error["code"]) == (4, "not_owner")
    assert (wrong.code, wrong.error["code"], wrong.error["field"]) == (2, "invalid_field", "body.request")
    assert play.act("claim", "--action-id", "first", **on) == "claimed"
    assert play.act("start", "--action-id", "fourth", **on) == "in_progress"
    assert [entry.action_id for entry in journal.answered_since(datetime(2020, 1, 1, tzinfo=UTC))] == [
        "first",
        "fourth",
    ]
    reused = play.run("stop", "--action-id", "first", "--json", **on)
    assert (reused.code, reused.error["code"]) == (4, "action_id_reused")
    journal.close()


def test_admins_assign_hold_escalate_and_skip(play):
    """Who may is named; a held task says to what it goes back; the level counts; four eyes and votes are shown."""
    stranger = play.run("assign", "--to", "olaf", "--json")
    admin = {"who": "ada"}
    assigned = play.act("assign", "--to", "olaf", "--role", "shift admin", **admin)
    held = play.act("suspend", "--reason", "audit", "--role", "shift lead", **admin)
    shown = play.shown()
    resumed = play.act("resume", "--role", "shift lead", **admin)
    told = play.act("escalate", "--reason", "late", who="olaf")
    level = play.shown()
    moved = play.act("escalate", "--how", "reassign_up", "--reason", "too big", who="olaf")
    again = play.shown()
    skipped = play.act("skip", "--reason", "not needed", "--role", "shift admin", **admin)
    play.task = play.desk.shown(play.case)["tasks"][0]["id"]
    vote = play.shown()

    assert (stranger.code, stranger.error["code"]) == (4, "not_allowed")
    assert stranger.error["message"].endswith(
        "The unit's admins: shift admin, head of shifts; its accountable: shift lead"
    )
    assert (assigned, held, resumed, told, moved, skipped) == (
        "claimed",
        "suspended",
        "claimed",
        "claimed",
        "ready",
        "skipped",
    )
    assert shown["Suspended"].strip() == "goes back to claimed"
    assert (level["Role"].strip(), level["Escalated"].strip()) == ("planner or shift lead", "1 time")
    assert (again["Role"].strip(), again["Escalated"].strip()) == ("shift lead", "2 times")
    assert vote["Vote"].strip() == "1 of 3, 0 given; 2 that agree decide"


def test_a_task_is_forwarded_where_its_unit_allows_it(play):
    """To a person or a role, not both and not neither; whoever passed it on cannot take it again."""
    play.act("claim")
    neither = play.run("forward", "--reason", "better")
    passed = play.act("forward", "--to", "olaf", "--reason", "better")
    shown = play.shown()
    again = play.run("claim", "--json")
    taken = play.act("claim", "--role", "guest", who="olaf")
    moved = play.act("forward", "--role-to", "drafter", "--reason", "theirs", who="olaf")
    completed = play.act("complete", "--set", "request=x", "--role", "drafter", who="dora")
    play.task = play.desk.shown(play.case)["tasks"][0]["id"]
    play.act("claim", who="vera")
    fixed = play.run("forward", "--to", "olaf", "--reason", "better", "--json", who="vera")
    excluded = play.desk.run("tasks", "claim", play.task.replace("-v1", "-v2"), "--as", "dora", "--json")

    assert (neither.code, "--to: name a person or a role" in neither.err) == (2, True)
    assert (passed, taken, moved, completed) == ("ready", "claimed", "ready", "completed")
    assert (shown["Passed on to"].strip(), shown["Passed on by"].strip()) == ("olaf", "paula")
    assert (again.code, again.error["code"]) == (4, "not_candidate")
    assert again.error["message"] == "whoever passed the task on may not take it again"
    assert (fixed.code, fixed.error["code"]) == (4, "not_forwardable")
    assert (excluded.code, excluded.error["code"]) == (4, "excluded")
    assert play.shown()["Excluded"].strip() == "dora (four eyes)"


def test_an_exception_ends_a_task_and_a_cancel_its_case(desk, play):
    """The exceptions of the step are named; the unit's rules say what follows."""
    play.act("start")
    missing, wrong = play.run("fail"), play.run("fail", "--code", "unheard")
    late, bare = play.run("release"), play.run("suspend")
    failed = play.act("fail", "--code", "illegible")
    other = Play(desk)
    cancelled = other.act("cancel", "--reason", "twice", "--role", "shift admin", who="ada")

    assert missing.err.endswith("workunits: --code: say it: one of illegible\n")
    assert wrong.err.endswith("workunits: --code: should be one of illegible\n")
    assert late.err.endswith("workunits: --reason: say why: work on it has begun\n")
    assert (bare.code, "--reason" in bare.err) == (2, True)
    assert (failed, cancelled) == ("failed", "cancelled")
    assert (play.record()["close"], other.record()["close"]) == ("not_achieved", "cancelled")


def test_with_a_directory_the_roles_are_those_of_the_person(play):
    """Nobody has a role that the directory does not give; a substitute has those of the absent, and it is recorded."""
    people = {"WORKUNITS_DIRECTORY": "people.toml"}
    unknown = play.run("claim", "--json", who="paul", **people)
    other = play.run("claim", "--json", who="peter", **people)
    taken = play.run("claim", "--role", "planner", "--json", who="peter", **people)
    nobody = play.run("claim", "--acting-for", "peter", "--json", **people)
    claimed = play.run("claim", "--acting-for", "paula", who="peter", **people)
    completed = play.act("complete", "--set", "request=x", "--acting-for", "paula", who="peter", **people)
    work, *_ = play.record()["steps"]

    assert (unknown.code, unknown.error["code"], unknown.error["field"]) == (2, "unknown_person", "--as")
    assert unknown.error["message"].endswith("did you mean paula?")
    assert (other.code, other.error["code"]) == (4, "not_candidate")
    assert (taken.code, taken.error["code"]) == (2, "not_held")
    assert taken.error["message"].endswith("peter has voter")
    assert (nobody.code, nobody.error["code"]) == (2, "not_substitute")
    assert (claimed.code, claimed.out, claimed.err) == (0, f"{play.task} is claimed\n", "")
    assert completed == "completed"
    assert (work["by"], work["acting_for"], work["accountable"]) == ("peter", "paula", "lea")


def test_nobody_speaks_for_the_runtime(play):
    """Its role is no person's, with a directory or without."""
    ended = play.run("cancel", "--reason", "x", "--role", "system", "--json")

    assert (ended.code, ended.error["field"]) == (2, "--role")


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2h", "2026-01-01T14:00:00Z", "2026-01-01T15:00:00+01:00"])
def test_when_a_wait_ends(text):
    """A duration from now, or a moment with its zone."""
    assert datetime.fromisoformat(read_until(text, NOW)) == NOW + timedelta(hours=2)


@pytest.mark.parametrize("text", ["tomorrow", "2026-01-01T14:00:00", "2026-01-01T11:00:00Z", "0s", "9999d"])
def test_when_a_wait_cannot_end(text):
    """No zone, passed, too far, or no time at all: the option is named."""
    with pytest.raises(BadInput, match=r"^--until: "):
        read_until(text, NOW)


def test_what_is_no_end_of_a_wait_is_told_both_ways():
    """A duration is one way to say it; a moment is the other."""
    with pytest.raises(BadInput, match=r"a duration such as 90s, .* or a moment with its zone such as 2026-"):
        read_until("next tuesday", NOW)
