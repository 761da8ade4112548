"""The strict reading of whatever comes from outside: a start argument, a message, a performer's result.

Python's own reader accepts NaN, integers of any length, lone surrogates and duplicate keys; each of these
breaks something further on (another reader, a database, a replay). Here they are refused at the door.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.common import RawValue

from .errors import BadInput
from .sealed import holds_sealed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

BODY_LIMIT = 64 * 1024
"""Bytes of a message to a case."""
VALUE_LIMIT = 512 * 1024
"""Bytes of a start argument, of what goes into a step and of what comes out; larger data goes by reference."""
DEPTH_LIMIT = 32
"""Nested arrays and objects."""
INTEGER_DIGITS = 20
"""No 64-bit integer is longer, its sign included."""
FAULTS_SHOWN = 10

_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def loads(data: bytes, within: str = "") -> Any:
    """Parse JSON that any reader would read the same way.

    Args:
        data: The bytes.
        within: The path of what is read, in whatever it is a part of.

    Raises:
        BadInput: NaN, Infinity, an integer over 64 bits, a duplicate key, a control character or lone
            surrogate, over 32 levels, or not JSON at all.
    """
    try:
        value = json.loads(
            data.decode(),
            parse_constant=_refuse_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
            object_pairs_hook=_parse_object,
        )
        _scan(value, within, DEPTH_LIMIT)
    except BadInput as error:
        if error.field or not within:
            raise
        raise BadInput(str(error), field=within, code=error.code) from None
    except (ValueError, RecursionError):
        # Named without its message: a parser's message repeats parts of the value.
        raise BadInput("not JSON (UTF-8, at most 32 levels deep)", field=within, code="bad_body") from None
    return value


def parse(model: type[M], data: bytes, *, limit: int = BODY_LIMIT, within: str = "") -> M:
    """Read JSON bytes as `model`: strict types, no unknown field.

    Args:
        model: The type.
        data: The bytes.
        limit: How many there may be.
        within: The path of what is read, in whatever it is a part of.

    Raises:
        BadInput: with the path and the expectation of each misfit.
    """
    if len(data) > limit:
        why = f"{len(data)} bytes, at most {limit} are taken; pass larger data by reference"
        raise BadInput(why, field=within, code="too_large")
    loads(data, within)
    try:
        return model.model_validate_json(data, strict=True, extra="forbid")
    except ValidationError as error:
        raise BadInput(_explain(error, within), field=_first_field(error, within)) from None


def read_part(model: type[M], value: Any, field: str) -> M:
    """Read a part of a message that was decoded already.

    Raises:
        BadInput: a misfit of `parse`; each field's path begins with `field`.
    """
    # As tight as it may have come in, so that nothing is measured as larger than it was.
    return parse(model, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), within=field)


def seen_from(root: str, said: str) -> str:
    """What a `BadInput` says, with paths that begin below `root`, for whoever knows only what is in it."""
    return re.sub(rf"(^|; ){re.escape(root)}\.", r"\1", said)


def read(model: type[M], args: Sequence[Any], *, limit: int = BODY_LIMIT) -> M:
    """Read exactly one raw argument as `model`.

    Raises:
        BadInput: none or several arguments, another encoding than JSON, or a misfit of `parse`.
    """
    if len(args) != 1 or not isinstance(args[0], RawValue):
        raise BadInput(f"expected one argument, got {len(args)}", code="bad_body")
    payload = args[0].payload
    if holds_sealed(*args):
        raise BadInput("it is sealed with a key that the worker does not have", code="bad_body")
    if payload.metadata.get("encoding") != b"json/plain":
        raise BadInput("expected the encoding json/plain", code="bad_body")
    return parse(model, payload.data, limit=limit)


def _explain(error: ValidationError, within: str) -> str:
    """Every misfit as `path: expectation`; the first one's path is the error's field."""
    faults = error.errors(include_url=False, include_input=False)
    said = [_expectation(fault) for fault in faults[:FAULTS_SHOWN]]
    shown = [f"{_path(fault['loc'], within)}: {words}" for fault, words in zip(faults, said, strict=False)]
    first = said[0] if _first_field(error, within) else shown[0]
    more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
    return "; ".join([first, *shown[1:]]) + more


def _expectation(fault: ErrorDetails) -> str:
    """What was expected, in pydantic's words; only those of an unknown tag would repeat the value."""
    if fault["type"] == "union_tag_invalid":
        return f"{fault['ctx']['discriminator']} should be one of {fault['ctx']['expected_tags']}"
    return fault["msg"].removeprefix("Value error, ")


def _first_field(error: ValidationError, within: str) -> str:
    loc = error.errors(include_url=False, include_input=False, include_context=False)[0]["loc"]
    return _path(loc, within) if loc else within


def _path(loc: tuple[int | str, ...], within: str) -> str:
    inside = (str(part)[:60] for part in loc)
    return ".".join([within, *inside] if within else inside) or "body"


def _refuse_constant(token: str) -> NoReturn:
    raise BadInput(f"{token.lstrip('-')} is not JSON", code="bad_body")


def _parse_int(token: str) -> int:
    if len(token) > INTEGER_DIGITS or not -(2**63) <= int(token) < 2**63:
        raise BadInput("an integer over 64 bits", code="invalid_field")
    return int(token)


def _parse_float(token: str) -> float:
    value = float(token)
    if value in (float("inf"), float("-inf")):
        raise BadInput("a number out of range", code="invalid_field")
    return value


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen = dict(pairs)
    if len(seen) != len(pairs):
        raise BadInput("an object names one of its keys twice", code="bad_body")
    return seen


def _scan(value: Any, path: str, depth: int) -> None:
    if isinstance(value, str):
        if _UNSAFE.search(value):
            raise BadInput("a control character or a lone surrogate", field=path)
    elif isinstance(value, dict):
        if depth == 0:
            raise BadInput(f"deeper than {DEPTH_LIMIT} levels", code="bad_body")
        for key, item in value.items():
            if _UNSAFE.search(key):
                raise BadInput("a control character or a lone surrogate in a key", field=path)
            _scan(item, f"{path}.{key}"[-120:].lstrip("."), depth - 1)
    elif isinstance(value, list):
        if depth == 0:
            raise BadInput(f"deeper than {DEPTH_LIMIT} levels", code="bad_body")
        for index, item in enumerate(value):
            _scan(item, f"{path}.{index}".lstrip("."), depth - 1)
