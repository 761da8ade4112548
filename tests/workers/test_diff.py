"""`workunits diff`: what changed between two definitions, what of it breaks users, what moves the boundary."""

import copy
import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from observability.ledger.keeping import definitions
from observability.ledger.store import Ledger
from tests.conftest import ALL
from workers.catalog import OWN
from workers.governing.changes import changes
from workers.governing.definitions import Named
from workers.governing.schema_changes import differences, only_for_readers
from workers.pages.changes import page
from workunits.governance import boundary
from workunits.registry import Catalog, definition_hash, describe

REFUND = Catalog([OWN]).get("refund_request")


def edited(**parts):
    """The definition of refund_request with parts of its steps replaced, by step."""
    made = copy.deepcopy(describe(REFUND))
    for step in made["structure"]["steps"]:
        step.update(parts.get(step["name"], {}))
    return made


def said(found, kind):
    """The changes of a kind, as lines."""
    return [f"{change.where}: {change.words}" for change in found if change.kind == kind]


def leaves(part, path=()):
    """Every place of a definition that holds a plain value."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield from leaves(value, (*path, name))
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from leaves(value, (*path, number))
    else:
        yield path


@pytest.mark.parametrize("unit", [REFUND, *ALL], ids=lambda unit: unit.unit_name)
def test_no_change_goes_by_unseen(unit):
    """Whatever plain value of a definition is altered, something is said; nothing is when nothing is."""
    before = describe(unit)
    assert changes(before, copy.deepcopy(before)) == []
    for *way, last in leaves(before):
        after = copy.deepcopy(before)
        place = after
        for name in way:
            place = place[name]
        was = place[last]
        number = isinstance(was, int | float) or str(last).endswith("_seconds")
        place[last] = not was if isinstance(was, bool) else (was or 0) + 1 if number else "otherwise"
        if last != "version":
            assert changes(before, after), (*way, last)


def test_the_boundary_stands_by_itself():
    """A person's step that a machine takes over, a decision that moves, and who answers now."""
    after = edited(
        decide={"executor": "ai", "performed_by": "refund_request.decide", "accountable": "head of refunds"},
        apply_policy={"decides": False},
    )

    assert said(changes(describe(REFUND), after), "boundary") == [
        "apply_policy: it decides nothing any more",
        "decide: moved from a person (refund approver) to an AI model",
        "decide: head of refunds answers for it, not head of customer care any more",
    ]


def test_steps_come_and_go():
    """A step that is new, and one that is gone, with who performs them."""
    after = edited()
    gone = after["structure"]["steps"].pop(0)
    after["structure"]["steps"].append({**gone, "name": "look_again", "executor": "human", "performed_by": "clerk"})

    found = said(changes(describe(REFUND), after), "boundary")

    assert found[0] == f"{gone['name']}: the step is gone; code performed it"
    assert found[1] == "look_again: a new step; a person (clerk) performs it"


def test_a_renamed_step_is_told_whole():
    """Whoever signs reads who decided and answered, and of the new one all that was said of a first publication."""
    credit = Catalog([OWN]).get("credit_decision")
    before = describe(credit)
    after = copy.deepcopy(before)
    step = next(one for one in after["structure"]["steps"] if one["name"] == "decide")
    step |= {"name": "decide_now", "accountable": "intern", "by_default": {"verdict": "grant"}}
    step["autonomy"] |= {"level": "A4", "veto_seconds": 60.0}

    found = said(changes(before, after), "boundary")

    model = "an AI model, approved by a person (credit officer)"
    assert f"decide: the step is gone; {model} performed it, and decided; head of credit risk answered for it" in found
    assert f"decide_now: a new step; {model} performs it, and decides; intern answers for it" in found
    assert "decide_now: silence is now the answer verdict grant" in found
    (autonomy,) = (line for line in found if line.startswith("decide_now: how far its model may go: level A4"))
    assert "veto 1 min" in autonomy
    assert "risk rule " in autonomy


@pytest.mark.parametrize("unit", [*OWN.units, *ALL], ids=lambda unit: unit.unit_name)
def test_whatever_is_signed_of_a_new_step_is_shown(unit):
    """No two boundaries of a step that was not there before read alike."""
    whole = describe(unit)
    for number, step in enumerate(whole["structure"]["steps"]):
        before = copy.deepcopy(whole)
        del before["structure"]["steps"][number]
        shown = said(changes(before, whole), "boundary")
        for *way, last in leaves(step):
            after = copy.deepcopy(whole)
            place = after["structure"]["steps"][number]
            for name in way:
                place = place[name]
            was = place[last]
            numeric = isinstance(was, int | float) or str(last).endswith("_seconds")
            # By a day, since a span of weeks is not told to the second.
            place[last] = not was if isinstance(was, bool) else (was or 0) + 86_400 if numeric else "otherwise"
            # Of a rule it is said that there is one: nobody reads a digest.
            if not str(last).endswith("_rule") and boundary(after) != boundary(whole):
                assert said(changes(before, after), "boundary") != shown, (step["name"], *way, last)


