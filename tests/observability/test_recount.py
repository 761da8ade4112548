"""The ledger's figures against a recount from the event histories alone, over random cases on skipped time."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pprint import pformat
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowExecution
from temporalio.worker import Worker

from observability.learning.estimates import Rate, Spread
from observability.learning.explained import explained, record_of
from observability.learning.report import Figures, report
from observability.learning.selection import Asked
from observability.ledger.intake import Intake
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, exceptions, incidents, steps
from tests.conftest import ALL, Bench
from tests.lab import performers, trouble_performers
from tests.lab.people import BOSS, PEOPLE, FourEyes, Jury
from tests.lab.troubles import Held
from tests.lab.units import Plain
from tests.observability import recount_performers
from tests.observability.recount import PARTS, Counted, joined, recount, report_of
from tests.observability.recount_history import read
from tests.observability.recount_play import MOODS, play
from tests.observability.recount_units import Billed
from tests.observability.scraping import differing as not_as
from tests.observability.scraping import recounted, scraped
from tests.patience import PATIENCE
from workunits.core.unit import WorkUnit
from workunits.performs import collect, match
from workunits.registry import Catalog, Package
from workunits.testing import Lab

UNITS: tuple[type[WorkUnit], ...] = (*ALL, *(unit for unit in PEOPLE if unit not in ALL), Billed)
CATALOG = Catalog([Package("recount", UNITS, ("tests.lab.contracts",), ())])
SEED, CASES = 20261125, 120
MESSAGES = 4
"""After so many a case goes on as a new run."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ours(lab: Lab) -> AsyncIterator[Bench]:
    """A worker of its own, which has one unit more."""
    bench = Bench(lab, CATALOG, queue=f"recount-{uuid.uuid4().hex[:8]}")
    every = [step for unit in UNITS for step in unit.steps]
    activities = [
        p.as_activity() for p in match(every, collect([performers, trouble_performers, recount_performers], {}))
    ]
    async with Worker(lab.client, task_queue=bench.queue, workflows=list(UNITS), activities=activities):
        yield bench


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(ours: Bench) -> Mapping[str, Sequence[Counted]]:
    """Random cases, each counted from its history."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workunits.core.course.MESSAGES_PER_RUN", MESSAGES)
        found = await play(ours, SEED, CASES)
    return {case: recount(unit, await read(ours.client, case)) for case, unit in found.items()}


async def take(bench: Bench, ledger: Ledger, wanted: Sequence[str]) -> None:
    """Have the ledger take these cases and no others, as the engine lists them once it lists each as closed."""
    names = ", ".join(f"'{case}'" for case in wanted)
    query = f"WorkflowId IN ({names}) AND ExecutionStatus NOT IN ('Running', 'ContinuedAsNew')"
    listed: list[WorkflowExecution] = []
    async with asyncio.timeout(PATIENCE):
        while len(listed) < len(wanted):
            listed = [execution async for execution in bench.client.list_workflows(query)]
    assert (await Intake(bench.client, ledger, CATALOG).take(listed)).written == len(wanted)


def rows(ledger: Ledger, table: Any) -> Sequence[Mapping[str, Any]]:
    """All rows of a table."""
    with ledger.read() as connection:
        found = [dict(row) for row in connection.execute(table.select()).mappings()]
    for row in found:
        if "intervals" in row:
            row["intervals"] = joined(row["intervals"])
    return found


def differing(counted: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What the recount and the ledger say otherwise, in this order."""
    return {name: (value, row.get(name)) for name, value in counted.items() if row.get(name) != value}


def counted_as(ledger: Ledger, played: Mapping[str, Sequence[Counted]]) -> dict[str, Counted]:
    """Each case in the reading that the ledger has, where one is like it."""
    by_case = {row["case_id"]: row for row in rows(ledger, cases)}
    by_step = {(row["case_id"], row["key"]): row for row in rows(ledger, steps)}

    def differs(case: str, one: Counted) -> bool:
        told = {key: differing(step, by_step.get((case, key), {})) for key, step in one.steps.items()}
        return bool(differing(one.case, by_case[case])) or any(told.values())

    return {case: next((one for one in some if not differs(case, one)), some[0]) for case, some in played.items()}


