"""What the gate catches and what it lets pass (fault F15), each by an edit planted into a unit."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PACKAGE, Bench
from tests.lab import performers
from tests.lab.contracts import Decision, Facts, Odd, Request
from tests.lab.units import Inline, Pair, Plain
from tests.lab.waiting import listed
from tests.replay import planted
from tests.workers.conftest import Shell
from workers.replaying import endless
from workers.replaying.histories import History, load
from workers.replaying.recording import record, ways
from workers.replaying.replay import Verdict, replay
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog, Package
from workunits.testing import Answer, Lab

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CONTRACTS = ("tests.lab.contracts",)
LAB = HERE / "lab"
FACTS, LATE = Facts(risk="low"), timedelta(hours=30)
CLOSED = "WorkflowType = 'planted' AND ExecutionStatus != 'Running'"
CANNED: dict[Any, Any] = dict.fromkeys((planted.LOOK, planted.WEIGH, planted.ADVISE, planted.FILE), FACTS)
GRANT, REFUSED = Decision(decision="grant"), Decision(decision="refuse", reason="too risky")
SHOULD_BREAK = (
    # the edit, a history that breaks, and what is said about it
    ("TimeoutChanged", "achieved", "step file, timeout: recorded 30 s, today 20 s"),
    ("HeartbeatGained", "achieved", "step file, heartbeat: recorded nothing, today 30 s"),
    ("AttemptsChanged", "achieved", "step file, attempts: recorded 3, today 5"),
    ("InlineTimeoutChanged", "achieved", "inline step weigh, timeout: recorded 30 s, today 1 s"),
    ("InlineAttemptsChanged", "achieved", "inline step weigh, attempts: recorded 3, today 1"),
    ("BudgetChanged", "achieved", "timer warn, length: recorded 18 h, today 36 h"),
    ("BudgetChanged", "achieved_late", "the memo, record.due: recorded 24 h, today 2 d"),
    ("WarningChanged", "failed-technical_failure", "timer warn, length: recorded 18 h, today 12 h"),
    ("ExpiryChanged", "expired-no_answer", "the memo, tasks.0.expires"),
    ("RoleChanged", "cancelled-cancel_requested", "the memo, tasks.0.role: recorded clerk, today expert"),
    ("PredicateChanged", "achieved", "the close, result.close: recorded achieved, today not_achieved"),
    ("PredicateChanged", "not_achieved-outcome_not_met", "record.close: recorded not_achieved, today achieved"),
    ("ResultChanged", "achieved", "the close, result.result.by.0: recorded"),
    ("InputChanged", "achieved", "step file, input.score: recorded 0.75, today 0.25"),
    ("StepRemoved", "achieved", "recorded step file, today the record is written"),
    ("InlineStepRemoved", "achieved", "inline step weigh: recorded performed, today nothing"),
    ("StepRenamed", "achieved", "recorded step file, today step archive"),
    (
        "StepsSwapped",
        "cancelled-cancel_requested",
        "after step advise: recorded the record is written, today step file",
    ),
    ("StepInserted", "achieved", "after step look: recorded step advise, today step check"),
    ("StepAtTheEnd", "achieved", "after step file: recorded the record is written, today step check"),
    ("InlineStepAtTheEnd", "achieved", "inline step check: recorded nothing, today performed"),
    ("PersonAtTheEnd", "achieved", "tasks.0: recorded nothing, today"),
    ("StepBeside", "failed-technical_failure", "after step look: recorded the record is written, today step check"),
    ("InlineStepBeside", "achieved", "inline step check: recorded nothing, today performed"),
    ("ExecutorSwapped", "achieved", "recorded step file, today the record is written"),
    ("RuleRemoved", "achieved-with-advise_by_hand", "record.routes.0.to: recorded advise_by_hand, today close"),
    ("RuleChanged", "achieved-with-look_by_hand", "record.close: recorded nothing, today not_achieved"),
    ("Bug", "achieved", "a workflow task: recorded completed, today KeyError"),
)
HISTORIES = sorted(LAB.glob("planted-*.json"))


def catalog(*units: type[WorkUnit]) -> Catalog:
    """A catalog of these units alone."""
    return Catalog([Package("tests", units, CONTRACTS, ())])


def stored(name: str) -> History:
    """A stored history of the planted unit."""
    return load(LAB / f"planted-v1-{name}.json")


async def judged(unit: type[WorkUnit], *histories: History, upgrade: bool = False) -> list[Verdict]:
    """What the gate says of histories, or of all that are stored, when this is today's code."""
    return await replay(histories or [load(file) for file in HISTORIES], catalog(unit), upgrade=upgrade)


