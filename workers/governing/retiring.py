"""How a unit leaves: all its published versions become deprecated, then retired, by its owner's word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from temporalio.client import Client

from workers.governing.governed import open_cases_of
from workers.governing.publishing import shelf_of
from workers.governing.signing import open_roster, roles_of
from workers.settings import Settings
from workunits.governance import NEXT, STARTED, GovernanceError, Published, Stage, Turn, calls
from workunits.registry import Catalog
from workunits.shelf import Shelf

_FIRST: dict[Stage, str] = {
    "deprecated": "publish it first: workunits publish {unit} --as NAME",
    "retired": "deprecate it first, so that those who start cases are warned: workunits deprecate {unit} --as NAME",
}


def turn(
    settings: Settings, catalog: Catalog, unit: str, stage: Stage, *, who: str, reason: str, version: str = ""
) -> Sequence[Published]:
    """Bring a unit's versions, or one of them, to a stage, and keep that; gives those that turned.

    Raises:
        GovernanceError: as `may_turn` says.
        OSError: the folder cannot be written.
    """
    shelf, turning = may_turn(settings, catalog, unit, stage, who=who, version=version)
    now = datetime.now(UTC).replace(microsecond=0)
    made = [
        one.model_copy(update={"stage": stage, "life": (*one.life, Turn(stage=stage, at=now, who=who, note=reason))})
        for one in turning
    ]
    for one in made:
        shelf.write(one)
    return made


def may_turn(
    settings: Settings, catalog: Catalog, unit: str, stage: Stage, *, who: str, version: str = ""
) -> tuple[Shelf, Sequence[Published]]:
    """The versions that may come to a stage now.

    Raises:
        UnknownUnitError.
        DamagedError.
        GovernanceError: none can, or whoever says it does not own the unit; says what to do.
        FileError: the people directory is not right.
    """
    shelf = _find(catalog, unit)
    kept = [one for one in shelf.versions(unit) if one.stage != "draft"]
    turning = _turning(unit, [one for one in kept if version in ("", one.version)], stage, version)
    if stage == "retired" and _ends(shelf, turning):
        _refuse_called(catalog, unit)
    directory, now = open_roster(settings), datetime.now(UTC)
    # Never the loaded code's: whoever writes their role into it owns nothing before that is published.
    last = shelf.last(unit) or turning[-1]
    owner = str(last.definition["learning"]["owner"])
    if owner not in roles_of(directory, who, now):
        people = directory.people_of(owner, now)
        may = ", ".join(people) or "nobody; add them to the directory"
        command = {"deprecated": "deprecate", "retired": "retire"}[stage]
        how = f"; workunits {command} {unit} --as {people[0]}" if people else ""
        why = f"only the owner may say so, which is {owner} by what is published (version {last.version})"
        raise GovernanceError(f"--as: {why}; by the directory: {may}{how}", code="not_held", field="--as")
    return shelf, turning


def _turning(unit: str, versions: Sequence[Published], stage: Stage, version: str) -> list[Published]:
    """Those of some versions that come to a stage."""
    turning = [one for one in versions if stage in NEXT[one.stage]]
    held_back = [one for one in versions if one.stage not in (stage, "retired") and one not in turning]
    if turning and not held_back:
        return turning
    what = f"version {version} of {unit}" if version else unit
    if versions and not held_back:
        raise GovernanceError(f"{what} is {stage} already, or further", code="already")
    which = ", ".join(f"version {one.version} is {one.stage}" for one in held_back) or "nothing of it is published"
    named = f"{unit} --version {version}" if version and held_back else unit
    raise GovernanceError(f"{what} cannot be {stage}: {which}; {_FIRST[stage].format(unit=named)}", code="stage")


def _ends(shelf: Shelf, turning: Sequence[Published]) -> bool:
    """Whether a unit ends with these versions: where another goes on, workers serve that to whoever calls the unit."""
    going = {one.version for one in shelf.versions(turning[0].unit) if one.stage in STARTED}
    return going <= {one.version for one in turning}


def _callers(catalog: Catalog, unit: str) -> Iterator[tuple[Published, str]]:
    """The versions of other units that call one, each with the step in which it does.

    By what is kept of them, and not by the code that is loaded here: other code may run elsewhere, and open cases stay
    on the version that they began on.
    """
    shelves = {shelf.folder: shelf for shelf in map(Shelf.of, catalog.packages) if shelf}
    for shelf in shelves.values():
        for kept in (one for name in shelf.units if name != unit for one in shelf.versions(name)):
            step = next((step for step, called in calls(kept.definition).items() if called == unit), None)
            if step and kept.stage != "draft":
                yield kept, step


def _refuse_called(catalog: Catalog, unit: str) -> None:
    """What others call as a step is not retired under them."""
    for caller, step in _callers(catalog, unit):
        if caller.stage in STARTED:
            name, version = caller.unit, caller.version
            why = f"{name} version {version} is {caller.stage} and calls {unit} in step {step}"
            remedy = f"publish a version of {name} that does not, and retire this one first"
            command = "deprecate" if caller.stage == "active" else "retire"
            how = f"workunits {command} {name} --version {version} --as NAME"
            raise GovernanceError(f"{why}; {remedy}: {how}", code="called")


async def refuse_called_by_open(client: Client, catalog: Catalog, shelf: Shelf, turning: Sequence[Published]) -> None:
    """Refuse to retire what open cases of a retired version of another unit may call yet.

    Raises:
        GovernanceError.
        RPCError: the engine does not answer.
    """
    unit = turning[0].unit
    if not _ends(shelf, turning):
        return
    for caller, step in _callers(catalog, unit):
        name, version = caller.unit, caller.version
        if caller.stage == "retired" and (left := await open_cases_of(client, name, version)):
            why = f"{name} version {version} is retired, and {left} case(s) of it are open, which call {unit}"
            how = f"let them end first: workunits list --unit {name}"
            raise GovernanceError(f"{why} in step {step}: nobody would serve what they start; {how}", code="called")


def _find(catalog: Catalog, unit: str) -> Shelf:
    """The shelf on which a unit is, also one whose code has gone."""
    if unit in catalog:
        return shelf_of(catalog.package_of(unit), unit)
    for package in catalog.packages:
        shelf = Shelf.of(package)
        if shelf and shelf.versions(unit):
            return shelf
    return shelf_of(catalog.package_of(unit), unit)  # says which names are near


def refuse_open(unit: str, left: int) -> None:
    """Refuse to retire a unit while cases of it are open.

    Raises:
        GovernanceError.
    """
    if left:
        how = f"list them: workunits list --unit {unit}. Let them end first, or say --let-finish"
        raise GovernanceError(f"{left} case(s) of {unit} are open; {how}", code="open_cases")
