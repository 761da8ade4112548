"""The transitions of a case's steps and tasks, named as XES's standard lifecycle model names them.

Between the start of the case and its close, so that the first event is the one and the last event is the other;
start to complete (less suspend to resume) of a step is its touch time, and schedule to assign (a machine: to start,
less its retries) its queue, exactly as the ledger has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from observability.export.reading import CaseFile, Row

NEEDED = ("steps", "tasks", "exceptions", "actions")
"""The parts of a case that its events are made from."""
CASE = "CASE"
"""The activity of the case as a whole; no step has such a name, they are lower case."""
_ABORTED = ("cancelled", "failed")
"""The closes after which the case as a whole counts as aborted."""
_TAKES = ("assign", "start", "complete")
"""What makes a free task somebody's, beside a claim."""
_HANDS = ("assign", "delegate")
"""What gives a task to somebody else."""


@dataclass(frozen=True, slots=True)
class Event:
    """One transition."""

    at: datetime
    activity: str
    """The step, or `CASE`."""
    instance: str
    """The performance: the step's name, with `-2`, `-3` when it was performed again; the case's id for `CASE`."""
    transition: str
    executor: str | None = None
    """`automated`, `ai`, `human`, or `unit`: a case of another one."""
    resource: str | None = None
    """The person, or `<unit>.<step>` for a machine; none where nobody did it, such as an expiry."""
    role: str | None = None
    group: str | None = None
    """The executor kind, since machines of one kind are one pool; `external` for people outside the organisation."""
    acting_for: str | None = None
    ended: str | None = None
    """How the step ended, or the case closed; with the transition that ended it."""
    code: str | None = None
    redo_of: str | None = None
    attempts: int | None = None
    retry_us: int | None = None
    """Failed attempts and the pauses between them, in microseconds; they come before the start."""
    assigned_only: bool | None = None
    """Nobody said when work began: the touch time is unknown, not zero."""


def events_of(file: CaseFile) -> list[Event]:
    """All transitions of a case, in order.

    What happened to a step between the moment that ended the case and the moment at which the case learned of it is
    moved to the close: it is no part of the case's time in the ledger either.
    """
    case = file.case
    start, end = case["started_at"], case["closed_at"]
    tasks = {row["task_id"]: row for row in file.parts["tasks"]}
    ended_by = {row["key"] for row in file.parts["exceptions"] if row["routed_to"] == "close"}
    actions = file.of_step("actions")
    found: list[Event] = []
    for step in file.parts["steps"]:
        key = step["key"]
        told = _Step(case, step, tasks.get(f"{case['case_id']}/{key}"), actions.get(key, []))
        found += told.events(ended_case=key in ended_by)
    last = max([start, *(event.at for event in found)] if end is None else [start, end])
    inside = [e if start <= e.at <= last else replace(e, at=min(max(e.at, start), last)) for e in found]
    inside.sort(key=lambda event: event.at)  # stable: what a step says of one moment stays in its order
    whole = Event(start, CASE, case["case_id"], "start")
    if end is None:
        return [whole, *inside]
    transition = "pi_abort" if case["close"] in _ABORTED else "complete"
    return [whole, *inside, replace(whole, at=last, transition=transition, ended=case["close"], code=case["reason"])]


