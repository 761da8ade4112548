"""`workunits publish`, `deprecate`: who signs what, and what is refused with which remedy."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import json
import operator
import sys
import types
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.replay import planted
from tests.test_governance import THEN, published
from workers.cli import app
from workers.console import judge
from workunits.core.unit import WorkUnit
from workunits.registry import Package, describe
from workunits.shelf import Shelf

HISTORIES = Path(__file__).parent.parent / "replay" / "lab"
PEOPLE = """
[groups]
owners = ["test owner"]
clerks = ["clerk"]
everything = ["test owner", "clerk"]

[[person]]
name = "olga"
groups = ["owners"]

[[person]]
name = "karl"
groups = ["clerks"]

[[person]]
name = "hanna"

[[accountable]]
role = "head of tests"
person = "hanna"
"""
_numbers = itertools.count()


@dataclass
class Desk:
    """A package with one unit of several editions, its shelf, and the people who sign."""

    folder: Path
    package: str
    module: types.ModuleType
    people: str = PEOPLE
    environment: dict[str, str | None] = field(default_factory=dict)

    def load(self, unit: type[WorkUnit]) -> None:
        """Let this be what the package offers."""
        vars(self.module)["PACKAGE"] = Package(
            self.package, (unit,), ("tests.lab.contracts",), (), published=self.package
        )

    @property
    def shelf(self) -> Shelf:
        """Where it is kept."""
        return Shelf(self.folder / self.package / "published")

    def run(self, *args: str) -> str:
        """Run a command that is to succeed; gives what it says."""
        directory = self.folder / "people.toml"
        directory.write_text(self.people, encoding="utf-8")
        given = {"WORKUNITS_DIRECTORY": str(directory), **self.environment}
        done = CliRunner().invoke(app, ["--module", self.package, *args], env=given)
        if done.exception:
            raise done.exception
        return done.output

    def publish(self, *args: str) -> str:
        """Publish the planted unit."""
        return self.run("publish", "planted", "--histories", str(HISTORIES), *args)

    def refused(self, *args: str, command: str = "publish") -> tuple[str, str]:
        """The code and the words of a refusal."""
        with pytest.raises(Exception) as raised:  # noqa: PT011 - the code is looked at
            self.publish(*args) if command == "publish" else self.run(command, "planted", *args)
        said = judge(raised.value)
        assert said
        assert said.exit_code in (2, 4)
        return said.code, str(said)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A desk with the planted unit, of which nothing is published."""
    name = f"planted_desk_{next(_numbers)}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType(name)
    module.__path__ = [str(tmp_path / name)]
    module.__spec__ = importlib.util.spec_from_file_location(name, tmp_path / name / "__init__.py")
    monkeypatch.setitem(sys.modules, name, module)
    desk = Desk(tmp_path, name, module)
    desk.load(planted.Planted)
    return desk


def test_without_a_name_it_only_shows(desk):
    """The whole boundary of a first publication, the gate, and who may sign; nothing is written."""
    said = desk.publish()

    assert "planted: version 1 (" in said
    assert "the first to be published; all of its boundary is new" in said
    assert "  decide: a person (clerk) performs it, and decides; head of tests answers for it" in said
    assert "  advise: an AI model performs it\n" in said
    assert "  learning: test owner owns the unit" in said
    assert "Replayed 9 stored histories of this version: open cases go on." in said
    assert "by its owner: missing, of test owner; by the directory: olga" in said
    assert "outcome: missing, of head of tests; by the directory: hanna" in said
    assert "Nothing was written." in said
    assert not desk.shelf.folder.exists()


def test_two_people_sign_one_after_the_other(desk):
    """After the first it is a draft that says who is missing; after the second it is active."""
    first = desk.publish("--as", "olga")
    draft = desk.shelf.read("planted", "1")
    second = desk.publish("--as", "hanna")
    active = desk.shelf.read("planted", "1")

    assert "is a draft until head of tests signs too: workunits publish planted --as NAME" in first
    assert (draft.stage, [one.who for one in draft.signatures]) == ("draft", ["olga"])
    assert [need.role for need in draft.missing] == ["head of tests"]
    assert "is active: two people signed: olga as owner, hanna as who answers for the outcome." in second
    assert (active.stage, active.definition, active.histories) == ("active", describe(planted.Planted), 9)
    assert [(one.who, one.role, one.of) for one in active.signatures] == [
        ("olga", "test owner", "definition"),
        ("hanna", "head of tests", "boundary"),
    ]
    assert [(turn.stage, turn.who) for turn in active.life] == [("draft", "olga"), ("active", "hanna")]
    assert "is active, as it was signed" in desk.publish("--as", "hanna")
    assert desk.shelf.read("planted", "1") == active


