"""What the doors share: who sees what, what an action comes to, and that whoever acts sees it at once."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

import workunits.core.course
from inbox import reader
from inbox.doors import Doors
from inbox.identity import Actor
from inbox.rights import authority
from inbox.security import Problem
from inbox.service import TaskService
from inbox.wanted import Wanted
from observability.ledger.store import Ledger
from tests.conftest import Bench
from tests.lab.units import Pair, Plain, Sequence
from tests.patience import PATIENCE
from workunits.core.errors import BadInput
from workunits.core.lifecycle import Task
from workunits.registry import UnknownUnitError

GRANT = {"decision": "grant"}
ODD = ("'", '"', "%", "_", "clerk' OR '1'='1", 'x" --', "\\")
"""What would mean something in a query, were it not bound or compared as text."""


def actor(name: str, *roles: str, **more: Any) -> Actor:
    """Someone who is known."""
    return Actor(name, name.title(), roles, "inbox", **more)


ANN, BEN = actor("ann", "clerk"), actor("ben", "clerk")
DORA, HANA, ZOE = actor("dora", "expert"), actor("hana", "head of tests"), actor("zoe")
OTTO = actor("otto", admin=True)


@pytest.fixture
def service(doors: Doors) -> TaskService:
    """The service of the inbox."""
    return TaskService.of(doors)


async def decide(bench: Bench) -> Task:
    """An open task for a clerk."""
    return await bench.task((await bench.start(Plain)).case, "decide")


async def listed(service: TaskService, who: Actor, task: Task, **wanted: Any) -> Any:
    """A task's row on a list; None when it is not there."""
    key = task.id.partition(":")[2].partition("/")[0]
    page = await service.tasks(who, Wanted(search=key, **wanted))
    return next((row for row in page.tasks if row.task_id == task.id), None)


async def followed(service: TaskService, who: Actor, task: Task, **wanted: Any) -> Any:
    """A task's row on a list, once the ledger has followed."""
    async with asyncio.timeout(PATIENCE):
        while True:
            row = await listed(service, who, task, **wanted)
            if row is not None:
                return row
            await asyncio.sleep(0.02)


async def refused(awaitable: Any) -> tuple[int, str]:
    """Status and words of a refusal."""
    with pytest.raises(Problem) as problem:
        await awaitable
    return problem.value.status, problem.value.detail


async def test_a_sheet_says_what_is_asked_and_what_may_be_done(bench, service):
    """With the schema of the answer, why it is shown, who answers for it; and that it was shown is kept."""
    task = await decide(bench)
    sheet = await service.sheet(ANN, task.id, address="10.0.0.1")

    assert set(sheet.asked) == {"risk", "score"}
    assert sheet.answer_schema["properties"].keys() == {"decision", "reason"}
    assert (sheet.why, sheet.accountable, sheet.revision) == ("you have the role clerk", "hana", 1)
    may = {name for name, why in sheet.allowed.items() if not why}
    assert may == {"claim", "start", "complete"}
    assert sheet.allowed["assign"] == "not_allowed"
    (look,) = service.journal.notes.looks(task.id)
    assert (look.actor, look.origin, look.address, look.seen) == ("ann", "inbox", "10.0.0.1", sheet.seen)
    outcome = await service.act(ANN, task.id, "complete", GRANT, revision=1)
    view = await bench.closed(sheet.case_id)
    (acted,) = view.record.actions
    assert (outcome.state, acted.seen, acted.origin) == ("applied", sheet.seen, "inbox")
    assert view.record.steps[-1].accountable == "hana"


