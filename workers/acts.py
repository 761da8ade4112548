"""An action from the command line: sent as the unit wants it, and a refusal said in the words of the options."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import typer

from workers.answers import in_short
from workers.console import Exit, emit, fail, note, open_cases, run, setup
from workers.journaled import send as send_journaled
from workers.names import TaskName, actor, find_task, refuse_task
from workers.pages.words import read_span
from workers.roles import Standing, standing
from workers.settings import Settings
from workunits.client import Cases
from workunits.core.autonomy import STOPPED
from workunits.core.errors import BadInput, Refused
from workunits.core.reviews import WITHDRAWN
from workunits.registry import Catalog

ORIGIN = "cli"
"""Stands on the record as the door of these actions."""
_OPTIONS = {"role": "--role-to", "seconds": "--hours"}
"""Where a field of a body has another name among the options."""
_LONGEST_WAIT = timedelta(days=3650)
_MISSING = "Field required"


@dataclass(frozen=True)
class Signature:
    """Who acts, and what goes around the action."""

    actor: str
    roles: tuple[str, ...]
    action_id: str
    revision: int | None
    acting_for: str | None


Body = Mapping[str, Any] | Callable[[TaskName], Mapping[str, Any]]
"""What an action says; or how to read it, once the task is known."""


@dataclass(frozen=True)
class Reviewed:
    """An answer, and what is said beside it about a model's proposal."""

    body: Body
    accepts: bool = False
    """The answer is the proposal itself."""
    rejects: bool = False
    reason: str = ""
    proposal: str = ""
    """The hash of the proposal that was looked at."""

    @property
    def says_something(self) -> bool:
        """Whether anything was said about a proposal."""
        return bool(self.accepts or self.rejects or self.reason or self.proposal)


@dataclass(frozen=True)
class Act:
    """One action as it was typed."""

    action: str
    task: str
    by: Signature
    body: Body | Reviewed = field(default_factory=dict)


def act(ctx: typer.Context, wanted: Act, *, json: bool) -> None:
    """Have an action done, and say what came of it.

    Raises:
        BadInput, CommandError, Refused, UndeliveredError: it was not.
    """
    who = actor(wanted.by.actor)
    id_ = wanted.by.action_id or uuid.uuid4().hex

    settings = setup(ctx).settings

    async def send() -> tuple[dict[str, Any], Standing]:
        async with open_cases(ctx) as cases:
            found = await find_task(cases, wanted.task, action_id=wanted.by.action_id)
            body, review = await _said(cases, found, wanted.body)
            as_ = standing(
                settings,
                who,
                wanted.by.roles,
                acting_for=wanted.by.acting_for,
                task=found.task,
                role=found.role,
            )
            if as_.assumed and not json:
                note(f"As {who}, with the task's own role: {found.role}. For another: --role")
            envelope = {
                "action": wanted.action,
                "action_id": id_,
                "task_id": found.id,
                "revision": wanted.by.revision or found.revision,
                "actor": who,
                "roles": list(as_.roles),
                "acting_for": wanted.by.acting_for,
                "accountable": as_.accountable,
                "origin": ORIGIN,
                "sent_at": datetime.now(UTC).isoformat(),
                "body": dict(body),
            }
            if review is not None:
                envelope["review"] = review
            return await _deliver(settings, cases, found, envelope, hint=not json), as_

    said, as_ = run(send())
    if not json:
        typer.echo(f"{said['task_id']} is {said['state'].replace('_', ' ')}")
        return
    after = {"task": said["task_id"], "state": said["state"], "revision": said["revision"], "roles": as_.roles}
    emit({**after, "action": wanted.action, "action_id": id_, "actor": who, "acting_for": wanted.by.acting_for})