def prefixes(history: History) -> list[History]:
    """The history as it was each time that the case had done what it could: the same case while it was open."""
    tasks = [n for n, event in enumerate(history.events) if event.HasField("workflow_task_scheduled_event_attributes")]
    return [dataclasses.replace(history, events=history.events[:n]) for n in tasks[1:]]


@pytest.mark.parametrize(
    ("edit", "name", "said"), SHOULD_BREAK, ids=[f"{edit}-{name}" for edit, name, _ in SHOULD_BREAK]
)
async def test_an_edit_is_caught(edit, name, said):
    """The gate says which history breaks, what was recorded and what today's code does."""
    (verdict,) = await judged(getattr(planted, edit), stored(name))
    assert verdict.status == "breaks"
    assert any(said in str(finding) for finding in verdict.findings), "\n".join(map(str, verdict.findings))
    assert 'a new version="..."' in verdict.remedy


@pytest.mark.parametrize("edit", ["Endless", "EndlessCatching"])
async def test_code_that_never_comes_back_is_a_finding(edit, monkeypatch):
    """The gate ends, names the line, and goes on with the next history."""
    monkeypatch.setattr(endless, "PATIENCE", 1.0)
    looping, sound = await judged(getattr(planted, edit), stored("achieved"), stored("failed-bad_input"))
    assert looping.status == "breaks"
    assert "computes for 1 s without an end or a wait, at planted.py, line" in str(looping.findings[0])
    assert sound.status == "clean"


async def test_an_edit_breaks_only_what_it_touches():
    """A history that never comes to the edited step stays clean: the gate names the cases that are in danger."""
    verdicts = await judged(planted.RuleChanged)
    broken = [verdict.history for verdict in verdicts if verdict.status == "breaks"]
    assert [Path(name).stem for name in broken] == ["planted-v1-achieved-with-look_by_hand"]


async def test_the_unedited_unit_is_clean():
    """Without an edit nothing is found: neither in closed cases nor in any of them as it was while it was open."""
    histories = [load(file) for file in HISTORIES]
    opened = [prefix for history in histories for prefix in prefixes(history)]
    verdicts = await judged(planted.Planted, *histories, *opened)
    assert len(opened) > 20
    assert [verdict for verdict in verdicts if verdict.status != "clean"] == []


@pytest.mark.parametrize("edit", ["Reworded", "Guarded"])
async def test_a_safe_edit_passes(edit):
    """New words, a step that is not yet performed, and a step behind `workflow.patched` break no case."""
    histories = [load(file) for file in HISTORIES]
    opened = [prefix for history in histories for prefix in prefixes(history)]
    verdicts = await judged(getattr(planted, edit), *histories, *opened)
    assert [verdict for verdict in verdicts if verdict.status != "clean"] == []


@pytest.mark.parametrize("edit", ["StepBeside", "InlineStepBeside", "ExpiryChanged", "TimeoutChanged"])
async def test_an_open_case_is_judged_too(edit):
    """Also what today's code adds after the last thing that an open case has done, which Temporal would take."""
    opened = prefixes(stored("achieved"))
    verdicts = await judged(getattr(planted, edit), *opened)
    assert verdicts[-1].close == "open"
    assert verdicts[-1].status == "breaks"


async def test_a_new_version_leaves_the_old_histories_alone():
    """Cases of the old version stay on the build they began on; the gate says when their histories can go."""
    (verdict,) = await judged(planted.NewVersion, stored("achieved"))
    assert verdict.status == "older"
    assert verdict.findings
    assert "once no case of version 1 is open" in verdict.remedy


async def test_with_upgrade_an_older_version_must_replay():
    """Where open cases get today's code, a new version is no excuse; that it calls itself 2 is not held against it."""
    (changed,) = await judged(planted.NewVersion, stored("achieved"), upgrade=True)
    (same,) = await judged(planted.SameInNewVersion, stored("achieved"), upgrade=True)
    assert (changed.status, same.status) == ("breaks", "clean")
    assert "workflow.patched" in changed.remedy


