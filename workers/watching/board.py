"""What is found now, what is new, and what has ended: the same finding is one finding while it lasts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from workers.watching.finding import Finding


@dataclass(frozen=True, slots=True)
class Change:
    """What a pass changed."""

    now: tuple[Finding, ...]
    """All that is found, the oldest first."""
    new: tuple[Finding, ...]
    ended: tuple[Finding, ...]


class Board:
    """Remembers findings; a new one, after a restart, has the times that the engine knows."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._known: dict[tuple[str, str, str, str], Finding] = {}

    def take(self, found: Iterable[Finding], now: datetime) -> Change:
        """Compare what is found with what was."""
        before, self._known = self._known, {}
        new = []
        for finding in found:
            known = before.get(finding.key)
            since = min((f.since for f in (known, finding) if f and f.since), default=now)
            self._known[finding.key] = replace(finding, since=since)
            if known is None:
                new.append(self._known[finding.key])
        ended = [finding for key, finding in before.items() if key not in self._known]
        ordered = sorted(self._known.values(), key=lambda finding: (finding.since or now, finding.key))
        return Change(tuple(ordered), tuple(new), tuple(ended))