def test_a_weaker_promise_breaks_and_a_stronger_one_does_not():
    """Whoever relied on three days is told when it becomes four."""
    day = 86_400.0
    for days, breaks in ((4, True), (2, False)):
        after = edited()
        after["outcome"]["within_seconds"] = days * day
        (change,) = changes(describe(REFUND), after)
        assert (change.kind, change.breaking, change.words) == ("contract", breaks, f"within 3 d became {days} d")


class Line(BaseModel):
    """A part."""

    sku: str


class Old(BaseModel):
    """Before."""

    amount: int = Field(ge=1, le=100)
    colour: Literal["red", "green"]
    note: str = ""
    lines: list[Line] = Field(default_factory=list)


class Mood(StrEnum):
    """How it goes."""

    GOOD = "good"
    BAD = "bad"


class New(BaseModel):
    """After."""

    amount: int = Field(ge=1, le=50)
    colour: Literal["red", "blue"]
    note: str
    lines: list[Line] = Field(default_factory=list)
    currency: str


@pytest.mark.parametrize(
    ("flow", "breaking"),
    [
        (
            "in",
            {
                "amount maximum 100 became 50",
                "colour green is no choice any more",
                "note is required now",
                "currency is new and required",
            },
        ),
        ("out", {"colour blue is a new choice"}),
    ],
)
def test_what_breaks_depends_on_who_writes_it(flow, breaking):
    """Narrower breaks those who send it, wider those who read it."""
    found = differences(Old.model_json_schema(), New.model_json_schema(), flow)

    # `note` has no default any more: what breaks is that it is required.
    assert {f"{one.path} {one.words}" for one in found if one.breaking} == breaking
    assert {f"{one.path} {one.words}" for one in found} == {
        "amount maximum 100 became 50",
        "colour green is no choice any more",
        "colour blue is a new choice",
        "note is required now",
        'note default "" became nothing',
        "currency is new and required",
    }


class Holding(BaseModel):
    """One that says much of its fields, also of those that other models are."""

    model_config = ConfigDict(json_schema_extra={"x-order": 1})

    share: int = Field(default=10, multiple_of=5)
    mood: Mood = Mood.GOOD
    lines: dict[str, Line] = Field(default_factory=dict)
    names: set[str] = Field(default_factory=set)
    pair: tuple[int, str] = (1, "a")
    kind: Literal["a", "b"] = "a"
    more: "Holding | None" = None


def turned(*way, to):
    """The schema of `Holding` with one place another; None takes it away."""
    made = Holding.model_json_schema()
    place = made["$defs"]["Holding"]
    for name in way[:-1]:
        place = made["$defs"] if name == "$defs" else place[name]
    if to is None:
        del place[way[-1]]
    else:
        place[way[-1]] = to
    return made


@pytest.mark.parametrize(
    ("way", "to", "said_in", "breaks"),
    [
        (("share", "default"), 20, "share default 10 became 20", "in"),
        (("share", "default"), None, "share default 10 became nothing", ""),
        (("share", "multipleOf"), 7, "share multipleOf 5 became 7", "in out"),
        (("share", "multipleOf"), None, "share multipleOf 5 became nothing", "out"),
        (("mood", "default"), "bad", "mood default good became bad", "in"),
        (("lines", "additionalProperties"), {"type": "string"}, "lines[*] sku is gone", None),
        (("names", "uniqueItems"), None, "names uniqueItems True became nothing", "out"),
        (("pair", "prefixItems"), [{"type": "integer"}], "pair 2 place(s) became 1", "in out"),
        (("pair", "prefixItems", 0, "type"), "string", "pair[0] type integer became string", "in out"),
        (("more", "default"), 1, "more default null became 1", "in"),
    ],
)
def test_all_that_a_schema_says_is_compared(way, to, said_in, breaks):
    """Also what decides nothing alone, and what stands beside the name of another model."""
    for flow in ("in", "out"):
        found = differences(Holding.model_json_schema(), turned("properties", *way, to=to), flow)
        if breaks is None:
            assert ("lines[*].sku", "is gone") in {(one.path, one.words) for one in found}
            continue
        (one,) = found
        assert (f"{one.path} {one.words}", one.breaking) == (said_in, flow in breaks.split())


