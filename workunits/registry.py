"""The catalog: the units of this repository and of every installed package that offers some.

A package offers units through an entry point of the group `workunits.packages`, or is named on the command line::

    [project.entry-points."workunits.packages"]
    acme = "acme.package:PACKAGE"
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import json
import types
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Any

from workunits.broken_import import is_missing, why_not
from workunits.core.errors import WorkUnitsError
from workunits.core.unit import WorkUnit
from workunits.described import describe as describe  # noqa: PLC0414 - found here since before it had a file

ENTRY_POINTS = "workunits.packages"
_STATED = ("name", "published", "units", "contracts", "performers", "calendars")


@dataclass(frozen=True, slots=True)
class Package:
    """What someone's package offers."""

    name: str
    units: tuple[type[WorkUnit], ...]
    contracts: tuple[str, ...]
    """Its modules of pydantic models, which pass through the sandbox."""
    performers: tuple[str, ...]
    """Its modules or packages with the functions that perform the machine steps."""
    calendars: tuple[str, ...] = ()
    """Its packages that bring published calendars, as `NAME/VERSION.toml`."""
    published: str = ""
    """Its package that keeps the published definitions, as `published/UNIT/VERSION.json`; see docs/governance.md."""


class UnknownUnitError(WorkUnitsError):
    """There is no such unit in the catalog."""


class CatalogError(WorkUnitsError):
    """The catalog cannot be put together."""


class Catalog:
    """All units by name, and what a worker needs to run them."""

    def __init__(self, packages: Iterable[Package]) -> None:
        """Put packages together.

        Raises:
            CatalogError: two units share a name.
        """
        self.packages = tuple(packages)
        self._units: dict[str, type[WorkUnit]] = {}
        for package in self.packages:
            for unit in package.units:
                if unit.unit_name in self._units:
                    other = self._units[unit.unit_name]
                    raise CatalogError(
                        f"two units are named {unit.unit_name!r}: {_where(other)} and {_where(unit)}; rename one"
                    )
                self._units[unit.unit_name] = unit

    def __iter__(self) -> Iterator[type[WorkUnit]]:
        """The units, in the order of their packages."""
        return iter(self._units.values())

    def __len__(self) -> int:
        """How many units there are."""
        return len(self._units)

    def __contains__(self, name: str) -> bool:
        """Whether there is a unit of that name."""
        return name in self._units

    def get(self, name: str) -> type[WorkUnit]:
        """Find a unit.

        Raises:
            UnknownUnitError: names the nearest ones.
        """
        unit = self._units.get(name)
        if unit is None:
            near = difflib.get_close_matches(name, self._units, n=3, cutoff=0.4) or sorted(self._units)[:5]
            raise UnknownUnitError(f"there is no such unit; did you mean {' or '.join(near) or 'nothing'}?")
        return unit

    def package_of(self, name: str) -> Package:
        """The package that a unit belongs to.

        Raises:
            UnknownUnitError: names the nearest ones.
        """
        unit = self.get(name)
        return next(package for package in self.packages if unit in package.units)

    def only(self, names: Collection[str]) -> Catalog:
        """The same packages with only some of their units."""
        kept = ([unit for unit in package.units if unit.unit_name in names] for package in self.packages)
        return Catalog(replace(p, units=tuple(units)) for p, units in zip(self.packages, kept, strict=True))

    @property
    def contracts(self) -> tuple[str, ...]:
        """The modules that pass through the sandbox."""
        return tuple(dict.fromkeys(module for package in self.packages for module in package.contracts))

    @property
    def performers(self) -> tuple[str, ...]:
        """The modules that hold the performers."""
        return tuple(dict.fromkeys(module for package in self.packages for module in package.performers))

    @property
    def calendars(self) -> tuple[str, ...]:
        """The packages that bring calendars."""
        return tuple(dict.fromkeys(module for package in self.packages for module in package.calendars))


def discover(
    own: Sequence[Package],
    modules: Iterable[str] = (),
    *,
    installed: bool = True,
    allowed: Iterable[str] | None = None,
) -> Catalog:
    """Find all packages: ours, the installed ones, and those named.

    Args:
        own: The packages of this repository.
        modules: Modules with a `PACKAGE`.
        installed: Whether to look at entry points.
        allowed: Which of them, by name, may be loaded: nothing of another one is imported; all when omitted.

    Raises:
        CatalogError: one cannot be loaded or used, or two share a name; says which and why.
        DefinitionError: a unit has unresolved design decisions.
    """
    found = {package.name: (package, "this repository") for package in own}
    names = None if allowed is None else frozenset(allowed)
    there = [e for e in entry_points(group=ENTRY_POINTS) if names is None or e.name in names] if installed else []
    offered = [(f"entry point {e.name!r}", e.value) for e in there]
    for where, target in [*offered, *((f"--module {module}", f"{module}:PACKAGE") for module in modules)]:
        package = _load(where, target)
        before, of = found.setdefault(package.name, (package, where))
        if before != package:  # the same one may be installed and named, too
            raise CatalogError(f"two packages are named {package.name!r}: that of {of} and that of {where}; rename one")
    return Catalog(package for package, _ in found.values())


def _load(where: str, target: str) -> Package:
    module, _, attribute = target.partition(":")
    package = getattr(_import(where, module), attribute or "PACKAGE", None)
    if not isinstance(package, Package):
        raise CatalogError(f"{where}: {module} has no PACKAGE = Package(...) from workunits.registry")
    misfit = _misfit(package)
    if misfit:
        raise CatalogError(f"{where}: PACKAGE.{misfit}")
    for contracts in package.contracts:  # a build is made of their files, and the sandbox lets their names through
        _import(f"{where}: PACKAGE.contracts", contracts)
    return package


def _import(where: str, module: str) -> types.ModuleType:
    try:
        return importlib.import_module(module)
    except WorkUnitsError:
        raise
    except Exception as error:
        remedy = "mend the name" if is_missing(module, error) else "mend that line"
        raise CatalogError(f"{where}: {why_not(module, error)}; {remedy}") from error


def _misfit(package: Package) -> str:
    """The first thing in a package that cannot be used, as `field: what is wrong and what to write`."""
    stated: dict[str, Any] = {field: getattr(package, field) for field in _STATED}
    name, published = stated.pop("name"), stated.pop("published")
    if not isinstance(name, str) or not name.strip():
        return 'name: it has no name; write Package("acme", ...)'
    stated["published"] = [published] if published != "" else ()
    for field, given in stated.items():
        if not isinstance(given, tuple | list):
            return f"{field}: {type(given).__name__} is no tuple; a tuple of one has a comma: (it,)"
        if field == "units" and not all(isinstance(unit, type) and issubclass(unit, WorkUnit) for unit in given):
            return "units: a member is no class that derives from WorkUnit"
        if field != "units" and not all(isinstance(module, str) and module for module in given):
            return f'{field}: a member is no name of a module; write it in quotes, such as "acme.{field}"'
    for unit in package.units:
        if any(f"{unit.__module__}.".startswith(f"{name}.") for name in package.contracts):
            # What passes through the sandbox may read clocks and draw random numbers, unnoticed.
            return f"contracts: {unit.__module__} holds a unit; name only modules of pydantic models"
    return ""


def definition_hash(unit: type[WorkUnit]) -> str:
    """Twelve hex digits that change when the unit's contract changes."""
    return hash_of(describe(unit))


def hash_of(definition: Mapping[str, Any]) -> str:
    """Twelve hex digits of plain data, such as a definition or a part of it."""
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:12]


def _where(unit: type[WorkUnit]) -> str:
    return f"{unit.__module__}.{unit.__qualname__}"
