"""Reprojections: that a clock is to go on by another version of its calendar, and what came of it, on the record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from temporalio import workflow

from .pinning import KEPT

if TYPE_CHECKING:
    from .pinning import Calendars, Looked
    from .record import ClockEntry, Record

_LONGEST = 200


def want(record: Record, calendars: Calendars, entry: ClockEntry, name: str, version: int | None) -> None:
    """Have another version of a calendar pinned; what was wanted of it before is overtaken.

    Args:
        record: Of the case.
        calendars: Of the case.
        entry: What was said, already on the record.
        name: The calendar.
        version: None for the newest.
    """
    calendars.want(name, version)
    if not workflow.patched(KEPT):
        return
    for other in _wanted(record, name):
        other.came, other.why = "overtaken", ""
    entry.came, entry.calendar = "wanted", f"{name}@{'' if version is None else version}"


def want_again(record: Record, calendars: Calendars) -> None:
    """Want what an earlier run of the case has wanted in vain."""
    for entry in record.entries:
        if entry.came == "wanted":
            name, _, version = entry.calendar.rpartition("@")
            calendars.want(name, int(version) if version else None)


def came_of(record: Record, calendars: Calendars, looked: Looked) -> list[str]:
    """Write down what came of looking.

    Returns:
        Why some are not done, where that is new.
    """
    for name in looked.changed:
        for entry in _wanted(record, name) if not calendars.is_wanted(name) else ():
            entry.came, entry.calendar, entry.why = "done", calendars.known[name].label, ""
    news: list[str] = []
    for name, why in looked.missed.items():
        for entry in _wanted(record, name):
            news += [] if entry.why else [why]
            entry.why = why[:_LONGEST]
    return news


def _wanted(record: Record, name: str) -> Iterator[ClockEntry]:
    """What is still wanted of a calendar."""
    return (one for one in record.entries if one.came == "wanted" and one.calendar.rpartition("@")[0] == name)