async def test_an_open_case_that_is_pinned_to_no_build_must_replay():
    """It runs on an unversioned worker: today's code is what it gets, whatever its version."""
    opened = dataclasses.replace(prefixes(stored("achieved"))[-1], live=True)
    closed = dataclasses.replace(stored("achieved"), live=True)
    verdicts = await judged(planted.NewVersion, opened, closed)
    assert not opened.pinned
    assert [verdict.status for verdict in verdicts] == ["breaks", "older"]


async def test_a_step_on_a_queue_of_its_kind_is_no_edit():
    """Which queue serves a kind is the operator's configuration, not the unit's."""
    history = stored("achieved")
    for event in history.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            event.activity_task_scheduled_event_attributes.task_queue.name = "elsewhere"
    (told,) = await replay([history], catalog(planted.Planted), queues=["elsewhere"])
    (untold,) = await replay([history], catalog(planted.Planted))
    assert told.status == "clean"
    assert "step look, task queue: recorded elsewhere, today nothing" in map(str, untold.findings)


async def test_recording_stores_what_is_missing_and_overwrites_nothing(lab, tmp_path):
    """One history for each way of closing and each step that the folder does not show yet, from a real engine."""
    unit, known = planted.Planted, catalog(planted.Planted)
    folder = tmp_path / "histories"
    await lab.run(unit, Request(request="recorded-1"), CANNED | {planted.DECIDE: Answer(GRANT, after=LATE)})
    by_hand = {planted.LOOK: Odd(), planted.LOOK_BY_HAND: FACTS, planted.DECIDE: GRANT}
    await lab.run(unit, Request(request="recorded-2"), CANNED | by_hand)
    await listed(lab.client, CLOSED, "planted:recorded-1", "planted:recorded-2")
    first = await record(lab.client, known, folder, [unit])
    names = {path.name for path in first.stored}
    assert names == {"planted-v1-achieved_late.json", "planted-v1-achieved.json"}
    assert ("planted", "expired no_answer") in first.missing
    before = {path: path.read_bytes() for path in first.stored}

    await lab.run(unit, Request(request="recorded-3"), CANNED | {planted.DECIDE: REFUSED})
    await listed(lab.client, CLOSED, "planted:recorded-3")
    second = await record(lab.client, known, folder, [unit])
    assert [path.name for path in second.stored] == ["planted-v1-not_achieved-outcome_not_met.json"]
    assert {path: path.read_bytes() for path in first.stored} == before
    assert [v.status for v in await judged(unit, *map(load, folder.iterdir()))] == ["clean"] * 3


async def test_recording_refuses_a_case_that_other_code_ran(lab, tmp_path):
    """What today's code cannot replay would be a gate that never opens."""
    await lab.run(planted.AsItRan, Request(request="refused"), CANNED | {planted.DECIDE: GRANT})
    await listed(lab.client, CLOSED, "planted:refused")
    done = await record(lab.client, catalog(planted.AsItIsNow), tmp_path, [planted.AsItIsNow])
    assert done.refused == ["planted:refused"]
    assert done.stored == []


def test_the_ways_of_closing_follow_from_the_declaration():
    """Each rule without a replacement, each expiry and each machine step adds one."""
    assert ways(planted.RuleChanged) == [
        *ways(planted.Planted)[:3],
        ("not_achieved", "odd"),
        *ways(planted.Planted)[3:],
    ]
    assert ("expired", "no_answer") not in ways(Inline)
    assert ("failed", "technical_failure") not in ways(Pair)


# --- the command ------------------------------------------------------------------------------------------------------


