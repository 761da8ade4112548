"""Quantiles, censored quantiles and shares, against figures that textbooks and hand counts give."""

from __future__ import annotations

from math import ceil, comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observability.learning.estimates import Estimate, as_json, censored, rate, spread
from observability.learning.overlap import counted_twice


def test_quantiles_lie_between_binomial_order_statistics():
    """Of 100 values, the median's interval goes from the 40th to the 61st: the textbook's example."""
    found = spread(range(1, 101))
    assert found is not None
    assert found.median == Estimate(50, 40, 61)
    assert found.p85.value == 85
    assert spread([]) is None


def test_a_bound_that_so_few_values_cannot_give_is_absent():
    """Five values say nothing about how far above the largest the 95th percentile may lie."""
    found = spread([1, 2, 3, 4, 5])
    assert found is not None
    assert (found.p95.value, found.p95.high) == (5, None)


@settings(deadline=None, max_examples=40)  # the first call imports much, on whatever machine
@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=60))
def test_quantiles_are_values_that_were_seen(values):
    """The smallest value that so many do not exceed; and the interval covers by the binomial's own count."""
    found = spread(values)
    assert found is not None
    ordered = sorted(values)
    assert found.median.value == ordered[ceil(len(values) / 2) - 1]
    if found.median.low is not None and len(set(values)) == len(values):
        below = ordered.index(found.median.low)
        assert sum(comb(len(values), k) for k in range(below + 1)) / 2 ** len(values) <= 0.025 + 1e-12


def test_kaplan_meier_of_a_known_sample():
    """Freireich's trial of 6-MP (1963): median remission of 23 weeks, 9 of 21 ended."""
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    still = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    found = censored([*ended, *still], [1] * len(ended) + [0] * len(still))
    assert found is not None
    assert (found.n, found.ended, found.median) == (21, 9, Estimate(23, 13, None))
    assert found.p85.value is None


def test_nothing_ended_has_no_censored_estimate():
    """Without a single end the curve never falls."""
    assert censored([1, 2], [0, 0]) is None


@settings(deadline=None, max_examples=40)  # the first call imports much, on whatever machine
@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=40))
def test_without_open_cases_both_estimates_agree(values):
    """Where nothing is censored, Kaplan-Meier is the plain distribution."""
    plain, curve = spread(values), censored(values, [1] * len(values))
    assert plain is not None
    assert curve is not None
    assert plain.median.value == curve.median.value
    assert plain.p85.value == curve.p85.value


def test_wilson_interval():
    """Newcombe's example (1998): 81 of 263 is 0.2553 to 0.3662; nothing of nothing is no share."""
    found = rate(81, 263)
    assert found is not None
    assert found.low == pytest.approx(0.2553, abs=1e-4)
    assert found.high == pytest.approx(0.3662, abs=1e-4)
    assert rate(0, 0) is None


def test_figures_become_json():
    """What is none stays none, also inside."""
    assert as_json({"a": rate(1, 2), "b": {"c": None}})["b"] == {"c": None}
    assert as_json(spread([7]))["median"] == {"value": 7, "low": None, "high": None}


def test_work_of_one_person_that_overlaps():
    """Nested and chained intervals of one person count once; those of another person do not matter."""
    assert counted_twice([1, 1, 1, 2], [0, 2, 8, 0], [10, 4, 12, 10]) == pytest.approx(4 / 26)
    assert counted_twice([2, 1, 2], [0, 0, 10], [10, 10, 20]) == 0
    assert counted_twice([], [], []) is None
