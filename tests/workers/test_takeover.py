"""Nobody takes over a unit, its outcome or a decision by writing their role into it: whoever has it hands it over."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.replay import planted
from tests.test_governance import THEN, published
from tests.workers.test_publishing import PEOPLE, Desk
from tests.workers.test_publishing import desk as desk  # noqa: PLC0414 - a fixture
from workunits.governance import handed_over, needs
from workunits.judged import judge
from workunits.registry import Package, describe

OLDER = """
[[person]]
name = "otto"

[[accountable]]
role = "old hand"
person = "otto"
"""


def owned(definition: dict[str, Any]) -> None:
    """Another role owns the unit."""
    definition["learning"]["owner"] = "old hand"


def answered(definition: dict[str, Any]) -> None:
    """Another role answers for the outcome."""
    definition["outcome"]["accountable"] = "old hand"


def decided(definition: dict[str, Any]) -> None:
    """Another role answers for one decision."""
    decide(definition)["accountable"] = "old hand"


def decide(definition: dict[str, Any]) -> dict[str, Any]:
    """The step in which it is decided."""
    (found,) = [step for step in definition["structure"]["steps"] if step["name"] == "decide"]
    assert isinstance(found, dict)
    return found


def edited(*edits: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The planted unit's definition after some edits."""
    definition = copy.deepcopy(describe(planted.Planted))
    for edit in edits:
        edit(definition)
    return definition


def stage_of(desk: Desk) -> str | None:
    """How the loaded definition stands for workers and starters."""
    return judge(planted.Planted, Package(desk.package, (), (), (), published=desk.package)).stage


@pytest.mark.parametrize(
    ("before", "part"),
    [(owned, "definition"), (answered, "boundary"), (decided, "boundary")],
    ids=["owner", "outcome", "decision"],
)
def test_a_takeover_waits_for_whoever_had_it(desk, before, part):
    """With the sign-offs of all new roles it is a draft that nobody can start; the outgoing role's makes it active."""
    desk.people = PEOPLE + OLDER
    desk.shelf.write(published(edited(before), version="0"))

    desk.publish("--as", "olga")
    draft = desk.publish("--as", "hanna")
    stage = stage_of(desk)
    missing = json.loads(desk.publish("--json"))["missing"]
    active = desk.publish("--as", "otto")

    assert stage == "draft"
    assert [(need["role"], need["of"], need["leaving"]) for need in missing] == [("old hand", part, True)]
    asked = f"the {part}, by who answered until now and hands over: missing, of old hand; by the directory: otto"
    assert f"{asked}; workunits publish planted --as otto" in draft
    assert "is a draft until old hand signs too: workunits publish planted --as NAME" in draft
    assert "is active: three people signed: " in active
    assert "otto as who hands over" in active
    assert stage_of(desk) == "active"
    kept = desk.shelf.read("planted", "1")
    assert ("otto", "old hand", part) in [(one.who, one.role, one.of) for one in kept.signatures]
    assert kept.life[-1].note == "handed over by old hand"


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"excludes": ["look_by_hand"]}, "whoever performed look_by_hand may now perform this one, too"),
        ({"votes": {"of": 3, "quorum": 2}}, "one answer decides, not 2 equal answers of 3 any more"),
        ({"forwardable": False}, "its owner may pass it on now"),
    ],
)
def test_a_boundary_that_is_weakened_waits_for_who_answers_for_it(desk, stated, words):
    """Four eyes that are taken away are told, and the owner alone cannot publish it; under its version nobody can."""
    before = edited(lambda definition: decide(definition).update(stated))
    desk.shelf.write(published(before, version="0"))

    said = desk.publish("--as", "olga")

    assert f"  decide: {words}" in said
    assert "is a draft until head of tests signs too" in said
    desk.shelf.write(published(before))
    assert desk.refused("--as", "olga")[0] == "same_version"


def test_a_takeover_without_anybody_left_says_what_to_do(desk):
    """A role that the directory does not know any more is given to its successor there, by whoever keeps it."""
    desk.shelf.write(published(edited(owned), version="0"))

    said = desk.publish("--as", "olga")

    assert "missing, of old hand; by the directory: nobody; add them to the directory" in said


