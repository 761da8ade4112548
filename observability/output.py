"""Where what is written goes: to stdout, or into a file that is there whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from workunits.core.errors import WorkUnitsError


class OutputExistsError(WorkUnitsError):
    """Something is at the path already."""


@contextmanager
def opened(target: Path | None, *, replace: bool = False) -> Iterator[BinaryIO]:
    """Open what is to be written; a file appears under its name when the block ends without an error.

    Only its owner can read it: it may hold personal data.

    Args:
        target: The file; None for stdout.
        replace: Whether a file that is there already is replaced.

    Raises:
        OutputExistsError: it is there, or is no file; nothing was written.
        OSError: the disk is full, or the folder is not there.
    """
    if target is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    _refuse(target, replace=replace)
    if not target.parent.is_dir():  # else the error would name the temporary file
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(target.parent))
    number, name = mkstemp(prefix=f".{target.name[:100]}.", suffix=".partial", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _refuse(target, replace=replace)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _refuse(target: Path, *, replace: bool) -> None:
    if target.is_dir():
        raise OutputExistsError("the output is a folder; name a file in it")
    if replace and (target.is_file() or not os.path.lexists(target)):
        return
    if os.path.lexists(target):
        remedy = "name another file, or replace it with --force" if target.is_file() else "name a file"
        raise OutputExistsError(f"the output exists already; {remedy}")
