"""What a case's history says, turn by turn: a turn is one workflow task, in which a case learns and acts.

Of payloads, the recount reads these fields and no others:

- the start's input: what a unit's procedure goes by (`mood`, `amount`, `subject`);
- the starter's note: `delay` and `accepted_at`;
- an action's envelope: `action`, `action_id`, `task_id`, `revision`, `actor`, `roles`, `acting_for`, `sent_at`, and of
  its body what is said of the task (`to`, `how`, `until`, `code`) or what the procedure goes by (votes, returns);
- a performer's own account of an attempt (the metadata of its result, or `timing` beside its error): how long earlier
  attempts took, how long this one waited, and how long it worked; of an inline step the history has no times at all,
  and of a regular one only those of the last attempt;
- the engine's own note of an inline step: `activity_id`, `attempt`, `complete_time`;
- the close: `close`, `reason`, `result`.

The memo that a case writes is never read: only when it was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

NOTE = "workunit_start"
ACCOUNT = "workunit-timing"
MESSAGE = "act"
_DONE_IN_A_TURN = frozenset(
    {
        "activity_task_cancel_requested",
        "activity_task_scheduled",
        "marker_recorded",
        "timer_canceled",
        "timer_started",
        "upsert_workflow_search_attributes",
        "workflow_execution_canceled",
        "workflow_execution_completed",
        "workflow_execution_continued_as_new",
        "workflow_execution_failed",
        "workflow_execution_update_accepted",
        "workflow_execution_update_completed",
        "workflow_properties_modified",
    }
)
_OF_A_TURN = _SCHEDULED, _STARTED, _COMPLETED = (
    "workflow_task_scheduled",
    "workflow_task_started",
    "workflow_task_completed",
)
_ONE_BREATH = 2_000_000
"""Nanoseconds within which the engine writes down what is one transaction."""
OUTSIDE = {"workflow_execution_terminated": "terminated", "workflow_execution_timed_out": "timed_out"}
"""The ends that no code of the case saw."""


@dataclass(frozen=True)
class Turn:
    """One workflow task."""

    at: datetime
    """What the case's clock shows in it."""
    learned: Sequence[HistoryEvent]
    did: list[HistoryEvent] = field(default_factory=list)
    after: list[HistoryEvent] = field(default_factory=list)
    """What came then, up to the end of the next turn."""

    @property
    def goes_on(self) -> bool:
        """Whether the worker asked for the next turn in the same breath: an inline step ended while it answered."""
        if [kind_of(event) for event in self.after] != [*_OF_A_TURN] or not self.did:
            return False
        moments = [event.event_time.ToNanoseconds() for event in (self.did[-1], *self.after[:2])]
        return moments[2] - moments[0] < _ONE_BREATH


@dataclass(frozen=True)
class History:
    """All runs of a case as one."""

    started: datetime
    given: Any
    note: Mapping[str, Any]
    turns: Sequence[Turn]
    last: HistoryEvent
    runs: int

    @property
    def ended_outside(self) -> str | None:
        """How the engine ended it, if it did."""
        return OUTSIDE.get(kind_of(self.last))


