"""The record of a case: what happened, who or what did it, and when.

Times are whole microseconds since the case's start: exact, small (the record lives in the workflow's memo),
and free of any zone. `Record.started` gives them their date.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.dataclasses import dataclass
from temporalio.common import SearchAttributeKey

from .incidents import Incident
from .kept import Kept
from .proposal import Proposed
from .spec import Close, Kind

STATE = SearchAttributeKey.for_keyword("WorkUnitState")
"""`running`, `waiting` (for a person), `incident` (for an operator), or how the case closed."""
DUE_AT = SearchAttributeKey.for_datetime("WorkUnitDueAt")
"""The next moment that matters: the SLA's due time or an open task's expiry, whichever is first."""
OPEN_TASKS = SearchAttributeKey.for_int("WorkUnitOpenTasks")
CHANGED_AT = SearchAttributeKey.for_datetime("WorkUnitChangedAt")
SEARCH_ATTRIBUTES: tuple[SearchAttributeKey[Any], ...] = (STATE, DUE_AT, OPEN_TASKS, CHANGED_AT)

MEMO = "workunit"
"""The memo key that a unit writes: {"record": Record, "tasks": [Task]}."""
START_MEMO = "workunit_start"
"""The memo key that whoever starts a case writes: see `StartNote`."""
TIMING = "workunit-timing"
"""The payload metadata in which a performer's result carries attempt and times, apart from the result itself."""

MEMO_LIMIT = 16_000
"""Bytes of memo while the record fits; a larger record goes into the closing event."""
MEMO_HARD_LIMIT = 256_000
"""Bytes of memo for a cancelled case, which has no result that could carry its record."""
IGNORED_KEPT = 50
LONGEST_DELAY = timedelta(days=3650)

Microseconds = int
Interval = tuple[Microseconds, Microseconds]


def _empty(value: Any) -> bool:
    """Whether a fact says nothing: what came later to the record is left out then, so that older ones stay the same."""
    return not value


class _Part(Kept):
    model_config = ConfigDict(extra="ignore")


class StartNote(_Part):
    """What the starter of a case tells it: the SDK shows a workflow neither its start delay nor its key."""

    key: str = Field(default="", max_length=200)
    delay: float = Field(default=0.0, ge=0, le=LONGEST_DELAY.total_seconds(), allow_inf_nan=False)
    """Seconds of Temporal start delay."""
    input_hash: str = ""
    by: str = Field(default="", max_length=200)
    """Who started it."""
    accepted_at: AwareDatetime | None = None
    """When the request was accepted, for the lead time."""
    asked_at: AwareDatetime | None = Field(default=None, exclude_if=_empty)
    """When another unit asked for it: the case's start. The engine's own start of it may be on another clock."""


class Failure(_Part):
    """What a failing performer reports beside its error."""

    business: bool = False
    evidence: str | None = None
    timing: list[int] = Field(default_factory=list)


@dataclass(slots=True, kw_only=True, config=ConfigDict(extra="ignore"))
class Work:
    """One performance of a step; not a model, which takes four times its memory: an open case keeps several."""

    key: str
    """The step's name, with `-2`, `-3` when it is performed again."""
    step: str
    kind: Kind
    ready: Microseconds
    """When it could be worked on."""
    claimed: Microseconds | None = None
    first_claimed: Microseconds | None = Field(default=None, exclude_if=lambda at: at is None)
    """When someone first took it, once it was given back or went elsewhere: `claimed` is of whoever has it."""
    work: list[Interval] = Field(default_factory=list)
    """Intervals in which someone or something worked."""
    since: Microseconds | None = None
    """Work that began and goes on; or the wait or hold, when the task is waiting or suspended."""
    waits: list[Interval] = Field(default_factory=list)
    """Intervals in which its owner waited for someone outside."""
    waits_for: list[str] = Field(default_factory=list, exclude_if=_empty)
    """For whom: the reasons of the waits, of the one that goes on last."""
    held: list[Interval] = Field(default_factory=list)
    """Intervals in which it was suspended."""
    now: Literal["waiting", "suspended"] | None = None
    """What goes on since `since`, when it is not work."""
    belated: list[tuple[str, Microseconds, Microseconds]] = Field(default_factory=list, exclude_if=_empty)
    """Waits and holds that were told when a clock was broken: the clock, their begin, and from when it counts them."""
    retry: list[Interval] = Field(default_factory=list)
    """Intervals of failed attempts and the pauses between them."""
    done: Microseconds | None = None
    end: Literal["done", "exception", "failed", "skipped", "expired", "cancelled"] | None = None
    code: str | None = None
    """The exception's code, or what kind of technical failure it was."""
    by: str | None = None
    """The person; empty for machine steps, whose performer is named by the step, unless an operator gave the result."""
    acting_for: str | None = None
    accountable: str | None = None
    """The person who answered for the decision when it was made, as the door's directory had it."""
    attempts: int = 1
    external: bool = False
    decides: bool = False
    """A decision point."""
    assigned_only: bool = False
    """Nobody said when the work began: the touch time is unknown, not zero."""
    redo_of: str | None = None
    undoes: str | None = None
    """The performance that this one compensates."""
    child: str | None = Field(default=None, exclude_if=_empty)
    """The case of the unit that performed it."""
    inside: list[tuple[str, Microseconds, Microseconds]] = Field(default_factory=list, exclude_if=_empty)
    """How that case spent its time: a part, from when, until when."""


