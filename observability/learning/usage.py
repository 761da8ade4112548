"""Which steps' results a unit's procedure never uses, read from its source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from workunits.core.spec import Step
from workunits.core.unit import WorkUnit


class UnreadableError(Exception):
    """The source of the procedure is not there, or performs steps in a way that cannot be read off it."""


def unused_steps(unit: type[WorkUnit]) -> frozenset[str]:
    """The names of steps that are performed, and whose result no line of `work()` reads.

    A step counts only when every place that performs it drops the result, or gives it a name that is never read.

    Raises:
        UnreadableError: nobody can say.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(unit.work)))
    except (OSError, TypeError, SyntaxError):
        raise UnreadableError from None
    names = {attribute: step.name for attribute, step in _attributes(unit)}
    calls = [node for node in ast.walk(tree) if _performs(node)]
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    dropped = set(_dropped(tree, read))
    used: set[str] = set()
    unused: set[str] = set()
    for call in calls:
        step = _step(call)
        if step not in names:
            raise UnreadableError
        (unused if call in dropped else used).add(names[step])
    return frozenset(unused - used)


def _attributes(unit: type[WorkUnit]) -> Iterator[tuple[str, Step[Any, Any]]]:
    steps = list(unit.steps)
    for ancestor in unit.__mro__:
        for name, value in vars(ancestor).items():
            if any(value is step for step in steps):
                yield name, value


def _performs(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "perform"


def _step(call: ast.AST) -> str:
    first = call.args[0] if isinstance(call, ast.Call) and call.args else None
    return first.attr if isinstance(first, ast.Attribute) else ""


def _dropped(tree: ast.AST, read: set[str]) -> Iterator[ast.AST]:
    """Calls whose result goes nowhere."""
    for node in ast.walk(tree):
        named = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.Expr) or (isinstance(node, ast.Assign) and all(_unread(one, read) for one in named)):
            yield from _awaited(node.value)


def _awaited(value: ast.expr) -> Iterator[ast.AST]:
    if isinstance(value, ast.Await):
        yield value.value


def _unread(target: ast.expr, read: set[str]) -> bool:
    return isinstance(target, ast.Name) and target.id not in read
