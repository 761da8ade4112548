"""Every state, action and actor of a human task: what is allowed, where it leads, and what the refusal says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workunits.core.errors import BadInput, Refused
from workunits.core.lifecycle import MOVES, Action, Task, judge, judge_passing_on

READY = datetime(2026, 1, 1, tzinfo=UTC)
NOW = READY + timedelta(hours=1)
OPEN_STATES = ("created", "ready", "claimed", "in_progress", "waiting", "suspended")
FINAL_STATES = ("completed", "failed", "skipped", "expired", "cancelled")

# Semantics, section 1: action -> from where to where, and who. `=`: the same state, `<`: the one before.
TABLE: dict[str, tuple[dict[str, str], str]] = {
    "activate": ({"created": "ready"}, "system"),
    "claim": ({"ready": "claimed"}, "candidate"),
    "assign": ({"ready": "claimed", "claimed": "claimed", "in_progress": "claimed"}, "admin accountable"),
    "release": ({"claimed": "ready", "in_progress": "ready"}, "owner admin"),
    "start": ({"ready": "in_progress", "claimed": "in_progress"}, "candidate"),
    "stop": ({"in_progress": "claimed"}, "owner"),
    "wait": ({"in_progress": "waiting"}, "owner"),
    "resume": ({"waiting": "<", "suspended": "<"}, "owner system admin accountable"),
    "suspend": (dict.fromkeys(OPEN_STATES[:-1], "suspended"), "admin accountable"),
    "delegate": ({"claimed": "claimed", "in_progress": "claimed"}, "owner"),
    "forward": ({"claimed": "ready", "in_progress": "ready"}, "owner admin"),
    "escalate": (dict.fromkeys(OPEN_STATES, "="), "system owner"),
    "complete": (dict.fromkeys(("ready", "claimed", "in_progress"), "completed"), "candidate"),
    "fail": (dict.fromkeys(OPEN_STATES, "failed"), "owner admin"),
    "skip": (dict.fromkeys(OPEN_STATES, "skipped"), "owner admin initiator"),
    "cancel": (dict.fromkeys(OPEN_STATES, "cancelled"), "system admin"),
}
ACTORS = {
    "owner": ("olga", ("clerk",)),
    "candidate": ("carl", ("clerk",)),
    "admin": ("adam", ("operations",)),
    "accountable": ("anna", ("head",)),
    "initiator": ("ines", ("guest",)),
    "system": ("watchdog", ("system",)),
    "stranger": ("stan", ("guest",)),
}


def task(state="ready", owner=None, **more):
    """A task as it is in that state: claimed and started ones have an owner."""
    facts = {"accountable": "head", **more}
    return Task(id="c/t", step="t", role="clerk", ready=READY, state=state, owner=owner, revision=3, **facts)


def action(name="complete", actor="ann", roles=("clerk",), sent_at=NOW, revision=3):
    """What someone wants to do."""
    return Action(
        action=name, action_id="1", task_id="c/t", revision=revision, actor=actor, roles=list(roles), sent_at=sent_at
    )


def verdict(of, wanted, now=NOW):
    """Where the action leads, or the code of its refusal."""
    try:
        return judge(of, wanted, now, admins=("operations",), initiator="ines").target
    except Refused as refused:
        return refused.code


@pytest.mark.parametrize("who", ACTORS)
@pytest.mark.parametrize("state", [*OPEN_STATES, *FINAL_STATES])
def test_every_action_in_every_state_by_everybody(state, who):
    """Who may never do it learns nothing of the state; then comes the state, then who owns the task."""
    name_of_actor, roles = ACTORS[who]
    owner = "olga" if state in ("claimed", "in_progress", "waiting", "suspended") else None
    of = task(state, owner, before="in_progress" if state == "suspended" else None)
    for name, (leads, people) in TABLE.items():
        found = verdict(of, action(name, name_of_actor, roles))
        mine = who in people.split() or (who == "owner" and owner is not None and "candidate" in people)
        may_ever = mine or (who in ("candidate", "owner") and {"owner", "candidate"} & set(people.split()))
        expected: set[str | None]
        if not may_ever:
            expected = {"not_candidate", "not_allowed"}
        elif state in FINAL_STATES:
            expected = {"expired" if state == "expired" else "closed"}
        elif name == "resume" and state == "suspended" and who in ("owner", "candidate", "system"):
            expected = {"not_allowed"}
        elif (who == "candidate" and owner) or (
            not owner and "candidate" not in people and who in ("owner", "candidate") and state in leads
        ):
            expected = {"not_owner"}
        elif state not in leads:
            expected = {"wrong_state"}
        else:
            expected = {MOVES[name].target}
            assert MOVES[name].target == (None if leads[state] in "=<" else leads[state]), (name, state)
        assert found in expected, (name, found, expected)


def test_there_is_no_other_action():
    """The table and the moves name the same; `resolve` is the second half of `delegate`."""
    assert {*TABLE, "resolve"} == set(MOVES)
    assert verdict(task(), action("approve")) == "unknown_action"


@pytest.mark.parametrize("name", ["claim", "start", "complete"])
def test_whoever_performed_what_it_checks_may_not_do_it(name):
    """Four eyes: neither in person, nor through a substitute, nor for somebody else."""
    of = task(excluded=["ann"])

    assert verdict(of, action(name)) == "excluded"
    assert verdict(of, action(name, "bob").model_copy(update={"acting_for": "ann"})) == "excluded"
    assert verdict(of, action(name, "bob")) == MOVES[name].target


def test_a_delegated_task_comes_back_to_be_signed_off():
    """Who has it on behalf of another resolves it; the other completes it."""
    of = task("claimed", "bob", delegator="ann")

    assert verdict(of, action("complete", "bob")) == "sign_off"
    assert verdict(of, action("resolve", "bob")) == "claimed"
    assert verdict(task("claimed", "bob"), action("resolve", "bob")) == "wrong_state"


@pytest.mark.parametrize(
    ("name", "body"), [("release", {}), ("forward", {"to": "zoe"}), ("escalate", {"how": "reassign_up"})]
)
def test_what_was_delegated_is_let_go_of_by_nobody_but_an_admin(name, body):
    """Else whoever gets it next could complete it, and its delegator would never sign it off."""
    of, wanted = task("claimed", "bob", delegator="ann"), action(name, "bob").model_copy(update={"body": body})

    with pytest.raises(Refused, match="hand it back, by resolve") as refused:
        judge_passing_on(of, wanted, admins=("operations",))
    assert refused.value.code == "sign_off"
    judge_passing_on(task("claimed", "bob"), wanted)
    other = "system" if name == "escalate" else "operations"
    judge_passing_on(of, wanted.model_copy(update={"roles": [other]}), admins=("operations",))


def test_nobody_forwards_a_task_to_themselves():
    """Neither in person, nor as somebody's substitute: who passes it on is a candidate no more."""
    of = task("claimed", "bob")
    for_ann = {"body": {"to": "ann"}, "acting_for": "ann"}

    for wanted in ({"body": {"to": "bob"}}, for_ann, for_ann | {"body": {"to": "bob"}}):
        with pytest.raises(BadInput, match="someone else"):
            judge_passing_on(of, action("forward", "bob").model_copy(update=wanted))
    judge_passing_on(of, action("forward", "bob").model_copy(update={"body": {"to": ["bob"]}}))


def test_a_substitute_acts_for_the_owner():
    """What is the absent owner's is the substitute's, whom the door vouches for."""
    wanted = action("complete", "bob").model_copy(update={"acting_for": "ann"})

    assert verdict(task("claimed", "ann"), wanted) == "completed"
    assert verdict(task("claimed", "ann"), action("complete", "bob")) == "not_owner"


def test_whoever_passed_it_on_is_no_candidate_any_more():
    """Who it was passed on to is one, whatever their roles."""
    of = task(barred=["ann"], people=["zoe"])

    assert verdict(of, action("claim", "ann")) == "not_candidate"
    assert verdict(of, action("claim", "zoe", ["guest"])) == "claimed"


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
        (task(), action("approve"), "activate, assign, cancel, claim"),
        (task(expires=READY), action(), READY.isoformat()),
    ):
        with pytest.raises(Refused, match=words.replace("+", r"\+")):
            judge(of, wanted, NOW)
