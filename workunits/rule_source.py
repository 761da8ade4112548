"""What a rule of a definition says, as a digest of its source: a rule that was changed is another definition.

A rule is a function that a unit declares, such as `risk=risk_of`. Its code is compared as a syntax tree, so that
layout, comments, docstrings and annotations do not matter, nor the version of Python. With it count the plain constants
that it names, and the functions that it calls in its own top package, also by way of a module or a class of it.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from operator import attrgetter, itemgetter, methodcaller
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

UNKNOWN = "?"
"""The digest of a rule whose source, or that of a function which it calls in its package, cannot be found."""
_CLOSED = (partial, attrgetter, itemgetter, methodcaller)
"""Made by a call, of which nothing is left to read."""

_SAYS_NOTHING = frozenset({"annotation", "returns", "type_comment", "kind", "ctx", "type_params"})
"""Fields of a syntax tree that do not change what the code does."""
_digests: WeakKeyDictionary[FunctionType, str] = WeakKeyDictionary()
"""Found once per function: its file may be edited while a process runs, and the process goes on with what it loaded."""


def digest(rule: Callable[..., Any]) -> str:
    """Twelve hex digits that change when what a rule says changes; `?` when its source cannot be found."""
    function = inspect.unwrap(rule)
    if not isinstance(function, FunctionType):
        return UNKNOWN
    if function not in _digests:
        found = _told(function, ())
        said = json.dumps(found, sort_keys=True)
        _digests[function] = UNKNOWN if found == UNKNOWN else hashlib.sha256(said.encode()).hexdigest()[:12]
    return _digests[function]


def _told(function: FunctionType, callers: Collection[FunctionType]) -> Any:
    """A function and what it names, as plain data."""
    nodes = _nodes(function)
    if not nodes:
        return UNKNOWN
    inside = (*callers, function)
    chains = {chain for node in nodes for chain in _chains(node) if chain[0] not in function.__code__.co_varnames}
    named = {".".join(chain): _said(_value(function, chain), function, inside) for chain in chains}
    if UNKNOWN in named.values():
        return UNKNOWN
    return {"code": [_plain(node) for node in nodes], "names": {name: said for name, said in named.items() if said}}


def _chains(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """All names in some code, and what is looked up by way of them: `limits` and `limits.MAX`."""
    for part in ast.walk(node):
        attributes: list[str] = []
        while isinstance(part, ast.Attribute):
            attributes.append(part.attr)
            part = part.value  # noqa: PLW2901 - down to the name that it begins with
        if isinstance(part, ast.Name):
            yield (part.id, *reversed(attributes))


def _value(function: FunctionType, chain: Sequence[str]) -> Any:
    """What a name in a function stands for; None where it leads through anything but modules and classes of its own."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    first, *rest = chain
    value = cells[first].cell_contents if first in cells else function.__globals__.get(first)
    for name in rest:
        holds = isinstance(value, ModuleType) or inspect.isclass(value)
        value = getattr(value, name, None) if holds and _top(value) == _top(function) else None
    return value


def _top(of: Any) -> str:
    return str(of.__name__ if isinstance(of, ModuleType) else of.__module__).partition(".")[0]


def _said(value: Any, function: FunctionType, callers: Collection[FunctionType]) -> Any:
    """What a function names, as plain data; None for neither a plain constant nor a function of its package."""
    if isinstance(value, _CLOSED):
        return UNKNOWN
    value = value.__func__ if isinstance(value, MethodType) else value
    if callable(value) and not isinstance(value, FunctionType | type):
        value = getattr(value, "__wrapped__", value)  # such as what `functools.cache` makes
    if isinstance(value, FunctionType):
        return _told(value, callers) if _top(value) == _top(function) and value not in callers else None
    return _constant(value)


def _constant(value: object) -> str | None:
    """A plain constant as text that is the same in every process; None for anything else."""
    if isinstance(value, str | int | float | Decimal | date | timedelta):
        return repr(value)
    if isinstance(value, dict):
        value = tuple(value.items())
    if not isinstance(value, tuple | list | set | frozenset):
        return None
    parts = [_constant(part) or "" for part in value]
    return f"[{', '.join(sorted(parts) if isinstance(value, set | frozenset) else parts)}]"


def _nodes(function: FunctionType) -> list[ast.AST]:
    """Where a function stands in its file; several lambdas when nothing tells them apart, none when it is not found."""
    code = function.__code__
    try:
        lines, _ = inspect.findsource(function)
        tree = _parsed("".join(lines))
    except (OSError, TypeError, SyntaxError):
        return []
    here = [node for node in ast.walk(tree) if _begins(node) == code.co_firstlineno]
    if code.co_name != "<lambda>":
        return [node for node in here if getattr(node, "name", "") == code.co_name][:1]
    around = [node for node in here if isinstance(node, ast.Lambda) and _holds(node, code)]
    inner = [one for one in around if not any(one is not other and other in ast.walk(one) for other in around)]
    return list(inner)


@lru_cache(maxsize=64)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _begins(node: ast.AST) -> int | None:
    """The first line of a function, decorators included; None for any other part of a file."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return min(part.lineno for part in (node, *node.decorator_list))
    return node.lineno if isinstance(node, ast.Lambda) else None


def _holds(node: ast.Lambda, code: CodeType) -> bool:
    """Whether all of some code comes from a lambda's body; also where Python was told to keep no columns."""
    body = node.body
    first, last = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    return all(
        first <= (line, column) and (end_line, end_column) <= last
        for line, end_line, column, end_column in code.co_positions()
        # What sets the frame up has a position of no width.
        if line
        and end_line
        and column is not None
        and end_column is not None
        and (line, column) != (end_line, end_column)
    )


def _plain(part: object) -> Any:
    """A part of a syntax tree as plain data, the same for every version of Python."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, ast.AST):
        return repr(part)
    fields = dict(ast.iter_fields(part))
    if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(part) is not None:
        fields["body"] = part.body[1:]
    told = {
        name: _plain(value) for name, value in fields.items() if name not in _SAYS_NOTHING and value not in (None, [])
    }
    return {"": type(part).__name__, **told}
