"""Which names the code of a class uses: its methods, and the functions that stand in the same file."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

_OURS = "workunits.core."


def names_in_code(cls: type[Any]) -> set[str]:
    """Every name that is read in the class's own code, also as an attribute: `self.DECIDE` reads `DECIDE`."""
    bases = [base for base in cls.__mro__ if base is not object and not base.__module__.startswith(_OURS)]
    members = [member for base in bases for member in vars(base).values()]
    file = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    members += [m for m in file.values() if isinstance(m, FunctionType) and m.__module__ == cls.__module__]
    return {name for member in members for code in _codes_of(member) for name in _names(code)}


def is_in_place(cls: type[Any]) -> bool:
    """Whether the class can be found in its module: while it is being made, what stands below it is not there yet."""
    found: Any = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls


def _codes_of(member: object) -> Iterator[CodeType]:
    if isinstance(member, staticmethod | classmethod):
        member = member.__func__
    accessors = (member.fget, member.fset, member.fdel) if isinstance(member, property) else (member,)
    for function in accessors:
        plain = inspect.unwrap(function) if isinstance(function, FunctionType) else function
        if isinstance(plain, FunctionType):
            yield plain.__code__


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