async def test_who_may_read_and_that_nobody_else_learns_whether_it_is_there(bench, service):
    """Those with a part in the unit, whoever it came to, and admins; to others it is as if it were not there."""
    task = await decide(bench)
    case = task.id.rpartition("/")[0]
    for who in (ANN, HANA, OTTO):
        assert (await service.sheet(who, task.id)).task.id == task.id
        assert (await service.case(who, case)).case_id == case
    stranger = await refused(service.sheet(ZOE, task.id))
    assert stranger == await refused(service.sheet(ZOE, "plain:nothing/decide"))
    assert stranger == await refused(service.act(ZOE, task.id, "claim", {}))
    assert stranger == await refused(service.case(ZOE, case))
    assert stranger == await refused(service.sheet(actor("bot", "clerk", units=("pair",)), task.id))
    assert stranger == await refused(service.sheet(ANN, f"{case}/look"))
    assert await listed(service, ZOE, task, scope="all") is None
    # It is passed on to her, whatever her roles: then it is hers to see.
    await service.act(ANN, task.id, "claim", {})
    await service.act(ANN, task.id, "forward", {"to": "zoe", "reason": "hers"})
    assert (await service.sheet(ZOE, task.id)).why == "it was passed on to you"
    assert (await followed(service, ZOE, task, scope="unclaimed")).person == "zoe"


async def test_whoever_acts_sees_it_at_once_and_everybody_else_once_the_ledger_has_it(bench, service):
    """The workflow's own answer is laid over the list until the ledger has it."""
    task = await decide(bench)
    await followed(service, ANN, task, scope="unclaimed")
    await service.act(ANN, task.id, "claim", {}, revision=1)
    mine = await listed(service, ANN, task, scope="mine")

    assert (mine.owner, mine.state, mine.revision) == ("ann", "claimed", 2)
    assert await listed(service, ANN, task, scope="unclaimed") is None
    assert (await followed(service, BEN, task, scope="groups", state="claimed")).owner == "ann"
    await service.act(ANN, task.id, "complete", GRANT)
    assert await listed(service, ANN, task, scope="mine") is None


async def test_input_46_a_quote_or_a_line_in_a_query(bench, service):
    """A quote, a pattern or a comment is only text and finds nothing; a line break is refused by its field."""
    task = await decide(bench)
    await followed(service, ANN, task, scope="groups")
    for odd, field in itertools.product(ODD, ("search", "role")):
        wanted: dict[str, Any] = {"scope": "groups", field: odd}
        assert (await service.tasks(ANN, Wanted(**wanted))).tasks == ()
        with pytest.raises(BadInput) as refused:
            await service.tasks(ANN, Wanted(**{**wanted, field: f"{odd}\n"}))
        assert refused.value.field == field
    for odd in ODD:
        with pytest.raises(UnknownUnitError, match="there is no such unit"):
            await service.tasks(OTTO, Wanted(scope="all", unit=odd))
    assert await listed(service, ANN, task, scope="groups") is not None


async def test_the_list_falls_back_to_the_engine_and_says_so(bench, doors, tmp_path):
    """While the ledger is down; acting goes on."""
    task = await decide(bench)
    broken = Ledger(f"sqlite:///{tmp_path / 'none' / 'ledger.sqlite'}")
    (tmp_path / "none").write_text("")
    service = TaskService(
        cases=doors.cases, catalog=doors.catalog, ledger=broken, directory=doors.directory, journal=doors.journal
    )
    row = await followed(service, ANN, task, scope="groups")
    page = await service.tasks(ANN, Wanted(scope="groups", limit=1))
    for odd in ODD:
        assert (await service.tasks(ANN, Wanted(scope="groups", search=odd))).tasks == ()
        assert (await service.tasks(ANN, Wanted(scope="groups", role=odd))).tasks == ()

    assert (page.source, len(page.tasks)) == ("engine", 1)
    assert "ledger does not answer" in page.banner
    assert row.role == "clerk"
    assert (await service.sheet(ANN, task.id)).revision == 1
    assert (await service.act(ANN, task.id, "complete", GRANT)).state == "applied"


