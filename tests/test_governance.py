"""The life of definitions, what is signed of them, and the files that keep them."""

from __future__ import annotations

import copy
import itertools
import json
import sys
import types
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import ALL
from tests.lab.contracts import Request, Result
from tests.replay.planted import LEARNING, LOOK_BY_HAND, OUTCOME, Planted
from workers.catalog import OWN
from workers.governing.changes import changes
from workunits.core.errors import DefinitionError
from workunits.core.unit import WorkUnit
from workunits.governance import NEXT, GovernanceError, Published, Signature, Stage, Turn, boundary, needs
from workunits.registry import Catalog, Package, definition_hash, describe, discover, hash_of
from workunits.shelf import DamagedError, Shelf

THEN = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
REFUND = Catalog([OWN]).get("refund_request")


def published(definition=None, *, version="1", stage="active", at=THEN, by="ann"):
    """A version of the planted unit, signed in all its parts by one person."""
    definition = {**(definition or describe(Planted)), "version": version}
    stages = [*itertools.takewhile(lambda one: one != stage, NEXT), stage]
    return Published(
        unit="planted",
        version=version,
        stage=stage,
        hash=hash_of(definition),
        histories=1,
        life=tuple(Turn(stage=one, at=at + timedelta(days=n), who=by) for n, one in enumerate(stages)),
        signatures=tuple(Signature(who=by, role=n.role, at=at, of=n.of, hash=n.hash) for n in needs(definition)),
        definition=definition,
    )


@pytest.fixture
def shelf(tmp_path):
    """A shelf with one version of the planted unit."""
    shelf = Shelf(tmp_path / "published")
    shelf.write(published())
    return shelf


def test_life_goes_one_way():
    """From draft to retired, a stage at a time, and never back."""
    order: list[Stage] = ["draft", "active", "deprecated", "retired"]
    for before, after in itertools.product(order, order):
        assert (after in NEXT[before]) == (order.index(after) == order.index(before) + 1)


def leaves(part, path=()):
    """Every place of some plain data that holds a plain value."""
    pairs = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    if not isinstance(part, dict | list):
        yield path
    for name, value in pairs:
        yield from leaves(value, (*path, name))


@pytest.mark.parametrize("unit", [REFUND, *ALL], ids=lambda unit: unit.unit_name)
def test_what_the_diff_calls_the_boundary_is_what_is_signed_as_such(unit):
    """No change of the boundary goes by with an old signature, and no other change asks for a new one."""
    before = describe(unit)
    for *way, last in leaves(before):
        after = copy.deepcopy(before)
        place = after
        for name in way:
            place = place[name]
        was = place[last]
        number = isinstance(was, int | float) or str(last).endswith("_seconds")
        place[last] = not was if isinstance(was, bool) else (was or 0) + 1 if number else "other"
        if "properties" in way or "$defs" in way or last == "name":
            continue
        moved = any(change.kind == "boundary" for change in changes(before, after))
        assert moved == (boundary(before) != boundary(after)), (*way, last)


def test_what_a_step_says_beyond_the_known_is_part_of_the_boundary():
    """Such as the level up to which an AI decides: whoever answers for the outcome has to sign it."""
    before, after = copy.deepcopy(describe(REFUND)), copy.deepcopy(describe(REFUND))
    before["structure"]["steps"][4]["level"] = "A2"
    after["structure"]["steps"][4]["level"] = "A3"

    (change,) = changes(before, after)

    assert (change.kind, change.where, change.words) == ("boundary", "pay", "level A2 became A3")
    assert boundary(before) != boundary(after)


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        ("unit", "another unit (fraud_review) performs it, not another unit (intake) any more"),
        (
            "hybrid",
            "an AI model, approved by a person (fraud_review) performs it, not an AI model, approved by a person",
        ),
    ],
)
def test_another_unit_or_another_role_beside_a_model_moves_the_boundary(executor, words):
    """Who works there is another one, although the kind of executor is the same."""
    before, after = copy.deepcopy(describe(REFUND)), copy.deepcopy(describe(REFUND))
    before["structure"]["steps"][3] |= {"executor": executor, "performed_by": "intake"}
    after["structure"]["steps"][3] |= {"executor": executor, "performed_by": "fraud_review"}

    (change,) = changes(before, after)

    assert (change.kind, change.where) == ("boundary", "decide")
    assert change.words.startswith(words)
    assert boundary(before) != boundary(after)


PERSON = "clear_hit, a person (sanctions officer), takes over"
TO_CODE = f"moved from a person (sanctions officer) to code: {PERSON} became auto_clear, code,"
UNDONE = ", after what was done is undone"
AGAIN = "mends the input, then again, at most 1 time(s)"