def test_a_choice_of_one_is_a_choice():
    """Pydantic says it by another keyword than several."""
    kinds: tuple[Any, ...] = (Literal["a", "b"], Literal["a"], Literal["c"], str)
    two, one, third, any_text = (TypeAdapter(kind).json_schema() for kind in kinds)

    def told(before, after):
        return [(found.words, found.breaking) for found in differences(before, after, "in")]

    assert told(two, one) == [("b is no choice any more", True)]
    assert told(one, two) == [("b is a new choice", False)]
    assert told(one, third) == [("a is no choice any more", True), ("c is a new choice", False)]
    assert told(any_text, one) == [("only a now", True)]
    assert told(one, any_text) == [("may be anything now", False)]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda case: case.update(description="Otherwise."), "a title, a description or an example changed"),
        (lambda case: case["properties"].update(title={"type": "string", "title": "T"}), "title is new, and may"),
        (lambda case: case["$defs"].update(Unused={}), "a title, a description or an example changed"),
        (lambda case: case["properties"]["amount"].update(patternProperties={"a": {}}), "patternProperties nothing"),
        (lambda case: case.update(required=[*case["required"], "nobody"]), "something changed for which there are no"),
    ],
    ids=["a description", "a field of that name", "a part that nobody names", "a rare keyword", "no words"],
)
def test_two_hashes_are_never_the_same(edit, words):
    """What only readers notice is said to be that, and what cannot be said is said to be there."""
    before = describe(REFUND)
    before["logic"]["input"].setdefault("$defs", {})
    after = copy.deepcopy(before)
    edit(after["logic"]["input"])

    (change,) = changes(before, after)

    assert (change.kind, change.where, change.breaking) == ("contract", "input", "patternProperties" in change.words)
    assert words in change.words


def test_another_name_of_a_model_is_for_readers():
    """Whoever sends a case sends the same one."""
    before = Holding.model_json_schema()
    text = json.dumps(before).replace("Line", "Row").replace("Holding", "Keeping")

    assert differences(before, json.loads(text), "in") == []
    assert only_for_readers(before, json.loads(text))
    assert not only_for_readers(before, turned("properties", "share", "default", to=10.0))


def test_the_page_of_two_that_say_the_same():
    """A version apart, and two hashes for which there is no reason."""
    one = Named("1", "aaaaaaaaaaaa", {})

    assert "say the same." in page("u", one, one, [])
    assert "say the same, but for the version." in page("u", one, Named("2", "bbbbbbbbbbbb", {}), [])
    assert "no words here for what differs" in page("u", one, Named("1", "bbbbbbbbbbbb", {}), [])


def test_within_lists_and_named_parts():
    """A part that is used by name is compared where it is used, and one that holds itself ends."""
    after = Old.model_json_schema()
    after["$defs"]["Line"]["properties"]["sku"]["type"] = "integer"

    assert [one.path for one in differences(Old.model_json_schema(), after, "in")] == ["lines[].sku"]

    class Node(BaseModel):
        nodes: "list[Node]" = Field(default_factory=list)

    assert differences(Node.model_json_schema(), Node.model_json_schema(), "in") == []


def test_the_command(shell):
    """An older definition that has run beside the catalog's: as a page, and as one JSON document."""
    ledger = Ledger(f"sqlite:///{shell.folder / 'ledger.sqlite'}")
    ledger.migrate()
    before = edited(decide={"performed_by": "cashier"})
    row = {"unit": "refund_request", "version": "0", "hash": "0123456789ab", "first_seen_at": datetime.now(UTC)}
    with ledger.write() as connection:
        connection.execute(definitions.insert(), [{**row, "definition": before}])
    ledger.close()
    env = {"WORKUNITS_LEDGER": ledger.url.render_as_string()}

    done = shell.run("diff", "refund_request", "0", **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a person (refund approver) performs it, not a person (cashier) any more" in done.stdout
    assert "1 change(s), none breaks its users." in done.stdout

    found = json.loads(shell.run("diff", "refund_request", "0123", "1", "--json", **env).stdout)
    assert found["to"] == {"version": "1", "hash": definition_hash(REFUND)}
    assert [change["kind"] for change in found["changes"]] == ["boundary"]

    missed = shell.run("diff", "refund_request", "7", **env)
    assert missed.returncode == 2
    assert "A: no such definition is known; known are version 0 (0123456789ab), version 1" in missed.stderr