def test_one_person_who_holds_both_roles_signs_once(desk):
    """And it is said that it was one."""
    desk.people = PEOPLE.replace('name = "hanna"', 'name = "hanna"\ngroups = ["owners"]')

    said = json.loads(desk.publish("--as", "hanna", "--json"))
    page = desk.publish()

    assert (said["stage"], said["published"], said["missing"], said["against"]) == ("active", True, [], None)
    assert [one["of"] for one in said["signatures"]] == ["definition", "boundary"]
    assert said["file"] == f"{desk.package}/published/planted/1.json"
    assert page.count("hanna as") == 2


def test_someone_may_sign_in_one_of_their_roles_alone(desk):
    """Whoever owns the unit may still want another look at its boundary."""
    desk.people = PEOPLE.replace('name = "hanna"', 'name = "hanna"\ngroups = ["owners"]')

    said = json.loads(desk.publish("--as", "hanna", "--role-of", "test owner", "--json"))

    assert (said["stage"], said["published"]) == ("draft", False)
    assert [(need["role"], need["of"]) for need in said["missing"]] == [("head of tests", "boundary")]
    both = "one person signed for both: hanna as test owner, and as head of tests."
    assert both in desk.publish("--as", "hanna")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--as", "olgo"), "unknown_person", "the directory has no such person; did you mean olga?"),
        (("--as", "karl"), "not_held", "they hold no role that has to sign. head of tests: hanna; test owner: olga"),
        (("--as", "olga", "--role-of", "head of tests"), "not_held", "head of tests: hanna"),
        (
            ("--as", "karl", "--role-of", "clerk"),
            "no_such_sign_off",
            "missing are those of head of tests and test owner",
        ),
    ],
    ids=["nobody", "another", "not theirs", "no such sign-off"],
)
def test_who_may_not_sign(desk, args, code, said):
    """The directory says who holds a role; a refusal names those who do."""
    found, words = desk.refused(*args)

    assert said in words
    assert found == code
    assert not desk.shelf.folder.exists()


def test_without_a_directory_nobody_signs(desk):
    """Who holds a role cannot be typed in."""
    desk.environment = {"WORKUNITS_DIRECTORY": None}

    code, said = desk.refused("--as", "olga")

    assert (code, "WORKUNITS_DIRECTORY" in said) == ("no_directory", True)


def test_a_package_without_a_shelf_is_told_to_name_one(desk):
    """The remedy can be typed as it stands."""
    vars(desk.module)["PACKAGE"] = Package(desk.package, (planted.Planted,), ("tests.lab.contracts",), ())

    code, said = desk.refused("--as", "olga")

    assert (code, said.endswith('write Package(..., published="tests")')) == ("no_shelf", True)


def test_open_design_decisions_are_refused_first(desk):
    """All of them, as `check` says them: such a class does not even load."""
    source = "from workunits.core.unit import WorkUnit\nclass Undecided(WorkUnit, name='undecided'):\n    pass\n"
    (desk.folder / "undecided_unit.py").write_text(source, encoding="utf-8")

    with pytest.raises(Exception, match="design decision") as raised:
        CliRunner().invoke(app, ["--module", "undecided_unit", "publish", "undecided"], catch_exceptions=False)

    said = judge(raised.value)
    assert said
    assert said.code == "unresolved_design"
    assert "outcome" in str(said)


def test_without_a_stored_history_nothing_is_signed(desk):
    """A version that nobody has seen run: the remedy says how to record one."""
    desk.load(planted.SameInNewVersion)

    code, said = desk.refused("--as", "olga")

    assert code == "no_histories"
    assert f"no stored history of planted version 2 in {HISTORIES}" in said
    assert "workunits replay --record tests/replay --unit planted" in said


def test_a_history_that_breaks_is_refused(desk):
    """With what breaks, and what to do: open cases would be stuck."""
    desk.load(planted.StepInserted)

    code, said = desk.refused("--as", "olga")

    assert code == "replay_breaks"
    assert "would break open cases" in said
    assert "after step look: recorded step advise, today step check" in said
    assert 'give planted a new version="..."' in said


def test_a_file_that_is_no_history_is_refused(desk):
    """It could be the one that breaks."""
    (desk.folder / "one.json").write_text("{}", encoding="utf-8")

    code, said = desk.refused("--histories", str(desk.folder / "one.json"))

    assert code == "bad_history"
    assert "one.json is no history" in said


