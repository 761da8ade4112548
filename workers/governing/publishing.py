"""What is offered for publication, what it needs, and what a sign-off makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workers.governing.changes import Change, changes, first
from workers.pages.fact_words import RULE
from workers.replaying.histories import History, UnreadableHistoryError, files_in, load
from workers.replaying.replay import replay
from workunits.core.unit import WorkUnit
from workunits.governance import (
    PARTS,
    STARTED,
    GovernanceError,
    Need,
    Published,
    Signature,
    Turn,
    boundary,
    calls,
    handed_over,
    needs,
)
from workunits.judged import judge
from workunits.registry import Catalog, Package, definition_hash, describe
from workunits.rule_source import UNKNOWN
from workunits.shelf import Shelf

STORED = Path("tests/replay")
"""Where a checkout keeps its histories."""
_ACHIEVED = ("achieved", "achieved_late")


@dataclass(frozen=True)
class Offer:
    """The definition that is loaded, beside what is published of its unit."""

    unit: type[WorkUnit]
    shelf: Shelf
    there: Published | None
    """What is kept of this version: a draft, or the same one as it was signed before."""
    before: Published | None
    """What was published last."""
    made: Sequence[Change]
    """Against what was published last; the whole boundary when nothing was."""
    definition: Mapping[str, Any]
    hash: str

    def __str__(self) -> str:
        """As people name it."""
        return f"version {self.unit.version} ({self.hash})"

    @property
    def is_published(self) -> bool:
        """Whether it is published as it stands."""
        return self.there is not None and self.there.stage != "draft" and self.there.hash == self.hash

    @property
    def path(self) -> Path:
        """The file that keeps it, as one finds it from here."""
        path, here = self.shelf.path(self.unit.unit_name, self.unit.version), Path.cwd()
        return path.relative_to(here) if path.is_relative_to(here) else path

    @property
    def leaving(self) -> tuple[Need, ...]:
        """The sign-offs of those from whom it takes what they answered for in what was published last."""
        return handed_over(self.before.definition, self.definition) if self.before else ()

    @property
    def needed(self) -> tuple[Need, ...]:
        """All sign-offs that it needs."""
        return (*needs(self.definition), *self.leaving)

    @property
    def kept(self) -> tuple[Signature, ...]:
        """The sign-offs that hold: also that of a boundary which has not changed since an earlier version."""
        wanted = {(need.role, need.of, need.hash) for need in self.needed}
        there = [*(self.there.signatures if self.there else ()), *(self.before.signatures if self.before else ())]
        found = {(one.role, one.of): one for one in reversed(there) if (one.role, one.of, one.hash) in wanted}
        return tuple(sorted(found.values(), key=lambda one: (one.at, PARTS.index(one.of))))

    @property
    def fallen(self) -> tuple[Signature, ...]:
        """Sign-offs of the draft that say nothing of it any more: it was changed since."""
        draft = self.there.signatures if self.there and self.there.stage == "draft" else ()
        return tuple(one for one in draft if one not in self.kept)

    @property
    def missing(self) -> tuple[Need, ...]:
        """The sign-offs that it lacks."""
        there = {(one.role, one.of) for one in self.kept}
        return tuple(need for need in self.needed if (need.role, need.of) not in there)


def shelf_of(package: Package, unit: str) -> Shelf:
    """The shelf of a package.

    Raises:
        GovernanceError: it has none, or not where it says.
    """
    shelf = Shelf.of(package)
    if shelf is None:
        why = f"{unit}: its package {package.name!r} does not say where published definitions are kept"
        remedy = f'write Package(..., published="{package.units[0].__module__.partition(".")[0]}")'
        raise GovernanceError(f"{why}; {remedy}", code="no_shelf", field="published")
    return shelf


def offer(catalog: Catalog, name: str) -> Offer:
    """Compare a unit as it is loaded with what was published last.

    Raises:
        UnknownUnitError.
        DamagedError: a file of it is not as we write it.
        GovernanceError: it cannot be published under its version, or at all, or its package publishes nothing.
    """
    unit = catalog.get(name)
    shelf = shelf_of(catalog.package_of(name), name)
    there, before = shelf.read(name, unit.version), shelf.last(name)
    if there is not None and there.stage != "draft":
        before = there
    definition = describe(unit)
    made = changes(before.definition, definition) if before else first(definition)
    offered = Offer(unit, shelf, there, before, made, definition, definition_hash(unit))
    if there is not None and there.stage != "draft" and not offered.is_published:
        _refuse_same_version(offered, there)
    if not offered.is_published:
        _refuse_unseen(name, definition)
        refuse_calls(catalog, name, definition)
    return offered


def refuse_calls(catalog: Catalog, name: str, definition: Mapping[str, Any]) -> None:
    """Refuse a unit that calls one which would not be there: its cases would wait for ever.

    Raises:
        GovernanceError.
    """
    for step, called in calls(definition).items():
        stage = judge(catalog.get(called), catalog.package_of(called)).stage if called in catalog else None
        if stage not in STARTED:
            why = f"{name} calls {called} in step {step}, and that unit is {stage or 'not published'}"
            raise GovernanceError(f"{why}; publish it first: workunits publish {called} --as NAME", code="calls")


def _refuse_unseen(name: str, definition: Mapping[str, Any]) -> None:
    """A rule that could be changed without another hash is not signed."""
    if rules := list(_unseen(definition, "")):
        why = f"{name}: no source is found of the rule {', '.join(rules)}, or of what it calls: it could change unseen"
        remedy = "write it as a function in a file of your package, with no functools.partial, operator.attrgetter"
        raise GovernanceError(f"{why}; {remedy} or the like", code="unseen_rule", field=rules[0])


def _unseen(part: Any, where: str) -> Iterator[str]:
    """The rules of a definition that have no digest, as `step.rule`."""
    if isinstance(part, list):
        for one in part:
            yield from _unseen(one, where)
    elif isinstance(part, Mapping):
        where = part["name"] if isinstance(part.get("name"), str) else where
        for name, value in part.items():
            if name.endswith(RULE) and value == UNKNOWN:
                yield f"{where}.{name.removesuffix(RULE)}"
            yield from _unseen(value, where or name)


def _refuse_same_version(offered: Offer, there: Published) -> None:
    """Under a version that was published, only what is inside may change."""
    remedy = f'give it a new version="...", record its histories (workunits replay --record {STORED}), publish that'
    if there.stage == "retired":
        raise GovernanceError(f"version {there.version} is retired; {remedy}", code="retired", field="version")
    outside = [change for change in offered.made if change.kind != "other"]
    if outside or not offered.made or boundary(offered.definition) != boundary(there.definition):
        said = "; ".join(f"{change.where}: {change.words}" for change in outside[:3]) or "something that has no words"
        more = f"; and {len(outside) - 3} more" if len(outside) > 3 else ""  # noqa: PLR2004 - as many as were said
        why = f"its contract or boundary is not that of version {there.version} as it was published ({said}{more})"
        raise GovernanceError(f"{why}; {remedy}", code="same_version", field="version")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the stored histories of a version show."""

    histories: int
    """So many were replayed, and none breaks."""
    unseen: tuple[str, ...] = ()
    """The declared steps that none of them performs: there, nothing shows that open cases would go on."""


