"""The class that `workunits check` is pointed at: `acme.unit:Leave`, or `acme/unit.py:Leave`."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
import re
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from workers.console import Exit, fail
from workunits.broken_import import is_missing, why_not
from workunits.core.errors import DefinitionError
from workunits.core.gate_workflow import is_workflow
from workunits.core.unit import WorkUnit

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_SHOWN = 80


def find_class(target: str) -> type[Any]:
    """Import the class of a target; its module may lie in the current folder.

    Raises:
        CommandError: the target names no class, or its module cannot be imported; says why.
        DefinitionError: a unit of the module has unresolved design decisions.
    """
    place, colon, name = target.rpartition(":")
    module = import_module(place if colon else target)
    if not name or not colon:
        _without_class(module, place or target)
    found: Any = module
    for part in name.split("."):
        inside, found = found, getattr(found, part, None)
        if found is None:
            _no_class(inside, module.__name__, name)
    if not inspect.isclass(found):
        fail(f"{_short(target)} is no class{_offer(module)}", code="no_class", field="target")
    return found


def import_module(place: str) -> types.ModuleType:
    """Import a module by its name or by the path of its file.

    Raises:
        CommandError: there is none, or importing it fails; names the line.
        DefinitionError: a unit in it has unresolved design decisions.
    """
    name = _name_of_file(Path(place)) if place.endswith(".py") or "/" in place else place
    if not _MODULE.fullmatch(name):
        fail("name a class as module:Class, such as acme.unit:Leave", code="bad_target", field="target")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last: it must not hide what is installed
    try:
        # What a module prints while it is imported must not mix with our one document on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except DefinitionError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001, a module may do anything
        if isinstance(error, ModuleNotFoundError) and error.name and is_missing(name, error):
            absent = f"there is no module {_short(error.name)}, neither in this folder nor installed"
            fail(absent, code="no_module", field="target")
        fail(why_not(name, error), code="import_failed", exit_code=Exit.FINDING, field="target")


def _name_of_file(path: Path) -> str:
    """The dotted name of a file, with the folder above its topmost package put on the path."""
    if not path.is_file():
        fail(f"there is no file {_short(str(path))}", code="no_file", field="target")
    path = path.resolve()
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").exists():
        names, folder = [folder.name, *names], folder.parent
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return ".".join(names[:-1] if path.stem == "__init__" else names)


def _without_class(module: types.ModuleType, place: str) -> NoReturn:
    offers = _candidates(module)
    example = f"{_short(place)}:{offers[0]}" if offers else f"{_short(place)}:Class"
    fail(f"name the class, too: {example}", code="bad_target", field="target")


def _no_class(inside: object, module: str, name: str) -> NoReturn:
    classes = [n for n, member in vars(inside).items() if inspect.isclass(member)]
    near = difflib.get_close_matches(name, classes, n=1, cutoff=0.6)
    offer = f"; did you mean {near[0]}?" if near else _offer(inside)
    fail(f"{module} has no class {_short(name)}{offer}", code="no_class", field="target")


def _offer(module: object) -> str:
    candidates = _candidates(module)
    return f"; it has {', '.join(candidates[:5])}" if candidates else ""


def _candidates(module: object) -> list[str]:
    """The units and workflows that a module itself holds."""
    found: Iterable[tuple[str, Any]] = vars(module).items()
    return [
        name
        for name, member in found
        if inspect.isclass(member)
        and member.__module__ == getattr(module, "__name__", "")
        and (issubclass(member, WorkUnit) or is_workflow(member))
    ]


def _short(text: str) -> str:
    said = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return "".join(sign if sign.isprintable() else "?" for sign in said)