@pytest.mark.parametrize(
    ("then", "signed", "words"),
    [
        ("auto_clear takes over", True, f"{TO_CODE} takes over"),
        ("the case closes as not achieved", True, f"{PERSON} became the case closes as not achieved"),
        (f"auto_clear {AGAIN}", True, f"{TO_CODE} {AGAIN}"),
        (f"clear_hit takes over{UNDONE}", False, f"{PERSON} became {PERSON}{UNDONE}"),
        (None, True, f"the rule is gone (was: {PERSON})"),
    ],
    ids=["a machine", "nobody", "another input", "undone first", "gone"],
)
def test_who_takes_over_after_an_exception_is_signed(then, signed, words):
    """By who answers for the outcome, and by the role from which it takes the decision, and by no other."""
    before = copy.deepcopy(describe(Catalog([OWN]).get("identity_screening")))
    clear = next(step for step in before["structure"]["steps"] if step["name"] == "clear_hit")
    clear["accountable"] = "head of sanctions"
    verify = next(step for step in before["structure"]["steps"] if step["name"] == "verify")
    verify["accountable"] = "head of identity"
    machine = {**clear, "name": "auto_clear", "executor": "automated", "performed_by": "x.y", "accountable": None}
    before["structure"]["steps"].append(machine)
    after = copy.deepcopy(before)
    rules = after["logic"]["rules"]
    (rule,) = (one for one in rules if one["on"] == "sanctions_hit")
    rule["then"] = then
    if then is None:
        rules.remove(rule)

    (change,) = changes(before, after)
    asked = {need.role for need in set(needs(after)) - set(needs(before)) if need.of != "definition"}

    assert (change.kind, change.where, change.words) == (
        "boundary" if signed else "other",
        "sanctions_hit in screen",
        words,
    )
    assert asked == ({"head of compliance", "head of sanctions"} if signed else set())
    assert (boundary(before) != boundary(after)) == signed


@pytest.mark.parametrize(
    ("said", "signed"),
    [({}, False), ({"by_default": {"decision": "refuse"}}, True), ({"instead": "decide"}, True)],
    ids=["the case closes", "an answer", "another step"],
)
def test_when_silence_takes_a_persons_place_is_signed(said, signed):
    """From two weeks to a minute, a person does not decide any more."""
    before = copy.deepcopy(describe(REFUND))
    step = before["structure"]["steps"][1]
    step |= {"expires_seconds": 14 * 86_400.0, **said}
    after = copy.deepcopy(before)
    after["structure"]["steps"][1]["expires_seconds"] = 60.0

    (change,) = changes(before, after)

    assert (change.kind, change.words) == ("boundary" if signed else "other", "expires 14 d became 1 min")
    assert (boundary(before) != boundary(after)) == signed


def test_two_roles_sign_two_things():
    """The owner the whole definition, and who answers for the outcome its boundary."""
    owner, accountable = needs(describe(Planted))

    assert (owner.role, owner.of, owner.hash) == ("test owner", "definition", definition_hash(Planted))
    assert (accountable.role, accountable.of) == ("head of tests", "boundary")


def test_a_file_says_what_was_written(shelf):
    """All of it comes back, and the file is one that people can review."""
    assert shelf.read("planted", "1") == published()
    assert shelf.read("planted", "2") is None
    text = shelf.path("planted", "1").read_text(encoding="utf-8")
    assert '\n  "stage": "active",\n' in text
    assert text.endswith("}\n")
    assert [path.name for path in (shelf.folder / "planted").iterdir()] == ["1.json"]


def test_the_last_one_is_that_which_became_active_last(shelf):
    """Not the one with the highest number, nor a draft."""
    shelf.write(published(version="10", at=THEN - timedelta(days=9)))
    shelf.write(published(version="3", at=THEN + timedelta(days=9), stage="deprecated"))
    shelf.write(published(version="4", at=THEN + timedelta(days=90), stage="draft"))

    assert shelf.last("planted").version == "3"
    assert shelf.last("nothing") is None


