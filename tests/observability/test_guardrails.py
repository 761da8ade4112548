"""What stops a rollout by itself: the primary measure or a guardrail, by cases of the split, at fixed looks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from bench.learning import DAYS, arms, stops
from observability.learning.arms import DAY, Arm, read_arm
from observability.learning.changes import Proposal, propose
from observability.learning.comparing import Plan, as_json, compare
from observability.learning.drift import charts, monday
from observability.learning.selection import Asked
from observability.learning.verdicts import judge, split_of
from observability.learning.version_baseline import Signature, freeze_version
from observability.ledger.auditing import ROLLOUT, note_audit
from observability.ledger.store import Ledger
from tests.observability.invented import BEGIN, BUDGET
from tests.observability.planted import UNIT, Claim, invent, keep
from workers import rollout as rolling
from workers.pages.compare import page
from workunits.core.record import Record, Routed
from workunits.registry import Catalog, Package
from workunits.rollout import Rollout

SPLIT = Rollout(UNIT, "1", "2", "b", 50)
LATER = BEGIN + timedelta(days=100)
CLAIMS = Catalog([Package("claims", (Claim,), (), ())])


def failing(made: Sequence[Record], share: float) -> Sequence[Record]:
    """The same cases, of which so many had an exception."""
    for record in made[: round(len(made) * share)]:
        record.routes.append(Routed(at=0, key="check", code="illegible", to="repair"))
    return made


def proposed(ledger: Ledger, measure: str) -> None:
    """A change to version 2, to be judged by a measure."""
    wanted = Proposal("1", "2", "fewer wait for a senior", "half a day", measure)
    propose(ledger, Claim, wanted, "ann", BEGIN - timedelta(days=1))


def split(ledger: Ledger, percent: float = 50, at=BEGIN, to: str = "2", **more) -> None:
    """A change of the share of new cases, as a rollout notes it."""
    with ledger.write() as connection:
        note_audit(connection, "ann", ROLLOUT, at, unit=UNIT, percent=percent, **{"from": "1", "to": to}, **more)


def why_stopped(ledger: Ledger) -> str:
    """Why the guard would stop the rollout; empty when it goes on."""
    return rolling._broken(ledger, CLAIMS, SPLIT)


def test_a_version_that_is_worse_is_stopped_whichever_measure_is_the_primary_one(quick: Ledger):
    """A fifth of the cases had an exception, and now all: that the guardrail is the primary measure excuses nothing."""
    keep(quick, failing(invent(200, version="1", seed=5), 0.2))
    keep(quick, failing(invent(200, version="2", seed=6), 1.0))
    split(quick)
    proposed(quick, "exception_rate")

    assert why_stopped(quick).startswith("exception_rate, by which it is judged, is worse at look ")


def test_a_version_that_leaves_late_cases_hanging_breaks_its_promises():
    """Four in ten never end: each is breached once it is past due, and not before, also as of an earlier look."""
    first, second = arms(np.random.default_rng(3), 1.0)
    hanging = np.arange(len(second)) % 5 < 2
    second = Arm("2", second.columns | {"ended": ~hanging, "sla": np.where(hanging, "running", second["sla"])})
    one = compare("u", first, second, Plan("cycle_time"), assignment="split", now=DAYS * DAY)
    earlier = second.at(DAYS * DAY / 2)
    late = hanging & (second["due"] < DAYS * DAY)
    ended = ~hanging & (second["closed"] <= DAYS * DAY)
    told = one.guardrails["sla_attainment"]

    assert "sla_attainment" in one.breached
    assert told.n[1] == late.sum() + ended.sum()
    assert told.values[1] == (second["sla"][ended] == "met").sum() / told.n[1]
    assert set(earlier["sla"][~earlier["ended"] & (earlier["due"] >= DAYS * DAY / 2)]) == {"running"}
    assert set(earlier["sla"][~earlier["ended"] & (earlier["due"] < DAYS * DAY / 2)]) == {"breached"}


def test_an_open_case_past_due_is_breached_in_arms_charts_and_baselines(ledger: Ledger):
    """By what the ledger has: it counts in the week in which it fell due, also once it has closed."""
    made = invent(120, version="1", seed=5)
    open_one = invent(1, version="2", seed=6, begin=BEGIN + timedelta(weeks=3))[0]
    closed_at, open_one.version = open_one.closed, "1"
    fell_due = open_one.when(BUDGET)
    open_one.close = open_one.closed = None
    keep(ledger, [*made, open_one])
    signed = Signature("ann", ("head",), LATER)
    frozen = freeze_version(ledger, Claim, Asked(UNIT, version="1"), signed)
    with ledger.read() as connection:
        arm = read_arm(connection, UNIT, "1", since=None, now=LATER)
        drawn = charts(connection, UNIT, LATER)["sla_attainment"].points
    open_one.closed, open_one.close, open_one.breached = (closed_at or 0) + 5 * BUDGET, "achieved_late", BUDGET
    keep(ledger, [open_one])
    with ledger.read() as connection:
        later = charts(connection, UNIT, LATER)["sla_attainment"].points
    broken = arm.at(LATER.timestamp())["sla"] == "breached"
    kept = [record for record in made if record.breached is None]

    assert broken.sum() == len(made) - len(kept) + 1
    assert (sum(point.n for point in drawn), later) == (121, drawn)
    week = next(point for point in drawn if point.week == monday(fell_due))
    met = sum(monday(record.when(record.closed or 0)) == week.week for record in kept)
    assert week.value == met / week.n < 1
    assert frozen.figures["sla"]["n"] == 121


def test_the_guard_compares_cases_of_the_split_and_of_no_other_time(quick: Ledger):
    """The older version's good old days were not beside the newer one; since the split both have the same bad ones."""
    began = BEGIN + timedelta(weeks=11)
    keep(quick, invent(300, version="1", seed=5))
    for version, seed in (("1", 7), ("2", 6)):
        made = failing(invent(200, version=version, seed=seed, begin=began), 0.3)
        for record in made:
            record.case, record.key = f"{record.case}-b", f"{record.key}-b"
        keep(quick, made)
    split(quick, at=BEGIN + timedelta(weeks=8))
    split(quick, 0, at=BEGIN + timedelta(weeks=9))
    split(quick, 10, at=began)
    split(quick, 50, at=began + timedelta(weeks=1))
    now = began + timedelta(days=100)
    with quick.read() as connection:
        whole = judge(connection, Claim, ("1", "2"), now, since=BEGIN)
        fair = judge(connection, Claim, ("1", "2"), now)
    broken = why_stopped(quick)
    split(quick, 0, at=began + timedelta(weeks=5))
    with quick.read() as connection:
        until_then = judge(connection, Claim, ("1", "2"), now)

    assert broken == ""
    assert (whole.assignment, whole.n) == ("before_after", (500, 200))
    assert (fair.assignment, fair.n) == ("split", (200, 200))
    assert (until_then.assignment, sum(until_then.n) < 250) == ("split", True)


