"""What a list's address asks for, and the address that asks for something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

from inbox.wanted import SCOPES, STATES, Wanted

SCOPE_WORDS = {"mine": "Mine", "groups": "My groups'", "unclaimed": "Unclaimed", "all": "All"}
HEADINGS = {
    "mine": "My tasks",
    "groups": "Tasks of my groups",
    "unclaimed": "Unclaimed tasks",
    "all": "All tasks",
}
LATE_WORDS = {"overdue": "Overdue", "at_risk": "At risk"}
_FILTERS = ("unit", "role", "state", "late")
_LONGEST = 200


def wanted_of(query: Mapping[str, str]) -> Wanted:
    """Read an address; what it says that no list can hold counts as not said."""

    def one_of(name: str, known: tuple[str, ...]) -> Any:
        return query.get(name) if query.get(name) in known else None

    def text(name: str) -> str:
        said = query.get(name, "")
        return said if len(said) <= _LONGEST and said.isprintable() else ""

    return Wanted(
        scope=one_of("scope", SCOPES) or "mine",
        unit=text("unit") or None,
        role=text("role") or None,
        state=one_of("state", STATES),
        late=one_of("late", tuple(LATE_WORDS)),
        search=text("q"),
        cursor=query.get("cursor", ""),
    )


def wanted_in(address: str) -> Wanted:
    """Read the query of an address that a form brought back."""
    return wanted_of({name: values[-1] for name, values in parse_qs(address[:2000], max_num_fields=20).items()})


def address_of(wanted: Wanted, **other: str) -> str:
    """The query that asks for a list; what says nothing is left out.

    Args:
        wanted: The list.
        other: What to ask for instead, by name; further names are added.
    """
    said = {"scope": wanted.scope, **{name: getattr(wanted, name) or "" for name in _FILTERS}, "q": wanted.search}
    return urlencode({name: value for name, value in {**said, **other}.items() if value})


def is_filtered(wanted: Wanted) -> bool:
    """Whether it asks for less than all of its scope."""
    return bool(wanted.search) or any(getattr(wanted, name) for name in _FILTERS)
