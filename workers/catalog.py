"""The catalog as this process sees it: our own package, the installed ones, and those that were named."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from workunits.registry import Catalog, Package, discover
from workunits.units import UNITS

OWN = Package(
    "workunits",
    UNITS,
    contracts=("workunits.contracts",),
    performers=("activities",),
    calendars=("workunits.calendars",),
    published="workunits.catalog",
)


def load_catalog(modules: Iterable[str] = (), allowed: Iterable[str] | None = None) -> Catalog:
    """Put the catalog together.

    Args:
        modules: Modules with a `PACKAGE`; they may lie in the current folder.
        allowed: Names of the installed entry points that may be loaded; all when omitted.

    Raises:
        CatalogError: one cannot be loaded, or two units share a name.
        DefinitionError: a unit has unresolved design decisions.
    """
    modules = tuple(modules)
    here = str(Path.cwd())
    if modules and here not in sys.path:
        # Last: a folder that happens to be called `activities` must not take the place of ours.
        sys.path.append(here)
    return discover([OWN], modules, allowed=allowed)
