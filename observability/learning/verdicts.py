"""Verdicts on versions by what the ledger has: which cases, by which plan, and how they came to their version."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select

from observability.learning.arms import read_arm
from observability.learning.changes import Change, Verdict, changes_of
from observability.learning.comparing import Assignment, Comparison, Plan, as_json, compare
from observability.learning.contrasts import MEASURED
from observability.learning.looks import PLANNED
from observability.ledger.auditing import ROLLOUT
from observability.ledger.keeping import audit
from observability.ledger.tables import cases
from workunits.core.errors import BadInput
from workunits.core.unit import WorkUnit

USUAL_SHARE = 20.0
"""Percent of new cases of the smaller arm with which the usual number of cases is enough."""


@dataclass(frozen=True, slots=True)
class Split:
    """The time in which new cases were split between two versions."""

    began: datetime
    ended: datetime | None
    """When all new cases went to one version again, or to others; None while it holds, or when nobody noted its end."""
    percent: float
    """Of new cases went to the newer version at first."""


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
        since: Cases that started from then on; when omitted since the proposal, and no earlier than they were split.
        plan: Margin, size and error; the usual ones when omitted, the size also by the share of the split.

    Raises:
        BadInput: a version has no cases, or there is no such measure.
    """
    name = unit.unit_name
    proposed = proposal_of(connection, name, versions)
    measure = measure or (proposed.proposed.measure or "" if proposed else "") or unit.learning.measures[0].name
    if measure not in MEASURED:
        raise BadInput(f"should be one of {', '.join(MEASURED)}", field="measure")
    split = split_of(connection, name, versions)
    known = [at for at in (proposed and proposed.proposed.at, split and split.began) if at]
    since = since or max(known, default=None)
    # Of cases from before the split, or from after it, one version has them all: they are not beside each other.
    fair = split is not None and since is not None and since >= split.began
    until = split.ended if split and fair else None
    arms = [read_arm(connection, name, version, since=since, until=until, now=now) for version in versions]
    for field, arm in zip(("A", "B"), arms, strict=True):
        if not len(arm):
            there = ", ".join(_versions(connection, name)) or "none"
            raise BadInput(f"the ledger has no cases of that version since then; it has versions {there}", field=field)
    wanted = plan or Plan(measure)
    wanted = replace(wanted, measure=measure, planned=wanted.planned or planned_for(split))
    assignment: Assignment = "split" if fair else "before_after"
    return compare(name, arms[0], arms[1], wanted, assignment=assignment, now=now.timestamp())


def proposal_of(connection: Connection, unit: str, versions: tuple[str, str]) -> Change | None:
    """The latest change that proposed the newer version in the older one's place."""
    changes = changes_of(connection, unit)
    of_these = [c for c in changes if (c.proposed.from_version, c.proposed.to_version) == versions]
    return of_these[-1] if of_these else None


def split_of(connection: Connection, unit: str, versions: tuple[str, str]) -> Split | None:
    """The present or else the last split of a unit's new cases between two versions, by the audit; None: never."""
    rows = connection.execute(select(audit.c.at, audit.c.detail).where(audit.c.what == ROLLOUT).order_by(audit.c.at))
    found, holds = None, False
    for at, told in rows:
        if told.get("unit") != unit:
            continue
        theirs = {told.get("from"), told.get("to")} == set(versions) and told.get("percent", 0) > 0
        if theirs and (not holds or told.get("anew")):
            found = Split(at, None, told["percent"])
        elif holds and not theirs and found:
            found = replace(found, ended=at)
        holds = theirs
    return found


def planned_for(split: Split | None) -> int:
    """How many ended cases of both versions together are usual: more where one has a small share, lest it have few."""
    least = min(split.percent, 100 - split.percent) if split else 50.0
    return math.ceil(PLANNED * max(1.0, USUAL_SHARE / least))


def verdict_of(found: Comparison) -> Verdict:
    """A comparison as the learning ledger takes it."""
    return Verdict(found.outcome, *found.versions, found.plan.measure, as_json(found))


def _versions(connection: Connection, unit: str) -> list[str]:
    return list(connection.execute(select(cases.c.version).where(cases.c.unit == unit).distinct()).scalars())