DAMAGES = (
    (lambda kept: kept.pop("hash"), "hash: Field required"),
    (lambda kept: kept.update(stage="live"), "stage: should be 'draft', 'active', 'deprecated' or 'retired'"),
    (lambda kept: kept.update(colour="red"), "colour: Extra inputs are not permitted"),
    (lambda kept: kept.update(unit="other"), "unit: it is not the one that the file is named after"),
    (lambda kept: kept.update(version="7"), "version: it is not the one that the file is named after"),
    (lambda kept: kept["definition"].update(key="other"), "signatures: the definition is not signed by"),
    (lambda kept: kept.update(hash="0" * 12), "hash: the definition in the file has another one"),
    (lambda kept: kept["definition"].pop("learning"), "definition: it lacks a part that every definition has"),
    (lambda kept: kept.update(stage="retired"), "stage: it is not the stage to which its life came last"),
    (lambda kept: kept["life"].pop(0), "life: it does not begin as a draft"),
    (lambda kept: kept["life"].insert(1, {**kept["life"][1], "stage": "retired"}), "life: a stage follows that"),
    (lambda kept: kept["signatures"].pop(1), "signatures: the boundary is not signed by the role head of tests"),
    (lambda kept: kept["signatures"][0].update(at="yesterday"), "signatures.0.at: should be a valid datetime"),
)


@pytest.mark.parametrize(("edit", "said"), DAMAGES, ids=[f"{n}" for n, _ in enumerate(DAMAGES)])
def test_a_damaged_file_is_refused(shelf, edit, said):
    """With the file, the field and the remedy; a file that contradicts itself publishes nothing."""
    path = shelf.path("planted", "1")
    kept = json.loads(path.read_text(encoding="utf-8"))
    edit(kept)
    if said.startswith("signatures: the definition"):  # whoever edits by hand may well adapt the hash
        kept["hash"] = hash_of(kept["definition"])
    path.write_text(json.dumps(kept), encoding="utf-8")

    with pytest.raises(DamagedError) as refused:
        shelf.read("planted", "1")

    assert str(refused.value).startswith(f"{path}: {said}")
    assert "restore the file from the repository's history" in str(refused.value)
    assert refused.value.field == said.partition(":")[0]


@pytest.mark.parametrize(
    ("content", "said"), [(b'{"unit":\n ]', "line 2, column 2: not JSON"), (b"\xff", "it cannot be read: not UTF-8")]
)
def test_a_file_that_is_no_json_is_refused(shelf, content, said):
    """A merge that went wrong leaves such files."""
    shelf.path("planted", "1").write_bytes(content)

    with pytest.raises(DamagedError, match=said):
        shelf.versions("planted")


def test_a_shelf_is_beside_the_code_of_its_package(tmp_path, monkeypatch):
    """Found without running that code; a module that is no folder cannot keep one."""
    (tmp_path / "beside_it").mkdir()
    (tmp_path / "beside_it" / "__init__.py").write_text("raise SystemExit", encoding="utf-8")
    (tmp_path / "alone_here.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    assert Shelf.of(Package("a", (), (), ())) is None
    found = Shelf.of(Package("a", (), (), (), published="beside_it"))
    assert found
    assert found.folder == tmp_path / "beside_it" / "published"
    for missing in ("alone_here", "not_there", "not_there.either"):
        with pytest.raises(GovernanceError, match="published: there is no package") as refused:
            Shelf.of(Package("a", (), (), (), published=missing))
        assert "name one of yours" in str(refused.value)


def test_a_package_names_its_shelf_in_quotes(monkeypatch):
    """What is no name is refused when the catalog is put together."""
    module = types.ModuleType("offered_shelf")
    vars(module)["PACKAGE"] = Package("offered", (), (), (), published=("offered",))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "offered_shelf", module)

    with pytest.raises(Exception, match=r"PACKAGE\.published: a member is no name"):
        discover([], ["offered_shelf"], installed=False)


async def work(self, case: Request) -> Result:
    """Nothing of it runs."""
    raise NotImplementedError


def streamed(stream: str) -> type[WorkUnit]:
    """A unit of a value stream."""
    facts = {"stream": stream, "outcome": OUTCOME, "learning": LEARNING, "LOOK": LOOK_BY_HAND, "work": work}
    body = {"__module__": __name__, "__qualname__": "Streamed", **facts}
    return types.new_class("Streamed", (WorkUnit,), {"name": "streamed"}, lambda members: members.update(body))


def test_a_value_stream_is_part_of_a_definition_where_it_is_stated():
    """Definitions that state none keep the hash that they had."""
    assert "stream" not in describe(Planted)
    assert definition_hash(REFUND) == "c41f2e2aa90c"

    assert describe(streamed("lending"))["stream"] == "lending"
    with pytest.raises(DefinitionError, match="is no name of a value stream"):
        streamed("Personal loans")


def test_ours_are_published_as_they_stand():
    """Their own worker would leave out what nobody signed: publish it, or give it a new version."""
    shelf = Shelf.of(OWN)
    assert shelf
    for unit in OWN.units:
        kept = shelf.read(unit.unit_name, unit.version)
        assert kept is not None, unit.unit_name
        assert (kept.stage, kept.hash) == ("active", definition_hash(unit)), unit.unit_name