async def read(client: Client, case: str) -> History:
    """Read the history of a closed case, all its runs."""
    runs: list[list[HistoryEvent]] = []
    run: str | None = None
    while True:
        found = await client.get_workflow_handle(case, run_id=run).fetch_history()
        runs.insert(0, list(found.events))
        run = runs[0][0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run:
            return _history(runs)


def _history(runs: Sequence[Sequence[HistoryEvent]]) -> History:
    first = runs[0][0]
    start = first.workflow_execution_started_event_attributes
    note = start.memo.fields.get(NOTE)
    given = _json(start.input.payloads[0]) if start.input.payloads else None
    begun = first.event_time.ToDatetime(UTC) + start.first_workflow_task_backoff.ToTimedelta()
    return History(
        started=begun,
        given=given,
        note=_json(note) if note else {},
        turns=_turns(event for run in runs for event in run),
        last=runs[-1][-1],
        runs=len(runs),
    )


def _turns(events: Iterable[HistoryEvent]) -> list[Turn]:
    """Group events by the turn that learned of them, or made them; a turn that failed is made again."""
    turns: list[Turn] = []
    learned: list[HistoryEvent] = []
    at: datetime | None = None
    for event in events:
        kind = kind_of(event)
        if turns and kind not in _DONE_IN_A_TURN:
            turns[-1].after.append(event)
        if kind == _STARTED:
            at = _shown(event.event_time)
        elif kind == _COMPLETED and at is not None:
            turns.append(Turn(at, learned))
            learned = []
        elif kind in _DONE_IN_A_TURN:
            turns[-1].did.append(event)
        else:
            learned.append(event)
    return turns


def kind_of(event: HistoryEvent) -> str:
    """Such as `activity_task_completed`."""
    return (event.WhichOneof("attributes") or "").removesuffix("_event_attributes")


def attributes_of(event: HistoryEvent) -> Any:
    """What the event says."""
    return getattr(event, f"{kind_of(event)}_event_attributes")


@dataclass(frozen=True)
class Message:
    """An action as it was sent."""

    envelope: Mapping[str, Any]
    taken: bool | None
    """Whether the case took it; None for a signal, of which no history says."""


def messages_of(turn: Turn) -> list[Message]:
    """The actions that reached a case in a turn: signals, then updates."""
    found = [
        Message(_json(attributes_of(event).input.payloads[0]), None)
        for event in turn.learned
        if kind_of(event) == "workflow_execution_signaled" and attributes_of(event).signal_name == MESSAGE
    ]
    answers = {
        attributes_of(event).meta.update_id: attributes_of(event).outcome.WhichOneof("value") == "success"
        for event in turn.did
        if kind_of(event) == "workflow_execution_update_completed"
    }
    for event in turn.did:
        if kind_of(event) == "workflow_execution_update_accepted":
            request = attributes_of(event).accepted_request
            taken = answers[request.meta.update_id]
            found.append(Message(_json(request.input.args.payloads[0]), taken))
    return found


@dataclass(frozen=True)
class Attempted:
    """How a machine step ended, by the engine's account and its performer's."""

    key: str
    attempts: int
    account: Sequence[int] | None
    """Microseconds: earlier attempts, waiting for this one, in it; None where no performer of ours said."""
    code: str | None = None
    """How it failed; None where it did not."""
    ran: timedelta | None = None
    """From the last attempt's start to its end as the engine saw it."""
    shown: datetime | None = None
    """What the case's clock showed when an inline step had ended: it goes on inside a turn."""


class Activities:
    """Reads the ends of machine steps; the engine says of an end only by number which step it was."""

    def __init__(self) -> None:
        self._begun: dict[int, HistoryEvent] = {}
        self._names: dict[int, str] = {}
        self._late: list[HistoryEvent] = []
        """Inline steps that ended as their turn did, and of which the case learned in the next one."""

    def scheduled(self, turn: Turn) -> None:
        """Note what a turn scheduled."""
        for event in turn.did:
            if kind_of(event) == "activity_task_scheduled":
                self._names[event.event_id] = attributes_of(event).activity_id

    def ended(self, turn: Turn, *, replayed: bool) -> Iterable[Attempted]:
        """What a turn learned of regular steps, and then what its inline steps came to.

        Args:
            turn: The turn.
            replayed: Each inline step ended in its own turn.
        """
        for event in turn.learned:
            kind = kind_of(event)
            if kind == "activity_task_started":
                self._begun[attributes_of(event).scheduled_event_id] = event
            elif kind in ("activity_task_completed", "activity_task_failed", "activity_task_timed_out"):
                yield self._regular(event)
        late, self._late = self._late, []
        for event in late:
            yield _inline(event)
        for event in turn.did:
            if kind_of(event) == "marker_recorded" and attributes_of(event).marker_name == "core_local_activity":
                if event is turn.did[-1] and turn.goes_on and not replayed:
                    self._late.append(event)
                else:
                    yield _inline(event)

    def _regular(self, event: HistoryEvent) -> Attempted:
        said = attributes_of(event)
        number = said.scheduled_event_id
        begun = self._begun[number]
        payloads = said.result.payloads if kind_of(event) == "activity_task_completed" else []
        failure = None if kind_of(event) == "activity_task_completed" else said.failure
        return Attempted(
            key=self._names[number],
            attempts=attributes_of(begun).attempt,
            account=_account(payloads, failure),
            code=_code(failure) if failure is not None else None,
            ran=event.event_time.ToDatetime(UTC) - begun.event_time.ToDatetime(UTC),
        )


def _inline(event: HistoryEvent) -> Attempted:
    said = attributes_of(event)
    about = json.loads(said.details["data"].payloads[0].data)
    failure = said.failure if said.HasField("failure") else None
    payloads = said.details["result"].payloads if "result" in said.details else []
    code = _code(failure) if failure is not None else None
    ended = Timestamp(seconds=about["complete_time"]["seconds"], nanos=about["complete_time"]["nanos"])
    return Attempted(about["activity_id"], about["attempt"], _account(payloads, failure), code, shown=_shown(ended))


def _account(payloads: Sequence[Payload], failure: Failure | None) -> Sequence[int] | None:
    if failure is not None:
        details = failure.application_failure_info.details.payloads
        timing = _json(details[0]).get("timing") if details else None
    else:
        there = payloads[0].metadata.get(ACCOUNT) if payloads else None
        timing = json.loads(there) if there else None
    return timing[1:] if timing else None


def _code(failure: Failure) -> str:
    if failure.HasField("timeout_failure_info"):
        return "timeout_start_to_close"
    return failure.application_failure_info.type


def _json(payload: Payload) -> Any:
    return json.loads(payload.data)


def _shown(at: Timestamp) -> datetime:
    """A moment as a case's clock shows it: the SDK's clock is a float, which rounds where a date would cut."""
    return datetime.fromtimestamp(at.ToNanoseconds() / 1e9, UTC)
