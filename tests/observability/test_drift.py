"""Weeks are held against the baseline: a change that was signed is over, and what comes after it is seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from observability.autonomy.granting import _worse
from observability.learning.baseline import baselines_of, newest_baseline
from observability.learning.drift import Basis, chart, charts, monday
from observability.learning.selection import Asked
from observability.learning.standing import standing_of
from observability.learning.version_baseline import Signature, freeze_version
from observability.ledger.store import Ledger
from tests.observability.invented import BEGIN, BUDGET, HOUR
from tests.observability.planted import UNIT, Claim, keep
from workunits.core.record import Record, Routed

WEEKS = [monday(BEGIN) + timedelta(weeks=week) for week in range(120)]


def wobbling(*levels: tuple[float, int]) -> list[float]:
    """So many weeks at each level, every other one a little above it and the others below."""
    flat = [level for level, count in levels for _ in range(count)]
    return [level * (1 + 0.05 * (-1) ** week) for week, level in enumerate(flat)]


def fill(ledger: Ledger, hours: Sequence[float], failing: Sequence[int] | None = None, version: str = "1") -> None:
    """Ten cases in each week, which take so many hours, and of which so many have an exception."""
    made = []
    for week, took in enumerate(hours):
        for number in range(10):
            key = f"{version}-{week}-{number}"
            start = WEEKS[week] + timedelta(hours=12 * number)
            record = Record(unit=UNIT, version=version, case=f"{UNIT}:{key}", key=key, started=start, due=BUDGET)
            record.close, record.closed = "achieved", round(took * HOUR)
            if failing and number < failing[week]:
                record.routes.append(Routed(at=0, key="check", code="illegible", to="repair"))
            made.append(record)
    keep(ledger, made)


def freeze(ledger: Ledger, week: int, name: str, since: datetime | None = None) -> None:
    """The owner signs a baseline at the begin of a week, of what was there by then."""
    asked = Asked(UNIT, version="1", since=since, until=WEEKS[week])
    freeze_version(ledger, Claim, asked, Signature("ann", ("head",), WEEKS[week]), name)


def stale(ledger: Ledger, week: int) -> str:
    """Why the newest baseline no longer holds, at the begin of a week."""
    with ledger.read() as connection:
        return standing_of(connection, Claim, WEEKS[week]).stale


def test_a_change_that_was_signed_is_over():
    """Ten hours and then six for two years: held against its own weeks, the baseline of the six stays as it is."""
    values = wobbling((10, 40), (6, 80))
    basis = Basis(values[40:48], WEEKS[48])
    made = [chart("x", WEEKS[:week], values[:week], [9] * week, basis) for week in range(49, 120)]

    assert chart("x", WEEKS[:70], values[:70], [9] * 70).shifted_since(WEEKS[48]) is not None
    assert [one.shifted_since(WEEKS[48]) for one in made] == [None] * len(made)
    assert [one.signals for one in made] == [[]] * len(made)
    assert {one.basis for one in made} == {8}


def test_what_gets_worse_after_a_change_is_seen():
    """From ten hours to six, signed, and then to eight: better than once, and worse than what was signed."""
    values = wobbling((10, 52), (6, 20), (8, 30))
    told = chart("x", WEEKS[:102], values, [9] * 102, Basis(values[52:60], WEEKS[60])).shifted_since(WEEKS[60])

    assert told is not None
    assert (told.side, told.week, told.began) == ("above", WEEKS[79], WEEKS[72])


def test_limits_wait_for_eight_weeks_and_stay():
    """A baseline with fewer takes the first ones after it, and none that came later."""
    values = wobbling((6, 20), (9, 20))
    few = Basis(values[5:10], WEEKS[10])
    drawn = {week: chart("x", WEEKS[:week], values[:week], [9] * week, few) for week in (12, 13, 40)}

    assert [drawn[week].mean is None for week in (12, 13, 40)] == [True, False, False]
    assert drawn[13].mean == drawn[40].mean
    assert drawn[40].shifted_since(WEEKS[10], "below") is None
    assert drawn[40].shifted_since(WEEKS[10], "above") is not None


def test_an_owner_signs_a_change_once(ledger: Ledger):
    """Frozen with the old weeks, stale, frozen anew since the shift, and good until it really gets worse."""
    fill(ledger, wobbling((10, 20), (6, 40), (8, 12)))
    freeze(ledger, 24, "mixed")
    assert stale(ledger, 34).startswith("cycle_time has been below its mean for 8 weeks")
    freeze(ledger, 34, "new")
    with ledger.read() as connection:
        baseline = newest_baseline(connection, UNIT)
        drawn = charts(connection, UNIT, WEEKS[60], baseline=baseline)["cycle_time"]

    assert baseline is not None
    assert (baseline.window_from, drawn.basis) == (WEEKS[24], 10)
    assert [stale(ledger, week) for week in range(35, 61)] == [""] * 26
    assert stale(ledger, 70).startswith("cycle_time has been above its mean for 8 weeks")


def test_a_baseline_of_a_version_is_not_made_of_another_ones_weeks(quick: Ledger):
    """Version 1's cases in the weeks of version 2's trial are not how version 2 is."""
    fill(quick, wobbling((10, 20)))
    fill(quick, wobbling((6, 40))[10:], version="2")
    asked = Asked(UNIT, version="2", until=WEEKS[20])
    freeze_version(quick, Claim, asked, Signature("ann", ("head",), WEEKS[20]), "two")
    with quick.read() as connection:
        found = charts(connection, UNIT, WEEKS[30], baseline=baselines_of(connection, UNIT)[0])["cycle_time"]

    assert found.mean is not None
    assert abs(found.mean / 3600 - 6) < 0.1
    assert found.shifted_since(WEEKS[20]) is None


def test_a_guardrail_is_worse_than_the_baseline_whatever_was_before_it(quick: Ledger):
    """Four in ten failed once, one when it was signed, three since: no certificate, for that is no better time."""
    fill(quick, [6.0] * 40, failing=[4] * 20 + [1] * 10 + [3] * 10)
    freeze(quick, 30, "better", since=WEEKS[20])
    with quick.read() as connection:
        assert _worse(connection, UNIT, WEEKS[30], WEEKS[40]) == ("exception_rate",)
        assert _worse(connection, UNIT, WEEKS[21], WEEKS[40]) == ("exception_rate",)
        assert _worse(connection, UNIT, WEEKS[21], WEEKS[30]) == ()
