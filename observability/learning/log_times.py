"""Times of a log: each becomes microseconds since 1970 in UTC, or an error says why it cannot."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
REPEATED = "repeated_hour"
"""Times without a zone in the hour that a zone repeats in autumn: they are read as its first run."""


class TimeError(ValueError):
    """A time cannot be read; the text says what was expected."""


class Times:
    """Reads the times of one log."""

    def __init__(self, zone: str, time_format: str, counts: Counter[str]) -> None:
        """Prepare.

        Args:
            zone: Of times that name none; empty refuses those.
            time_format: As in strptime; empty for ISO 8601.
            counts: Takes how many fell into a repeated hour.
        """
        self._zone = ZoneInfo(zone) if zone else None
        self._format = time_format
        self._counts = counts

    def read(self, text: str) -> int:
        """Read one.

        Raises:
            TimeError: it is none, has no zone, or never was.
        """
        try:
            when = self._parsed(text.strip())
        except ValueError:
            wanted = f"a time as {self._format}" if self._format else "an ISO 8601 time"
            raise TimeError(f"is not {wanted}") from None
        if when.tzinfo is None:
            when = self._placed(when)
        try:
            return (when - _EPOCH) // _MICROSECOND
        except OverflowError:
            raise TimeError("is out of range") from None

    def _parsed(self, text: str) -> datetime:
        # Which zone is meant, if the text says none, is settled by `_placed`.
        return datetime.strptime(text, self._format) if self._format else datetime.fromisoformat(text)  # noqa: DTZ007

    def _placed(self, naive: datetime) -> datetime:
        if self._zone is None:
            raise TimeError('has no zone; say in the map which one is meant: zone = "Europe/Amsterdam"')
        first = naive.replace(tzinfo=self._zone)
        second = first.replace(fold=1)
        if first.utcoffset() != second.utcoffset():
            if first.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != naive:
                raise TimeError("never was: the clocks of the map's zone skipped it; give times with their zone")
            self._counts[REPEATED] += 1
        return first


def as_moment(at: int) -> datetime:
    """A time of a log as a datetime in UTC."""
    return _EPOCH + at * _MICROSECOND
