"""Granted certificates fall by themselves for each of six reasons, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from observability.autonomy.certificate import Certificate
from observability.autonomy.demotion import Since, falls
from observability.autonomy.mix import mix_of, shift_of_segments
from tests.observability.certified import BEGIN, NOW, certificate, label, labels, seen

LATER = NOW + timedelta(days=40)


@pytest.fixture(scope="module")
def granted() -> Certificate:
    """A certificate of 1,500 labels, one in 100 of them wrong."""
    return certificate(given=labels(wrong_every=100))


def audits(n: int, wrong: int = 0, **facts):
    """Audits since, the first so many of them wrong."""
    raws = labels(n, seed=3)
    return [
        label(62 + 30 * place / n, **{"confidence": one.confidence, "source": "audit", "wrong": place < wrong, **facts})
        for place, one in enumerate(raws)
    ]


def fallen(granted, *, given=None, proposals=None, now=LATER):
    """Why it falls, by the names of the reasons."""
    since = Since(
        labels=audits(100) if given is None else given,
        proposals=seen(1_500) if proposals is None else proposals,
        now=now,
    )
    return {one.what: one.words for one in falls(granted, since)}


def test_one_that_goes_on_as_it_was_stands(granted):
    """The same cases, one audit in fifteen, none wrong."""
    assert fallen(granted) == {}


def test_nothing_yet_is_no_reason(granted):
    """On the day after, without a case."""
    assert fallen(granted, given=[], proposals=[], now=NOW + timedelta(days=1)) == {}


def test_a_severe_error_is_enough(granted):
    """One, whatever the confidence and whenever it was proposed; what is of another segment is not of it."""
    severe = [*audits(100), label(65, wrong=True, severe=True, source="blind", confidence=0.1)]
    before = [*audits(100), label(3, wrong=True, severe=True)]

    assert fallen(granted, given=severe) == {"severe": "1 severe errors, the first on 2026-03-11"}
    assert fallen(granted, given=before) == {"severe": "1 severe errors, the first on 2026-01-08"}
    assert "severe" not in fallen(granted.model_copy(update={"segment": "small"}), given=severe)


def test_errors_since_bring_the_bound_over_the_target(granted):
    """Thirty of a hundred: with those before the bound no longer holds."""
    assert fallen(granted, given=audits(100, 2)) == {}
    assert "wrong, with those before the bound is" in fallen(granted, given=audits(100, 30))["bound"]


def test_what_is_found_late_counts_and_what_was_known_never_twice(granted):
    """Audits of proposals made before: those found since are new, those known then are in its figures already."""
    old = [replace(one, at=one.at - timedelta(days=50)) for one in audits(100, 30, confidence=0.9)]
    late = [replace(one, found=one.at + timedelta(days=50)) for one in old]
    known = [replace(one, found=NOW) for one in old]

    assert "30 of 100 accepted cases since were wrong" in fallen(granted, given=late, proposals=[])["bound"]
    assert fallen(granted, given=known, proposals=[]) == {}
    assert "audits" in fallen(granted, given=late)


def test_many_cases_before_do_not_hide_that_it_got_worse(granted):
    """A certificate of a million cases hardly moves; the labels since speak for themselves."""
    huge = granted.model_copy(update={"n": 1_000_000, "errors": 10_000})

    assert "so the error is at least" in fallen(huge, given=audits(100, 20))["bound"]
    assert "bound" not in fallen(huge, given=audits(100, 4))


def test_errors_under_the_threshold_are_a_persons_to_find(granted):
    """They were reviewed, as they are to be."""
    strict = granted.model_copy(update={"threshold": 1.0})

    assert "bound" not in fallen(strict, given=audits(100, 30))


def test_what_comes_in_may_change(granted):
    """Less sure than it was, or other segments; a few cases, or a shift that is certain and small, are none."""
    unsure = seen(1_500, confidence=0.55)
    foreign = seen(1_500, segment="large")
    slightly = [*seen(28_500), *seen(1_500, confidence=0.55)]

    assert "the spread of confidence moved by" in fallen(granted, proposals=unsure)["drift"]
    assert "the spread of segments moved by 100%" in fallen(granted, proposals=foreign)["drift"]
    assert "drift" not in fallen(granted, proposals=seen(99, confidence=0.55))
    assert "drift" not in fallen(granted, proposals=slightly, given=audits(1_500))


def test_segments_that_are_rare_are_judged_together():
    """A hundred names of one case each are no shift by themselves."""
    before = mix_of((0.9, f"{place % 100}") for place in range(500))
    after = mix_of((0.9, f"{place}") for place in range(100))

    assert shift_of_segments(before, after).p_value > 0.5
    assert shift_of_segments(before, mix_of([])).p_value == 1.0


def test_confidence_that_no_longer_says_what_it_said(granted):
    """Wrong half of the time where it was right 99 times of 100."""
    found = fallen(granted, given=[one for place in range(2) for one in audits(75, 75 * place)])

    assert found["calibration"].startswith("the calibration error of 150 labels since is 0.4")
    assert "calibration" not in fallen(granted, given=audits(99, 60))


def test_audits_are_overdue_only_when_chance_does_not_explain_it(granted):
    """Forty of 1,500 are too few; seventy may be bad luck of drawing one in twenty; what is recent may still wait."""
    assert fallen(granted, given=audits(40))["audits"] == (
        "2.7% of 1,500 proposals older than 7 days were judged blind or audited; 5% are to be"
    )
    assert fallen(granted, given=audits(70)) == {}
    assert fallen(granted, given=[], proposals=seen(1_500, first=96, days=5)) == {}


def test_it_expires(granted):
    """On its day, not before."""
    assert fallen(granted, now=granted.expires - timedelta(seconds=1)) == {}
    assert fallen(granted, now=granted.expires) == {"expired": "it was valid until 2026-06-05"}


def test_all_reasons_are_told_at_once(granted):
    """Whoever looks into it should not find the next one tomorrow."""
    given = [*audits(40, 40), label(65, wrong=True, severe=True, source="audit")]
    found = fallen(granted, given=given, proposals=seen(1_500, confidence=0.55), now=BEGIN + timedelta(days=400))

    assert set(found) == {"severe", "bound", "drift", "audits", "expired"}
