"""What the four-element test asks of contracts: that a model reads what is written of it.

What a step is given and gives stands in a case's history under the fields' own names, and is read from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import AliasChoices, BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from .personal import inside, models_in

Lost = tuple[str, str]
"""What would not come back, and the remedy."""


def contract_problems(model: type[BaseModel], above: frozenset[type[BaseModel]] = frozenset()) -> Iterator[Lost]:
    """What of a model, or of those that it holds, would not come back."""
    if model in above:
        return
    for name, field in model.model_fields.items():
        for what, remedy in _lost(model, name, field):
            yield f"{model.__name__}.{name} {what}", remedy
        for inner in models_in(field.annotation):
            yield from contract_problems(inner, above | {model})


def _lost(model: type[BaseModel], name: str, field: FieldInfo) -> Iterator[Lost]:
    written, read = _names(model, name, field)
    if field.exclude is True:
        yield "is left out when it is written, and lacks when it is read", "Leave out exclude=True, or the field"
    elif any(kind in (SecretStr, SecretBytes) for kind in inside(field.annotation)):
        yield "is written as stars, and read as these", "Pass a reference to the secret, which a performer looks up"
    elif written not in read:
        what = f"is written as {written!r} and read as {', '.join(sorted(map(repr, read)))}"
        yield what, "Name the field as it is read, or write model_config = ConfigDict(populate_by_name=True)"


def _names(model: type[BaseModel], name: str, field: FieldInfo) -> tuple[str, set[Any]]:
    """The name under which a field is written, and those under which it is read."""
    config, alias = model.model_config, field.validation_alias or field.alias
    written = (field.serialization_alias or field.alias or name) if config.get("serialize_by_alias") else name
    read = set(alias.choices) if isinstance(alias, AliasChoices) else {alias or name}
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    return written, read | ({name} if by_name else set())
