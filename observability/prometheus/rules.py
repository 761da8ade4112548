"""All rules of an installation, as files: one for what units stand on, and one for the promises of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from observability.prometheus import boundary, runtime, slo
from observability.prometheus.rule import Alert, Group, Terms, text_of
from workunits.registry import Catalog

PREFIX = "workunits-"
"""Of the names of our files; nothing else in the folder is touched."""


def groups(catalog: Catalog, terms: Terms) -> Mapping[str, Sequence[Group]]:
    """The groups, by the name of their file."""
    common = {f"{PREFIX}runtime.yml": [slo.recordings(terms), runtime.alerts(terms), boundary.alerts(terms)]}
    return common | {f"{PREFIX}unit-{unit.unit_name}.yml": [slo.alerts(unit, terms)] for unit in catalog}


def alerts(catalog: Catalog, terms: Terms) -> Sequence[Alert]:
    """All alerts, in the order of the files."""
    found = (rule for held in groups(catalog, terms).values() for group in held for rule in group.rules)
    return [rule for rule in found if isinstance(rule, Alert)]


def files(catalog: Catalog, terms: Terms) -> Mapping[str, str]:
    """The text of each file, by its name."""
    return {name: text_of(held, terms) for name, held in groups(catalog, terms).items()}


def write(folder: Path, catalog: Catalog, terms: Terms) -> Sequence[str]:
    """Write the files, and take away those of units that are gone; gives their names."""
    wanted = files(catalog, terms)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    for old in folder.glob(f"{PREFIX}*.yml"):
        if old.name not in wanted:
            old.unlink()
    return sorted(wanted)
