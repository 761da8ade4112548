"""How things stand now, by a few queries: open cases and tasks, clocks, incidents, and how far the ledger is behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, case, exists, func, select

from observability.ledger.keeping import dead_letters, followers
from observability.ledger.tables import cases, clock_entries, clocks, incidents, tasks


class Point(NamedTuple):
    """One value of one series."""

    metric: str
    labels: tuple[str, ...]
    value: float


def standing(connection: Connection, now: datetime) -> Iterator[Point]:
    """All gauges that the ledger's rows give; a series without a row is not among them."""
    yield from _cases(connection, now)
    yield from _clocks(connection, now)
    yield from _tasks(connection, now)
    held = select(cases.c.unit, incidents.c.step, func.count()).join(cases, cases.c.case_id == incidents.c.case_id)
    for unit, step, count in connection.execute(
        held.where(incidents.c.state.in_(("open", "retrying"))).group_by(cases.c.unit, incidents.c.step)
    ):
        yield Point("workunit_open_incidents", (unit, step), count)
    refused = connection.execute(select(func.count()).select_from(dead_letters)).scalar_one()
    yield Point("workunit_dead_letters", (), refused)
    passed = connection.execute(select(func.min(followers.c.passed_at))).scalar()
    if passed is not None:
        yield Point("workunit_follower_lag_seconds", (), max(0.0, (now - passed).total_seconds()))
        yield Point("workunit_follower_last_pass_timestamp_seconds", (), passed.timestamp())


def _cases(connection: Connection, now: datetime) -> Iterator[Point]:
    named = cases.c.unit, cases.c.version, cases.c.state
    asked = select(*named, func.count(), func.min(cases.c.started_at)).where(cases.c.close.is_(None)).group_by(*named)
    oldest: dict[tuple[str, str], float] = {}
    for unit, version, state, count, since in connection.execute(asked):
        yield Point("workunit_open_cases", (unit, version, state), count)
        # A case that is to start later is not old yet.
        age = max(0.0, (now - since).total_seconds())
        oldest[unit, version] = max(age, oldest.get((unit, version), 0.0))
    for labels, age in oldest.items():
        yield Point("workunit_oldest_case_age_seconds", labels, age)


def _clocks(connection: Connection, now: datetime) -> Iterator[Point]:
    warned = exists().where(
        clock_entries.c.case_id == clocks.c.case_id,
        clock_entries.c.target == clocks.c.target,
        clock_entries.c.entry == "warn",
    )
    state: ColumnElement[str] = case(
        (clocks.c.state == "paused", "paused"),
        (clocks.c.breached_at.is_not(None) | (clocks.c.due_at < now), "breached"),
        (warned, "at_risk"),
        else_="running",
    )
    open_ = clocks.c.result.is_(None) & clocks.c.state.in_(("running", "paused")) & cases.c.close.is_(None)
    found = (
        select(cases.c.unit, cases.c.version, clocks.c.promise, state.label("now"))
        .join(cases, cases.c.case_id == clocks.c.case_id)
        .where(open_)
        .subquery()
    )
    for *labels, count in connection.execute(select(*found.c, func.count()).group_by(*found.c)):
        yield Point("workunit_sla_clocks", tuple(labels), count)


def _tasks(connection: Connection, now: datetime) -> Iterator[Point]:
    named = tasks.c.unit, tasks.c.step, tasks.c.role, tasks.c.state
    asked = select(*named, func.count(), func.min(tasks.c.ready_at)).where(tasks.c.open).group_by(*named)
    oldest: dict[tuple[str, str, str], float] = {}
    for unit, step, role, state, count, since in connection.execute(asked):
        yield Point("workunit_open_tasks", (unit, step, role, state), count)
        age = max(0.0, (now - since).total_seconds())
        oldest[unit, step, role] = max(age, oldest.get((unit, step, role), 0.0))
    for labels, age in oldest.items():
        yield Point("workunit_oldest_task_age_seconds", labels, age)