@pytest.mark.parametrize(
    ("edition", "said"),
    [
        (planted.BudgetChanged, "outcome: within 1 d became 2 d"),
        (planted.RoleChanged, "decide: a person (expert) performs it, not a person (clerk) any more"),
    ],
    ids=["contract", "boundary"],
)
def test_a_published_version_keeps_its_contract_and_its_boundary(desk, edition, said):
    """What was signed stays what it is: another one is another version."""
    desk.shelf.write(published())
    desk.load(edition)

    code, words = desk.refused("--as", "olga")

    assert code == "same_version"
    assert said in words
    assert 'give it a new version="..."' in words
    assert desk.shelf.read("planted", "1") == published()


def test_a_rule_without_source_is_not_signed(desk):
    """It could be changed under its signatures."""
    outcome = replace(planted.OUTCOME, achieved=operator.attrgetter("granted"))
    desk.load(planted.after("Unread", outcome=outcome))

    code, words = desk.refused("--as", "olga")

    assert code == "unseen_rule"
    assert "no source is found of the rule outcome.achieved, or of what it calls" in words
    assert "write it as a function in a file of your package" in words
    assert desk.shelf.read("planted", "1") is None


def test_a_description_that_changed_is_refused_in_words(desk):
    """What readers of the contract see is part of what was signed, and nobody is told of something without words."""
    before = copy.deepcopy(describe(planted.Planted))
    before["logic"]["input"]["description"] = "As it was."
    desk.shelf.write(published(before))

    code, words = desk.refused("--as", "olga")

    assert code == "same_version"
    assert "(input: a title, a description or an example changed, and nothing else)" in words


def test_what_is_inside_may_change_under_a_version_when_its_owner_signs(desk):
    """The boundary is as it was signed, and the earlier hash is kept."""
    before = copy.deepcopy(describe(planted.Planted))
    before["learning"]["review_seconds"] = 86_400.0
    was = published(before)
    desk.shelf.write(was)

    page = desk.publish("--as", "olga")
    now = desk.shelf.read("planted", "1")

    assert "Inside\n  learning: review 1 d became 30 d" in page
    assert "Boundary" not in page.partition("Sign-offs")[0]
    assert (now.stage, now.definition) == ("active", describe(planted.Planted))
    assert [(one.who, one.of) for one in now.signatures] == [("ann", "boundary"), ("olga", "definition")]
    assert now.life[-1].note == f"{now.hash} takes the place of {was.hash}"


def test_a_retired_version_does_not_come_back(desk):
    """Not even when only something inside has changed."""
    before = copy.deepcopy(describe(planted.Planted))
    before["learning"]["review_seconds"] = 86_400.0
    desk.shelf.write(published(before, stage="retired"))

    code, said = desk.refused("--as", "olga")

    assert (code, 'give it a new version="..."' in said) == ("retired", True)


def test_a_new_version_with_the_same_boundary_needs_its_owner_alone(desk):
    """Who answers for the outcome has signed this boundary before, and their sign-off is kept with it."""
    desk.shelf.write(published(version="0"))

    said = json.loads(desk.publish("--as", "olga", "--json"))

    assert (said["stage"], said["against"]["version"], said["changes"]) == ("active", "0", [])
    assert [(one["who"], one["of"]) for one in said["signatures"]] == [("ann", "boundary"), ("olga", "definition")]
    assert desk.shelf.read("planted", "0").stage == "active"


def test_a_new_version_that_moves_the_boundary_needs_both(desk):
    """What moved stands apart, in words."""
    before = copy.deepcopy(describe(planted.Planted))
    (decide,) = [step for step in before["structure"]["steps"] if step["name"] == "decide"]
    decide.update(executor="ai", performed_by="planted.decide")
    before["outcome"]["within_seconds"] = 43_200.0
    desk.shelf.write(published(before, version="0"))

    said = desk.publish("--as", "olga")

    assert (
        "Boundary: who or what does the work, decides, and answers for it\n  decide: moved from an AI model to a"
        in said
    )
    assert "  BREAKS  outcome: within 12 h became 1 d" in said
    assert "1 of 2 change(s) break those who use it." in said
    assert "is a draft until head of tests signs too" in said


