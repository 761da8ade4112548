"""The rules by which schedules, starts and completions become pieces of work, as docs/baseline.md states them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from observability.learning.log_times import as_moment
from observability.learning.pieces import Bench, Piece, in_order
from observability.learning.traces import handoffs, segment_labels


def pieces(text: str) -> list[Piece]:
    """The pieces of events such as `0 schedule`, `5 start ann`, `9 complete ann #2`."""
    bench = Bench("check", lambda resource: "automated" if resource == "112" else "human")
    for said in text.split(","):
        at, what, *more = said.split()
        instance = next((part for part in more if part.startswith("#")), None)
        resource = next((part for part in more if not part.startswith("#")), None)
        bench.take(what, int(at), resource, instance)  # type: ignore[arg-type]
    return in_order(bench.pieces)


def told(text: str) -> list[tuple[object, ...]]:
    """Each piece: performer, ready, work, done, end."""
    return [(piece.performer, piece.ready, piece.work, piece.done, piece.end) for piece in pieces(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 schedule, 5 start ann, 9 complete ann", [("ann", 0, [(5, 9)], 9, "complete")]),
        # Started and completed many times: each is a piece of its own, the queue belongs to the first.
        (
            "0 schedule, 5 start ann, 9 complete ann, 20 start bob, 25 complete bob",
            [("ann", 0, [(5, 9)], 9, "complete"), ("bob", None, [(20, 25)], 25, "complete")],
        ),
        # Two in the queue: the older one is taken first.
        (
            "0 schedule, 1 schedule, 5 start ann, 6 start bob, 9 complete bob, 10 complete ann",
            [("ann", 0, [(5, 10)], 10, "complete"), ("bob", 1, [(6, 9)], 9, "complete")],
        ),
        # Overlapping pieces of one performer: the completion is the older one's.
        (
            "0 start ann, 2 start ann, 5 complete ann, 9 complete ann",
            [("ann", None, [(0, 5)], 5, "complete"), ("ann", None, [(2, 9)], 9, "complete")],
        ),
        # Somebody else completes it: the oldest; it stays with whoever began it.
        ("0 start ann, 5 complete bob", [("ann", None, [(0, 5)], 5, "complete")]),
        ("0 start ann, 5 complete", [("ann", None, [(0, 5)], 5, "complete")]),
        # A start without an end, and the reverse: from the queue, or out of nowhere.
        ("0 schedule, 5 start ann", [("ann", 0, [], None, None)]),
        ("0 schedule, 5 complete ann", [("ann", 0, [], 5, "complete")]),
        ("5 complete ann", [("ann", None, [], 5, "complete")]),
        ("0 schedule", [(None, 0, [], None, None)]),
        # Suspended and resumed: one piece, two intervals; completed while held.
        (
            "0 start ann, 3 suspend ann, 10 resume ann, 12 complete ann",
            [("ann", None, [(0, 3), (10, 12)], 12, "complete")],
        ),
        ("0 start ann, 3 suspend ann, 9 complete ann", [("ann", None, [(0, 3)], 9, "complete")]),
        ("3 suspend ann, 4 resume ann, 6 complete ann", [("ann", None, [(4, 6)], 6, "complete")]),
        # Taken out of the queue; ended without a result; neither was ever there.
        ("0 schedule, 5 withdraw", [(None, 0, [], 5, "withdraw")]),
        ("0 start ann, 5 abort ann", [("ann", None, [(0, 5)], 5, "abort")]),
        ("0 schedule, 1 start ann, 2 schedule, 5 withdraw", [("ann", 0, [], None, None), (None, 2, [], 5, "withdraw")]),
        ("5 withdraw, 6 abort, 7 ignore", []),
        # Where the log says which piece it is, no rule is needed.
        (
            "0 start ann #1, 1 start ann #2, 5 complete ann #2, 9 complete ann #1",
            [("ann", None, [(0, 9)], 9, "complete"), ("ann", None, [(1, 5)], 5, "complete")],
        ),
    ],
)
def test_pairing(text, expected):
    """Each rule on the shortest trace that needs it."""
    assert told(text) == expected


def test_queue_and_touch_of_a_piece():
    """Queue needs a schedule and a start, touch every start and every end."""
    said = [
        (piece.queue, piece.touch, piece.performed)
        for text in (
            "0 schedule, 5 start ann, 9 complete ann",
            "0 start ann, 3 suspend ann, 10 resume ann, 12 complete ann",
            "0 schedule, 5 start ann",
            "0 schedule, 5 complete ann",
            "0 schedule",
        )
        for piece in pieces(text)
    ]
    assert said == [(5, 4, True), (None, 5, True), (5, None, True), (None, None, True), (None, None, False)]


def test_the_resource_that_works_says_the_kind():
    """Who puts it in the queue does not: a system does that for people."""
    kinds = [piece.kind for piece in pieces("0 schedule 112, 5 start ann, 9 complete ann, 10 complete 112")]
    assert kinds == ["human", "automated"]


def test_handoffs_by_kind():
    """Ann to Bob, Bob to the system, the system to Ann; Ann to Ann is none, to nobody cannot be said."""
    text = "0 start ann, 1 complete ann, 2 complete bob, 3 complete 112, 4 complete 112, 5 complete ann, 6 complete ann"
    assert handoffs(pieces(text)) == {"hh": 1, "hm": 1, "mh": 1}
    assert handoffs(pieces(f"{text}, 7 complete, 8 schedule")) == {"hh": 1, "hm": 1, "mh": 1, "unknown": 1}


def test_segments_between_bins():
    """Each has its lower bound inside; own names win."""
    assert segment_labels([5, 10], []) == ["under 5", "5 to under 10", "from 10"]
    assert segment_labels([5], ["small", "large"]) == ["small", "large"]


def test_moments_keep_their_microseconds():
    """What was read in whole microseconds is written so."""
    at = [1_330_585_200_000_001, 1_330_585_200_000_002]
    assert [(b - a).microseconds for a, b in pairwise(map(as_moment, at))] == [1]
