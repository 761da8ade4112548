"""Forecasts: by hand, against a process whose truth is known, and never with what was not known at the time."""

# mypy: disable-error-code="union-attr,arg-type,operator,misc,index"

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from observability.export.reading import Wanted, read
from observability.learning import backtest as backtesting
from observability.learning import forecast as forecasting
from observability.learning.backtest import backtest
from observability.learning.forecast import NOWHERE, Forecaster, stays_of
from observability.learning.stays import MINIMUM, NEVER, Curve, Outlook, Stays
from observability.ledger.forgetting import Forgetting
from observability.ledger.writing import write
from tests.observability.invented import BEGIN, HOUR, case_rows, fill
from workunits.core.record import Record, Work

UNIT = "refund_request"
FAR = datetime(2026, 6, 1, tzinfo=UTC)
"""When all that was invented has ended."""


def stays(*rows, version="1") -> Stays:
    """Stays of (ready, left, closed); None is never."""
    there = [[NEVER if at is None else at for at in row] for row in rows]
    ready, left, closed = np.array(there, dtype=np.int64).reshape(-1, 3).T
    return Stays(ready, left, closed, np.array([version] * len(rows), dtype=object))


def put(ledger, made, now=FAR) -> None:
    """Put cases into a ledger."""
    with ledger.write() as connection:
        write(connection, [case_rows(record, now) for record in made], Forgetting.load(connection), datetime.now(UTC))


def two_steps(number: int, start: datetime, first: int, second: int | None, due: int) -> Record:
    """A case that is in `check` first and in `sign` then; None: it is there still."""
    steps = [Work(key="check", step="check", kind="human", ready=0, done=first, end="done", by="ann")]
    sign = Work(key="sign", step="sign", kind="human", ready=first)
    closed = None if second is None else first + second
    if closed is not None:
        sign.done, sign.end, sign.by = closed, "done", "bob"
    late = closed is not None and closed > due
    return Record(
        unit=UNIT,
        version="1",
        case=f"{UNIT}:T-{number}",
        key=f"T-{number}",
        started=start,
        due=due,
        closed=closed,
        close=None if closed is None else "achieved_late" if late else "achieved",
        breached=due if late else None,
        steps=[*steps, sign],
    )