async def test_every_row_says_what_the_history_says(ours, played, ledger):
    """Case by case and step by step, to the microsecond; and the parts of each case are its time."""
    await take(ours, ledger, list(played))
    by_case = {row["case_id"]: row for row in rows(ledger, cases)}
    by_step = {(row["case_id"], row["key"]): row for row in rows(ledger, steps)}
    counted = counted_as(ledger, played)
    raised: dict[str, list[tuple[str, bool]]] = {}
    for row in rows(ledger, exceptions):
        raised.setdefault(row["case_id"], []).append((row["code"], row["business"]))

    wrong = {case: found for case, one in counted.items() if (found := differing(one.case, by_case[case]))}
    assert not wrong, pformat(wrong, width=200)
    told = {(case, key): step for case, one in counted.items() for key, step in one.steps.items()}
    assert told.keys() == by_step.keys()
    astray = {key: found for key, step in told.items() if (found := differing(step, by_step[key]))}
    assert not astray, pformat(astray, width=200)
    assert {case: [(c, b) for _, c, b in one.exceptions] for case, one in counted.items() if one.exceptions} == raised
    troubles = {(row["case_id"], row["key"]): row for row in rows(ledger, incidents)}
    assert {(case, key) for case, one in counted.items() for key in one.incidents} == troubles.keys()
    for (case, key), row in troubles.items():
        start = by_case[case]["started_at"]
        offsets = {name: (row[f"{name}_at"] - start) // timedelta(microseconds=1) for name in ("opened", "closed")}
        assert not differing(counted[case].incidents[key], {**row, **offsets})
    for row in by_case.values():
        assert sum(row[f"{part}_us"] for part in PARTS) == row["cycle_us"]


async def test_every_case_is_explained_to_the_microsecond(ours, played, ledger):
    """Part by part and step by step: what the ledger has of it, and together its time."""
    await take(ours, ledger, list(played))
    for row in rows(ledger, cases):
        found = explained(ledger, record_of(ledger, row["case_id"]), row["closed_at"], CATALOG)
        by_step = {piece.key: sum(piece.wall.values()) for piece in found.pieces}

        assert {f"{part}_us": spent for part, spent in found.parts.items()} == {
            f"{part}_us": row[f"{part}_us"] for part in PARTS
        }
        assert sum(by_step.values()) == sum(found.parts.values()) == row["cycle_us"]
        assert found.working == row["cycle_us"]
        assert sum(found.inside.values()) == row["rework_us"]
        assert sum(share.lateness for share in found.shares) == found.lateness
        if row["sla"] == "breached":
            assert found.lateness == (row["closed_at"] - row["breached_at"]) // timedelta(microseconds=1)


async def test_the_exporters_totals_are_what_the_histories_say(ours, played, ledger):
    """Of all cases together, from the histories alone; written again as after a restart, too."""
    await take(ours, ledger, list(played))
    counted = counted_as(ledger, played)

    def of_unit(one: Counted) -> Mapping[str, Any]:
        known = bool(one.course.items) or not one.course.history.ended_outside
        return {"unit": one.course.unit.unit_name, "version": one.course.unit.version if known else "unknown"}

    closed = [{**one.case, **of_unit(one)} for one in counted.values()]
    ended = [{**step, **of_unit(one)} for one in counted.values() for step in one.steps.values() if step["ended"]]
    said = scraped(ledger, CATALOG)
    raised = sum(business for one in counted.values() for _, _, business in one.exceptions)

    assert not_as(recounted(closed, ended), said) == {}
    # By code, too, but for exceptions that a unit raises outside of any step: no step declares them.
    assert sum(value for (name, _), value in said.items() if name == "workunit_exceptions_total") == raised > 0


def said_by(figures: Figures) -> dict[str, Any]:
    """A report's figures in the recount's form, without what is statistics."""

    def plain(value: Any) -> Any:
        if isinstance(value, Spread):
            return {name: getattr(value, name).value for name in ("median", "p85", "p95")}
        if isinstance(value, Rate):
            return value.count, value.n
        if isinstance(value, Mapping):
            return {key: plain(inside) for key, inside in value.items()}
        return value

    said = {name: plain(getattr(figures, name)) for name in Figures.__dataclass_fields__}
    return said | {"cost": (figures.cost.per_achieved, figures.cost.n) if figures.cost else None}


def same(one: Any, other: Any) -> bool:
    """Whether two figures are the same; means and shares to the last bit but one, for sums of floats have an order."""
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and other is not None:
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)


