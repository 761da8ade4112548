"""How the definition of a unit that is loaded stands to the one that is published. See docs/governance.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workunits.core.unit import WorkUnit
from workunits.governance import GovernanceError, Stage
from workunits.registry import Catalog, Package, definition_hash
from workunits.shelf import Shelf

_SHELF = 'name the package that keeps its published definitions, Package(published="...")'
_INSTEAD = "start cases of what takes its place"
_STANDS: Mapping[Stage, tuple[str, str]] = {
    "active": ("", ""),
    "deprecated": ("is deprecated", _INSTEAD),
    "retired": ("is retired", f"{_INSTEAD}, or publish a new version"),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """How the definition that is loaded here stands."""

    unit: str
    version: str
    hash: str
    stage: Stage | None
    """None when it is not published, or not as it is loaded here."""
    why: str = ""
    """What keeps it from running everywhere, or what is to be known of it; empty for an active one."""
    remedy: str = ""

    def __str__(self) -> str:
        """In a sentence."""
        return f"{self.unit} version {self.version} {self.why}" + (f": {self.remedy}" if self.remedy else "")


def judge(unit: type[WorkUnit], package: Package) -> Judged:
    """Compare the definition that is loaded with the published one."""
    loaded = definition_hash(unit)
    return Judged(unit.unit_name, unit.version, loaded, *_compared(unit, package, loaded))


def _compared(unit: type[WorkUnit], package: Package, loaded: str) -> tuple[Stage | None, str, str]:
    """The stage, why, and the remedy."""
    publish = f"workunits publish {unit.unit_name} --as NAME"
    try:
        shelf = Shelf.of(package)
        kept = shelf.read(unit.unit_name, unit.version) if shelf else None
    except GovernanceError as error:
        return None, "cannot be looked up", str(error)
    if shelf is None:
        return None, "belongs to a package that publishes nothing", f"{_SHELF}, then: {publish}"
    if kept is None:
        return None, "is not published", publish
    if kept.stage == "draft":
        lacking = [f"of the {need.of} by {need.role}" for need in kept.missing] if kept.hash == loaded else ["all"]
        return "draft", f"is a draft, sign-offs are missing ({', '.join(lacking)})", publish
    if kept.hash != loaded:
        why = f"is loaded as definition {loaded}, and {kept.hash} is published"
        return None, why, f'give it a new version="...", then: {publish}'
    return kept.stage, *_STANDS[kept.stage]


def judge_all(catalog: Catalog) -> list[Judged]:
    """Judge all units of a catalog."""
    return [judge(unit, package) for package in catalog.packages for unit in package.units]