def test_the_curve_by_hand(monkeypatch):
    """Five cases that close after 1, 2 and 3, and are open after 2 and 5: 4/5, then 3/4 of it, then half of that."""
    monkeypatch.setattr("observability.learning.stays.MINIMUM", 1)
    long = np.array([9, 9, 9, 9, 9])
    curve = Curve(long, np.array([1, 2, 2, 3, 5]), np.array([True, True, False, True, False]))
    said = [curve.open_after(0, left).probability for left in (0, 1, 2, 2.5, 3, 10)]

    assert said == pytest.approx([1, 0.8, 0.6, 0.6, 0.3, 0.3])
    assert curve.open_after(0, 1).n == 5
    assert curve.open_after(0, 1).closes == 3


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=60), st.integers(0, 40))
def test_the_curve_is_scipys(seen, left):
    """Whatever is tied with whatever, and whatever is censored."""
    took, ended = np.array([t for t, _ in seen]), np.array([e for _, e in seen])
    # Who is still open has been for as long as was seen; the moment is the same for all.
    ready = 1000 - took
    closed = np.where(ended, 1000, NEVER)
    curve = Stays(ready, np.full(len(seen), NEVER), closed, np.array(["1"] * len(seen), dtype=object)).as_of(1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("observability.learning.stays.MINIMUM", 1)
        ours = curve.open_after(0, left)
    if not ended.any():
        assert ours is None
        return
    sample = stats.CensoredData(uncensored=took[ended].astype(float), right=took[~ended].astype(float))
    theirs = stats.ecdf(sample).sf

    assert ours.probability == pytest.approx(float(theirs.evaluate(left)), abs=1e-12)


def test_who_left_the_step_sooner_says_nothing(monkeypatch):
    """Half leave at once and close late, half stay and then close at once: who stayed is like the latter."""
    monkeypatch.setattr("observability.learning.stays.MINIMUM", 1)
    left_soon, stayed = [(0, 1, 100)] * 10, [(0, 20, 21)] * 10
    curve = stays(*left_soon, *stayed).as_of(1000)

    assert curve.open_after(0, 50).probability == pytest.approx(0.5)
    assert curve.open_after(10, 10).probability == pytest.approx(1)
    assert curve.open_after(10, 11).probability == 0
    assert curve.open_after(10, 50).n == 10


moments = st.integers(0, 100)
any_stay = st.tuples(moments, moments, moments).map(sorted).map(tuple)


@given(st.lists(any_stay, min_size=1, max_size=40), moments)
def test_nothing_later_is_used(rows, at):
    """What is known at a moment is the same whether or not what came later is in the ledger."""
    known = [
        (ready, left if left <= at else None, closed if closed <= at else None)
        for ready, left, closed in rows
        if ready < at
    ]
    whole, then = stays(*rows).as_of(at), stays(*known).as_of(at)

    for name in ("stayed", "took", "ended"):
        assert getattr(whole, name).tolist() == getattr(then, name).tolist()


def test_with_too_little_data_there_is_no_forecast():
    """Twenty-nine closes give none; thirty do, of the version or else of the whole unit."""
    few, enough = stays(*[(0, 5, 6)] * (MINIMUM - 1)), stays(*[(0, 5, 6)] * MINIMUM)
    at, ready, due = 10, 8, 12

    assert Outlook(few, at).breach("1", ready, due) is None
    assert Outlook(enough, at).breach("1", ready, due)[1] == "version"
    assert Outlook(enough, at).breach("2", ready, due)[1] == "unit"
    assert Outlook(enough, at).breach("1", at - 6, due) is None  # nobody was in the step for as long


def test_it_says_the_truth_of_a_process_that_is_known():
    """Exponential times, a quarter of them cut off: the forecast is the exponential's own, at any age."""
    draw = np.random.default_rng(5)
    mean, size, at = 10 * HOUR, 4000, 10**16
    took = draw.exponential(mean, size).astype(np.int64)
    so_far = draw.exponential(3 * mean, size).astype(np.int64)
    ready = at - np.where(took < so_far, 10**13, so_far)
    closed = np.where(took < so_far, ready + took, NEVER)
    outlook = Outlook(Stays(ready, closed, closed, np.array(["1"] * size, dtype=object)), at)
    assert 0.2 < (closed == NEVER).mean() < 0.3

    for age in (0, 4 * HOUR, 12 * HOUR):
        for left in (1 * HOUR, 5 * HOUR, 12 * HOUR):
            chance, _ = outlook.breach("1", at - age, at + left)
            assert chance.probability == pytest.approx(np.exp(-left / mean), abs=0.03)


def test_the_back_test_finds_a_calibrated_forecast_calibrated(ledger):
    """A process in which the step tells much: reliable in every bin, and better than the due time alone."""
    draw = random.Random(11)  # noqa: S311 - invented on purpose
    made = [
        two_steps(
            number,
            BEGIN + timedelta(minutes=20 * number),
            round(draw.expovariate(1 / 20) * HOUR),
            round(draw.expovariate(1 / 4) * HOUR),
            24 * HOUR,
        )
        for number in range(1500)
    ]
    put(ledger, made)
    found = backtest(ledger, UNIT, FAR)

    assert found.n > 1000
    assert found.cases > 500
    assert found.brier < found.brier_due_only < found.brier_share
    assert found.skill > 0.1
    assert sum(one.broken.n for one in found.bins) == found.n
    assert all(abs(one.forecast - one.broken.share) < 0.1 for one in found.bins if one.broken.n >= 50)
    assert sum(abs(one.forecast - one.broken.share) * one.broken.n for one in found.bins) / found.n < 0.05


def test_a_back_test_scores_only_what_is_known(ledger):
    """A case whose due time has not come yet may still be either; without any closed case there is nothing."""
    empty = backtest(ledger, UNIT, FAR)
    made = fill(ledger, 200)
    last_due = max(record.when(record.due) for record in made)
    early = backtest(ledger, UNIT, BEGIN + timedelta(hours=1))

    assert (empty.n, empty.brier, empty.bins, empty.moments) == (0, None, [], 0)
    assert early.n == 0
    assert backtest(ledger, UNIT, last_due).n > 0
    assert "skill" in backtest(ledger, UNIT, last_due).as_json()


def open_cases(now: datetime) -> list[Record]:
    """One that waits in `decide` for so many hours, one past due, one between two steps, and one of another unit."""
    found = []
    for name, hours, unit in (("young", 2, UNIT), ("older", 8, UNIT), ("past", 30, UNIT), ("other", 2, "other")):
        record = Record(
            unit=unit,
            version="1",
            case=f"{unit}:{name}",
            key=name,
            started=now - timedelta(hours=hours),
            due=24 * HOUR,
            steps=[Work(key="decide", step="decide", kind="human", ready=0)],
        )
        found.append(record)
    between = found[0].model_copy(update={"case": f"{UNIT}:between", "key": "between", "steps": []})
    return [*found, between]


def test_open_cases_by_their_probability(ledger):
    """The past due first, those without a forecast last; each says what it rests on."""
    fill(ledger, 400)
    now = datetime.now(UTC)
    put(ledger, open_cases(now), now)
    with ledger.read() as connection:
        found = Forecaster(ledger).of(connection, None, now)
        of_unit = Forecaster(ledger).of(connection, UNIT, now)
    by_key = {one.key: one for one in found}

    assert [one.key for one in found][:1] == ["past"]
    assert [one.key for one in found][-1:] == ["other"]
    assert (by_key["past"].probability, by_key["past"].basis) == (1.0, "passed")
    assert by_key["older"].probability > by_key["young"].probability > 0
    assert by_key["young"].closes >= MINIMUM
    assert (by_key["between"].step, by_key["between"].basis) == (None, "version")
    assert (by_key["other"].probability, by_key["other"].basis) == (None, None)
    assert {one.unit for one in of_unit} == {UNIT}
    assert by_key["other"].as_json(now)["breach_probability"] is None


def test_a_list_is_never_kept_waiting(ledger):
    """What is not known yet is read in the background, once; then the list says what the command says."""
    fill(ledger, 400)
    now = datetime.now(UTC)
    made = open_cases(now)
    put(ledger, made, now)
    ids, forecaster = [record.case for record in made], Forecaster(ledger)
    with ledger.read() as connection:
        first = forecaster.at_once(connection, ids, now)
        forecaster.wait()
        then = forecaster.at_once(connection, ids, now)
        whole = {one.case: one for one in Forecaster(ledger).of(connection, None, now)}

    assert first.keys() == then.keys() == whole.keys()
    assert [one.key for one in first.values() if one.probability is not None] == ["past"]
    assert then == whole


def test_the_window_takes_no_leftovers(ledger, monkeypatch):
    """Of a time whose other cases are not looked at, those that are still open would say that all take long."""
    monkeypatch.setattr(forecasting, "SAMPLE", 50)
    made = fill(ledger, 200)
    leftover = open_cases(BEGIN + timedelta(hours=2))[:1]
    put(ledger, leftover)
    with ledger.read() as connection:
        found, whole = stays_of(connection, UNIT, "decide"), stays_of(connection, UNIT, NOWHERE)

    closed = sorted(((r.closed, r) for r in made), key=lambda one: one[1].when(one[0]))[-50:]
    assert 45 <= len(found) < 120
    assert NEVER not in found.left.tolist()
    assert 45 <= len(whole) < 120
    assert max(r.when(at) for at, r in closed) == max(r.when(r.closed) for r in made)


def test_exports_hold_the_probability_of_open_cases(ledger):
    """And none of closed ones."""
    fill(ledger, 400)
    now = datetime.now(UTC)
    put(ledger, open_cases(now), now)
    said = {file.case["case_id"]: file.case["breach_probability"] for file in read(ledger, Wanted(), ())}

    assert said[f"{UNIT}:past"] == 1.0
    assert 0 < said[f"{UNIT}:young"] < said[f"{UNIT}:older"] < 1
    assert said["other:other"] is None
    assert sum(value is not None for value in said.values()) == 4


def test_a_moment_with_many_open_cases_is_spread():
    """Evenly, and each at most once."""
    many = [(number, "s", 0, "1") for number in range(1000)]
    some = backtesting._spread(many)

    assert len(some) == len(set(some)) == backtesting.PER_ORIGIN
    assert some[0] == many[0]
    assert backtesting._spread(many[:3]) == many[:3]