async def test_a_report_says_what_the_histories_say(ours, played, ledger):
    """Each figure of each unit's report over the same cases."""
    await take(ours, ledger, list(played))
    recounted = counted_as(ledger, played).values()
    units: tuple[type[WorkUnit], ...] = (*MOODS, Held, Jury)
    for unit in units:
        said = said_by(report(ledger, Asked(unit.unit_name)).figures)
        counted = report_of([one for one in recounted if one.course.unit is unit])
        wrong = {name: (value, said[name]) for name, value in counted.items() if not same(value, said[name])}

        assert said.keys() == counted.keys()
        assert not wrong, f"{unit.unit_name}: {pformat(wrong, width=200)}"


def test_the_cases_are_of_every_kind(played):
    """A recount of cases that are all alike would prove little."""
    found = [one.case for one, *_ in played.values()]
    items = [item for one, *_ in played.values() for item in one.course.items]

    assert {case["close"] for case in found} >= {"achieved", "not_achieved", "expired", "cancelled", "failed"}
    assert {case["sla"] for case in found} >= {"met", "breached", "void"}
    assert any(case["reason"] == "terminated" for case in found)
    assert any(case["runs"] > 1 for case in found)
    assert any(case["reworked"] for case in found)
    assert any(case["cost"] for case in found)
    assert {item.ended for item in items} == {"done", "exception", "failed", "skipped", "expired", "cancelled"}
    assert any(item.waited for item in items), "nobody waited"
    assert any(item.held for item in items), "nothing was suspended"
    states = {incident["state"] for one, *_ in played.values() for incident in one.incidents.values()}
    assert states >= {"resolved", "failed"}
    assert any(incident["tries"] > 1 for one, *_ in played.values() for incident in one.incidents.values())
    assert all(any(case[f"{part}_us"] for case in found) for part in PARTS if part != "off_hours")
    assert all(any(case[f"handoffs_{kind}"] for case in found) for kind in ("hh", "hm", "mh", "mm"))


def test_performers_and_the_engine_tell_the_same(played):
    """What performers say of their own time fits into what the engine saw of it."""
    told = [said for one, *_ in played.values() for said in one.course.accounts if said.ran and said.account]
    retried = [said for said in told if said.attempts > 1]

    assert len(told) > CASES // 4
    assert retried
    for said in told:
        assert said.account[2] <= said.ran.total_seconds() * 1e6 + 1000
    for said in retried:
        assert said.account[0] > 0


async def row_of(bench: Bench, ledger: Ledger, case: str) -> Mapping[str, Any]:
    """The row of a closed case, which is what its history says."""
    view = await bench.closed(case)
    await take(bench, ledger, [case])
    (row,) = rows(ledger, cases)
    counted = recount(CATALOG.get(view.unit), await read(bench.client, case))
    assert {} in [differing(one.case, row) for one in counted], [differing(one.case, row) for one in counted]
    return row


async def test_work_that_a_person_began_is_a_touch_although_nobody_completed_it(ours, ledger):
    """A case on which a person worked is not straight-through, however it ended."""
    started = await ours.start(Plain)
    task = await ours.task(started.case, "decide")
    await ours.cases.act(task.id, "start", actor="ann", roles=["clerk"])
    await ours.skip(started.case, timedelta(minutes=5))
    await ours.cases.cancel(started.case, actor="ops", reason="twice")
    row = await row_of(ours, ledger, started.case)

    assert (row["close"], row["human_touches"], row["unmeasured"]) == ("cancelled", 1, 0)
    assert row["touch_human_us"] >= timedelta(minutes=5) // timedelta(microseconds=1)


async def test_a_business_exception_of_the_unit_itself_is_one(ours, ledger):
    """Raised by no step, it counts like any other."""
    started = await ours.cases.start("keyless", b'{"subject": "odd"}', key=uuid.uuid4().hex)
    row = await row_of(ours, ledger, started.case)
    (raised,) = rows(ledger, exceptions)

    assert (row["close"], row["reason"], row["exceptions"]) == ("not_achieved", "odd", 1)
    assert (raised["key"], raised["code"], raised["business"], raised["routed_to"]) == ("", "odd", True, "close")


async def prepared(bench: Bench) -> tuple[str, Callable[..., Awaitable[Any]]]:
    """A case of people, and what ann or her boss does to its first task."""
    started = await bench.start(FourEyes)
    task = await bench.task(started.case, "prepare")

    async def act(action: str, *, role: str = "clerk", **more: Any) -> None:
        await bench.cases.act(task.id, action, actor="ann", roles=[role], **more)

    return started.case, act


