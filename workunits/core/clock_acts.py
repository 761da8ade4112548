"""What people do to a clock: stop it, let it run on, adjust it, declare it void; each with a reason, on the record.

Nothing is dated back: a pause counts from when it arrives, and never undoes a breach. What was counted wrongly is
put right by an adjustment, which is the accountable role's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from . import reprojections
from .errors import Refused
from .lifecycle import SYSTEM, Action
from .record import ClockEntry, Microseconds
from .strict_json import read_part

if TYPE_CHECKING:
    from collections.abc import Collection

    from .clocks import Reading
    from .human import Desk
    from .pinning import Calendars
    from .record import Work
    from .sla import Clock

PREFIX = "clock:"
"""Before a clock's key, where an action names a task."""
LONGEST = timedelta(days=3650).total_seconds()
"""By how much a budget may be adjusted at most, in seconds."""


class _Why(BaseModel):
    model_config = ConfigDict(extra="forbid")

    evidence: str = Field(default="", max_length=500)
    """Where it is written: a letter, a ticket."""


class Stop(_Why):
    """Why the clock stands still: one of the target's reasons."""

    reason: str = Field(min_length=1, max_length=120)
    evidence: str = Field(min_length=1, max_length=500)


class GoOn(_Why):
    """Which reason has gone."""

    reason: str = Field(min_length=1, max_length=120)


class Adjust(_Why):
    """By how much the budget is longer or, negative, shorter."""

    seconds: float = Field(allow_inf_nan=False, ge=-LONGEST, le=LONGEST)
    reason: str = Field(min_length=1, max_length=500)
    evidence: str = Field(min_length=1, max_length=500)


class Void(_Why):
    """Why the promise does not count."""

    reason: str = Field(min_length=1, max_length=500)
    evidence: str = Field(min_length=1, max_length=500)


class Reproject(_Why):
    """Why the clock goes on by another version of its calendar."""

    reason: str = Field(min_length=1, max_length=500)
    version: int | None = Field(default=None, ge=1)
    """None: the newest."""


ACTS: dict[str, type[_Why]] = {
    "pause_clock": Stop,
    "resume_clock": GoOn,
    "adjust_clock": Adjust,
    "void_clock": Void,
    "reproject_clock": Reproject,
}
_ACCOUNTABLE = ("adjust_clock", "void_clock")
_PAUSING = ("wait", "suspend", "resume")
"""Actions on tasks with which a clock may begin to stand still; after a hold, the wait goes on."""


class ClockActs:
    """Judges and applies what people do to the clocks of a case."""

    __slots__ = ("_accountable", "_calendars", "_clock", "_desk")

    def __init__(self, desk: Desk, clock: Clock, calendars: Calendars, accountable: str) -> None:
        """Act on a case's clocks; `accountable` is the role that may adjust them and declare them void."""
        self._desk, self._clock, self._calendars, self._accountable = desk, clock, calendars, accountable

    def judge(self, action: Action, now: Microseconds) -> BaseModel:
        """Say whether it is allowed; changes nothing.

        Raises:
            BadInput: its body does not fit.
            Refused: `not_allowed`, `unknown_clock`, `closed`, `stale_revision`, `wrong_state` or `not_listed`.
        """
        self._refuse_strangers(action)
        reading = self._find(action)
        said = read_part(ACTS[action.action], action.body, "body")
        if reading.state(now) in ("stopped", "void"):
            raise Refused("closed", f"the clock is {reading.state(now)}")
        revision = len(reading.entries) + 1
        if action.revision != revision:
            raise Refused("stale_revision", f"the clock is at revision {revision}, not {action.revision}")
        if isinstance(said, Stop | GoOn):
            self._refuse_reason(reading, said)
        if isinstance(said, Reproject) and not reading.promised.target.calendar:
            raise Refused("wrong_state", "the clock counts elapsed time, by no calendar")
        return said

    def _refuse_strangers(self, action: Action) -> None:
        roles = set(action.roles)
        if action.action in _ACCOUNTABLE:
            if self._accountable not in roles:
                raise Refused("not_allowed", f"{action.action!r} is for the role {self._accountable!r}")
        elif not roles & {*self._desk.admins, SYSTEM}:
            raise Refused("not_allowed", f"{action.action!r} is for {', '.join(sorted(self._desk.admins))}")

    def _find(self, action: Action) -> Reading:
        case, _, name = action.task_id.rpartition("/")
        key = name.removeprefix(PREFIX)
        known = {reading.key: reading for reading in self._clock.readings()}
        if case != self._desk.record.case or not name.startswith(PREFIX) or key not in known:
            raise Refused("unknown_clock", f"the case has no such clock; it has {', '.join(sorted(known)) or 'none'}")
        return known[key]

    @staticmethod
    def _refuse_reason(reading: Reading, said: Stop | GoOn) -> None:
        listed = [pause.reason for pause in reading.promised.target.pauses]
        if said.reason not in listed:
            known = f"it lists {', '.join(listed)}" if listed else "it lists none: nothing stops this clock"
            raise Refused("not_listed", f"the target does not list this reason; {known}")
        stops = [entry.entry for entry in reading.entries if entry.reason == said.reason]
        stopped = bool(stops) and stops[-1] == "pause"
        if stopped == isinstance(said, Stop):
            raise Refused("wrong_state", f"the clock is {'already' if stopped else 'not'} stopped for this reason")

    def enter(self, action: Action, said: BaseModel, now: Microseconds) -> tuple[str, int]:
        """Write an entry that was judged.

        Returns:
            The clock's state, and its revision.
        """
        key = action.task_id.rpartition("/")[2].removeprefix(PREFIX)
        entry = ClockEntry(
            at=now,
            clock=key,
            entry=action.action.removesuffix("_clock"),  # type: ignore[arg-type]
            by=action.actor,
            acting_for=action.acting_for,
            reason=getattr(said, "reason", ""),
            evidence=getattr(said, "evidence", ""),
            amount=round(said.seconds * 1_000_000) if isinstance(said, Adjust) else 0,
        )
        self._desk.record.entries.append(entry)
        if isinstance(said, Adjust):
            self._clock.rearm(lambda reading: reading.key == key)
        elif isinstance(said, Void) and key == "unit":
            self._desk.record.voided = now
        elif isinstance(said, Reproject):
            name = self._find(action).promised.target.calendar
            reprojections.want(self._desk.record, self._calendars, entry, name, said.version)
        reading = self._find(action)
        return reading.state(now), len(reading.entries) + 1

    def broken(self, action: Action) -> Collection[str]:
        """The clocks that are broken, where an action on a task may stop them: no pause undoes that."""
        return self._clock.broken() if action.action in _PAUSING else ()

    def told(self, work: Work, broken: Collection[str]) -> None:
        """Count a wait or a hold that began before it was told; `broken` is which clocks were, until then."""
        if work.now is not None:
            self._clock.told(work, broken)
