"""The learning ledger, drift, baselines of versions, and what the owner of a unit is warned of; in both databases."""

# mypy: disable-error-code="union-attr,arg-type"
from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from observability.learning.baseline import BaselineExistsError, baselines_of
from observability.learning.changes import (
    ChangeFieldError,
    Choice,
    LearningError,
    Proposal,
    Verdict,
    change_of,
    decide,
    entries_of,
    propose,
    review,
)
from observability.learning.drift import chart, charts, monday
from observability.learning.pasts import past
from observability.learning.report import report
from observability.learning.selection import Asked
from observability.learning.standing import Standing, standing
from observability.learning.usual import usual_of
from observability.learning.version_baseline import Signature, freeze_version
from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import audit, baselines, learning
from observability.ledger.store import Ledger, LedgerUnavailableError
from observability.ledger.writing import write
from tests.observability.invented import BEGIN, case_rows, fill, records
from workunits.catalog.refund_request import RefundRequest
from workunits.core.record import Record

UNIT = "refund_request"
OWNER = "head of customer care"
NOW = BEGIN + timedelta(weeks=12)
WANTED = Proposal("1", "2", "A rule decides the small ones.", "Two hours less at the median.", "cycle_time")


def verdict(outcome="better", **more) -> Verdict:
    """A verdict on the proposed versions."""
    return Verdict(outcome, **{"from_version": "1", "to_version": "2", "measure": "cycle_time", "detail": {}, **more})


def choice(decision="adopt", reason="It does what it should.", at=NOW) -> Choice:
    """What somebody does with it."""
    return Choice(decision, reason, "ann", at)


def signed(at=NOW, *roles) -> Signature:
    """The owner's signature."""
    return Signature("ann", roles or (OWNER,), at)


def stands(ledger: Ledger, now: datetime) -> Standing:
    """How the unit's loop stands."""
    with ledger.read() as connection:
        return standing(connection, [RefundRequest], now)[0]


def put(ledger: Ledger, made: Iterator[Record] | list[Record]) -> None:
    """Write records into the ledger."""
    with ledger.write() as connection:
        rows = [case_rows(record) for record in made]
        write(connection, rows, Forgetting.load(connection), datetime.now(UTC))


def second_version(ledger: Ledger, count: int = 60) -> None:
    """Cases of version 2, which start later."""
    made = list(records(count, seed=11))
    for record in made:
        record.version, record.case = "2", record.case.replace("X-", "Y-")
        record.key = record.key.replace("X-", "Y-")
        record.started += timedelta(weeks=11)
    put(ledger, made)


def test_a_change_from_its_proposal_to_its_new_baseline(ledger: Ledger):
    """Proposed, kept running, adopted by its verdict, frozen; each entry with who and when, and audited."""
    fill(ledger, 200)
    second_version(ledger)
    first = freeze_version(ledger, RefundRequest, Asked(UNIT, version="1"), signed())
    propose(ledger, RefundRequest, WANTED, "bob", NOW)
    with pytest.raises(LearningError, match="change 1 already proposes that version"):
        propose(ledger, RefundRequest, WANTED, "bob", NOW)
    decide(ledger, UNIT, 1, verdict("undecided"), choice("keep", "Too few cases."))
    with pytest.raises(LearningError, match="a new baseline needs an adopted change"):
        freeze_version(ledger, RefundRequest, Asked(UNIT, version="2"), signed())
    later = NOW + timedelta(days=9)
    decide(ledger, UNIT, 1, verdict(detail={"effect": -7200.5}), choice(at=later))
    stale = stands(ledger, later)
    second = freeze_version(ledger, RefundRequest, Asked(UNIT, version="2"), signed(later + timedelta(days=1)))
    with ledger.read() as connection:
        change, entries = change_of(connection, UNIT, 1), entries_of(connection, UNIT)
        audited = connection.execute(select(audit.c.what).order_by(audit.c.at, audit.c.audit_id)).scalars().all()

    assert [entry.entry for entry in entries] == ["baseline", "proposed", "decided", "decided", "baseline"]
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert (change.last.verdict, change.last.decision, change.last.detail) == ("better", "adopt", {"effect": -7200.5})
    assert (change.proposed.owner, change.proposed.actor, change.open) == (OWNER, "bob", False)
    assert [entry.baseline for entry in change.baselines] == ["version 2"]
    assert {what: audited.count(what) for what in set(audited)} == {
        "learn_proposed": 1,
        "learn_decided": 2,
        "learn_baseline": 2,
        "baseline": 2,
    }
    assert "version 2 was judged better and adopted since" in stale.stale
    assert (first.n, second.n, stands(ledger, later).stale) == (200, 60, "")


