"""Who may sign for a definition, by the people directory."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from inbox.directory import Directory
from inbox.roster_file import load_roster
from workers.settings import Settings
from workunits.governance import GovernanceError, Need


def open_roster(settings: Settings) -> Directory:
    """The people directory.

    Raises:
        GovernanceError: none is set.
        FileError: it is not right.
    """
    if settings.directory is None:
        why = "nobody can sign: who holds which role is not known"
        raise GovernanceError(f"{why}; name the people directory in WORKUNITS_DIRECTORY", code="no_directory")
    return Directory(load_roster(settings.directory))


def holders(directory: Directory, roles: Iterable[str], at: datetime) -> Mapping[str, Sequence[str]]:
    """Who holds each role then."""
    return {role: directory.people_of(role, at) for role in roles}


def signs(directory: Directory, who: str, missing: Sequence[Need], role_of: str, at: datetime) -> list[Need]:
    """What of the missing sign-offs someone gives.

    Args:
        directory: Says who holds which role.
        who: Their name.
        missing: What is missing.
        role_of: In which role they sign; in all that they hold when empty.
        at: When.

    Raises:
        GovernanceError: they are not known, or hold no such role; says who does.
    """
    held = roles_of(directory, who, at)
    wanted = [need for need in missing if need.role in held and role_of in ("", need.role)]
    if wanted:
        return wanted
    if role_of and role_of not in {need.role for need in missing}:
        roles = " and ".join(sorted({need.role for need in missing}))
        why = f"--role-of: no sign-off of this role is missing; missing are those of {roles}"
        raise GovernanceError(why, code="no_such_sign_off", field="--role-of")
    roles_asked = [role_of] if role_of else sorted({need.role for need in missing})
    who_may = "; ".join(_holding(role, people) for role, people in holders(directory, roles_asked, at).items())
    raise GovernanceError(f"--as: by the directory, they hold no role that has to sign. {who_may}", code="not_held")


def roles_of(directory: Directory, who: str, at: datetime) -> frozenset[str]:
    """The roles of someone.

    Raises:
        GovernanceError: the directory has no such person.
    """
    if directory.person(who) is None:
        near = difflib.get_close_matches(who, [person.name for person in directory.everybody], n=3, cutoff=0.6)
        there = f"; did you mean {' or '.join(near)}?" if near else ""
        raise GovernanceError(f"--as: the directory has no such person{there}", code="unknown_person", field="--as")
    return frozenset(directory.roles_of(who, at))


def _holding(role: str, people: Sequence[str]) -> str:
    return f"{role}: {', '.join(people) or 'nobody; add them to the directory'}"