def test_when_a_split_began(quick: Ledger):
    """With its first share, however often that is raised; and anew after a stop, another pair, or a deployment."""
    weeks = [BEGIN + timedelta(weeks=week) for week in range(6)]

    def holds() -> tuple[int, int | None] | None:
        with quick.read() as connection:
            found = split_of(connection, UNIT, ("1", "2"))
        return (weeks.index(found.began), weeks.index(found.ended) if found.ended else None) if found else None

    assert holds() is None
    split(quick, 10, weeks[0])
    split(quick, 30, weeks[1])
    assert holds() == (0, None)
    split(quick, 0, weeks[2])
    assert holds() == (0, 2)
    split(quick, 10, weeks[3])
    assert holds() == (3, None)
    split(quick, 10, weeks[4], anew=True)
    assert holds() == (4, None)
    split(quick, 10, weeks[5], to="3")
    assert holds() == (4, 5)


def test_asking_often_breaks_no_guardrail():
    """Without a difference one of them looks worse now and then: what comes between two looks is not used."""
    first, second = arms(np.random.default_rng(3), 1.0)
    ended = np.sort(np.concatenate([first["closed"], second["closed"]]))
    often = [
        compare("u", first, second, Plan("cycle_time"), assignment="split", now=float(ended[count]))
        for count in range(250, 590, 20)
    ]
    now = [one.guardrails["override_rate"] for one in often]

    assert any(one.direction < 0 and (one.p_value or 1) <= 0.05 / 3 for one in now)
    assert [one.breached for one in often] == [[]] * len(often)


def test_rollouts_are_stopped_for_nothing_as_rarely_as_promised():
    """Four looks at the primary measure and at four guardrails: together at most one in twenty."""
    assert sum(bool(why) for why, _ in stops("", 0.5, 60, 7)) <= 6


def test_what_harms_is_stopped_and_says_at_which_look():
    """A quarter of the cases with an exception instead of a tenth; what a look has found stands when it gets better."""
    assert sum(why == "exception_rate" for why, _ in stops("exception_rate", 0.5, 10, 7)) >= 8
    first, second = arms(np.random.default_rng(2), 1.0)
    early = second["started"] < DAYS * DAY / 3
    second = Arm("2", second.columns | {"exceptions": early * 1.0})
    one = compare("u", first, second, Plan("cycle_time"), assignment="split", now=DAYS * DAY)
    found = one.breaches["exception_rate"]

    assert found.look.number < 4
    assert (found.contrast.p_value or 0) <= found.look.alpha
    assert f"worse beyond chance at look {found.look.number} of 4" in page(one)
    assert json.loads(json.dumps(as_json(one)))["breaches"]["exception_rate"]["look"]["cases"] == found.look.cases


def test_a_small_share_is_not_left_unguarded(quick: Ledger):
    """One in twenty of 400 cases is too few to decide anything: more are planned, so that the last look has eighty."""
    keep(quick, [*invent(40, version="1", seed=5), *invent(40, version="2", seed=6)])
    planned = []
    for week, percent in enumerate((50, 20, 5, 95)):
        split(quick, percent, at=BEGIN + timedelta(days=week), anew=True)
        with quick.read() as connection:
            planned.append(judge(connection, Claim, ("1", "2"), LATER).plan.planned)

    assert planned == [400, 400, 1600, 1600]