async def test_what_was_suspended_when_the_engine_ended_its_case_was_not_worked_on(ours, ledger):
    """Nor was what waited for somebody outside: the last thing that the case said of a task goes on to its end."""
    case, act = await prepared(ours)
    await act("start")
    await act("suspend", role=BOSS, body={"reason": "audit"})
    await ours.skip(case, timedelta(hours=1))
    await ours.handle(case).terminate(reason="enough")
    row = await row_of(ours, ledger, case)

    assert row["touch_human_us"] < timedelta(minutes=1) // timedelta(microseconds=1)
    assert row["idle_us"] >= timedelta(hours=1) // timedelta(microseconds=1)


async def test_a_wait_that_was_suspended_goes_on_and_ends_at_its_time(ours, ledger):
    """A hold inside a wait is idle time; when it is over the wait goes on, or is over as well."""
    case, act = await prepared(ours)
    await act("start")
    until = await ours.clock(case) + timedelta(hours=3)
    await act("wait", body={"reason": "customer", "until": until.isoformat()})
    await ours.skip(case, timedelta(hours=1))
    await act("suspend", role=BOSS, body={"reason": "audit"}, sent_at=await ours.clock(case))
    await ours.skip(case, timedelta(hours=1))
    await act("resume", role=BOSS, sent_at=await ours.clock(case))
    await ours.skip(case, timedelta(hours=2))
    await ours.task(case, "prepare", state="in_progress")
    await ours.cases.cancel(case, actor="ops", reason="enough")
    row = await row_of(ours, ledger, case)
    hours = {part: round(row[f"{part}_us"] / 3.6e9) for part in ("external_wait", "idle", "touch_human")}

    assert hours == {"external_wait": 2, "idle": 1, "touch_human": 1}


async def test_an_escalation_does_not_move_the_begin_of_work(ours, ledger):
    """Who tells others of a task goes on working on it, whatever the sender's clock shows."""
    case, act = await prepared(ours)
    await ours.skip(case, timedelta(hours=2))
    await act("start", sent_at=await ours.clock(case))
    early = await ours.clock(case) - timedelta(hours=1)
    await act("escalate", body={"how": "notify_up", "reason": "unsure"}, sent_at=early)
    await ours.skip(case, timedelta(minutes=30))
    await act("fail", body={"code": "odd"}, sent_at=await ours.clock(case))
    row = await row_of(ours, ledger, case)

    assert round(row["touch_human_us"] / 6e7) == 30
    assert (row["human_touches"], row["unmeasured"]) == (1, 0)


async def test_an_exception_that_a_person_met_at_once_is_a_touch_of_unknown_length(ours, ledger):
    """Nobody said when work began: the time is unknown, and not zero."""
    case, act = await prepared(ours)
    await act("claim")
    await act("fail", body={"code": "odd"})
    row = await row_of(ours, ledger, case)

    assert (row["exceptions"], row["human_touches"], row["unmeasured"]) == (1, 1, 1)


async def test_while_a_person_and_a_machine_work_at_once_it_is_the_persons_time(ours, ledger):
    """In the parts of the case; in the efforts it is both's."""
    started = await ours.start(Billed, "check slow")
    task = await ours.task(started.case, "sign")
    await ours.cases.act(task.id, "start", actor="ann", roles=["clerk"], sent_at=task.ready)
    await ours.skip(started.case, timedelta(minutes=1))
    await ours.answer(task, {"decision": "grant"}, revision=2)
    row = await row_of(ours, ledger, started.case)

    assert row["machine_effort_us"] > 500_000 > row["touch_machine_us"]
    assert row["human_effort_us"] == row["touch_human_us"]


async def test_a_decision_ends_a_case_at_once_that_is_about_to_go_on_as_a_new_run(ours, ledger, monkeypatch):
    """It closes when the person decided, and not when the next workflow task comes: with it, a cancel might."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", 1)
    monkeypatch.setattr("workunits.core.pace._NEXT_TASK", 3600)
    started = await ours.start(Plain)
    task = await ours.task(started.case, "decide")
    await ours.cases.act(task.id, "claim", actor="ann", roles=["clerk"])
    await ours.answer(task, {"decision": "grant"}, revision=2)
    row = await row_of(ours, ledger, started.case)

    assert (row["close"], row["runs"]) == ("achieved", 1)
