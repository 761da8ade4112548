"""Forms: from an answer's JSON schema to fields, and from what was typed to the answer's JSON."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from inbox.answering import Answer
from inbox.answers import MOST_ITEMS, misfits
from inbox.forms import Form, flat, placed
from inbox.moments import from_local, local, moment, span
from inbox.money import decimal_of, minor_of, shown, written
from inbox.readable import readable, safe_link
from inbox.shapes import decision_of, shape_of, words
from tests.inbox.wide import Verdict
from tests.lab.contracts import Decision

MADRID = "Europe/Madrid"
SHAPE = shape_of(Verdict.model_json_schema())
TYPED: dict[str, list[str]] = {
    "a.decision": ["keep"],
    "a.title": ["An old frame"],
    "a.count": ["1 200"],
    "a.share": ["0.25"],
    "a.price.minor": ["12.5"],
    "a.price.currency": ["eur"],
    "a.checked": ["false"],
    "a.size": ["l"],
    "a.on": ["2026-01-31"],
}


def form() -> Form:
    """The form of the widest answer, its decision on buttons."""
    return Form(SHAPE, MADRID, without=decision_of(SHAPE))


def test_every_kind_of_field_is_known():
    """A model with every type gives a field of the right kind for each, and none is left as raw JSON."""
    kinds = {field.name: field.kind for field in SHAPE.inside}

    assert kinds == {
        "decision": "choice",
        "reason": "long",
        "title": "text",
        "share": "number",
        "count": "integer",
        "exact": "number",
        "price": "money",
        "urgent": "yes_no",
        "checked": "yes_no",
        "colour": "choice",
        "size": "choice",
        "on": "date",
        "at": "datetime",
        "from": "time",
        "address": "group",
        "lines": "list",
        "tags": "many",
        "sent": "either",
    }


def test_the_decision_goes_on_buttons():
    """The one required choice that is named as a decision is no field of the form."""
    decision = decision_of(SHAPE)

    assert decision is not None
    assert decision.choices == ("keep", "drop")
    assert "a.decision" not in {field.name for field in flat(form().root({}))}


def test_what_was_typed_becomes_the_answer():
    """Typed text becomes the JSON that the model takes in strict mode."""
    data, errors = form().read(TYPED)

    assert errors == {}
    assert data["count"] == 1200
    assert data["price"] == {"minor": 1250, "currency": "EUR"}
    assert data["checked"] is False
    assert data["address"] is None
    assert misfits(Verdict, data) == {}


def test_an_answer_comes_back_as_it_was_typed():
    """A filled form, read, written into a new form and read again is the same answer."""
    typed = {
        **TYPED,
        "a.lines.#": ["1"],
        "a.lines.0.sku": ["K-1"],
        "a.lines.0.count": ["2"],
        "a.at": ["2026-07-01T10:00"],
        "a.exact": ["0.10"],
        "a.sent.?": ["0"],
        "a.sent.0.to": ["Bob"],
        "a.tags": ["a", "c"],
        "a.address.street": ["Main street 1"],
        "a.address.town": ["Soria"],
    }

    data, _ = form().read(typed)

    assert form().read(form().starting(data)) == (data, {})
    assert data["at"] == "2026-07-01T10:00:00+02:00"
    assert data["exact"] == "0.10"
    assert data["sent"] == {"kind": "post", "to": "Bob"}


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("a.count", "many", "count"),
        ("a.count", "1.5", "count"),
        ("a.count", "9" * 19, "count"),
        ("a.share", "1,5", "share"),
        ("a.share", "NaN", "share"),
        ("a.share", "1e400", "share"),
        ("a.price.minor", "12.345", "price.minor"),
        ("a.price.currency", "", "price.currency"),
        ("a.checked", "", "checked"),
        ("a.checked", "maybe", "checked"),
        ("a.size", "huge", "size"),
        ("a.title", "  ", "title"),
        ("a.at", "2026-03-29T02:30", "at"),
        ("a.at", "soon", "at"),
        ("a.decision", "burn", "decision"),
    ],
)
def test_a_misfit_is_told_at_its_field(name: str, value: str, key: str):
    """What does not fit is refused at its own field, in words that do not repeat it."""
    _, errors = form().read({**TYPED, name: [value]})

    assert list(errors) == [key]
    assert not value.strip() or value not in errors[key]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"count": -1}, "count"),
        ({"title": "x" * 41}, "title"),
        ({"price": {"minor": 5, "currency": "EURO"}}, "price.currency"),
    ],
)
def test_what_the_model_refuses_is_told_at_its_field(change: dict[str, Any], path: str):
    """The model's own limits are said in plain words, by path."""
    data, _ = form().read(TYPED)

    found = misfits(Verdict, {**data, **change})

    assert list(found) == [path]
    assert "Input" not in found[path]


def test_a_check_of_the_whole_answer_names_its_field():
    """A model's own check that begins with a field's name is told at that field; another one at the whole form."""
    assert misfits(Decision, {"decision": "refuse"}) == {"reason": "Required when the decision is 'refuse'."}


