"""F11: what the ledger cannot store is a dead letter with its reason, and holds nothing else up."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from sqlalchemy import select, update
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from observability.ledger import intake
from observability.ledger.follower import Follower
from observability.ledger.keeping import dead_letters
from observability.ledger.letters import filed_as, read_letters
from observability.ledger.status import read_status
from observability.ledger.tables import cases
from tests.observability.trial import raw
from tests.observability.trials import CATALOG, FOREIGN, closes, serving
from tests.patience import PATIENCE
from workunits.core.record import MEMO, Record

FIELDS: dict[str, tuple[dict[str, object], str]] = {
    "surrogate": ({"segment": "\ud800"}, "its memo cannot be read"),
    "another's": ({"case": "trial:another"}, "its memo cannot be read: it is another case's"),
    "another's task": (
        {"tasks": [{"id": "trial:another/decide", "step": "decide", "role": "clerk", "ready": "2026-01-01T00:00:00Z"}]},
        "its memo cannot be read: it is another case's",
    ),
    "integer": ({"runs": 2**63}, "OverflowError|NumericValueOutOfRange|out of range"),
    "time": ({"due": 2**63}, "OverflowError"),
    "nul": ({"segment": "a\0b"}, "NUL"),
}
"""What stands in a memo, and the words of the letter."""
UNREADABLE = {"surrogate", "another's", "another's task", "time", "id with nul", "long id"}
"""What no rows can be made of; the others' rows are refused by the database."""
IDS = {"id with nul": "trial:a\0b", "long id": "trial:" + "x" * 900}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trials(lab):
    """Cases of one unit."""
    async with serving(lab) as there:
        yield there


@pytest.fixture
def follower(trials, ledger):
    """A follower into an empty ledger."""
    return Follower(trials.client, ledger, CATALOG)


@pytest_asyncio.fixture(loop_scope="session")
async def pretend(trials):
    """Starts other programs' workflows under the unit's name; those that stay as they are, are deleted at the end."""
    begun = []

    async def start(named="", **unfit):
        case = named or f"trial:{uuid.uuid4().hex[:12]}"
        record = Record(unit="trial", version="1", case=case, key="K", started=datetime.now(UTC), due=1).compact()
        better = {"record": record, "tasks": []}
        memo = {"tasks": unfit.pop("tasks", []), "record": record | unfit}
        begun.append(case)
        given = {MEMO: raw(json.dumps(memo))}
        await trials.client.start_workflow("trial", json.dumps(better), id=case, task_queue=FOREIGN, memo=given)
        return case

    yield start
    running = WorkflowExecutionStatus.RUNNING
    await delete(trials, *[case for case in begun if await status_of(trials, case) == running])


async def delete(trials, *found):
    """Have the engine forget workflows, whatever they are doing."""
    for case in found:
        whom = WorkflowExecution(workflow_id=case)
        request = DeleteWorkflowExecutionRequest(namespace=trials.client.namespace, workflow_execution=whom)
        await trials.client.workflow_service.delete_workflow_execution(request)
    async with asyncio.timeout(PATIENCE):  # the engine deletes in the background
        for case in found:
            while await status_of(trials, case):  # noqa: ASYNC110, it tells nobody
                await asyncio.sleep(0.05)


async def status_of(trials, case):
    """How the engine says that a workflow stands; None when it does not know it."""
    try:
        return (await trials.handle(case).describe()).status
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None


def refuse(*_):
    """Make no rows, as code that does not know a record's form."""
    raise ValueError("too new")


def reasons(ledger):
    """The letters' reasons by case."""
    return {letter["case_id"]: letter["reason"] for letter in read_letters(ledger)}


def row_of(ledger, case):
    """The row of a case."""
    with ledger.read() as connection:
        return connection.execute(select(cases).where(cases.c.case_id == case)).one()


