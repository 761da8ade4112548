"""The soak's checker finds what it is there to find: each invariant is broken once."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

import pytest

from tests.soak.checker import Facts, check, check_all
from tests.soak.journal import Story
from tests.soak.plan import Plan
from tests.soak.storm import _KINDS, forecast
from workunits.core.parts import parts
from workunits.core.record import Acted, Record, Work

CASE = "haul:1"


def sound():
    """A case that went well, one signal of which came to nothing."""
    story = Story(CASE, started=True, sent={"amy-1", "bob-1", "dot-1"}, heard={"bob-1"})
    story.accept("amy-1", {"state": "completed", "revision": 2})
    story.accept("dot-1", {"state": "completed", "revision": 2})
    steps = {"load": None, "confirm": "amy", "release": "dot", "deliver": None}
    record = Record(
        unit="haul",
        version="1",
        case=CASE,
        key="1",
        started=datetime(2026, 1, 1, tzinfo=UTC),
        due=10**9,
        close="achieved",
        closed=40,
        steps=[
            Work(
                key=key,
                step=key,
                kind="human" if by else "automated",
                ready=10 * n,
                work=[(10 * n + 2, 10 * n + 9)],
                done=10 * n + 9,
                end="done",
                by=by,
            )
            for n, (key, by) in enumerate(steps.items())
        ],
        actions=[
            Acted(at=9, id=i, hash="", task=task, action="complete", by=who, state="completed", revision=2)
            for i, task, who in (("amy-1", "confirm", "amy"), ("dot-1", "release", "dot"))
        ],
        ignored_count=1,
    )
    row: dict[str, object] = {f"{part}_us": span for part, span in parts(record).items()}
    row |= {"cycle_us": 40, "close": "achieved", "reason": None, "closed_at": record.when(40)}
    actions, keys = Counter(["amy-1", "dot-1"]), Counter(work.key for work in record.steps)
    return story, Facts(["completed"], record, Counter(["load", "deliver"]), row, actions, keys)


def test_a_sound_case_has_no_violation():
    """Nothing is found where nothing is wrong."""
    assert check(*sound()) == []


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        ("story.started = False", "never acknowledged"),
        ("facts.ends = []", "the engine does not have it"),
        ("facts.ends = ['completed', 'completed']", "did not close once"),
        ("facts.ends = ['terminated']; facts.record.close = None", "did not close once, by itself: terminated"),
        ("facts.record.actions.pop()", "dot-1 was accepted as .* is on its record as None"),
        ("facts.record.actions.append(facts.record.actions[0])", "amy-1 is on its record more than once"),
        ("facts.record.actions[0].revision = 3", "amy-1 was accepted as"),
        ("story.sent.remove('amy-1')", "nobody sent it"),
        ("story.refused['amy-1'] = 'not_owner'", "was refused as not_owner and is on its record"),
        ("facts.record.ignored_count = 0", "1 signals had no effect, of which it knows 0"),
        ("facts.record.actions[0].task = 'release'", "release ended as done and was decided 2 times"),
        ("facts.record.steps[1].by = 'bob'", "decided by amy, its record names bob"),
        ("facts.effects['load'] = 0", "load ended as done and had its effect 0 times"),
        ("facts.effects['deliver'] = 2", "deliver ended as done and had its effect 2 times"),
        ("facts.effects['deliver-2'] = 1", "deliver-2 had an effect and is not on its record"),
        ("facts.row = None", "not in the ledger"),
        ("facts.row['queue_us'] += 1", "in the ledger, the parts of its time do not add up"),
        ("facts.row['close'] = 'failed'", "in the ledger as failed"),
        ("facts.actions['amy-1'] = 2", "the ledger has other actions"),
        ("del facts.steps['load']", "the ledger has other steps"),
        ("facts.open_tasks = 1", "1 of its tasks are open"),
        ("story.accept('amy-1', {'state': 'claimed', 'revision': 1})", "was answered .* then"),
        ("story.refuse('amy-1', 'closed')", "was accepted, then refused as closed"),
    ],
)
def test_each_broken_invariant_is_found(breaks, words):
    """One thing is wrong, and said."""
    story, facts = sound()
    exec(breaks, {"story": story, "facts": facts})  # noqa: S102, the cases above
    said = check(story, facts)

    assert any(re.search(words, one) for one in said), said


def test_cases_that_only_one_side_knows():
    """Each case is checked that anyone knows of."""
    story, facts = sound()
    found = check_all({CASE: story}, {"haul:2": facts})

    assert [(one.case, one.what.partition(",")[0]) for one in found] == [
        (CASE, "its start was acknowledged"),
        ("haul:2", "nobody started it"),
    ]


def test_the_same_seed_is_the_same_storm():
    """A violation can be looked for again; with enough faults, each kind of them comes."""
    storms = [forecast(Plan(seed=seed)) for seed in (1, 1, 2)]

    assert storms[0] == storms[1] != storms[2]
    assert len(storms[0]) == Plan.kills
    assert {(fault.parts, fault.how) for fault in storms[0]} == set(_KINDS)
