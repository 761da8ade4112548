"""Histories of cases, as files: what a case is to the gate, and how it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseError
from temporalio.api.enums.v1 import EventType, VersioningBehavior
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from workers.build import EMBEDDED
from workers.replaying import deeds
from workers.replaying.recorded import recorded
from workunits.core.errors import WorkUnitsError
from workunits.core.record import Record

HEAD = "workunit"
"""The key of our own part of a stored history. Temporal's tools pass over it: the rest is what they write, too."""
_CONTINUED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
_OUTSIDE = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: "terminated",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "timed_out",
}
ENDED_OUTSIDE = tuple(_OUTSIDE.values())
"""How a case ends that does not close itself."""
_ANYONE = "recorded"
_STICKY = "TASK_QUEUE_KIND_STICKY"


class UnreadableHistoryError(WorkUnitsError):
    """A file is no history of a case."""


@dataclass(frozen=True)
class History:
    """One run of a case."""

    name: str
    """Its file, or its case when it comes from an engine."""
    events: Sequence[HistoryEvent]
    inline: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The limits of its inline steps, which Temporal does not keep; by the step's key."""
    live: bool = False
    """Comes from an engine."""

    @cached_property
    def case(self) -> str:
        """The case's id."""
        return self._start.workflow_id or self.name

    @cached_property
    def unit(self) -> str:
        """The name of its unit."""
        return str(self._start.workflow_type.name)

    @cached_property
    def record(self) -> Record | None:
        """The record as the case last wrote it; None while it has not written any."""
        said: Any = None
        for deed in recorded(self.events):
            if deed.kind == "record":
                said = deed.facts.get("record", said)
            closing = deed.facts.get("result") or deed.facts.get("details") if deed.kind == "close" else None
            if isinstance(closing, dict) and closing.get("record"):
                said = closing["record"]
        if said is None and self._start.continued_execution_run_id:
            carried = deeds.values(self._start.input.payloads)
            said = carried.get("record") if isinstance(carried, dict) else None
        return Record.model_validate(said) if said else None

    @property
    def version(self) -> str | None:
        """The version of the unit; None while the case has not said it."""
        return self.record.version if self.record else None

    @property
    def close(self) -> str:
        """How it closed; `continued` when it went on as a new run, `open` while it goes on."""
        last = self.events[-1].event_type
        if last == _CONTINUED:
            return "continued"
        return (self.record and self.record.close) or _OUTSIDE.get(last, "open")

    @property
    def reason(self) -> str | None:
        """Why it closed that way."""
        return self.record.reason if self.record and self.record.close else None

    @property
    def steps(self) -> list[str]:
        """The steps that were performed, each once."""
        return list(dict.fromkeys(work.step for work in self.record.steps)) if self.record else []

    @cached_property
    def pinned(self) -> bool:
        """Whether its last workflow task was done by a build that it is pinned to.

        On the embedded engine every code is the same build: there, nothing keeps a case on the code it began on.
        """
        tasks = [e for e in self.events if e.HasField("workflow_task_completed_event_attributes")]
        if not tasks:
            return False
        last = tasks[-1].workflow_task_completed_event_attributes
        pinned = last.versioning_behavior == VersioningBehavior.VERSIONING_BEHAVIOR_PINNED
        return pinned and last.deployment_version.build_id != EMBEDDED

    @property
    def _start(self) -> Any:
        return self.events[0].workflow_execution_started_event_attributes


def load(path: Path) -> History:
    """Read a stored history: one of ours, or one that Temporal's own tools wrote.

    Raises:
        UnreadableHistoryError: says what is wrong with the file.
    """
    try:
        said = json.loads(path.read_bytes())
        events = WorkflowHistory.from_json(path.stem, said).events
    except (ValueError, ParseError, AttributeError, TypeError) as error:
        kind = "is not JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else "is no history"
        remedy = "store one with: workunits replay --record, or temporal workflow show --output json"
        raise UnreadableHistoryError(f"{path} {kind}; {remedy}") from None
    if not events or not events[0].HasField("workflow_execution_started_event_attributes"):
        raise UnreadableHistoryError(f"{path} is no history: it does not begin with the start of a case")
    head = said.get(HEAD)
    return History(str(path), events, inline=head.get("inline", {}) if isinstance(head, dict) else {})


def files_in(paths: Iterable[Path]) -> list[Path]:
    """The files that are meant: each file named, and all `*.json` that lie in a folder named.

    Raises:
        FileNotFoundError: there is no such file or folder.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.glob("*.json"))
        else:
            path.stat()
            found.append(path)
    return found


def store(history: History, path: Path) -> bool:
    """Write a history into a new file, without what tells of the machine; false when the file is there already."""
    head = {
        "unit": history.unit,
        "version": history.version,
        "close": history.close,
        "reason": history.reason,
        "steps": history.steps,
        "inline": history.inline,
    }
    events = WorkflowHistory(history.case, history.events).to_json_dict()["events"]
    text = json.dumps({HEAD: head, "events": _scrubbed(events)}, indent=1, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError:
        return False
    return True


def file_name(history: History, step: str = "") -> str:
    """Such as `refund_request-v1-not_achieved-order_unknown.json`.

    Args:
        history: What it is the name for.
        step: The step for whose sake it is stored, when another history shows that close already.
    """
    parts = (history.unit, f"v{history.version}", history.close, history.reason, step and f"with-{step}")
    return "-".join(part for part in parts if part) + ".json"


def _scrubbed(value: Any) -> Any:
    """Without process ids, host names and paths, which replay does not read."""
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("kind") == _STICKY:
        return value | {"name": _ANYONE}
    return {
        key: _ANYONE if key == "identity" else _scrubbed(item) for key, item in value.items() if key != "stackTrace"
    }
