"""Whose hands a task went through, as the exports tell it: who assigns, holds or settles something has not taken it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from observability.export.events import NEEDED, events_of
from observability.export.reading import Wanted, read
from observability.ledger.follower import Follower
from tests.conftest import PACKAGE
from tests.lab.troubles import Held
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])
MINUTE = timedelta(minutes=1)
GRANT = {"decision": "grant"}


@pytest.fixture
def follower(bench, ledger):
    """A follower into an empty ledger."""
    return Follower(bench.client, ledger, CATALOG)


async def told(follower, ledger, case, step):
    """What the exports say happened to a step: transition, who, and minutes since it was ready."""
    await follower.follow()
    file = next(file for file in read(ledger, Wanted(), NEEDED) if file.case["case_id"] == case)
    of_step = [event for event in events_of(file) if event.instance == step]
    return [(event.transition, event.resource, (event.at - of_step[0].at) // MINUTE) for event in of_step]


async def act(bench, task, *actions):
    """Let people act on a task: (minutes since it was ready, action, who, role, body)."""
    await bench.skip(task.id.rpartition("/")[0], (max(minutes for minutes, *_ in actions) + 1) * MINUTE)
    for minutes, action, who, role, *body in actions:
        at = task.ready + minutes * MINUTE
        await bench.cases.act(task.id, action, actor=who, roles=[role], sent_at=at, body=body[0] if body else None)


async def test_whoever_assigns_a_task_has_not_taken_it(bench, ledger, follower):
    """It is assigned to the one who got it, not by name of the one who gave it."""
    case = (await bench.start(Held)).case
    task = await bench.task(case, "sign")
    await act(
        bench,
        task,
        (5, "assign", "olga", "operations", {"to": "ann"}),
        (9, "start", "ann", "clerk"),
        (20, "complete", "ann", "clerk", GRANT),
    )

    assert await told(follower, ledger, case, "sign") == [
        ("schedule", None, 0),
        *(("assign", "ann", 5), ("start", "ann", 9), ("complete", "ann", 20)),
    ]


async def test_a_hold_of_a_task_that_nobody_has_takes_it_for_nobody(bench, ledger, follower):
    """Who suspends a task and lets it go on has not taken it."""
    case = (await bench.start(Held)).case
    task = await bench.task(case, "sign")
    await act(
        bench,
        task,
        (3, "suspend", "olga", "operations", {"reason": "a question"}),
        (6, "resume", "olga", "operations"),
        (10, "claim", "ann", "clerk"),
        (20, "complete", "ann", "clerk", GRANT),
    )

    assert await told(follower, ledger, case, "sign") == [
        ("schedule", None, 0),
        ("assign", "ann", 10),
        ("complete", "ann", 20),
    ]


async def test_a_task_that_was_passed_on_was_given_back(bench, ledger, follower):
    """Until someone takes it again it waits in no one's hands, as the ledger has it: no queue follows from it."""
    case = (await bench.start(Held)).case
    task = await bench.task(case, "sign")
    await act(
        bench,
        task,
        (2, "claim", "ann", "clerk"),
        (4, "forward", "ann", "clerk", {"to": "zoe", "reason": "she knows it"}),
        (7, "claim", "zoe", "clerk"),
        (20, "complete", "zoe", "clerk", GRANT),
    )

    assert await told(follower, ledger, case, "sign") == [
        ("schedule", None, 0),
        *(("assign", "ann", 2), ("unknown", "ann", 4), ("assign", "zoe", 7), ("complete", "zoe", 20)),
    ]


async def test_an_operator_takes_no_machine_step(bench, ledger, follower):
    """A result that an operator gave is theirs, when they gave it; the machine's work is not, nothing is assigned."""
    case = (await bench.start(Held, "broken")).case
    await bench.until(case, lambda view: view.state == "incident")
    at = await bench.skip(case, 30 * MINUTE)
    body = {"reason": "by phone", "result": {"risk": "low"}}
    await bench.cases.act(f"{case}/book", "resolve", actor="olga", roles=["operations"], sent_at=at, body=body)
    await bench.until(case, lambda view: view.state == "waiting")
    found = await told(follower, ledger, case, "book")

    assert [(transition, who) for transition, who, _ in found] == [
        *((name, "held.book") for name in ("schedule", "start", "suspend")),
        ("complete", "olga"),
    ]
    assert [minutes >= 29 for *_, minutes in found] == [False, False, False, True]


async def test_an_operators_failure_assigns_nothing(bench, ledger, follower):
    """Who decides that a machine step has failed has not taken it."""
    case = (await bench.start(Held, "broken")).case
    await bench.until(case, lambda view: view.state == "incident")
    decision = {"actor": "olga", "roles": ["operations"], "body": {"reason": "gone"}}
    await bench.cases.act(f"{case}/book", "fail", **decision)
    await bench.closed(case)
    found = await told(follower, ledger, case, "book")

    assert [(transition, who) for transition, who, _ in found] == [
        (name, "held.book") for name in ("schedule", "start", "pi_abort")
    ]