async def test_an_action_is_held_for_some_seconds_and_can_be_undone(bench, service):
    """It is sent when nobody undoes it, with the time at which it was decided."""
    task = await decide(bench)
    held = await service.act(ANN, task.id, "complete", GRANT, action_id="u1" + uuid.uuid4().hex, hold=20)
    assert (held.state, (await service.sheet(ANN, task.id)).pending[0].action_id) == ("held", held.action_id)
    assert not await service.undo(BEN, held.action_id)
    assert await service.undo(ANN, held.action_id)
    assert (await service.outcome(ANN, held.action_id)).code == "undone"
    again = await service.act(ANN, task.id, "complete", GRANT, hold=0.2)
    stop = asyncio.Event()
    delivering = asyncio.create_task(service.deliver_forever(stop))
    view = await bench.closed(task.id.rpartition("/")[0])
    stop.set()
    await delivering

    entry = service.journal.find(again.action_id)
    assert [acted.id for acted in view.record.actions] == [again.action_id]
    assert entry is not None
    assert entry.state == "answered"
    assert view.record.when(view.record.actions[0].at) == max(entry.sent_at, task.ready)


async def test_a_step_without_undo_is_answered_at_once(bench, service, monkeypatch):
    """Its unit says that nothing may be held, whatever the door would."""
    task = await decide(bench)
    monkeypatch.setitem(vars(Plain.DECIDE), "undo", value=False)

    assert (await service.act(ANN, task.id, "complete", GRANT, hold=20)).state == "applied"


async def test_a_conflict_says_who_did_what_meanwhile(bench, service):
    """With the revision that the task has now."""
    task = await decide(bench)
    await service.act(BEN, task.id, "start", {})
    outcome = await service.act(ANN, task.id, "complete", GRANT, revision=1)

    assert (outcome.state, outcome.code, outcome.revision, outcome.is_stale) == ("refused", "not_owner", 2, True)
    assert [(one.by, one.action) for one in outcome.meanwhile] == [("ben", "start")]
    assert outcome.may == ("ben",)
    stale = await service.act(BEN, task.id, "complete", GRANT, revision=1)
    assert (stale.code, stale.revision, stale.is_stale) == ("stale_revision", 2, True)


async def test_two_race_for_a_task_200_times(bench, service):
    """Exactly one wins each time, and the other is told who."""
    cases = [await bench.start(Pair) for _ in range(10)]
    tasks = [await bench.task(started.case, "left") for started in cases]
    won = {"ann": 0, "ben": 0}

    async def race(task: Task) -> None:
        for turn in range(20):
            two = (ANN, BEN) if turn % 2 else (BEN, ANN)
            first, second = await asyncio.gather(
                *(service.act(who, task.id, "claim", {}, revision=1 + 2 * turn, patience=PATIENCE) for who in two)
            )
            winner, loser = (first, second) if first.state == "applied" else (second, first)
            name = two[0].name if winner is first else two[1].name
            assert (winner.state, loser.state) == ("applied", "refused")
            assert (loser.code, [one.by for one in loser.meanwhile]) == ("not_owner", [name])
            assert f"{name} has claimed the task" in loser.detail
            won[name] += 1
            await service.act(ANN if name == "ann" else BEN, task.id, "release", {}, patience=PATIENCE)

    await asyncio.gather(*(race(task) for task in tasks))

    assert sum(won.values()) == 200


async def test_a_substitute_acts_only_for_whom_the_directory_says(bench, service):
    """With that person's authority, and it is on the record."""
    task = await decide(bench)
    await service.act(ANN, task.id, "claim", {})
    standing_in = actor("zoe", stands_in_for=("ann",))

    no = await service.act(BEN, task.id, "complete", GRANT, acting_for="ann")
    assert (no.state, no.code) == ("refused", "not_substitute")
    assert (await service.sheet(standing_in, task.id)).why == "you stand in for ann"
    assert (await listed(service, standing_in, task, scope="mine") or await followed(service, standing_in, task)).owner
    yes = await service.act(standing_in, task.id, "complete", GRANT, acting_for="ann")
    view = await bench.closed(task.id.rpartition("/")[0])
    assert (yes.state, view.record.actions[-1].acting_for) == ("applied", "ann")


