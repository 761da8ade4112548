"""Any value that a contract takes: drawn from the types and bounds of its fields, and kept if its validators agree."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, Union

from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic import BaseModel, StringConstraints, ValidationError

MOST = 3
"""Items of a list; a contract may allow more, and says the same of each."""
FIRST, LAST = date(1900, 1, 1), date(2100, 12, 31)
WRITTEN = st.characters(codec="utf-8", exclude_categories=("Cc", "Zs", "Zl", "Zp"))
"""What somebody writes. Python and pydantic do not agree which control characters are space."""
NUMBERS = {"ge": -(10**6), "le": 10**6}


@cache
def any_of(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Instances of a contract, read from the JSON that would come in."""
    fields = {name: _values(field.annotation, field.metadata) for name, field in model.model_fields.items()}
    return st.fixed_dictionaries(fields).map(lambda given: _read(model, given)).filter(lambda read: read is not None)


def _read(model: type[BaseModel], given: dict[str, Any]) -> BaseModel | None:
    try:
        return model.model_validate(given)
    except ValidationError:
        return None


def _values(annotation: Any, bounds: Iterable[Any] = ()) -> st.SearchStrategy[Any]:
    bounds = list(bounds)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _values(inner[0], [*inner[1:], *bounds])
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, types.UnionType):
        return st.one_of([_values(each, bounds) for each in inner])
    if origin in (tuple, list):
        return st.lists(_values(inner[0]), max_size=min(MOST, _said(bounds).get("max_length", MOST)))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any_of(annotation)
    return _plain(annotation, _said(bounds))


def _plain(kind: Any, said: dict[str, Any]) -> st.SearchStrategy[Any]:
    if kind in (int, float):
        low, high = kind(said.get("ge", NUMBERS["ge"])), kind(said.get("le", NUMBERS["le"]))
        drawn = st.integers(low, high) if kind is int else st.floats(low, high)
        return st.one_of(st.sampled_from((low, high)), drawn)
    if kind is str:
        return _text(said)
    if kind is date:
        return st.dates(said.get("ge", FIRST), LAST)
    if kind in (bool, type(None)):
        return st.from_type(kind)
    raise TypeError(f"no values are known of {kind}")


def _text(said: dict[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" in said:
        return st.from_regex(said["pattern"], fullmatch=True).filter(lambda text: "\n" not in text)
    low, high = said.get("min_length", 0), said.get("max_length", 100)
    # The longest too: what is put together of parts may be longer than its field.
    longest = ("long " * high)[:high].strip()
    return st.one_of(st.text(WRITTEN, min_size=low, max_size=min(high, 40)), st.just(longest))


def _said(bounds: Iterable[Any]) -> dict[str, Any]:
    """The bounds of a field, by the names that pydantic has for them."""
    said: dict[str, Any] = {}
    for each in bounds:
        if isinstance(each, Ge | Le | Gt | Lt | MinLen | MaxLen | Len | StringConstraints) or hasattr(each, "pattern"):
            said |= {name: value for name, value in _bounds_of(each).items() if value is not None}
    return said


def _bounds_of(bound: Any) -> dict[str, Any]:
    names = ("ge", "le", "gt", "lt", "min_length", "max_length", "pattern")
    return {name: getattr(bound, name) for name in names if hasattr(bound, name)}
