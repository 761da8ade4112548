"""Definitions of a unit by what people call them: a version, a definition's hash, or `catalog`, what is loaded here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from observability.ledger.keeping import definitions
from observability.ledger.store import Ledger
from workunits.core.errors import BadInput
from workunits.governance import Published
from workunits.registry import Catalog, definition_hash, describe
from workunits.shelf import Shelf

CATALOG = "catalog"
_SHORTEST = 4
"""Digits of a hash that name a definition."""


@dataclass(frozen=True, slots=True)
class Named:
    """One definition."""

    version: str
    hash: str
    definition: Mapping[str, Any]

    def __str__(self) -> str:
        """As people name it."""
        return f"version {self.version} ({self.hash})"


def known(ledger: Ledger, catalog: Catalog, unit: str) -> list[Named]:
    """All definitions of a unit: those that have run or were published, and at the end the catalog's.

    Raises:
        BadInput: nobody knows the unit.
        DamagedError: a file of published definitions is not as we write it.
        LedgerUnavailableError.
    """
    with ledger.read() as connection:
        asked = select(definitions).where(definitions.c.unit == unit).order_by(definitions.c.first_seen_at)
        found = [Named(row["version"], row["hash"], row["definition"]) for row in connection.execute(asked).mappings()]
    for kept in _published(catalog, unit):
        if kept.hash not in {one.hash for one in found}:
            found.append(Named(kept.version, kept.hash, kept.definition))
    if unit in catalog:
        there = catalog.get(unit)
        loaded = Named(there.version, definition_hash(there), describe(there))
        return [*(one for one in found if one.hash != loaded.hash), loaded]
    if not found:
        catalog.get(unit)  # says which are near
    return found


def _published(catalog: Catalog, unit: str) -> Iterator[Published]:
    for shelf in map(Shelf.of, catalog.packages):
        yield from (one for one in shelf.versions(unit) if one.stage != "draft") if shelf else ()


def pick(found: Sequence[Named], name: str, *, field: str, in_catalog: bool) -> Named:
    """The definition that a name means; of a version that was edited, the newest.

    Args:
        found: As `known` gives them.
        name: A version, the first digits of a hash, or `catalog`.
        field: The argument, for the error.
        in_catalog: Whether the last of `found` is the catalog's.

    Raises:
        BadInput: none, and says which there are.
    """
    if name == CATALOG and in_catalog:
        return found[-1]
    for one in reversed(found):
        if name == one.version or (len(name) >= _SHORTEST and one.hash.startswith(name)):
            return one
    there = ", ".join(dict.fromkeys(str(one) for one in found))
    raise BadInput(f"no such definition is known; known are {there}", field=field)
