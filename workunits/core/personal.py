"""Personal data: which fields of a case type say something of a person, and a copy of a case without them.

A contract marks a field: `full_name: Annotated[str, PERSONAL]`. What the runtime writes in clear never holds
such a field (`facts`), and whoever exports or forgets a case leaves them out.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Final, TypeGuard

from pydantic import AliasChoices, BaseModel, RootModel
from pydantic.fields import FieldInfo


class Personal:
    """The mark of a field that says something of a person."""


PERSONAL: Final = Personal()


def personal_fields(model: type[BaseModel]) -> frozenset[str]:
    """The dotted paths of all marked fields, those of nested models included.

    Those of a model that holds itself are named where it first comes.
    """
    return frozenset(_marked(model, "", frozenset()))


def without_personal(model: type[BaseModel], data: Any) -> Any:
    """A copy of a case, as JSON values, without its marked fields.

    What the model does not know is left out, too: nobody has said that it is not personal.
    """
    return _stripped([model], data) if isinstance(data, dict) else None


def _marked(model: type[BaseModel], path: str, above: frozenset[type[BaseModel]]) -> Iterator[str]:
    if model in above:  # a model that holds itself
        return
    for name, field in model.model_fields.items():
        here = path.rstrip(".") if issubclass(model, RootModel) else f"{path}{name}"
        if _is_personal(field):
            yield here
            continue
        for inner in models_in(field.annotation):
            yield from _marked(inner, f"{here}.", above | {model})


def _is_personal(field: FieldInfo) -> bool:
    """Whether the mark is on the field, or on what it may hold: `Annotated[str, PERSONAL] | None`."""
    return any(isinstance(mark, Personal) for mark in (*field.metadata, *inside(field.annotation)))


def inside(annotation: Any, above: tuple[Any, ...] = ()) -> Iterator[Any]:
    """An annotation and all that it is made of, the marks included; not what its models are made of."""
    if any(annotation is one for one in above):  # an alias that stands for itself, such as that of any JSON
        return
    yield annotation
    root = _root(annotation)
    if root is not None:
        yield from root.metadata
    for inner in (*typing.get_args(annotation), getattr(annotation, "__value__", None), root and root.annotation):
        if inner is not None:
            yield from inside(inner, (*above, annotation))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold, also inside lists, unions and the like."""
    for inner in inside(annotation):
        if _is_model(inner):
            yield inner


def _stripped(kinds: Sequence[Any], data: Any) -> Any:
    """A value without what is marked in any of the types that it may be of."""
    if isinstance(data, list):
        items = [kind for one in kinds if not _is_model(one) for kind in _arguments(one)]
        return [_stripped(items or kinds, item) for item in data]
    models = [kind for kind in kinds if _is_model(kind)]
    mapped = [_arguments(kind) for kind in kinds if _is_mapping(kind)]
    if not isinstance(data, dict) or not (models or mapped):
        return data
    fields: dict[str, list[FieldInfo]] = {}
    for model in models:
        for name, field in model.model_fields.items():
            for called in _names(name, field):
                fields.setdefault(called, []).append(field)
    kept: dict[str, Any] = {}
    for key, value in data.items():
        known = fields.get(key, [])
        if any(_is_personal(field) for field in known) or not (known or mapped):
            continue
        inner = [kind for field in known for kind in _kinds(field.annotation)]
        kept[key] = _stripped([*inner, *(kind for kinds in mapped for kind in kinds)], value)
    return kept


def _kinds(annotation: Any, above: tuple[Any, ...] = ()) -> Iterator[Any]:
    """The types that a value may be of, one by one."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    root = _root(annotation)
    inner: tuple[Any, ...] = ()
    if root is not None:
        inner = (root.annotation,)
    elif origin is typing.Annotated:
        inner = arguments[:1]
    elif origin in (typing.Union, UnionType):
        inner = arguments
    elif hasattr(annotation, "__value__"):
        inner = (annotation.__value__,)
    else:
        yield annotation
    if not any(annotation is one for one in above):
        for one in inner:
            yield from _kinds(one, (*above, annotation))


def _arguments(kind: Any) -> list[Any]:
    """What the items of a list, or the values of a mapping, may be of."""
    arguments = typing.get_args(kind)
    return [inner for one in (arguments[1:] if _is_mapping(kind) else arguments) for inner in _kinds(one)]


def _is_mapping(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _root(kind: Any) -> FieldInfo | None:
    """The only field of a model whose JSON is that field's."""
    return kind.model_fields.get("root") if _is_model(kind) and issubclass(kind, RootModel) else None


def _names(name: str, field: FieldInfo) -> Iterator[str]:
    """The keys under which JSON may have a field."""
    yield name
    aliases = field.validation_alias
    for alias in aliases.choices if isinstance(aliases, AliasChoices) else (aliases, field.alias):
        if isinstance(alias, str):
            yield alias