@pytest.mark.parametrize(
    ("said", "decision", "why"),
    [
        (verdict("worse"), "adopt", "the verdict is worse: adopting needs better or not_worse"),
        (verdict("undecided"), "adopt", "the verdict is undecided"),
        (verdict(to_version="3"), "adopt", "of other versions than the change"),
        (verdict(measure="on_time"), "drop", "another measure than the one that was declared"),
        (verdict("splendid"), "adopt", "no verdict of better"),
        (verdict(), "rejoice", "decision: is one of adopt, drop, keep"),
    ],
)
def test_a_verdict_is_not_a_wish(said, decision, why, tmp_path):
    """What was computed limits what may be decided, and nothing is written when it does not fit."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    propose(ledger, RefundRequest, WANTED, "bob", NOW)
    with pytest.raises((LearningError, ChangeFieldError), match=why):
        decide(ledger, UNIT, 1, said, choice(decision))
    with ledger.read() as connection:
        there = entries_of(connection, UNIT)
    decide(ledger, UNIT, 1, verdict(), choice("drop"))
    with pytest.raises(LearningError, match="change 1 is decided"):
        decide(ledger, UNIT, 1, verdict(), choice())
    with pytest.raises(LearningError, match="no change of that number"):
        decide(ledger, UNIT, 2, verdict(), choice())
    ledger.close()

    assert [entry.entry for entry in there] == ["proposed"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("to_version", "1"), ("hypothesis", " "), ("expected", ""), ("measure", "mood"), ("from_version", "x" * 41)],
)
def test_what_nobody_could_judge_is_no_proposal(field, value):
    """The field is named, its value is not repeated."""
    with pytest.raises(ChangeFieldError, match=f"^{field}: ") as refused:
        replace(WANTED, **{field: value}).check()

    assert field == refused.value.field


def test_entries_are_never_changed_nor_taken_out(ledger: Ledger):
    """The database itself refuses it, whoever asks."""
    review(ledger, RefundRequest, "All as it should be.", "ann", NOW)
    for deed in (update(learning).values(actor="eve"), delete(learning)):
        with pytest.raises((DBAPIError, LedgerUnavailableError)), ledger.write() as connection:
            connection.execute(deed)
    with ledger.read() as connection:
        there = entries_of(connection, UNIT)

    assert [(entry.actor, entry.entry) for entry in there] == [("ann", "reviewed")]


def test_a_baseline_of_a_version_holds_the_figures_of_its_report(ledger: Ledger):
    """Version, window, n, metric definitions, mix, quantiles, intervals; signed by the owner, and by nobody else."""
    fill(ledger, 200)
    asked = Asked(UNIT, version="1")
    with pytest.raises(LearningError, match=f"sign with the role {OWNER}"):
        freeze_version(ledger, RefundRequest, asked, signed(NOW, "clerk"))
    with pytest.raises(LearningError, match=r"has 0 closed case\(s\) there, and 30 are needed"):
        freeze_version(ledger, RefundRequest, Asked(UNIT, version="9"), signed())
    freeze_version(ledger, RefundRequest, asked, signed(), "the old way")
    with pytest.raises(BaselineExistsError, match="give this one a name of its own"):
        freeze_version(ledger, RefundRequest, asked, signed(), "the old way")
    told = report(ledger, asked).figures
    with ledger.read() as connection:
        kept = baselines_of(connection, UNIT)[0]
        before, now = past(connection, kept), usual_of(connection, UNIT, "1")

    assert (kept.name, kept.n, kept.n_open, kept.metrics, kept.mapping["version"]) == ("the old way", 200, 0, "1", "1")
    for quantile in ("median", "p85", "p95"):
        estimate = getattr(told.cycle, quantile)
        assert {"value": estimate.value, "low": estimate.low, "high": estimate.high} == kept.figures["cycle_time_us"][
            quantile
        ]
    assert told.sla_attainment.share == kept.figures["sla"]["share"]
    assert sum(kept.segments.values()) == pytest.approx(1)
    assert {"damaged", "not_wanted"} == set(kept.segments)
    assert now.parts == before.parts
    assert now.cells == before.cells


def test_eight_weeks_on_one_side_are_a_shift():
    """A week beyond the limits signals too, and is no shift; with under eight weeks there are no limits."""
    weeks = [monday(BEGIN) + timedelta(weeks=week) for week in range(24)]
    draw = random.Random(3)  # noqa: S311 - invented on purpose
    quiet = [10 + draw.choice([-1, 1]) * draw.random() for _ in weeks]
    odd = [*quiet[:20], 19.0, *quiet[21:]]
    moved = [*quiet[:12], *(value + 3 for value in quiet[12:])]
    made = {name: chart("x", weeks, values, [9] * 24) for name, values in (("odd", odd), ("moved", moved))}

    assert [("beyond", weeks[20])] == [(point.signal, point.week) for point in made["odd"].signals if point.value == 19]
    assert made["odd"].shifted_since(weeks[0]) is None
    assert made["moved"].shifted_since(weeks[10]).week == weeks[19]
    assert made["moved"].shifted_since(weeks[18]) is None
    moving = sum(abs(b - a) for a, b in pairwise(quiet)) / 23
    calm = chart("x", weeks, quiet, [9] * 24)
    assert calm.high == pytest.approx(sum(quiet) / 24 + 2.66 * moving)
    assert chart("x", weeks[:7], quiet[:7], [9] * 7).mean is None


def test_the_weeks_of_a_ledger(ledger: Ledger):
    """Each closed case counts in one whole week, and the present week in none."""
    made = fill(ledger, 300)
    now = BEGIN + timedelta(weeks=6, days=2)
    whole = [record for record in made if record.when(record.closed) < monday(now)]
    with ledger.read() as connection:
        drawn = charts(connection, UNIT, now)

    assert len(whole) == sum(point.n for point in drawn["cycle_time"].points)
    assert len(drawn["cycle_time"].points) == 6
    late = [record for record in whole if record.close == "achieved"]
    assert len(late) == pytest.approx(sum(point.n * point.value for point in drawn["on_time"].points))


def test_a_shift_justifies_a_new_baseline_and_makes_the_old_one_stale(ledger: Ledger):
    """Cycle times that have been four times as long for eight weeks are how it is now; nobody has to have wanted it."""
    made = list(records(400))
    for record in made[200:]:
        record.started += timedelta(weeks=10)
        record.closed = (record.closed or 0) * 4
    put(ledger, made)
    asked, then = Asked(UNIT, version="1"), monday(BEGIN) + timedelta(weeks=10)
    freeze_version(ledger, RefundRequest, asked, signed(then), "before")
    now = BEGIN + timedelta(weeks=19)
    warned = stands(ledger, now)
    freeze_version(ledger, RefundRequest, Asked(UNIT, since=then, version="1"), signed(now), "after")
    with ledger.read() as connection:
        entry = entries_of(connection, UNIT)[-1]

    assert warned.stale.startswith("cycle_time has been above its mean for 8 weeks")
    assert (entry.detail["because"], entry.detail["measure"]) == ("drift", "cycle_time")
    assert stands(ledger, now).stale == ""


def test_what_an_owner_is_warned_of(ledger: Ledger):
    """An overdue review, a version that nobody judged, a baseline by other definitions; each goes away when done."""
    nothing = stands(ledger, NOW)
    fill(ledger, 40)
    second_version(ledger)
    with ledger.write() as connection:
        old = {"baseline_id": "x", "unit": UNIT, "name": "old", "source": "log", "source_hash": "", "n": 1, "n_open": 0}
        figures = {"cycle_time_us": {"median": {"value": 7_200_000_000}}, "sla": {"share": 0.9}}
        rest = {"frozen_at": BEGIN, "metrics": "0", "mapping": {}, "figures": figures, "segments": {}}
        connection.execute(insert(baselines).values({**old, **rest}))
    warned = stands(ledger, NOW)
    propose(ledger, RefundRequest, WANTED, "ann", NOW)
    decide(ledger, UNIT, 1, verdict("worse"), choice("drop"))
    after = stands(ledger, NOW)

    assert (tuple(nothing.unjudged), nothing.review_overdue, nothing.stale, nothing.warnings) == ((), False, "", [])
    assert (warned.review_overdue, warned.unjudged, warned.baseline) == (True, ["2"], "old")
    assert "metric definitions 0" in warned.stale
    assert len(warned.warnings) == 3
    assert warned.figures == {("cycle_time", "median"): 7200, ("sla_attainment", "share"): 0.9}
    assert (after.review_overdue, after.unjudged) == (False, [])
    assert stands(ledger, NOW + timedelta(days=31)).review_overdue
