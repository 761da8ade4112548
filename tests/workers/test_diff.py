"""`workunits diff`: what changed between two definitions, what of it breaks users, what moves the boundary."""

import copy
import json
from datetime import UTC, datetime
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from observability.ledger.keeping import definitions
from observability.ledger.store import Ledger
from tests.conftest import ALL
from workers.catalog import OWN
from workers.changes import changes
from workers.schema_changes import differences
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
        words = way[-1:] == ["properties"] or last in ("title", "description", "default", "unit", "version")
        if not words and "required" not in way and "$defs" not in way:
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
    assert found[1] == "look_again: a new step, performed by a person (clerk)"


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

    # `note` has no default any more: that it is required is said, the default itself is no part of the contract.
    assert {f"{one.path} {one.words}" for one in found if one.breaking} == breaking
    assert {f"{one.path} {one.words}" for one in found} == {
        "amount maximum 100 became 50",
        "colour green is no choice any more",
        "colour blue is a new choice",
        "note is required now",
        "currency is new and required",
    }


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