async def test_f11_each_unfit_case_is_a_letter_and_the_others_pass(trials, ledger, follower, pretend):
    """In one listing with what cannot be stored, the cases that can be are stored, and the watermark moves on."""
    unfit = {name: await pretend(**fields) for name, (fields, _) in FIELDS.items()}
    unfit |= {name: await pretend(named=case) for name, case in IDS.items()}
    if ledger.sqlite:  # it stores any character
        del unfit["nul"]
    good = await trials.many_done(3)
    await trials.followed(follower, lambda: len(reasons(ledger)) == len(unfit) and len(closes(ledger, good)) == 3)
    said = reasons(ledger)
    status = read_status(ledger)

    assert set(said) == {filed_as(case) for case in unfit.values()}
    for name, case in unfit.items():
        words = FIELDS[name][1] if name in FIELDS else "its id cannot be kept"
        assert re.search(words, said[filed_as(case)]), name
    assert set(closes(ledger, good).values()) == {"achieved"}
    assert (status.letters, status.followers[0].error) == (len(unfit), None)
    assert {(one.case, one.what) for one in await trials.differences(ledger)} == {
        (case, "unreadable")
        if name in ("surrogate", "another's", "another's task", "time", *IDS)
        else (case, "missing")
        for name, case in unfit.items()
    }


async def test_f11_a_case_that_becomes_readable_settles_its_letter(trials, ledger, follower, pretend):
    """When the case writes something better, its row is there and its letter is gone."""
    case = await pretend(segment="\ud800")
    await trials.followed(follower, lambda: case in reasons(ledger))
    await trials.handle(case).signal("mend")
    await trials.closed(case)
    await trials.followed(follower, lambda: case not in reasons(ledger))

    assert closes(ledger, [case]) == {case: "failed"}  # it ended without a close of ours
    assert await trials.differences(ledger) == []


@pytest.mark.parametrize("forgotten", [False, True], ids=["remembered", "forgotten"])
async def test_f11_a_letter_is_tried_again_after_an_upgrade(trials, ledger, pretend, monkeypatch, forgotten):
    """Code that can store it does so by itself, also when the engine has forgotten the case meanwhile."""
    case = await pretend()
    with monkeypatch.context() as older:
        older.setattr(intake, "rows_of", refuse)
        await trials.followed(Follower(trials.client, ledger, CATALOG), lambda: case in reasons(ledger))
    if forgotten:
        await delete(trials, case)
    with ledger.write() as connection:
        connection.execute(update(dead_letters).values(code="an older one"))
    before = closes(ledger, [case])
    await Follower(trials.client, ledger, CATALOG).follow()

    assert before == {}
    assert closes(ledger, [case]) == {case: None}
    assert reasons(ledger) == {}


async def test_f11_a_large_unreadable_case_that_the_engine_forgot(trials, ledger, follower, pretend):
    """Its letter keeps no copy, so nothing can be made of it: it stays a letter and stops no pass."""
    case = await pretend(segment="\ud800", why="x" * 600_000)
    await trials.followed(follower, lambda: case in reasons(ledger))
    await delete(trials, case)
    with ledger.write() as connection:
        connection.execute(update(dead_letters).values(code="an older one"))
    await Follower(trials.client, ledger, CATALOG).follow()

    assert list(reasons(ledger)) == [case]


async def test_f11_odd_words_at_the_end_of_a_case(trials, ledger, follower):
    """What an outsider says with a terminate or a cancel never costs the row."""
    ended, cancelled = await trials.open(), await trials.open()
    await trials.handle(ended).terminate(reason="wrong\0customer")
    await trials.handle(cancelled).cancel(reason="ops:\0twice")
    await trials.closed(cancelled)
    await trials.followed(follower, lambda: all(closes(ledger, [ended, cancelled]).values()))

    assert closes(ledger, [ended, cancelled]) == {ended: "failed", cancelled: "cancelled"}
    assert "wrong customer" in row_of(ledger, ended).why
    assert row_of(ledger, cancelled).cancelled_by == "ops: twice"
    assert (reasons(ledger), await trials.differences(ledger)) == ({}, [])
