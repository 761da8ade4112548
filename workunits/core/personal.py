"""Personal data: which fields of a case type say something of a person, and a copy of a case without them.

A contract marks a field: `full_name: Annotated[str, PERSONAL]`. What the runtime writes in clear never holds
such a field (`facts`), and whoever exports or forgets a case leaves them out.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel


class Personal:
    """The mark of a field that says something of a person."""


PERSONAL: Final = Personal()


def personal_fields(model: type[BaseModel]) -> frozenset[str]:
    """The dotted paths of all marked fields, those of nested models included."""
    return frozenset(_marked(model, "", frozenset()))


def without_personal(model: type[BaseModel], data: Any) -> Any:
    """A copy of a case, as JSON values, without its marked fields."""
    return _stripped(data, personal_fields(model), "")


def _marked(model: type[BaseModel], path: str, above: frozenset[type[BaseModel]]) -> Iterator[str]:
    if model in above:  # a model that holds itself
        return
    for name, field in model.model_fields.items():
        here = f"{path}{name}"
        if any(isinstance(mark, Personal) for mark in field.metadata):
            yield here
            continue
        for inner in _models(field.annotation):
            yield from _marked(inner, f"{here}.", above | {model})


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold, also inside lists, unions and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models(inner)


def _stripped(data: Any, marked: frozenset[str], path: str) -> Any:
    if isinstance(data, dict):
        kept = {name: value for name, value in data.items() if f"{path}{name}" not in marked}
        return {name: _stripped(value, marked, f"{path}{name}.") for name, value in kept.items()}
    if isinstance(data, list):
        return [_stripped(item, marked, path) for item in data]
    return data
