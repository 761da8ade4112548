"""Every state, action and actor of a human task: what is allowed, where it leads, and what the refusal says."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from workunits.core.errors import Refused
from workunits.core.lifecycle import MOVES, OPEN, Action, Task, judge

READY = datetime(2026, 1, 1, tzinfo=UTC)
NOW = READY + timedelta(hours=1)
STATES = ("ready", "claimed", "in_progress", "completed", "expired", "cancelled")

ALLOWED = {
    ("ready", "claim"): "claimed",
    ("ready", "start"): "in_progress",
    ("ready", "complete"): "completed",
    ("claimed", "start"): "in_progress",
    ("claimed", "release"): "ready",
    ("claimed", "complete"): "completed",
    ("in_progress", "stop"): "claimed",
    ("in_progress", "release"): "ready",
    ("in_progress", "complete"): "completed",
}
"""Semantics section 1; whatever is not here is refused."""


def task(state="ready", owner=None, **more):
    """A task as it is in that state: claimed and started ones have an owner."""
    return Task(id="c/t", step="t", role="clerk", ready=READY, state=state, owner=owner, revision=3, **more)


def action(name="complete", actor="ann", roles=("clerk",), sent_at=NOW, revision=3):
    """What someone wants to do."""
    return Action(
        action=name, action_id="1", task_id="c/t", revision=revision, actor=actor, roles=list(roles), sent_at=sent_at
    )


def verdict(of, wanted, now=NOW):
    """Where the action leads, or the code of its refusal."""
    try:
        return judge(of, wanted, now).target
    except Refused as refused:
        return refused.code


@pytest.mark.parametrize("state", STATES)
def test_every_action_in_every_state_by_everybody(state):
    """Roles come first, then the state, then who owns the task."""
    for name, actor, role in itertools.product([*MOVES, "approve"], ["ann", "bob"], [True, False]):
        owner = "ann" if state in ("claimed", "in_progress") else None
        found = verdict(task(state, owner), action(name, actor, ["guest", "clerk"] if role else ["guest"]))

        if name == "approve":
            expected = "unknown_action"
        elif not role:
            expected = "not_candidate"
        elif state not in OPEN:
            expected = "expired" if state == "expired" else "closed"
        elif owner and actor != owner:
            expected = "not_owner"
        else:
            expected = ALLOWED.get((state, name), "wrong_state")
        assert found == expected, (name, actor, role)


def test_the_table_and_the_moves_are_the_same():
    """No action leads elsewhere than the semantics say."""
    assert {(source, name): move.target for name, move in MOVES.items() for source in move.sources} == ALLOWED


@pytest.mark.parametrize("revision", [1, 2, 4])
def test_a_stale_revision_is_the_last_thing_judged(revision):
    """Who may not act at all learns that, and not that something has changed."""
    assert verdict(task(), action(revision=revision)) == "stale_revision"
    assert verdict(task(), action(revision=revision, roles=[])) == "not_candidate"
    assert verdict(task("claimed", "bob"), action(revision=revision)) == "not_owner"
    assert verdict(task("completed"), action(revision=revision)) == "closed"


@pytest.mark.parametrize(
    ("sent", "now", "found"),
    [
        (-2, -1, "completed"),
        (-1, 1, "completed"),
        (0, 1, "expired"),
        (1, 2, "expired"),
        # A sender whose watch is fast is believed up to now ...
        (1, -1, "completed"),
        # ... and one whose watch is slow, as long as the task was there.
        (-48 * 3600, 1, "completed"),
    ],
)
def test_an_expiry_is_judged_by_when_the_person_decided(sent, now, found):
    """In seconds from the expiry: sent in time counts, however late it arrives."""
    expires = READY + timedelta(hours=1)
    wanted = action(sent_at=expires + timedelta(seconds=sent))

    assert verdict(task(expires=expires), wanted, expires + timedelta(seconds=now)) == found


@pytest.mark.parametrize("sent_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_the_ends_of_the_calendar_are_clipped(sent_at):
    """No time that can be written overflows."""
    moment = datetime.fromisoformat(sent_at)

    assert READY <= task().clip(moment, NOW) <= NOW
    assert verdict(task(expires=NOW + timedelta(hours=1)), action(sent_at=moment)) == "completed"


def test_a_refusal_tells_what_to_know():
    """The owner, the states, the revision, the role: each by name."""
    for of, wanted, words in (
        (task("claimed", "bob"), action(), "bob has claimed the task"),
        (task(), action(roles=[]), "'clerk'"),
        (task(), action("stop"), "'stop' does not apply to a task that is ready"),
        (task(), action(revision=9), "at revision 3, not 9"),
        (task(), action("approve"), "claim, complete, release, start, stop"),
        (task(expires=READY), action(), READY.isoformat()),
    ):
        with pytest.raises(Refused, match=words.replace("+", r"\+")):
            judge(of, wanted, NOW)
