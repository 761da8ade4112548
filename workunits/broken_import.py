"""Why somebody's module cannot be imported, in one sentence that names the line to mend."""

from __future__ import annotations

import traceback
from pathlib import Path

_SHOWN = 300


def why_not(module: str, error: BaseException) -> str:
    """Say what went wrong while a module was imported: `importing NAME fails at FILE:LINE: TYPE: WORDS`.

    Args:
        module: Its dotted name.
        error: What `importlib.import_module` raised for it.
    """
    if is_missing(module, error):
        return f"there is no module {module}, neither in this folder nor installed"
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    where = _where(module, error)
    return f"importing {module} fails{f' at {where}' if where else ''}: {type(error).__name__}: {said}"[:_SHOWN]


def is_missing(module: str, error: BaseException) -> bool:
    """Whether the module itself, or the package that it should be in, is not there."""
    return isinstance(error, ModuleNotFoundError) and bool(error.name) and f"{module}.".startswith(f"{error.name}.")


def _where(module: str, error: BaseException) -> str:
    """The last line of the module's own package that was run, else of any file that it led to."""
    if isinstance(error, SyntaxError) and error.filename and not error.filename.startswith("<"):
        return f"{_relative(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    begun = next((at for at, frame in enumerate(frames) if "importlib" in frame.filename), len(frames))
    theirs = [frame for frame in frames[begun:] if "importlib" not in frame.filename]
    top = module.partition(".")[0]
    own = [frame for frame in theirs if top in (*Path(frame.filename).parts, Path(frame.filename).stem)]
    last = (own or theirs)[-1:]
    return f"{_relative(last[0].filename)}:{last[0].lineno}" if last else ""


def _relative(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
