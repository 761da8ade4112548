"""How the command line says durations, moments and other people's text, and how it reads a duration."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from workunits.core.errors import BadInput

_SIZES = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_SECOND = 1000
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "min": 60, "s": 1}
_PART = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*(d|h|min|m|s)")


def span(length: timedelta) -> str:
    """Say a duration with its two largest units: `3 h 20 min`, `12 s`, `40 ms`."""
    left = abs(length) // timedelta(milliseconds=1)
    if left < _SECOND:
        return f"{left} ms" if left or not length else "<1 ms"
    said: list[str] = []
    for unit, size in _SIZES:
        count, left = divmod(left, size * _SECOND)
        if said:
            return " ".join([*said, f"{count} {unit}"] if count else said)
        if count:
            said.append(f"{count} {unit}")
    return said[0]


def short_span(length: timedelta) -> str:
    """Say a duration as a table needs it: no seconds beside minutes, no second unit beside ten or more."""
    said = span(length)
    first, unit, *rest = said.split()
    return f"{first} {unit}" if unit == "min" or len(first) > 1 or not rest else said


def micro(count: int) -> str:
    """Say a duration that was counted in microseconds."""
    return span(timedelta(microseconds=count))


def moment(when: datetime) -> str:
    """Say a moment: `2026-01-31 14:05:09 UTC`."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def distance(when: datetime, now: datetime) -> str:
    """Say how far away a moment is: `3 h 20 min ago`, `in 2 d 4 h`."""
    return f"in {span(when - now)}" if when > now else f"{span(now - when)} ago"


def plain(text: Any) -> str:
    """Other people's text on one line, without what could steer a terminal or turn the line around."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(str(text).split()))


def read_span(text: str, *, field: str, at_most: timedelta, or_else: str = "") -> timedelta:
    """Read a duration such as `90 s`, `2h`, `1 d 12 h`.

    Args:
        text: What was typed.
        field: The option, for the error.
        at_most: The longest one that is taken.
        or_else: What else might have been typed, for the error.

    Raises:
        BadInput: it is none, or too long.
    """
    seconds, at = 0.0, 0
    while found := _PART.match(text, at):
        seconds += float(found[1]) * _UNITS[found[2]]
        at = found.end()
    if not at or text[at:].strip():
        raise BadInput(f"write a duration such as 90s, 15min, 2h or 1d12h{or_else}", field=field)
    if seconds > at_most.total_seconds():
        raise BadInput(f"at most {span(at_most)}", field=field)
    return timedelta(seconds=seconds)


def read_moment(text: str, *, field: str) -> datetime:
    """Read a moment that has come, such as `2026-01-31T14:05:00Z`.

    Args:
        text: What was typed.
        field: The option, for the error.

    Raises:
        BadInput: it is none, has no zone, or lies in the future.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise BadInput("write a date and time with its zone, such as 2026-01-31T14:05:00Z", field=field)
    if when > datetime.now(UTC):
        raise BadInput("it lies in the future; give the moment at which the request was accepted", field=field)
    return when.astimezone(UTC)