class _Step:
    """One performance of a step, on its way to events."""

    def __init__(self, case: Row, step: Row, task: Row | None, actions: Sequence[Row]) -> None:
        self._case, self._step, self._task, self._actions = case, step, task, actions
        self._human = step["kind"] == "human"
        self._machine = None if self._human else f"{case['unit']}.{step['step']}"
        self._intervals = [(self._when(a), self._when(b)) for a, b in step["intervals"]]

    def events(self, *, ended_case: bool) -> Iterator[Event]:
        """What happened to it; at one moment in this order."""
        yield self._event("schedule", self._step["ready_at"])
        yield from self._taken()
        yield from self._worked()
        yield from self._released()
        yield from self._end(ended_case=ended_case)

    def _event(self, transition: str, at: datetime, resource: str | None = None, **more: Any) -> Event:
        step = self._step
        return Event(
            at,
            step["step"],
            step["key"],
            transition,
            executor=step["kind"],
            resource=resource or self._machine,
            role=(self._task["role"] or None) if self._task else None,
            group="external" if step["external"] else step["kind"],
            redo_of=step["redo_of"],
            **more,
        )

    def _taken(self) -> Iterator[Event]:
        """Each time that a person was given the task, or took it: by a claim, by starting or completing it at once."""
        step, said = self._step, False
        for transition, row in self._moves():
            if transition == "assign":
                said = said or row["at"] == step["claimed_at"]
                by = (self._assigned(row), None) if row["action"] == "assign" else (row["actor"], row["acting_for"])
                yield self._event("assign", row["at"], by[0], acting_for=by[1])
        if step["claimed_at"] and not said:  # a long case keeps its last actions only
            yield self._event("assign", step["claimed_at"], step["performer"], acting_for=step["acting_for"])

    def _released(self) -> Iterator[Event]:
        """The standard model knows no way back from assigned to ready."""
        for transition, row in self._moves():
            if transition == "unknown":
                yield self._event("unknown", row["at"], row["actor"], code="released")

    def _moves(self) -> Iterator[tuple[str, Row]]:
        """Each action by which the task became somebody's or nobody's; what operators decide on a machine's is none."""
        taken = False
        for row in self._actions if self._human else ():
            # Whoever claims it finds it free: the ladder takes tasks away without an action.
            if row["action"] == "claim" or (not taken and row["action"] in _TAKES):
                taken = True
                yield "assign", row
            elif taken and row["state"] == "ready":
                taken = False
                yield "unknown", row

    def _assigned(self, row: Row) -> str | None:
        """To whom it was assigned, where nobody else had it later: the action names who did it."""
        step, later = self._step, self._actions[self._actions.index(row) + 1 :]
        if row["at"] != step["claimed_at"] or any(other["action"] in _HANDS for other in later):
            return None
        owner: str | None = step["acting_for"] or step["performer"]
        return owner

    def _worked(self) -> Iterator[Event]:
        begun_by = {row["at"]: row["actor"] for row in self._actions if row["action"] == "start"}
        goes_on = self._goes_on()
        intervals = list(self._intervals)
        if goes_on and begun_by and max(begun_by) not in {begin for begin, _ in intervals}:
            # It had only begun when the ledger was told, by a clock that may be behind the engine's.
            intervals.append((max(begun_by), max(begun_by)))
        last = len(intervals) - 1
        for number, (begin, end) in enumerate(intervals):
            # A machine worked, also where an operator gave the result in the end.
            by = begun_by.get(begin, self._step["performer"]) if self._human else None
            yield self._event("resume" if number else "start", begin, by)
            if number < last or not (goes_on or end == self._end_at()):
                yield self._event("suspend", end, by)

    def _goes_on(self) -> bool:
        """Whether somebody works on it now."""
        return bool(self._step["done_at"] is None and self._task and self._task["state"] == "in_progress")

    def _end_at(self) -> datetime | None:
        """When it ended: a machine's work, not when the case took its result; if an operator gave it, then."""
        done: datetime | None = self._step["done_at"]
        if done is None:
            return None
        given = self._human or self._step["performer"]
        if not given and self._intervals and self._step["ended"] != "cancelled":
            return self._intervals[-1][1]
        closed: datetime | None = self._case["closed_at"]
        return min(done, closed) if closed else done

    def _end(self, *, ended_case: bool) -> Iterator[Event]:
        step, at = self._step, self._end_at()
        if at is None:
            return
        done = step["ended"] == "done"
        yield self._event(
            self._ending(ended_case=ended_case),
            at,
            step["performer"] if done else None,
            acting_for=step["acting_for"] if done else None,
            ended=step["ended"],
            code=step["code"],
            attempts=None if self._human else step["attempts"],
            retry_us=None if self._human else step["retry_us"],
            assigned_only=step["assigned_only"] or None,
        )

    def _ending(self, *, ended_case: bool) -> str:
        """The transition that ended it: `pi_abort` where the case ended with it, `ate_abort` where that went on."""
        ended = self._step["ended"]
        if ended == "done":
            return "complete"
        if ended == "cancelled":
            return "pi_abort" if self._intervals else "withdraw"
        if ended == "expired":
            return "pi_abort" if self._case["close"] == "expired" else "ate_abort"
        return "pi_abort" if ended_case else "ate_abort"

    def _when(self, offset: int) -> datetime:
        there: datetime = self._case["started_at"] + timedelta(microseconds=offset)
        return there


def executors(steps: Sequence[Row]) -> str:
    """The executor kinds that had a part in a case, in alphabetical order."""
    return " ".join(sorted({step["kind"] for step in steps}))