async def test_the_first_answer_is_kept_through_continue_as_new_and_after_the_close(bench, service, monkeypatch):
    """From the journal; and from the case's record, when the journal does not have it."""
    monkeypatch.setattr(workunits.core.course, "MESSAGES_PER_RUN", 1)
    started = await bench.start(Sequence)
    first = await bench.task(started.case, "first")
    claim = await service.act(ANN, first.id, "claim", {}, action_id=f"c-{started.case}", patience=PATIENCE)
    await service.act(ANN, first.id, "complete", GRANT, action_id=f"d-{started.case}", patience=PATIENCE)
    last = await bench.task(started.case, "last")
    assert await service.act(ANN, first.id, "claim", {}, action_id=f"c-{started.case}") == claim
    done = await service.act(BEN, last.id, "complete", GRANT, action_id=f"e-{started.case}", patience=PATIENCE)
    await bench.closed(started.case)
    assert await service.act(BEN, last.id, "complete", GRANT, action_id=f"e-{started.case}") == done
    other = await service.act(BEN, last.id, "complete", {"decision": "refuse"}, action_id=f"e-{started.case}")
    assert (other.state, other.code) == ("refused", "action_id_reused")
    # Another door's journal does not know it; the record does.
    envelope = service.journal.find(f"e-{started.case}").envelope
    said = await bench.cases.send(dict(envelope))
    assert said == done.answer


async def test_comments_are_for_all_who_may_read(bench, service):
    """And drafts for their writer alone."""
    task = await decide(bench)
    await service.comment(HANA, task.id, "look at the amount")
    await service.save_draft(ANN, task.id, {"reason": "half a th"})
    sheet = await service.sheet(ANN, task.id)

    assert [(c.actor, c.text) for c in sheet.comments] == [("hana", "look at the amount")]
    assert sheet.draft.body == {"reason": "half a th"}
    assert (await service.sheet(BEN, task.id)).draft is None
    assert (await refused(service.comment(ZOE, task.id, "me too")))[0] == 404
    assert (await refused(service.save_draft(ZOE, task.id, {})))[0] == 404
    await service.act(ANN, task.id, "complete", GRANT)
    assert await service.draft(ANN, task.id) is None


async def test_without_a_worker_the_sheet_shows_what_the_case_began_with(late, doors, monkeypatch):
    """The input is read from the history; the answer's schema from the catalog."""
    monkeypatch.setattr(reader, "PATIENCE", 1.0)
    service = TaskService(
        cases=late.cases, catalog=doors.catalog, ledger=doors.ledger, directory=doors.directory, journal=doors.journal
    )
    async with late.worker():
        started = await late.start(Pair)
        task = await late.task(started.case, "left")
    sheet = await service.sheet(ANN, task.id)

    assert (sheet.live, sheet.asked, sheet.source) == (False, None, "engine")
    assert sheet.case_input["request"] == started.case.partition(":")[2]
    assert sheet.answer_schema["properties"].keys() == {"decision", "reason"}


async def test_cases_are_started_and_cancelled_by_those_with_a_part_in_them(bench, service):
    """Whoever started one may cancel it; so may the unit's admins; nobody else."""
    key = uuid.uuid4().hex[:12]
    started = await service.start(ANN, "plain", f'{{"request": "{key}"}}'.encode())
    await bench.task(started.case, "decide")

    assert (await bench.cases.show(started.case)).record.started_by == "ann"
    assert (await refused(service.start(ZOE, "plain", b"{}")))[0] == 404
    assert (await refused(service.cancel(BEN, started.case, "no")))[0] == 403
    assert (await service.case(ANN, started.case)).may_cancel
    await service.cancel(ANN, started.case, "a mistake")
    assert (await bench.closed(started.case)).close == "cancelled"


def test_no_door_speaks_for_the_runtime(service):
    """Whatever a directory calls its roles."""
    assert "system" not in authority(actor("eve", "system", "clerk"), service.directory, datetime.now(UTC)).roles
