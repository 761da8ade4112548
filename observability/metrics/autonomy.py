"""How far models may go now, as gauges: the level that holds, stops, certificates that end, and audits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select

from observability.ledger.autonomy import first_executor, live, stopped
from observability.ledger.autonomy_tables import audits
from observability.ledger.tables import cases, proposals
from observability.metrics.standing import Point
from workunits.core.autonomy import LEVELS, Autonomy
from workunits.core.hybrid import AI
from workunits.registry import Catalog

WAITS = timedelta(days=7)
"""How long a proposal may wait for its audit."""
WINDOW = timedelta(days=28)
"""Of the older ones, those that are looked at."""
BOUND = 0.1
"""The share of blind decisions that may differ from what a model proposed, where nobody has signed for another."""
ENOUGH = 100
"""Proposals in the window, below which a share of them says nothing."""


def autonomy(connection: Connection, catalog: Catalog, now: datetime) -> Iterator[Point]:
    """The gauges of each hybrid step of the catalog, as the ledger has them at this moment."""
    stops = {(one.unit, one.step) for one in stopped(connection)}
    grants = live(connection, None, now)
    for unit in catalog:
        for step in unit.steps:
            named = unit.unit_name, step.name
            if step.kind == "ai" and named in stops:
                yield Point("workunit_autonomy_stopped", named, 1)
            if step.kind != "hybrid":
                continue
            mine = [grant for grant in grants if (grant.unit, grant.step) == named]
            levels = {
                grant.version: [LEVELS.index(g.level) for g in mine if g.version == grant.version] for grant in mine
            }
            # What is declared holds for the executor with which the version began, unless something was signed for it.
            first = first_executor(connection, unit.unit_name, unit.version, step.name)
            replaced = {grant.executor for grant in mine if grant.version == unit.version and not grant.segment}
            if first is None or first not in replaced:
                levels.setdefault(unit.version, []).append(LEVELS.index((step.autonomy or Autonomy()).level))
            for version, held in levels.items():
                yield Point(
                    "workunit_autonomy_level", (named[0], version, named[1]), 0 if named in stops else max(held)
                )
            if named in stops:
                yield Point("workunit_autonomy_stopped", named, 1)
            targets = [target for grant in mine if isinstance(target := grant.certificate.get("target"), float)]
            yield Point("workunit_blind_disagreement_bound_ratio", named, min(targets, default=BOUND))
            ends = [grant.expires_at for grant in mine if grant.expires_at is not None]
            if ends:
                yield Point("workunit_certificate_expiry_timestamp_seconds", named, min(ends).timestamp())


def audit_shares(connection: Connection, catalog: Catalog, now: datetime) -> Iterator[Point]:
    """Of what models at A4 or A5 proposed, the share that somebody judged unseen, or afterwards."""
    known = {(unit.unit_name, step.name) for unit in catalog for step in unit.steps if step.kind == "hybrid"}
    audited = exists().where(audits.c.case_id == proposals.c.case_id, _is_audited())
    blind = and_(proposals.c.sampled == "blind", proposals.c.agrees.is_not(None))
    judged = func.sum(case((or_(blind, audited), 1), else_=0))
    due = now - WAITS
    asked = (
        select(cases.c.unit, proposals.c.step, func.count(), judged)
        .join(cases, cases.c.case_id == proposals.c.case_id)
        .where(proposals.c.level.in_(("A4", "A5")), proposals.c.at > due - WINDOW, proposals.c.at <= due)
        .where(proposals.c.step.in_({step for _, step in known}))
        .group_by(cases.c.unit, proposals.c.step)
    )
    for unit, step, count, seen in connection.execute(asked):
        if (unit, step) in known and count >= ENOUGH:
            yield Point("workunit_audit_share", (unit, step), seen / count)


def _is_audited() -> ColumnElement[bool]:
    """An audit names the performance, or its proposal."""
    return or_(audits.c.key == proposals.c.key, audits.c.key + AI == proposals.c.key)