async def _said(
    cases: Cases, found: TaskName, wanted: Body | Reviewed
) -> tuple[Mapping[str, Any], dict[str, Any] | None]:
    """The body of an action, and what is said beside it about a proposal."""
    if not isinstance(wanted, Reviewed):
        return (wanted(found) if callable(wanted) else wanted), None
    if not wanted.says_something:
        return (wanted.body(found) if callable(wanted.body) else wanted.body), None
    if wanted.accepts and found.task is None:
        refuse_task(found.view, "there is no such open task, so nothing is proposed")
    shown = (await cases.question(found.id))["proposal"] if found.task is not None else None
    record = found.view.record if found.task is not None else None
    proposed = record.proposal(found.id.rpartition("/")[2]) if record is not None else None
    if proposed is not None and proposed.withdrawn is not None:
        fail(f"{WITHDRAWN}, with --set or --input", code=STOPPED, exit_code=Exit.CONFLICT)
    if found.task is not None and shown is None:
        fail("no proposal is shown with this task: answer it with --set or --input", code="no_proposal")
    if wanted.rejects and not wanted.reason and shown and shown["reasons"]:
        fail(f"say why: one of {', '.join(shown['reasons'])}", code="invalid_field", field="--review-reason")
    body = shown["output"] if wanted.accepts and shown else wanted.body(found) if callable(wanted.body) else wanted.body
    if wanted.rejects and shown and not _differs(shown["output"], body):
        fail("the answer is still as it was proposed: give the one that you decide instead", code="invalid_field")
    review = {
        "proposal": wanted.proposal or (shown["hash"] if wanted.accepts and shown else ""),
        "decision": "accept" if wanted.accepts else "reject" if wanted.rejects else None,
        "reason": wanted.reason,
    }
    return body, review


def _differs(proposed: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether an answer says anything else than a proposal; what it leaves out, the step's type fills in."""
    return any(proposed.get(name) != value for name, value in body.items())


async def _deliver(
    settings: Settings, cases: Cases, found: TaskName, envelope: dict[str, Any], *, hint: bool
) -> dict[str, Any]:
    """Send it, and add to a refusal what is known here."""
    action = envelope["action"]
    try:
        return await send_journaled(settings, cases, envelope)
    except BadInput as error:
        if error.field == "review.reason":
            said = str(error).removeprefix("review.reason: ")
            fail(f"--review-reason: {said}", code=error.code, field="--review-reason")
        if action != "complete" and error.code == "invalid_field":
            await _explain(cases, found, action, error)
        if hint and action == "complete" and found.step:
            note(f"The answer takes: {in_short(found.step.gives.model_json_schema())}")
        raise
    except Refused as refused:
        if refused.code == "unknown_task":
            refuse_task(found.view, str(refused))
        if refused.code == "not_allowed":
            fail(f"{refused}{_who_may(cases.catalog, found)}", code=refused.code, exit_code=Exit.CONFLICT)
        if refused.code == "sign_off":
            fail(f"{refused}: workunits tasks resolve", code=refused.code, exit_code=Exit.CONFLICT)
        raise


async def _explain(cases: Cases, found: TaskName, action: str, error: BadInput) -> NoReturn:
    """Name the option instead of the field, and what it takes."""
    name = error.field.removeprefix("body.")
    option = _OPTIONS.get(name, f"--{name}") if name != "body" else ""
    why = str(error).removeprefix(f"{error.field}: ")
    allowed = await _allowed(cases, found, action, name)
    why = f"say it{': ' if allowed else ''}{allowed}" if why == _MISSING else why
    fail(f"{option}: {why}" if option else why, code=error.code, field=option)


async def _allowed(cases: Cases, found: TaskName, action: str, name: str) -> str:
    """What the unit takes there; nothing when any text will do."""
    part = {("wait", "reason"): "waits", ("fail", "code"): "exceptions"}.get((action, name))
    if part is None:
        return ""
    known = (await cases.question(found.id))[part]
    return f"one of {', '.join(known)}" if known else f"the unit declares no {part} for this step, so it cannot be done"


def _who_may(catalog: Catalog, found: TaskName) -> str:
    """Which roles are meant, where a refusal only says what they are to the task."""
    unit = catalog.get(found.view.unit)
    admins = ", ".join(dict.fromkeys((*unit.admins, unit.outcome.accountable)))
    accountable = f"; its accountable: {found.task.accountable}" if found.task and found.task.accountable else ""
    return f". The unit's admins: {admins}{accountable}"


def read_until(text: str, now: datetime) -> str:
    """Read when a wait ends at the latest: a date and time with its zone, or a duration from now.

    Args:
        text: What was typed.
        now: The present.

    Raises:
        BadInput: it is neither, or has passed.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None:
        moment = ", or a moment with its zone such as 2026-01-31T14:05:00Z"
        when = now + read_span(text, field="--until", at_most=_LONGEST_WAIT, or_else=moment)
    if when.tzinfo is None:
        raise BadInput("write it with its zone, such as 2026-01-31T14:05:00Z, or as a duration", field="--until")
    if when <= now:
        raise BadInput("it has passed; give a moment that is to come", field="--until")
    return when.isoformat()
