"""Which build a worker is: a hash of the code that open cases are replayed on."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import workunits.core
from workunits.registry import Catalog

EMBEDDED = "embedded"
"""The build of every worker on the embedded engine: there, an edited unit goes on with the cases it had."""


def build_id(catalog: Catalog) -> str:
    """Twelve hex digits that change with the files of the units, of their contracts and of the core."""
    digest = hashlib.sha256()
    modules = {unit.__module__ for unit in catalog} | set(catalog.contracts) | {workunits.core.__name__}
    for module in sorted(modules):
        for name, path in sorted(_files(module)):
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _files(module: str) -> Iterator[tuple[str, Path]]:
    """The source files of a module, or of a package and all that lies in it, with names that hold on any machine."""
    loaded = sys.modules.get(module) or importlib.import_module(module)
    if hasattr(loaded, "__path__"):
        for folder in loaded.__path__:
            for path in Path(folder).rglob("*.py"):
                yield f"{module}/{path.relative_to(folder).as_posix()}", path
    elif loaded.__file__:
        yield module, Path(loaded.__file__)