class Routed(_Part):
    """A business exception, or a technical failure for good, and the rule that was taken."""

    at: Microseconds
    key: str
    """The performance that raised it; empty when the unit itself did."""
    code: str
    business: bool = True
    to: str
    """The step that took over, or `close`, `incident` or `compensate`."""


ROUTES = {
    "close": "the case closes",
    "incident": "an operator decides",
    "compensate": "what was done is undone, then the case closes",
}
"""Where a route leads, in words, when no step takes over."""


class Acted(_Part):
    """An action that was accepted."""

    at: Microseconds
    """When it counts: the sender's time, never before what counts already on the task, nor after it arrived."""
    id: str
    hash: str
    """Of the whole action; the same id with another hash is refused."""
    task: str
    action: str
    by: str
    acting_for: str | None = None
    origin: str = ""
    """Through which door it came."""
    seen: str | None = None
    """A hash of what the actor was shown."""
    said: dict[str, Any] = Field(default_factory=dict)
    """What it said beside an answer: to whom, why."""
    state: str
    """What the sender was answered: the task's state ..."""
    revision: int
    """... and revision after the action."""


class Ignored(_Part):
    """A message that had no effect, and why."""

    at: Microseconds
    code: str
    why: str


class Rung(_Part):
    """A fired rung of a clock: `at` is when it fired, `due` when it was due."""

    rung: Literal["goal", "warn", "deadline", "passed", "withdrawn", "expiry", "resume"]
    due: Microseconds
    at: Microseconds
    task: str | None = None
    """The task that expired, or whose wait ended."""
    clock: str = "unit"
    """The clock whose rung it is."""
    generation: int = 1
    """Of the clock: it counts how often it was armed."""
    number: int = 0
    """Of `passed`: which of its reminders; of one that was withdrawn: the first of those that come again."""
    of: Literal["goal", "warn", "deadline", "passed"] = "deadline"
    """Of `withdrawn`: which rung."""
    reached: list[str] = Field(default_factory=list)
    """Whom the ladder told, or gave the tasks to."""


class ClockEntry(_Part):
    """What someone did to a clock, and why."""

    at: Microseconds
    clock: str
    entry: Literal["pause", "resume", "adjust", "void", "reproject"]
    by: str
    acting_for: str | None = None
    reason: str
    evidence: str = ""
    amount: Microseconds = 0
    """Of `adjust`: what the budget is longer by."""
    came: Literal["", "wanted", "done", "overtaken"] = Field(default="", exclude_if=_empty)
    """Of `reproject`: whether the clock goes on by it, or another was wanted later; empty in older records."""
    calendar: str = Field(default="", exclude_if=_empty)
    """Of `reproject`: the calendar and version, `<name>@<version>`; `<name>@` while the newest is wanted."""
    why: str = Field(default="", exclude_if=_empty)
    """Of `reproject`: why it is still wanted, once it was tried."""


class ClockFacts(_Part):
    """How a clock stands: written for those who read the record without the calendar."""

    clock: str
    name: str
    """The promise: `unit`, `decide.finish_by`."""
    started: Microseconds
    budget: Microseconds
    consumed: Microseconds
    paused: Microseconds = 0
    due: Microseconds | None = None
    stopped: Microseconds | None = None
    breached: Microseconds | None = None
    state: Literal["running", "paused", "stopped", "void"] = "running"
    generation: int = 1
    calendar: str = ""
    """`<name>@<version>`."""
    task: str | None = None


