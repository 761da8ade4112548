"""Whatever bytes come from outside, the strict reader gives a model or refuses, and repeats nothing of them."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, model_validator
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from workunits.core.errors import BadInput
from workunits.core.strict_json import BODY_LIMIT, DEPTH_LIMIT, parse, read, read_part, seen_from

VALUE = "s3cr3t-v4lue"


class Circle(BaseModel):
    """One of two shapes ..."""

    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    """... told apart by their kind."""

    kind: Literal["square"]
    side: int = Field(gt=0)


class Everything(BaseModel):
    """A field of every type that a contract may have."""

    text: str = Field(max_length=20, pattern="^[a-z ]*$")
    count: int = 0
    share: float = 0
    flag: bool = False
    choice: Literal["yes", "no"] = "no"
    moment: datetime | None = None
    price: Decimal | None = None
    names: list[str] = []
    table: dict[str, int] = {}
    shape: Annotated[Circle | Square, Field(discriminator="kind")] | None = None
    either: Circle | Square | None = None


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(scalars, lambda some: st.lists(some) | st.dictionaries(st.text(), some), max_leaves=20)
fields = st.fixed_dictionaries({}, optional=dict.fromkeys(Everything.model_fields, values))


def outcome(data: bytes) -> Everything | BadInput:
    """What the reader makes of some bytes; anything but these two fails the test."""
    try:
        return parse(Everything, data)
    except BadInput as misfit:
        refused = misfit
    assert refused.code in ("bad_body", "invalid_field", "too_large")
    assert str(refused)
    return refused


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 100_000)
@example(b'{"a":' * 5_000 + b"1" + b"}" * 5_000)
@example(b'{"text": "\\ud83d"}')
@example(b"-")
@example(b"1" * 5_000)
@example(b'{"share": 1e999999999}')
@example(b"\x00")
def test_any_bytes_give_a_model_or_a_refusal(data):
    """Never another exception: it would fail the workflow task for ever."""
    outcome(data)


@given(values | fields)
def test_any_json_gives_a_model_or_a_refusal(value):
    """The same for what is JSON, or nearly: Python writes NaN and lone surrogates, too."""
    data = json.dumps(value).encode()
    read_in = outcome(data)
    if isinstance(read_in, Everything):
        assert set(value) <= set(Everything.model_fields)
        assert Everything.model_validate_json(read_in.model_dump_json()) == read_in


@given(st.builds(Everything, text=st.sampled_from(["", "fine"]), names=st.lists(st.text("abc"))))
def test_a_model_reads_what_it_wrote(model):
    """Strict, but not stricter than itself; only numbers and characters that no JSON reader shares are refused."""
    data = model.model_dump_json().encode()
    read_in = outcome(data)
    assert read_in == model or isinstance(read_in, BadInput)


BAD_FIELDS = [
    ("text", VALUE, "text"),
    ("text", [VALUE], "text"),
    ("text", VALUE + "\x00", "text"),
    ("count", VALUE, "count"),
    ("count", "7", "count"),
    ("count", 1.5, "count"),
    ("count", True, "count"),
    ("count", 2**63, ""),
    ("share", VALUE, "share"),
    ("flag", VALUE, "flag"),
    ("flag", 1, "flag"),
    ("choice", VALUE, "choice"),
    ("moment", VALUE, "moment"),
    ("price", VALUE, "price"),
    ("names", VALUE, "names"),
    ("names", ["fine", {"x": VALUE}], "names.1"),
    ("table", {"one": VALUE}, "table.one"),
    ("shape", VALUE, "shape"),
    ("shape", {"kind": VALUE}, "shape"),
    ("shape", {"kind": {"x": VALUE}}, "shape"),
    ("shape", {"kind": "square", "side": VALUE}, "shape.square.side"),
    ("shape", {"radius": VALUE}, "shape"),
    ("either", {"kind": VALUE, "side": VALUE}, "either.Circle.kind"),
    ("more", VALUE, "more"),
]


@pytest.mark.parametrize(("field", "value", "path"), BAD_FIELDS)
def test_a_refusal_names_the_field_and_never_the_value(field, value, path):
    """What was sent may be a secret, and the message goes to logs and histories."""
    refused = outcome(json.dumps({"text": "fine", field: value}).encode())

    assert isinstance(refused, BadInput)
    assert refused.field == path
    assert str(refused).startswith(path)
    assert VALUE not in str(refused)


@given(
    st.text(st.characters(categories=["Ll", "Lu", "Nd"]), min_size=12), st.sampled_from(list(Everything.model_fields))
)
def test_no_value_is_repeated_whatever_field_it_stands_in(value, field):
    """Drawn at random: long enough that no message has it by chance."""
    refused = outcome(json.dumps({"text": "fine", field: value}).encode())
    if isinstance(refused, BadInput):
        assert value not in str(refused)


def test_all_misfits_are_named_up_to_ten_and_the_rest_counted():
    """Who has to mend the input sees all that is wrong with it, within reason."""
    names = [1] * 12
    refused = outcome(json.dumps({"text": 5, "count": "x", "names": names, "extra": 1}).encode())

    assert str(refused).count(";") == 10
    assert "count: Input should be a valid integer" in str(refused)
    assert str(refused).endswith("; and 5 more")
    assert isinstance(refused, BadInput)
    assert refused.field == "text"


@pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
def test_depth_is_counted_in_arrays_and_objects(before, after):
    """32 levels are read, 33 are not."""

    class Anything(BaseModel):
        """One field that takes all."""

        table: object

    for deep, fits in ((DEPTH_LIMIT - 1, True), (DEPTH_LIMIT, False)):
        data = f'{{"table": {before * deep}1{after * deep}}}'.encode()
        if fits:
            parse(Anything, data)
        else:
            with pytest.raises(BadInput, match="deeper than 32 levels"):
                parse(Anything, data)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0])
def test_integers_of_64_bits_are_read(number):
    """The edges of what every reader and database holds."""
    assert parse(Everything, b'{"text": "", "count": %d}' % number).count == number


@pytest.mark.parametrize(
    "number",
    [str(2**63), str(-(2**63) - 1), "9" * 5_000, "-" + "9" * 20],
    ids=["over", "under", "very_long", "negative"],
)
def test_longer_integers_are_refused(number):
    """Another reader would round them."""
    with pytest.raises(BadInput, match="an integer over 64 bits"):
        parse(Everything, f'{{"text": "", "count": {number}}}'.encode())


def test_the_size_is_judged_first():
    """Ten megabytes are not parsed to be refused."""
    with pytest.raises(BadInput, match="10000000 bytes, at most 65536 are taken") as error:
        parse(Everything, b"x" * 10_000_000)
    assert error.value.code == "too_large"
    assert parse(Everything, b'{"text": ""' + b" " * (BODY_LIMIT - 12) + b"}").text == ""


@pytest.mark.parametrize(
    "args", [[], [1], [RawValue(Payload())], [RawValue(Payload())] * 2], ids=["none", "decoded", "no_encoding", "two"]
)
def test_what_is_not_exactly_one_json_payload_is_a_bad_body(args):
    """The reader takes payloads as they came, and judges their encoding itself."""
    with pytest.raises(BadInput) as error:
        read(Everything, args)
    assert error.value.code == "bad_body"


class Ruled(BaseModel):
    """Two fields, and a rule on both."""

    low: int
    high: int

    @model_validator(mode="after")
    def _ordered(self) -> Ruled:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


@pytest.mark.parametrize(
    ("value", "field", "said"),
    [
        ({"low": 2, "high": 1}, "body", "body: low is above high"),
        (
            {"low": "x", "hihg": 1},
            "body.low",
            "body.low: Input should be a valid integer; body.high: Field required; body.hihg: Extra inputs are not",
        ),
        ([], "body", "body: Input should be an object"),
        ({"low": 1, "high": float("nan")}, "body", "body: NaN is not JSON"),
        ({"low": 1, "high": "\0"}, "body.high", "body.high: a control character or a lone surrogate"),
        ({"low": 1, "high": "x" * BODY_LIMIT}, "body", "body: 65555 bytes, at most 65536 are taken"),
    ],
)
def test_every_path_of_a_part_begins_with_the_part(value, field, said):
    """None twice, none left out; and without it for whoever knows only the part."""
    with pytest.raises(BadInput) as refused:
        read_part(Ruled, value, "body")

    assert refused.value.field == field
    assert str(refused.value).startswith(said)
    assert seen_from("body", str(refused.value)).startswith(said.replace("body.", ""))
