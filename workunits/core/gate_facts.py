"""How the four-element test judges a single fact: whatever stands there, it answers and never raises."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeGuard

from pydantic import BaseModel

from .spec import Elapsed

Found = tuple[str, str, str]
"""Field, what is wrong with it, and the remedy."""

LONGEST = timedelta(days=3650)
"""Ten years: a longer budget is a slip, and far longer ones have no due date that a calendar can show."""
_PLACEHOLDER = re.compile(
    r"[-?x]+|all|any(body|one)|every(body|one)|n/?a|no ?(body|one)|none|some(body|one)|tb[acd]|todo|unknown"
)
_MACHINE = re.compile(
    r"(the )?(ai|algorithm|automation|bot|code|computer|llm|machine|model|robot|script|software|system|workflow)"
)


def fact(cls: type[Any], name: str) -> Any:
    """What a class declares under a name; None when it declares nothing, or cannot say."""
    try:
        return getattr(cls, name, None)
    except Exception:  # noqa: BLE001, a metaclass of someone's may do anything
        return None


def declares(cls: type[Any], name: str) -> bool:
    """Whether a class or one of its bases has a member of that name."""
    return any(name in vars(base) for base in cls.__mro__)


def is_model(candidate: object) -> TypeGuard[type[BaseModel]]:
    """Whether it is a pydantic model with fields of its own."""
    return inspect.isclass(candidate) and issubclass(candidate, BaseModel) and candidate is not BaseModel


def text(candidate: object) -> str | None:
    """The text that stands there; None for anything else."""
    return candidate if isinstance(candidate, str) else None


def is_text(candidate: object) -> bool:
    """Whether it says anything."""
    return isinstance(candidate, str) and bool(candidate.strip())


def is_role(candidate: object) -> bool:
    """Whether it names a role that people have, and is no placeholder."""
    if not isinstance(candidate, str):
        return False
    said = candidate.strip().casefold()
    return bool(said) and not _PLACEHOLDER.fullmatch(said) and not _MACHINE.fullmatch(said)


def is_number(candidate: object) -> TypeGuard[int | float]:
    """Whether it is a finite number, and not a truth value."""
    if isinstance(candidate, bool) or not isinstance(candidate, int | float):
        return False
    return isinstance(candidate, int) or math.isfinite(candidate)


def count(candidate: object) -> int | None:
    """The whole number that stands there; None for anything else, truth values too."""
    return candidate if isinstance(candidate, int) and not isinstance(candidate, bool) else None


def members(candidate: object) -> tuple[Any, ...] | None:
    """The members of a tuple or list; None for anything else, such as one fact that lacks its comma."""
    return tuple(candidate) if isinstance(candidate, tuple | list) else None


def mapping(candidate: object) -> Mapping[Any, Any] | None:
    """What is mapped to what; None when nothing is."""
    return candidate if isinstance(candidate, Mapping) else None


def is_function(candidate: object) -> bool:
    """Whether it can be called and answers at once: what an async one gives would always count as true."""
    return callable(candidate) and not inspect.iscoroutinefunction(candidate)


def shown(candidate: object) -> str:
    """Name a value in a message: a short text as it is, anything else by its type."""
    if isinstance(candidate, str) and len(candidate) <= 40:  # noqa: PLR2004, longer than any name that fits
        return repr(candidate)
    return name_of(candidate)


def name_of(candidate: object) -> str:
    """The name of a class, or of a value's type."""
    return candidate.__name__ if inspect.isclass(candidate) else type(candidate).__name__


def budget(field: str, given: object, missing: str, example: str) -> Iterator[Found]:
    """Judge a time budget, such as an SLA."""
    remedy = f"Write {example}"
    if given is None:
        yield field, missing, remedy
    elif isinstance(given, timedelta):
        yield field, "a bare timedelta does not say whether nights and weekends count", remedy
    elif not isinstance(given, Elapsed) or not isinstance(given.span, timedelta):
        yield field, f"{name_of(given)} is no time budget", remedy
    elif given.span <= timedelta(0):
        yield field, "the budget is not positive", remedy
    elif given.span > LONGEST:
        yield field, "the budget is longer than ten years", remedy