class Record(_Part):
    """What happened in a case; what the learning loop learns from."""

    unit: str
    version: str
    case: str
    key: str = ""
    started: datetime
    due: Microseconds
    accepted_at: datetime | None = None
    """When the request was accepted, when that was before the case started."""
    facts: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    segment: str | None = None
    quality: dict[str, float] = Field(default_factory=dict)
    """Quality measures taken from the result."""
    trace: str | None = None
    started_by: str = ""
    close: Close | None = None
    reason: str | None = None
    why: str | None = None
    """The reason in words: which field of the input, which step."""
    cancelled_by: str | None = None
    closed: Microseconds | None = None
    warned: Microseconds | None = None
    breached: Microseconds | None = None
    """The due time that was passed; a fact of its own, whatever the close."""
    steps: list[Work] = Field(default_factory=list)
    routes: list[Routed] = Field(default_factory=list)
    actions: list[Acted] = Field(default_factory=list)
    rungs: list[Rung] = Field(default_factory=list)
    entries: list[ClockEntry] = Field(default_factory=list, exclude_if=_empty)
    """What people did to the clocks."""
    clocks: list[ClockFacts] = Field(default_factory=list, exclude_if=_empty)
    """How the clocks stand; empty where the only one is the unit's, in elapsed time, and nothing was done to it."""
    voided: Microseconds | None = Field(default=None, exclude_if=lambda at: at is None)
    """When the promise was declared void."""
    off: list[Interval] = Field(default_factory=list, exclude_if=_empty)
    """At the close, where the promise is in working time: what was outside of it."""
    incidents: list[Incident] = Field(default_factory=list, exclude_if=_empty)
    """Machine steps that waited, or wait, for an operator."""
    proposals: list[Proposed] = Field(default_factory=list, exclude_if=_empty)
    """What models proposed, and what became of it."""
    stopped: dict[str, Microseconds] = Field(default_factory=dict, exclude_if=_empty)
    """Steps whose autonomy was stopped in this case, and when."""
    ignored: list[Ignored] = Field(default_factory=list)
    """The first 50."""
    ignored_count: int = 0
    elsewhere: bool = False
    """Too large for the memo: the whole record is in the closing event."""
    left_out: list[str] = Field(default_factory=list, exclude_if=_empty)
    """Of an open case that is too large for the memo: the lists that are not here; of `steps`, those that are over.
    Of a closed one that is too large for any event: the lists of which only the later part is here."""
    runs: int = 1
    """How often the case went on as a new run, plus one."""

    def when(self, offset: Microseconds) -> datetime:
        """The date of an offset."""
        return self.started + timedelta(microseconds=offset)

    def offset(self, moment: datetime) -> Microseconds:
        """Microseconds since the start, never negative."""
        return max(0, (moment - self.started) // timedelta(microseconds=1))

    def incident(self, name: str) -> Incident | None:
        """The incident that is addressed as a task is: `<case>/<key>`."""
        return next((incident for incident in self.incidents if name == f"{self.case}/{incident.key}"), None)

    def revision_of_clock(self, key: str) -> int:
        """Which revision of a clock is the present one: each entry makes another."""
        return 1 + sum(entry.clock == key for entry in self.entries)

    def proposal(self, key: str) -> Proposed | None:
        """The proposal of a performance; several votes on the same one share it."""
        return next((one for one in self.proposals if one.is_decided_by(key)), None)

    def state(self, open_tasks: Sequence[Any]) -> str:
        """How the case stands, with these open tasks: see `STATE`."""
        held = any(incident.holds for incident in self.incidents)
        return self.close or ("incident" if held else "waiting" if open_tasks else "running")

    @property
    def sla(self) -> Literal["met", "breached", "void", "running"]:
        """Whether the outcome came within its budget.

        `running` while that is open; `void` when the case ended in time but without an outcome: it was cancelled,
        expired or failed, and counts as neither met nor breached.
        """
        if self.voided is not None:
            return "void"
        if self.breached is not None:
            return "breached"
        if self.close is None:
            return "running"
        return "void" if self.close in ("cancelled", "expired", "failed") else "met"

    @property
    def decided_by(self) -> list[str]:
        """The people who decided, in order, without repetition; who only supplied information is left out."""
        return list(dict.fromkeys(work.by for work in self.steps if work.by and work.decides and work.end == "done"))

    def compact(self) -> dict[str, Any]:
        """As JSON values, without what says nothing."""
        return self.model_dump(mode="json", exclude_defaults=True)


class Closed(BaseModel):
    """What a case returns; the record is here only when it does not fit the memo."""

    close: Close
    reason: str | None = None
    result: Any = None
    record: dict[str, Any] | None = None
    spans: list[tuple[str, Microseconds, Microseconds]] = Field(default_factory=list, exclude_if=_empty)
    """For a case that another one called: how it spent its time, as far as that is short."""
