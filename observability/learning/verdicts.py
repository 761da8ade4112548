"""Verdicts on versions by what the ledger has: which cases, by which plan, and how they came to their version."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select

from observability.learning.arms import read_arm
from observability.learning.changes import Change, Verdict, changes_of
from observability.learning.comparing import Assignment, Comparison, Plan, as_json, compare
from observability.learning.contrasts import MEASURED
from observability.ledger.keeping import audit
from observability.ledger.tables import cases
from workunits.core.errors import BadInput
from workunits.core.unit import WorkUnit

ROLLOUT = "rollout"
"""What the audit calls a change of the share in which new cases are split."""


def judge(
    connection: Connection,
    unit: type[WorkUnit],
    versions: tuple[str, str],
    now: datetime,
    *,
    measure: str = "",
    since: datetime | None = None,
    plan: Plan | None = None,
) -> Comparison:
    """Compare two versions of a unit by what the ledger has.

    Args:
        connection: To the ledger.
        unit: The unit.
        versions: The older and the newer one.
        now: Open cases are as old as they are then.
        measure: The primary measure; the proposed one when there is a proposal, else the unit's first one.
        since: Cases that started from then on; since the proposal, or at any time.
        plan: Margin, size and error; the usual ones when omitted.

    Raises:
        BadInput: a version has no cases, or there is no such measure.
    """
    name = unit.unit_name
    proposed = proposal_of(connection, name, versions)
    measure = measure or (proposed.proposed.measure or "" if proposed else "") or unit.learning.measures[0].name
    if measure not in MEASURED:
        raise BadInput(f"should be one of {', '.join(MEASURED)}", field="measure")
    since = since or (proposed.proposed.at if proposed else None)
    arms = [read_arm(connection, name, version, since=since, now=now) for version in versions]
    for field, arm in zip(("A", "B"), arms, strict=True):
        if not len(arm):
            there = ", ".join(_versions(connection, name)) or "none"
            raise BadInput(f"the ledger has no cases of that version since then; it has versions {there}", field=field)
    wanted = replace(plan or Plan(measure), measure=measure)
    assignment = assignment_of(connection, name, versions)
    return compare(name, arms[0], arms[1], wanted, assignment=assignment, now=now.timestamp())


def proposal_of(connection: Connection, unit: str, versions: tuple[str, str]) -> Change | None:
    """The latest change that proposed the newer version in the older one's place."""
    changes = changes_of(connection, unit)
    of_these = [c for c in changes if (c.proposed.from_version, c.proposed.to_version) == versions]
    return of_these[-1] if of_these else None


def assignment_of(connection: Connection, unit: str, versions: tuple[str, str]) -> Assignment:
    """Whether new cases were split between two versions by chance: the audit has each rollout."""
    told = connection.execute(select(audit.c.detail).where(audit.c.what == ROLLOUT)).scalars()
    split = any(one.get("unit") == unit and {one.get("from"), one.get("to")} == set(versions) for one in told)
    return "split" if split else "before_after"


def verdict_of(found: Comparison) -> Verdict:
    """A comparison as the learning ledger takes it."""
    return Verdict(found.outcome, *found.versions, found.plan.measure, as_json(found))


def _versions(connection: Connection, unit: str) -> list[str]:
    return list(connection.execute(select(cases.c.version).where(cases.c.unit == unit).distinct()).scalars())