def test_sign_offs_of_a_draft_fall_when_it_is_changed(desk):
    """A new look is asked of those who signed what it was before; a boundary that is the same stays signed."""
    before = copy.deepcopy(describe(planted.Planted))
    before["learning"]["review_seconds"] = 86_400.0
    desk.shelf.write(published(before, stage="draft"))

    said = json.loads(desk.publish("--json"))

    assert [(one["who"], one["of"]) for one in said["signatures"]] == [("ann", "boundary")]
    assert [(one["who"], one["of"]) for one in said["fallen"]] == [("ann", "definition")]
    assert [need["role"] for need in said["missing"]] == ["test owner"]
    assert "fallen, for the definition has changed since: ann as test owner" in desk.publish()


def test_a_damaged_file_is_named(desk):
    """By its path, the field and the remedy."""
    path = desk.shelf.write(published())
    path.write_text(path.read_text(encoding="utf-8").replace('"active"', '"live"'), encoding="utf-8")

    code, said = desk.refused("--as", "olga")

    assert code == "damaged_file"
    assert said.startswith(f"{path}: stage: should be")


def test_the_owner_deprecates(desk):
    """All versions that are active, with the reason; nobody else may, and once is enough."""
    desk.shelf.write(published(version="0", at=THEN - timedelta(days=200)))
    desk.shelf.write(published())

    refused = desk.refused("--as", "hanna", command="deprecate")
    said = desk.run("deprecate", "planted", "--as", "olga", "--reason", "lending takes its place")
    again = desk.refused("--as", "olga", command="deprecate")

    why = "--as: only the owner may say so, which is test owner by what is published (version 1)"
    assert refused == ("not_held", f"{why}; by the directory: olga; workunits deprecate planted --as olga")
    assert said.count("is deprecated.") == 2
    for version in ("0", "1"):
        kept = desk.shelf.read("planted", version)
        assert (kept.stage, kept.life[-1].who, kept.life[-1].note) == ("deprecated", "olga", "lending takes its place")
    assert again == ("already", "planted is deprecated already, or further")


def test_stages_are_not_skipped(desk):
    """What was never published cannot be deprecated, and what nobody was warned of cannot be retired."""
    nothing = desk.refused("--as", "olga", command="deprecate")
    desk.shelf.write(published())
    active = desk.refused("--as", "olga", command="retire")

    assert nothing[1].startswith("planted cannot be deprecated: nothing of it is published; publish it first")
    assert active[1].startswith("planted cannot be retired: version 1 is active; deprecate it first")


def test_a_published_version_can_be_compared_before_it_has_ever_run(desk):
    """`diff` knows it from its file; a draft is nobody's definition yet."""
    before = copy.deepcopy(describe(planted.Planted))
    before["outcome"]["within_seconds"] = 43_200.0
    desk.shelf.write(published(before, version="0"))
    desk.shelf.write(published(before, version="7", stage="draft"))
    desk.environment = {"WORKUNITS_STATE": str(desk.folder / "state")}
    desk.run("ledger", "migrate")

    said = desk.run("diff", "planted", "0")

    assert "BREAKS  outcome: within 12 h became 1 d" in said
    with pytest.raises(Exception, match="no such definition is known; known are version 0") as raised:
        desk.run("diff", "planted", "7")
    assert "version 7" not in str(raised.value)


def called_in(monkeypatch, where):
    """Let the planted unit say that another unit performs its step `file`."""

    def told(unit):
        definition = copy.deepcopy(describe(unit))
        if unit.unit_name == "planted":
            definition["structure"]["steps"][-1] |= {"executor": "unit", "performed_by": "refund_request"}
        return definition

    monkeypatch.setattr(f"{where}.describe", told)


@pytest.mark.parametrize(
    ("stage", "said"), [(None, "is not published"), ("retired", "is retired")], ids=["missing", "retired"]
)
def test_a_unit_that_calls_an_unpublished_one_is_refused(desk, monkeypatch, stage, said):
    """Its cases would wait for ever for one that no worker serves."""
    called_in(monkeypatch, "workers.governing.publishing")
    monkeypatch.setattr("workers.governing.publishing.judge", lambda unit, package: types.SimpleNamespace(stage=stage))

    code, words = desk.refused("--as", "olga")

    assert code == "calls"
    assert f"planted calls refund_request in step file, and that unit {said}" in words
    assert words.endswith("publish it first: workunits publish refund_request --as NAME")
    monkeypatch.setattr(
        "workers.governing.publishing.judge", lambda unit, package: types.SimpleNamespace(stage="active")
    )
    assert "file: another unit (refund_request) performs it" in desk.publish()
