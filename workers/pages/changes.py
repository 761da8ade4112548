"""What changed between two definitions, on a page: the boundary first, then the contract, then the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from workers.pages.words import plain

if TYPE_CHECKING:
    from workers.governing.changes import Change, Kind
    from workers.governing.definitions import Named

_SECTIONS: dict[Kind, str] = {
    "boundary": "Boundary: who or what does the work, decides, and answers for it",
    "contract": "Contract: what its users give, get and are promised",
    "other": "Inside",
}


def page(unit: str, before: Named, after: Named, changes: Sequence[Change]) -> str:
    """The whole page."""
    return "\n".join(_lines(unit, before, after, changes))


def _lines(unit: str, before: Named, after: Named, changes: Sequence[Change]) -> Iterator[str]:
    yield f"{unit}: from {before} to {after}"
    if not changes:
        yield _no_change(before, after)
        return
    yield from sections(changes)
    breaking = sum(change.breaking for change in changes)
    yield ""
    said = f"{breaking} break(s) those who use it: give the unit a new version" if breaking else "none breaks its users"
    yield f"{len(changes)} change(s), {said}."


def _no_change(before: Named, after: Named) -> str:
    """Two hashes are never called the same without a reason."""
    if before.hash == after.hash:
        return "The two definitions say the same."
    if before.version != after.version:
        return "The two definitions say the same, but for the version."
    return "The two definitions have two hashes, and there are no words here for what differs."


def sections(changes: Sequence[Change]) -> Iterator[str]:
    """The changes of each kind under its title, the boundary first."""
    for kind, title in _SECTIONS.items():
        of_kind = [change for change in changes if change.kind == kind]
        if of_kind:
            yield ""
            yield title
            yield from (f"  {_mark(change)}{plain(change.where)}: {plain(change.words)}" for change in of_kind)


def _mark(change: Change) -> str:
    return "BREAKS  " if change.breaking else ""
