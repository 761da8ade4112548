"""A case's data as people read it: nested, typed, in words; never as raw JSON, and never as markup."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from inbox.money import shown
from inbox.shapes import Shape, words

Kind = Literal["text", "long", "none", "number", "yes", "no", "moment", "link", "group", "list", "table"]
_LONG_FROM = 90
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*(Z|[+-]\d{2}:\d{2})")
_COLUMNS = 6
"""A table with more is read more easily as a list."""


@dataclass(frozen=True, slots=True)
class Item:
    """One value, with its name."""

    label: str
    kind: Kind
    text: str = ""
    hint: str = ""
    moment: datetime | None = None
    inside: tuple[Item, ...] = ()
    """Of a group its fields, of a list its items, of a table its rows."""


def readable(data: Any, shape: Shape | None = None, label: str = "") -> Item:
    """Say a value.

    Args:
        data: Any JSON value.
        shape: What it is, where the catalog knows; guessed from the value otherwise.
        label: Its name.
    """
    hint = shape.hint if shape else ""
    return replace(_item(data, shape, label or (shape.label if shape else "")), hint=hint)


def safe_link(text: str) -> str:
    """The address in a text that is one and leads to the web; empty for everything else."""
    if any(sign.isspace() or not sign.isprintable() for sign in text):
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in ("http", "https") and parts.netloc and "\\" not in text else ""


def _item(data: Any, shape: Shape | None, label: str) -> Item:
    if data is None or data in ("", [], {}):
        return Item(label, "none", "\N{EN DASH}")
    if isinstance(data, bool):
        return Item(label, "yes" if data else "no", "Yes" if data else "No")
    if isinstance(data, int | float):
        return Item(label, "number", _number(data))
    if isinstance(data, Mapping):
        return _mapping(data, shape, label)
    if isinstance(data, Sequence) and not isinstance(data, str):
        return _sequence(data, shape, label)
    return _text(str(data), shape, label)


def _text(text: str, shape: Shape | None, label: str) -> Item:
    when = _when(text)
    if isinstance(when, datetime):
        return Item(label, "moment", text, moment=when)
    if safe_link(text):
        return Item(label, "link", text)
    if shape is not None and shape.kind == "choice":
        text = words(text)
    elif when is not None:
        text = f"{when.day} {when:%B %Y}"
    return Item(label, "long" if len(text) > _LONG_FROM or "\n" in text else "text", text)


def _when(text: str) -> date | None:
    """The day or the moment that a text is; None for all others."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        return datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        return None


def _mapping(data: Mapping[str, Any], shape: Shape | None, label: str) -> Item:
    minor, currency = data.get("minor"), data.get("currency")
    if set(data) == {"minor", "currency"} and isinstance(minor, int) and isinstance(currency, str):
        return Item(label, "number", shown(minor, currency))
    known = {field.name: field for field in shape.inside} if shape else {}
    fields = (readable(value, known.get(str(key)), words(str(key))) for key, value in data.items())
    return Item(label, "group", inside=tuple(fields))


def _sequence(data: Sequence[Any], shape: Shape | None, label: str) -> Item:
    of = shape.inside[0] if shape and shape.inside else None
    items = tuple(readable(value, of) for value in data)
    if len(items) > 1 and all(item.kind == "group" for item in items):
        heads = {tuple(field.label for field in item.inside) for item in items}
        flat = all(field.kind not in ("group", "list", "table") for item in items for field in item.inside)
        if len(heads) == 1 and flat and len(next(iter(heads))) <= _COLUMNS:
            return Item(label, "table", inside=items)
    return Item(label, "list", inside=items)


def _number(value: float) -> str:
    said = f"{value:,}" if isinstance(value, int) else f"{value:,.6f}".rstrip("0").rstrip(".")
    return said.replace(",", "\N{NARROW NO-BREAK SPACE}")
