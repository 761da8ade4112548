"""The directory file: TOML, read into a roster; see docs/people.md.

::

    zone = "Europe/Madrid"
    admins = ["operations"]

    [groups]
    onboarding = ["onboarding officer", "onboarding analyst"]

    [[person]]
    name = "ines.officer"
    groups = ["onboarding"]

    [[accountable]]
    role = "head of onboarding"
    person = "helen.head"
    until = 2026-07-01

    [[absence]]
    person = "ines.officer"
    from = 2026-08-03
    until = 2026-08-17
    substitute = "noah.analyst"
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from inbox.files import Entry, FileError, Source, read
from inbox.roster import ALWAYS, FOREVER, Absence, Holding, Person, Roster
from workunits.core.lifecycle import SYSTEM

_TOP = ("zone", "admins")
_TABLES = ("groups", "person", "accountable", "absence")


def load_roster(path: Path, accountable: Iterable[str] = ()) -> Roster:
    """Read a directory file.

    Args:
        path: The file.
        accountable: Roles that must resolve to one person, such as those of the catalog's decisions.

    Raises:
        FileError: whatever is not right, with its line; for a role, the dates at which nobody or several hold it.
    """
    source = read(path, "directory")
    top = source.top()
    top.refuse_unknown((*_TOP, *_TABLES))
    zone = _zone(top, top.text("zone", default="UTC"))
    groups = _groups(source)
    people = _people(source, groups)
    roster = Roster(
        people=people,
        groups=groups,
        holdings=[_holding(entry, people, zone) for entry in source.entries("accountable")],
        absences=[_absence(entry, people, zone) for entry in source.entries("absence")],
        admins=_admins(top, groups),
        zone=zone,
    )
    _refuse_faults(source, roster)
    for role in sorted(set(accountable) - set(roster.accountable_roles)):
        why = f"[[accountable]]: the role {role} answers for decisions here, and nobody holds it at any time"
        raise FileError(path, f"{why}; add [[accountable]] with this role and a person")
    return roster


def _groups(source: Source) -> dict[str, tuple[str, ...]]:
    table = source.table("groups")
    for group in table.data:
        _refuse_system(table, group, table.texts(group))
    return {group: table.texts(group) for group in table.data}


def _admins(top: Entry, groups: dict[str, tuple[str, ...]]) -> frozenset[str]:
    admins = top.texts("admins")
    for group in admins:
        _known(top, "admins", group, groups, "group")
    return frozenset(admins)


def _people(source: Source, groups: dict[str, tuple[str, ...]]) -> dict[str, Person]:
    people: dict[str, Person] = {}
    for entry in source.entries("person"):
        entry.refuse_unknown(("name", "display", "email", "zone", "groups"))
        name = entry.text("name")
        if name.startswith("token:"):
            raise entry.error("name", "names of this kind are those of tokens; choose another")
        if name in people:
            raise entry.error("name", "this person is there twice; keep one")
        member_of = entry.texts("groups")
        for group in member_of:
            _known(entry, "groups", group, groups, "group")
        zone = entry.text("zone", default="UTC")
        _zone(entry, zone)
        people[name] = Person(
            name, entry.text("display", default=name), entry.text("email", default=""), zone, member_of
        )
    return people


def _holding(entry: Entry, people: dict[str, Person], zone: tzinfo) -> Holding:
    entry.refuse_unknown(("role", "person", "from", "until"))
    role = entry.text("role", longest=120)
    _refuse_system(entry, "role", (role,))
    start, end = _span(entry, zone)
    return Holding(start, end, role, _person(entry, "person", people))


def _absence(entry: Entry, people: dict[str, Person], zone: tzinfo) -> Absence:
    entry.refuse_unknown(("person", "from", "until", "substitute"))
    person = _person(entry, "person", people)
    substitute = _person(entry, "substitute", people) if "substitute" in entry.data else None
    if substitute == person:
        raise entry.error("substitute", "nobody stands in for themselves; name another person")
    for wanted in ("from", "until"):
        if wanted not in entry.data:
            raise entry.error(wanted, "it is missing: the first day away, and the first day back")
    start, end = _span(entry, zone)
    return Absence(start, end, person, substitute)


def _span(entry: Entry, zone: tzinfo) -> tuple[datetime, datetime]:
    start = _moment(entry, "from", zone) or ALWAYS
    end = _moment(entry, "until", zone) or FOREVER
    if end <= start:
        raise entry.error("until", "it is not after `from`")
    return start, end


def _moment(entry: Entry, key: str, zone: tzinfo) -> datetime | None:
    """An instant; a day begins at its midnight in the directory's zone, or when the clock skips that, just after."""
    value = entry.data.get(key)
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise entry.error(key, "a day, or a time with its zone, such as 2026-08-03T12:00:00+02:00")
    elif isinstance(value, date):
        value = datetime.combine(value, time(0), zone)
    else:
        raise entry.error(key, "a day without quotes, such as 2026-08-03")
    try:
        value.astimezone(zone)  # in which it is said to people
        return value.astimezone(UTC)
    except OverflowError:
        raise entry.error(key, "it lies too far away; write a day within the years 2 to 9998") from None


def _person(entry: Entry, key: str, people: dict[str, Person]) -> str:
    name = entry.text(key)
    _known(entry, key, name, people, "person")
    return name


def _known(entry: Entry, key: str, name: str, known: Iterable[str], what: str) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"add the {what}, or name one that is there"
    raise entry.error(key, f"there is no such {what}; {hint}")


def _refuse_system(entry: Entry, key: str, roles: Iterable[str]) -> None:
    if SYSTEM in roles:
        raise entry.error(key, f"the role {SYSTEM} is the runtime's own; nobody else has it")


def _zone(entry: Entry, name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not known; outside of the zones' folder; a folder of zones
        raise entry.error("zone", "an IANA zone, such as Europe/Madrid or UTC") from None


def _refuse_faults(source: Source, roster: Roster) -> None:
    fault = next(roster.faults(), None)
    if fault is None:
        return
    if not fault.role:
        raise FileError(source.path, f"[[absence]]: {fault.why}")
    mine = [entry for entry in source.entries("accountable") if entry.data.get("role") == fault.role]
    raise FileError(
        source.path, f"[[accountable]]: the role {fault.role}: {fault.why}; exactly one person answers", mine[-1].line
    )