def test_all_errors_are_told_at_once():
    """An answer with unreadable and with refused fields has all of them in its summary, each with its field."""
    answer = Answer(Verdict.model_json_schema(), MADRID, Verdict, {**TYPED, "a.count": ["x"], "a.title": ["y" * 50]})

    answer.read()

    assert {href for href, _ in answer.summary} == {"a-count", "a-title"}


def test_a_line_is_added_and_removed():
    """Adding and removing lines keeps what stands in the others."""
    typed = form().changed(form().changed(TYPED, "add:a.lines"), "add:a.lines")
    typed["a.lines.0.sku"], typed["a.lines.1.sku"] = ["first"], ["second"]

    typed = form().changed(typed, "remove:a.lines:0")

    assert typed["a.lines.#"] == ["1"]
    assert typed["a.lines.0.sku"] == ["second"]
    assert "a.lines.1.sku" not in typed


def test_a_list_has_an_end():
    """No request makes a list longer than its limit."""
    data, _ = form().read({**TYPED, "a.lines.#": ["999999999"]})

    assert len(data["lines"]) == MOST_ITEMS


def test_a_field_that_the_form_does_not_have_is_told_at_what_holds_it():
    """An error at a path without a field goes to the nearest group, or to the whole form."""
    root = form().root(TYPED)

    assert placed(root, {"price.what": "A.", "nowhere": "B."}) == {"price": "A.", "": "B."}


def test_a_model_that_holds_itself_ends():
    """A recursive model gives a form of limited depth."""

    class Tree(BaseModel):
        name: str
        child: Tree | None = None

    assert "json" in {field.shape.kind for field in flat(Form(shape_of(Tree.model_json_schema()), "UTC").root({}))}


def test_anything_else_is_typed_as_json():
    """A field without a known shape takes JSON, strictly."""

    class Loose(BaseModel):
        facts: dict[str, int] = Field(default_factory=dict)

    loose = Form(shape_of(Loose.model_json_schema()), "UTC")

    assert loose.read({"a.facts": ['{"a": 1}']}) == ({"facts": {"a": 1}}, {})
    assert list(loose.read({"a.facts": ['{"a": NaN}']})[1]) == ["facts"]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(form().starting())), st.lists(st.text(max_size=30), max_size=3)))
def test_nothing_that_is_typed_breaks_a_form(typed: dict[str, list[str]]):
    """Whatever a browser sends, there is an answer that JSON can hold, or errors; and the page can be made again."""
    read, errors = form().read(typed)

    json.dumps(read, allow_nan=False)
    assert errors
    assert form().root(typed, errors).inside


def test_money_is_exact():
    """Amounts follow the digits of their currency, and no digit is lost or invented."""
    assert (written(1250, "EUR"), written(1250, "JPY"), written(1250, "KWD")) == ("12.50", "1250", "1.250")
    assert shown(123456789, "EUR").replace("\N{NARROW NO-BREAK SPACE}", " ") == "1 234 567.89\N{NO-BREAK SPACE}EUR"
    number = decimal_of("0.29")
    assert number is not None
    assert minor_of(number, "EUR") == 29
    assert minor_of(number, "JPY") is None


def test_local_times_are_read_in_the_persons_zone():
    """A time that the clock skips is refused; one that it shows twice is the first."""
    zone = ZoneInfo(MADRID)

    assert from_local("2026-03-29T02:30", zone) is None
    twice = from_local("2026-10-25T02:30", zone)
    assert twice is not None
    assert twice.isoformat() == "2026-10-25T02:30:00+02:00"
    assert local("2026-01-31T12:00:00Z", zone) == "2026-01-31T13:00"
    assert moment(twice, zone, twice) == "today 02:30"


def test_durations_are_said_in_two_units():
    """A duration has at most two units, and never none."""
    from datetime import timedelta

    assert span(timedelta(hours=3, minutes=20, seconds=5)) == "3 h 20 min"
    assert span(timedelta(days=2)) == "2 d"
    assert span(timedelta(0)) == "0 s"


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        " https://a.example",
        "https://a.example/\\@b",
        "data:text/html,x",
        "//a.example",
        "https:",
    ],
)
def test_no_other_link_is_one(text: str):
    """Only whole addresses of the web become links."""
    assert safe_link(text) == ""
    assert readable(text).kind in ("text", "long")


def test_data_is_said_in_words():
    """Values are said by what they are: yes and no, money, days, nothing, tables of equal rows."""
    item = readable(
        {
            "paid": True,
            "price": {"minor": 5, "currency": "EUR"},
            "on": "2026-01-31",
            "who": None,
            "rows": [{"a": 1}, {"a": 2}],
        }
    )

    said = {field.label: (field.kind, field.text) for field in item.inside}
    assert said["Paid"] == ("yes", "Yes")
    assert said["Price"] == ("number", "0.05\N{NO-BREAK SPACE}EUR")
    assert said["On"] == ("text", "31 January 2026")
    assert said["Who"][0] == "none"
    assert said["Rows"][0] == "table"
    assert words("monthly_income") == "Monthly income"
