"""A package of the user's own, with one unit: written from the templates beside this file."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from workers.console import Exit, fail

TEMPLATE = Path(__file__).parent / "templates" / "package"
PLACEHOLDER = "your_package"
"""What the templates call the package: a name that Python accepts, so that they read as code."""
OURS = ("activities", "bench", "inbox", "observability", "tests", "workers", "workunits")
"""Names that would hide a module of ours, or be hidden by it."""
_TOLERATED = (".git", ".idea", ".venv", ".vscode", "venv")
"""Folders that people make before they begin."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SHOWN = 5


@dataclass(frozen=True)
class Scaffold:
    """What was written."""

    folder: Path
    name: str
    files: tuple[str, ...]


def write_package(folder: Path, name: str = "") -> Scaffold:
    """Write the package into a new or empty folder.

    Args:
        folder: Where; made when it is not there.
        name: The package's name; that of the folder when empty.

    Raises:
        CommandError: the folder has files, or the name cannot be a package's.
    """
    name = name or _name_of(folder)
    check_name(name)
    _check_empty(folder)
    sources = sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    written = []
    for source in sources:
        target = Path(str(source.relative_to(TEMPLATE)).replace(PLACEHOLDER, name))
        text = source.read_text(encoding="utf-8").replace(PLACEHOLDER, name)
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        with (folder / target).open("x", encoding="utf-8") as file:
            file.write(text)
        written.append(target.as_posix())
    return Scaffold(folder, name, tuple(written))


def check_name(name: str) -> None:
    """Refuse a name that Python or another package would stumble over.

    Raises:
        CommandError: says why.
    """
    if not _NAME.fullmatch(name):
        _refuse("use lower_case_words: at most 40 letters, digits and _, a letter first")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        _refuse("it is a word of Python itself; choose another")
    if name in sys.stdlib_module_names:
        _refuse("a module of Python's library has this name; choose another")
    if name in OURS:
        _refuse(f"one of our own modules has this name ({', '.join(OURS)}); choose another")
    if name == PLACEHOLDER:
        _refuse("it is a placeholder; choose a name of your own")
    if _installed(name):
        _refuse("an installed package has this name; choose another")


def _refuse(why: str) -> None:
    fail(f"the package's name (--name): {why}", code="bad_name", field="--name")


def _installed(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None  # a mere folder has no origin


def _name_of(folder: Path) -> str:
    """The folder's name as a package's, as far as it can be one."""
    return re.sub(r"[^a-z0-9]+", "_", folder.resolve().name.lower()).strip("_")


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        fail("it is a file; name a new or an empty folder", code="not_empty", exit_code=Exit.CONFLICT, field="DIR")
    there = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    there = [name for name in there if name not in _TOLERATED]
    if there:
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        fail(
            f"the folder is not empty: it has {', '.join(there[:_SHOWN])}{more}; name a new or an empty one",
            code="not_empty",
            exit_code=Exit.CONFLICT,
            field="DIR",
        )