def workunits(*args: object, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return Shell(cwd, []).run(*map(str, args), **env)


def test_the_command_replays_what_the_checkout_stores():
    """Without an argument: exit code 0, one JSON document, nothing else on stdout."""
    done = workunits("replay", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert said["summary"] == {"clean": len(list(HERE.glob("*.json")))}


def test_the_command_replays_one_unit_of_what_is_stored():
    """Others are left out; a unit that is unknown is refused, or the gate would pass on nothing."""
    done = workunits("replay", "--unit", "refund_request", "--json")
    mistyped, none = (
        workunits("replay", "--unit", "refund_requst"),
        workunits("replay", LAB, "--unit", "refund_request"),
    )
    assert done.returncode == 0
    assert {verdict["unit"] for verdict in json.loads(done.stdout)["histories"]} == {"refund_request"}
    assert (mistyped.returncode, none.returncode) == (2, 2)
    assert "did you mean refund_request" in mistyped.stderr
    assert "none of these histories is of refund_request" in none.stderr


def test_the_command_says_what_breaks_and_what_to_do(tmp_path):
    """Exit code 1; the file, the unit's version, recorded and today, and the remedy."""
    text = (HERE / "refund_request-v1-achieved.json").read_text(encoding="utf-8")
    path = tmp_path / "as-it-was.json"
    path.write_text(text.replace('"startToCloseTimeout": "30s"', '"startToCloseTimeout": "45s"'), encoding="utf-8")
    done = workunits("replay", path)
    assert done.returncode == 1
    assert f"breaks  {path} (version 1)" in done.stdout
    assert "step find_order, timeout: recorded 45 s, today 30 s" in done.stdout
    assert "CONTRIBUTING.md, Change a unit" in done.stdout


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("{", "unreadable"),
        ("[]", "unreadable"),
        ('{"events": [{"eventType": "EVENT_TYPE_NONE_OF_THEM"}]}', "unreadable"),
        ('{"events": []}', "unreadable"),
        ((LAB / "pair-v1-achieved.json").read_text(encoding="utf-8"), "unknown_unit"),
    ],
    ids=["half", "list", "event", "empty", "unit"],
)
def test_the_command_says_which_file_it_cannot_use(tmp_path, content, status):
    """Exit code 2, and what to do with the file; the others are replayed all the same."""
    path = tmp_path / "odd.json"
    path.write_text(content, encoding="utf-8")
    done = workunits("replay", path, HERE / "refund_request-v1-failed-bad_input.json", "--json")
    said = {Path(verdict["history"]).name: verdict for verdict in json.loads(done.stdout)["histories"]}
    assert done.returncode == 2
    assert said["odd.json"]["status"] == status
    assert said["odd.json"]["remedy"]
    assert said["refund_request-v1-failed-bad_input.json"]["status"] == "clean"


def test_a_folder_without_a_history_is_not_a_clean_one(tmp_path):
    """Exit code 2: a gate that replays nothing would let everything pass."""
    done = workunits("replay", cwd=tmp_path)
    assert done.returncode == 2
    assert "workunits replay --record tests/replay" in done.stderr


async def test_the_command_replays_the_cases_of_an_engine(bench):
    """Open and closed ones, of the units that it knows."""
    case = (await bench.start(Plain)).case
    await bench.task(case, "decide")
    at = {"TEMPORAL_ADDRESS": bench.client.service_client.config.target_host}
    args = ("--module", "tests.conftest", "replay", "--from-engine", "--unit", "plain", "--limit", 20, "--json")
    done = await asyncio.to_thread(workunits, *args, **at)
    said = {verdict["history"]: verdict for verdict in json.loads(done.stdout)["histories"]}
    assert (said[case]["unit"], said[case]["close"], said[case]["status"]) == ("plain", "open", "clean")
    await bench.cases.cancel(case, actor="ann", reason="the test is over")


async def test_the_command_stores_from_an_engine(tmp_path):
    """What was stored goes to stdout; what no case shows is said on stderr: the engine has no other case."""
    async with Lab(contracts=CONTRACTS, performers=[performers]) as lab:
        bench = Bench(lab, Catalog([PACKAGE]))
        async with bench.worker():
            case = (await bench.start(Plain)).case
            await bench.answer(await bench.task(case, "decide"), {"decision": "grant"})
            await bench.closed(case)
            at: dict[str, Any] = {"TEMPORAL_ADDRESS": bench.client.service_client.config.target_host}
            args = ("--module", "tests.conftest", "replay", "--unit", "plain", "--record", tmp_path)
            done = await asyncio.to_thread(workunits, *args, **at)
    assert done.returncode == 0, done.stderr
    assert f"stored {tmp_path / 'plain-v1-achieved.json'}" in done.stdout
    assert "still missing: plain expired no_answer" in done.stderr
