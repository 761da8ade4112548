"""An incident: a machine step that failed for good and waits for an operator; its states and decisions, as data.

A step declares what follows its last attempt. With `after="incident"` its case stays open, and someone who
administrates the unit decides: try again, give the result by hand, or let the case fail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from temporalio import workflow

from .errors import Refused
from .lifecycle import Action, Because, MayBecause
from .promise import OPERATIONS_HOLD
from .spec import Step
from .strict_json import read_part

if TYPE_CHECKING:
    from .clocks import Promised

IncidentState = Literal["open", "retrying", "resolved", "failed", "closed"]
_NO_HOLD = "an incident is no hold that somebody declared"
"""Cases in which one stopped a clock before there was this go on with that, as their histories say."""
UNSETTLED: frozenset[str] = frozenset({"open", "retrying"})
"""Its case is held by it: it is resolved only when the step has really succeeded."""


class Incident(BaseModel):
    """One machine step that failed for good. Times are microseconds since the case's start."""

    model_config = ConfigDict(extra="ignore")

    key: str
    """The performance of the step."""
    step: str
    code: str
    """The kind of technical failure, of the last try."""
    at: int
    """When it opened."""
    attempts: int = 1
    """Of all tries together."""
    tries: int = 1
    """How often the step failed for good."""
    state: IncidentState = "open"
    """`retrying` until the step has succeeded or failed again; `closed` when its case ended otherwise."""
    revision: int = 1
    closed: int | None = None
    by: str | None = None
    """Who decided last."""
    why: str | None = None
    """The reason that was given."""
    stops_clocks: bool = Field(default=False, exclude=True)
    """Whether it stops clocks as a suspended task does: in runs of cases from before the two were told apart."""

    @property
    def holds(self) -> bool:
        """Whether the case is held by it."""
        return self.state in UNSETTLED

    @property
    def cause(self) -> str:
        """What went wrong, in words and without personal data: the error's own text may hold some."""
        tried = f"{self.attempts} attempt{'' if self.attempts == 1 else 's'}"
        return f"{self.step} failed after {tried}: {_CAUSES.get(self.code, self.code)}"


def tell_from_holds(incidents: Iterable[Incident], promised: Iterable[Promised]) -> None:
    """Mark incidents that stop clocks as holds do: none, but in runs whose histories say so."""
    listed = any(pause.reason == OPERATIONS_HOLD for one in promised for pause in one.target.pauses)
    for incident in incidents:
        incident.stops_clocks = incident.stops_clocks or (listed and not workflow.patched(_NO_HOLD))


_CAUSES = {
    "bad_result": "what its performer gave does not fit",
    "too_large": "what goes in or out is too large",
    "undeclared_exception": "its performer raised an exception that it does not declare",
    "timeout_start_to_close": "it took longer than its timeout",
    "timeout_heartbeat": "its worker was not heard of any more",
}


class Resolution(BaseModel):
    """The step's output, as an operator found or made it, and why."""

    model_config = ConfigDict(extra="forbid")

    result: JsonValue
    reason: str = Field(min_length=1, max_length=500)


DECISIONS: dict[str, type[BaseModel]] = {"retry": MayBecause, "resolve": Resolution, "fail": Because}
"""What an operator may decide on an open incident, and what each says."""


def judge_incident(incident: Incident, action: Action, admins: Collection[str]) -> None:
    """Say whether a decision is allowed on an incident; changes nothing.

    Raises:
        Refused: `unknown_action`, `not_allowed`, `closed`, `wrong_state` or `stale_revision`, in that order.
    """
    if action.action not in DECISIONS:
        raise Refused("unknown_action", f"of an incident there are {', '.join(sorted(DECISIONS))}")
    if not set(action.roles) & set(admins):
        raise Refused("not_allowed", f"{action.action!r} of an incident is for the unit's admins or the accountable")
    if not incident.holds:
        raise Refused("closed", f"the incident is {incident.state}")
    if incident.state == "retrying":
        raise Refused("wrong_state", "the step is being tried again; wait for what comes of it")
    if action.revision != incident.revision:
        raise Refused("stale_revision", f"the incident is at revision {incident.revision}, not {action.revision}")


def read_decision(step: Step[Any, Any], action: Action) -> tuple[BaseModel, BaseModel | None]:
    """Read and check what a decision says: its reason, and the step's output where it gives one.

    Raises:
        BadInput: it does not fit; the field's path begins with `body`.
    """
    said = read_part(DECISIONS[action.action], action.body, "body")
    result = read_part(step.gives, said.result, "body.result") if isinstance(said, Resolution) else None
    return said, result


def decide(incident: Incident, action: Action, said: Any, at: int) -> None:
    """Apply a decision that was judged."""
    incident.state = {"retry": "retrying", "resolve": "resolved", "fail": "failed"}[action.action]  # type: ignore[assignment]
    incident.revision += 1
    incident.by, incident.why = action.actor, said.reason or None
    if not incident.holds:
        incident.closed = at


def settle(incident: Incident, at: int, *, succeeded: bool) -> None:
    """Say what came of a retry."""
    incident.revision += 1
    incident.state = "resolved" if succeeded else "open"
    if succeeded:
        incident.closed = at
    else:
        incident.tries += 1


def close_incidents(incidents: Collection[Incident], at: int) -> None:
    """The case has ended: nobody has to decide any more."""
    for incident in incidents:
        if incident.holds:
            incident.state, incident.closed = "closed", at
            incident.revision += 1
