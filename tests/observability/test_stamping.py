"""Signs of rubber-stamping, each seen only where it is more than chance."""

from __future__ import annotations

import pytest

from observability.autonomy.reading_floor import reading_floor
from observability.autonomy.stamping import Reviewed, Sign, signs
from workunits.core.proposal import words_in


def reviews(n: int, decision="accept", **facts):
    """Reviews of proposals that were shown."""
    return [Reviewed(decision=decision, **{"shown": True, **facts}) for _ in range(n)]


def blind(agreeing: int, differing: int):
    """Decisions of people who saw no proposal."""
    return [
        *reviews(agreeing, shown=False, agrees=True),
        *reviews(differing, "replace", shown=False, agrees=False),
    ]


def found(reviewed):
    """The signs, by their names."""
    return {sign.what: sign for sign in signs(reviewed)}


def test_accepting_nearly_all_of_what_others_would_decide_otherwise_is_a_sign():
    """98 % accepted, while one blind decision in six differs."""
    assert found([*reviews(98), *reviews(2, "edit"), *blind(50, 10)])["accepts_all"] == Sign(
        "accepts_all",
        0.98,
        100,
        "98.0% of 100 proposals that were shown were accepted, and 16.7% of 60 blind decisions differ",
    )


@pytest.mark.parametrize(
    "reviewed",
    [
        [*reviews(98), *reviews(2, "edit"), *blind(59, 1)],
        [*reviews(80), *reviews(20, "reject"), *blind(50, 10)],
        [*reviews(98), *blind(9, 10)],
        [*reviews(19), *blind(50, 10)],
        [],
    ],
    ids=["good proposals", "overridden", "few blind", "few shown", "none"],
)
def test_accepting_much_is_none_where_it_is_deserved_or_unknown(reviewed):
    """A model that is right is accepted by those who look, too."""
    assert found(reviewed) == {}


def test_deciding_faster_than_anyone_reads_is_a_sign():
    """Half of them took five seconds for 475 words, which take a minute at twice the usual speed."""
    slow, fast = reviews(20, seconds=90.0, words=475), reviews(20, seconds=5.0, words=475)

    assert reading_floor(475) == 60
    assert found([*slow, *fast])["too_fast"].share == 0.5
    assert found([*slow, *fast[:5]]) == {}
    assert found(fast[:19]) == {}
    assert found(reviews(40, seconds=1.0)) == {}
    assert found(reviews(40, words=475)) == {}


def test_words_are_those_of_values():
    """Names of fields are not read anew each time; a number is one, and nothing is none."""
    read = {"who": "Ana Ruiz", "paid": [12.5, True, None], "notes": {"first": "late  again", "none": ""}}

    assert words_in(read) == 6


def test_planted_wrong_proposals_that_pass_are_a_sign():
    """Three of ten; one of ten may happen, and none was missed by whoever rejects them."""
    assert found([*reviews(3, planted=True), *reviews(7, "reject", planted=True)])["missed"].share == 0.3
    assert found([*reviews(1, planted=True), *reviews(9, "reject", planted=True)]) == {}
    assert found(reviews(10, "reject", planted=True)) == {}