def test_an_outgoing_sign_off_cannot_be_left_out_of_a_file(desk):
    """Who edits the stage by hand is told whose signature is not there."""
    desk.shelf.write(published(edited(owned), version="0"))
    desk.publish("--as", "olga")
    desk.publish("--as", "hanna")
    path = desk.shelf.path("planted", "1")
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept["stage"] = "active"
    kept["life"].append({**kept["life"][0], "stage": "active"})
    path.write_text(json.dumps(kept), encoding="utf-8")

    with pytest.raises(Exception, match="signatures: the definition is not signed by the role old hand"):
        desk.shelf.read("planted", "1")


@pytest.mark.parametrize("command", ["deprecate", "retire"])
def test_a_unit_leaves_by_the_word_of_its_published_owner(desk, command):
    """Not of the one whom the code, or a draft, names."""
    desk.people = PEOPLE + OLDER
    stage = "active" if command == "deprecate" else "deprecated"
    desk.shelf.write(published(edited(owned), version="0", stage=stage))
    desk.publish("--as", "olga")

    code, said = desk.refused("--as", "olga", command=command)

    assert code == "not_held"
    assert "only the owner may say so, which is old hand by what is published (version 0)" in said
    assert said.endswith(f"by the directory: otto; workunits {command} planted --as otto")
    if command == "deprecate":
        desk.run("deprecate", "planted", "--as", "otto")
        assert desk.shelf.read("planted", "0").stage == "deprecated"


def test_who_signs_an_old_version_again_does_not_get_the_unit_back(desk):
    """That stays in the version's life; published last is still the version of whoever has the unit now."""
    desk.people = PEOPLE + OLDER
    desk.shelf.write(published(edited(lambda definition: definition["learning"].update(review_seconds=86_400.0))))
    desk.shelf.write(published(edited(owned), version="7", at=THEN + timedelta(days=9)))

    desk.publish("--as", "olga")
    kept, last = desk.shelf.read("planted", "1"), desk.shelf.last("planted")
    code, said = desk.refused("--as", "olga", command="deprecate")

    assert [turn.stage for turn in kept.life] == ["draft", "active", "active"]
    assert kept.life[-1].at > kept.published_at == THEN + timedelta(days=1)
    assert (last.version, code) == ("7", "not_held")
    assert "only the owner may say so, which is old hand by what is published (version 7)" in said


def test_a_role_of_its_own_signs_what_changes_at_its_steps_alone():
    """Beside who answers for the outcome, who signs each change of the boundary."""
    before = edited(decided)
    elsewhere, there, promise = copy.deepcopy(before), copy.deepcopy(before), copy.deepcopy(before)
    elsewhere["structure"]["steps"][0]["decides"] = True
    decide(there)["excludes"] = ["look_by_hand"]
    decide(promise)["expires_seconds"] = 60.0

    def asked(definition: dict[str, Any]) -> dict[str, str]:
        return {need.of: need.hash for need in needs(definition)}

    (own,) = [need for need in needs(before) if need.of == "steps"]
    assert own.role == "old hand"
    assert asked(elsewhere)["boundary"] != asked(before)["boundary"]
    assert asked(elsewhere)["steps"] == own.hash
    assert asked(there)["steps"] != own.hash
    assert asked(there)["boundary"] != asked(before)["boundary"]
    assert asked(promise)["steps"] == own.hash
    assert [need.of for need in needs(edited())] == ["definition", "boundary"]


@pytest.mark.parametrize(
    ("before", "after", "leaving"),
    [
        ((), (), []),
        ((owned,), (), [("old hand", "definition")]),
        ((answered,), (), [("old hand", "boundary")]),
        ((decided,), (), [("old hand", "boundary")]),
        ((decided, answered), (), [("old hand", "boundary")]),
        ((answered,), (decided,), [("old hand", "boundary")]),
        ((decided,), (answered,), [("head of tests", "boundary")]),
        ((owned, answered), (), [("old hand", "definition"), ("old hand", "boundary")]),
        ((), (owned,), [("test owner", "definition")]),
    ],
)
def test_who_hands_over(before, after, leaving):
    """Each role that owned or answered for something and does not any more; one that still signs it signs it once."""
    now = edited(*after)

    found = handed_over(edited(*before), now)

    assert [(need.role, need.of) for need in found] == leaving
    assert all(need.leaving for need in found)
    assert {need.hash for need in found if need.of == "boundary"} <= {needs(now)[1].hash}
