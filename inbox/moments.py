"""Moments and durations as a person reads them: in their own zone, which is named, and as a distance in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_SIZES = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_ROUND = 10
TIME_TWICE = "Give a day and a time that exist in your time zone, such as 2026-01-31 14:05."


def moment(when: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Say a moment: the time alone when it is today, the day with it otherwise."""
    there, today = when.astimezone(zone), now.astimezone(zone)
    if there.date() == today.date():
        return f"today {there:%H:%M}"
    if abs(there.date() - today.date()) == timedelta(days=1):
        return f"{'tomorrow' if there > today else 'yesterday'} {there:%H:%M}"
    day = f"{there.day} {there:%b}" if there.year == today.year else f"{there.day} {there:%b %Y}"
    return f"{day} {there:%H:%M}"


def exact(when: datetime, zone: ZoneInfo) -> str:
    """Say a moment in full, with its zone: `2026-01-31 14:05:09 CET`."""
    return f"{when.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def span(length: timedelta) -> str:
    """Say a duration with at most its two largest units: `3 h 20 min`, `2 d`, `45 s`."""
    left = int(abs(length).total_seconds())
    said: list[str] = []
    for unit, size in _SIZES:
        count, left = divmod(left, size)
        if said:
            return " ".join([*said, f"{count} {unit}"] if count and unit != "s" else said)
        if count:
            said.append(f"{count} {unit}")
            if count >= _ROUND and unit != "h":
                return said[0]
    return said[0] if said else "0 s"


def brief(length: timedelta) -> str:
    """Say a duration that may be short: milliseconds below a second."""
    thousandths = abs(length) // timedelta(milliseconds=1)
    return span(length) if thousandths >= 1000 else f"{thousandths} ms" if thousandths or not length else "<1 ms"  # noqa: PLR2004


def micro(count: float) -> str:
    """Say a duration that was counted in microseconds."""
    return brief(timedelta(microseconds=count))


def distance(when: datetime, now: datetime) -> str:
    """Say how far away a moment is: `in 3 h 20 min`, `12 min ago`."""
    if abs(when - now) < timedelta(seconds=1):
        return "now"
    return f"in {span(when - now)}" if when > now else f"{span(now - when)} ago"


def local(text: str, zone: ZoneInfo) -> str:
    """A moment in ISO form as a browser's field takes it; empty when it is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return ""
    there = when.astimezone(zone) if when.tzinfo else when
    return there.strftime("%Y-%m-%dT%H:%M")


def from_local(text: str, zone: ZoneInfo) -> datetime | None:
    """Read a browser's local time; one that a clock shows twice is the first, one that it skips is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if when.tzinfo is not None:
        return when
    when = when.replace(tzinfo=zone)
    back = when.astimezone(UTC).astimezone(zone)
    return when if back.replace(tzinfo=None) == when.replace(tzinfo=None) else None