async def replay_gate(catalog: Catalog, unit: type[WorkUnit], shelf: Shelf, more: Sequence[Path]) -> Shown:
    """Replay the stored histories of a unit's version.

    Args:
        catalog: Today's code.
        unit: The unit.
        shelf: Where it is kept: the histories of a checkout lie beside that package.
        more: Files and folders of further histories. They never take the place of those of the checkout, else
            whoever publishes could leave out the one that breaks.

    Raises:
        GovernanceError: there is none of this version, or none that achieved anything, one breaks, or a file is no
            history.
        ReplayError: the sandbox refuses the unit's file.
    """
    name, version = unit.unit_name, unit.version
    paths = [*_stored(shelf), *more]
    mine = [one for one in _histories(paths) if one.unit == name and one.version in (None, version)]
    ours = [one for one in mine if one.version == version]
    if not any(one.close in _ACHIEVED for one in ours):
        raise _nothing_shown(name, version, paths, ours)
    broken = [verdict for verdict in await replay(mine, catalog) if verdict.status != "clean"]
    if broken:
        said = "; ".join(str(finding) for finding in broken[0].findings[:2])
        why = f"{len(broken)} of {len(mine)} stored histories would break open cases, such as {broken[0].history}"
        raise GovernanceError(f"{why} ({said}); {broken[0].remedy}", code="replay_breaks")
    seen = {step for one in ours for step in one.steps}
    return Shown(len(mine), tuple(step.name for step in unit.steps if step.name not in seen))


def _nothing_shown(name: str, version: str, paths: Sequence[Path], ours: Sequence[History]) -> GovernanceError:
    """What is missing when no history of a version came to its outcome: one that was refused at once shows no step."""
    where = ", ".join(str(path) for path in paths or [STORED])
    closed = ", ".join(dict.fromkeys(one.close for one in ours))
    only = f" closed as achieved (those that are there: {closed})" if ours else ""
    why = f"no stored history of {name} version {version} in {where}{only}: nothing shows that open cases would go on"
    how = f"let a case of it close as achieved on an engine, then: workunits replay --record {STORED} --unit {name}"
    code = "none_achieved" if ours else "no_histories"
    return GovernanceError(f"{why}; {how}; or name another folder, too, with --histories", code=code)


def _stored(shelf: Shelf) -> list[Path]:
    """The folders of histories in the checkout: where the command is typed, and beside the package of the shelf."""
    top = shelf.folder.parent
    while (top / "__init__.py").is_file():
        top = top.parent
    places = [STORED, top / STORED, *([top.parent / STORED] if top.name == "src" else [])]
    return list({place.resolve(): place for place in reversed(places) if place.is_dir()}.values())[::-1]


def _histories(paths: Sequence[Path]) -> list[History]:
    try:
        files = {path.resolve(): path for path in files_in(paths)}
        return [load(path) for path in files.values()]
    except UnreadableHistoryError as error:
        raise GovernanceError(str(error), code="bad_history") from None


def signed(offered: Offer, who: str, wanted: Sequence[Need], at: datetime, histories: int) -> Published:
    """What is to be kept once someone has signed.

    Args:
        offered: What they sign.
        who: Their name.
        wanted: Of what it lacks, what they sign.
        at: When.
        histories: How many histories were replayed.
    """
    new = [Signature(who=who, role=need.role, at=at, of=need.of, hash=need.hash) for need in wanted]
    whole = len(new) == len(offered.missing)
    there = offered.there
    life = there.life if there else (Turn(stage="draft", at=at, who=who),)
    if there is not None and there.stage != "draft":
        life = (*life, Turn(stage=there.stage, at=at, who=who, note=f"{offered.hash} takes the place of {there.hash}"))
    elif whole:
        handed = ", ".join(dict.fromkeys(need.role for need in offered.leaving))
        life = (*life, Turn(stage="active", at=at, who=who, note=f"handed over by {handed}" if handed else ""))
    return Published(
        unit=offered.unit.unit_name,
        version=offered.unit.version,
        stage=life[-1].stage,
        hash=offered.hash,
        histories=histories,
        life=life,
        signatures=(*offered.kept, *new),
        leaving=offered.leaving,
        definition=dict(offered.definition),
    )
