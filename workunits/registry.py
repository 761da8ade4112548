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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from workunits.core.errors import WorkUnitsError
from workunits.core.spec import Between, Elapsed, On, Rule, Step, Target, as_target
from workunits.core.unit import WorkUnit

ENTRY_POINTS = "workunits.packages"
_STATED = ("name", "units", "contracts", "performers", "calendars")


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


def discover(own: Sequence[Package], modules: Iterable[str] = (), *, installed: bool = True) -> Catalog:
    """Find all packages: ours, the installed ones, and those named.

    Args:
        own: The packages of this repository.
        modules: Modules with a `PACKAGE`.
        installed: Whether to look at entry points.

    Raises:
        CatalogError: one cannot be loaded or used, or two share a name; says which and why.
        DefinitionError: a unit has unresolved design decisions.
    """
    found = {package.name: (package, "this repository") for package in own}
    offered = [(f"entry point {e.name!r}", e.value) for e in entry_points(group=ENTRY_POINTS)] if installed else []
    for where, target in [*offered, *((f"--module {module}", f"{module}:PACKAGE") for module in modules)]:
        package = _load(where, target)
        before, of = found.setdefault(package.name, (package, where))
        if before != package:  # the same one may be installed and named, too
            raise CatalogError(f"two packages are named {package.name!r}: that of {of} and that of {where}; rename one")
    return Catalog(package for package, _ in found.values())


def _load(where: str, target: str) -> Package:
    module, _, attribute = target.partition(":")
    try:
        package = getattr(importlib.import_module(module), attribute or "PACKAGE", None)
    except WorkUnitsError:
        raise
    except ImportError as error:
        raise CatalogError(f"{where}: cannot import {module}: {error}") from error
    except Exception as error:
        raise CatalogError(f"{where}: importing {module} fails: {type(error).__name__}: {error}"[:500]) from error
    if not isinstance(package, Package):
        raise CatalogError(f"{where}: {module} has no PACKAGE = Package(...) from workunits.registry")
    misfit = _misfit(package)
    if misfit:
        raise CatalogError(f"{where}: PACKAGE.{misfit}")
    return package


def _misfit(package: Package) -> str:
    """The first thing in a package that cannot be used, as `field: what is wrong and what to write`."""
    stated: dict[str, Any] = {field: getattr(package, field) for field in _STATED}
    name = stated.pop("name")
    if not isinstance(name, str) or not name.strip():
        return 'name: it has no name; write Package("acme", ...)'
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


def describe(unit: type[WorkUnit]) -> dict[str, Any]:
    """The four elements of a unit as plain data: its contract with those who use it."""
    outcome, learning = unit.outcome, unit.learning
    return {
        "unit": unit.unit_name,
        "version": unit.version,
        "key": unit.key,
        "facts": list(unit.facts),
        "outcome": {
            "statement": outcome.statement,
            "result": outcome.result.model_json_schema(),
            **_promise(outcome.target),
            "accountable": outcome.accountable,
        }
        | {f"target {between.name}": _between(between) for between in unit.targets},
        "logic": {"input": unit.case_type.model_json_schema(), "rules": [_rule(rule) for rule in unit.rules]},
        "structure": {"steps": [_step(step) for step in unit.steps]},
        "learning": {
            "owner": learning.owner,
            "review_seconds": learning.review.span.total_seconds(),
            "measures": [{"measure": str(m), "baseline": m.baseline} for m in learning.measures],
            "rates": {role: f"{rate.per_hour:g} {rate.currency}/h" for role, rate in learning.rates.items()},
        },
    }


def definition_hash(unit: type[WorkUnit]) -> str:
    """Twelve hex digits that change when the unit's contract changes."""
    return hashlib.sha256(json.dumps(describe(unit), sort_keys=True).encode()).hexdigest()[:12]


def _between(promised: Between) -> dict[str, Any]:
    return {"since": promised.since, "until": promised.until, **_promise(promised.target)}


def _promise(target: Target) -> dict[str, Any]:
    """A promise; what is not declared is left out."""
    within = target.within
    said: dict[str, Any] = {"within_seconds": within.span.total_seconds()} if isinstance(within, Elapsed) else {}
    said |= {} if isinstance(within, Elapsed) else {"within": str(within), "calendar": target.calendar}
    said["warn"] = target.warn
    for name in ("goal", "pauses", "passed", "ladder"):
        if getattr(target, name):
            said[name] = str(getattr(target, name))
    return said


def _step(step: Step[Any, Any]) -> dict[str, Any]:
    promised = {"start_by": step.start_by, "finish_by": step.finish_by}
    return {
        "name": step.name,
        "executor": step.kind,
        "performed_by": step.role or step.activity,
        "takes": step.takes.__name__,
        "gives": step.gives.__name__,
        "decides": step.decides,
        "accountable": step.accountable or None,
        "external": step.external,
        "raises": [exception.code for exception in step.raises],
        "timeout_seconds": None if step.kind == "human" else step.timeout.total_seconds(),
        "attempts": None if step.kind == "human" else step.attempts,
        "inline": step.inline,
        "expires_seconds": step.expires.span.total_seconds() if step.expires else None,
        **{name: _promise(as_target(given)) for name, given in promised.items() if given is not None},
    } | _trouble(step)


def _trouble(step: Step[Any, Any]) -> dict[str, Any]:
    """What follows trouble; nothing where that is not declared, so that older definitions keep their hash."""
    after = {"after": step.after} if step.after != "fail" else {}
    return after | ({"compensated_by": step.compensated_by.name} if step.compensated_by else {})


def _rule(rule: Rule) -> dict[str, Any]:
    on = rule.exception.code if isinstance(rule, On) else "technical_failure"
    if rule.instead:
        then = f"{rule.instead.name} takes over"
    elif isinstance(rule, On) and rule.repair:
        then = f"{rule.repair.name} mends the input, then again, at most {rule.times} time(s)"
    else:
        then = "the case closes as not achieved"
    if isinstance(rule, On) and rule.compensate:
        then += ", after what was done is undone"
    return {"step": rule.step.name, "on": on, "then": then}


def _where(unit: type[WorkUnit]) -> str:
    return f"{unit.__module__}.{unit.__qualname__}"
