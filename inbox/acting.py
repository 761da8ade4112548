"""Acting on a task: what the door checks and vouches for, before the unit judges."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from inbox.courier import Courier
from inbox.directory import Directory
from inbox.identity import Actor
from inbox.journal import Entry, Journal
from inbox.lookup import Found, Lookup
from inbox.reader import initiator_of
from inbox.reviewing import review_of
from inbox.rights import authority, may_read_task, misfit, vouched
from inbox.security import Problem, not_yours
from inbox.sheet import Outcome, history_of, task_in
from workunits.client import case_of
from workunits.core.errors import BadInput, Refused
from workunits.core.lifecycle import MOVES, Action, Task
from workunits.core.reviews import Reviews
from workunits.core.spec import Step
from workunits.core.strict_json import BODY_LIMIT, loads, seen_from
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog

LONGEST_HOLD = timedelta(seconds=30)
FAULTS_SHOWN = 20
_LONGEST_ID = 100
_LONGEST_TASK = 400
_THEIRS = ("not_candidate", "not_owner", "not_allowed", "excluded")
"""Refusals after which one wants to know who may."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the task that is acted on."""

    found: Found
    unit: type[WorkUnit]
    task: Task
    step: Step[Any, Any]


class Acting:
    """Takes actions of known people."""

    def __init__(
        self, lookup: Lookup, journal: Journal, courier: Courier, directory: Directory, catalog: Catalog
    ) -> None:
        """Put the parts together."""
        self._lookup = lookup
        self._journal = journal
        self._courier = courier
        self._directory = directory
        self._catalog = catalog

    async def act(
        self,
        actor: Actor,
        task_id: str,
        action: str,
        body: Mapping[str, Any],
        *,
        action_id: str,
        revision: int | None,
        acting_for: str | None,
        hold: timedelta,
        seen: str | None,
        review: Any,
        patience: float,
    ) -> Outcome:
        """Write an action down, and send it. See `TaskService.act`."""
        now = datetime.now(UTC)
        envelope: dict[str, Any] = {
            "action": action,
            "action_id": action_id,
            "task_id": task_id,
            "revision": revision,
            "actor": actor.name,
            "roles": [],
            "acting_for": acting_for,
            "accountable": None,
            "origin": actor.origin[:60],
            "seen": seen,
            "sent_at": now.isoformat(),
            "body": dict(body),
        }
        known: _Known | None = None
        try:
            if review is not None:
                envelope["review"] = review_of(review)
            _check(envelope)
            before = await asyncio.to_thread(self._journal.known, envelope)
            if before is not None:
                return await self._answer(before, patience)
            known = await self._known(actor, task_id)
            self._vouch(envelope, actor, known, now)
            _judge_body(envelope, known)
            if known is not None and not known.step.undo:
                hold = timedelta(0)  # the unit wants it at once
            entry = await asyncio.to_thread(self._write, envelope, hold)
        except (BadInput, Refused) as error:
            return self._refused(envelope, error, known)
        if entry.state == "held":
            return as_outcome(entry)
        outcome = await self._answer(entry, patience)
        return await self._explained(outcome, actor, revision) if outcome.state == "refused" else outcome

    async def _known(self, actor: Actor, task_id: str) -> _Known | None:
        """The task, if the actor may see it; None when neither engine nor ledger answers: then only the unit can judge.

        Raises:
            Problem: 404.
        """
        try:
            found = await self._lookup.case(case_of(task_id))
        except Problem as problem:
            if problem.code == "engine_unavailable":
                return None
            raise
        unit = self._catalog.get(found.view.unit)
        task = task_in(found.view, task_id, unit)
        speaks = authority(actor, self._directory, datetime.now(UTC))
        step = next((step for step in unit.steps if task and step.name == task.step), None)
        initiator = initiator_of(found.view)
        if task is None or step is None or not may_read_task(actor, unit, speaks, task, initiator=initiator):
            raise not_yours()
        return _Known(found, unit, task, step)

    def _vouch(self, envelope: dict[str, Any], actor: Actor, known: _Known | None, now: datetime) -> None:
        """Say in which roles the actor acts, for whom, and who answers for it.

        Raises:
            Refused: `not_substitute`.
        """
        absent = envelope["acting_for"]
        if absent is not None and absent not in actor.stands_in_for:
            raise Refused("not_substitute", "the directory does not say that you stand in for that person now")
        speaks = (
            authority(actor, self._directory, now, only_for=absent)
            if absent
            else authority(replace(actor, stands_in_for=()), self._directory, now)
        )
        envelope["roles"] = vouched(speaks.roles)
        if known is not None and known.task.accountable:
            envelope["accountable"] = self._directory.accountable(known.task.accountable, now)

    def _write(self, envelope: dict[str, Any], hold: timedelta) -> Entry:
        """Write it down, with what its sender was shown last."""
        if envelope["seen"] is None:
            look = next(iter(self._journal.notes.looks(envelope["task_id"], envelope["actor"], limit=1)), None)
            envelope["seen"] = look.seen if look else None
        until = datetime.now(UTC) + min(hold, LONGEST_HOLD) if hold > timedelta(0) else None
        return self._journal.take(envelope, held_until=until)[0]

    async def _answer(self, entry: Entry, patience: float) -> Outcome:
        """Send what is on its way; one that waits behind another of its task is sent when that was answered."""
        if entry.state == "sending":
            others = await asyncio.to_thread(self._journal.unsettled, entry.task_id)
            if next((o for o in others if o.state == "sending" and o.actor == entry.actor), entry) == entry:
                entry = await self._courier.deliver(entry, patience)
        outcome = as_outcome(entry)
        if outcome.state == "applied" and entry.action in ("complete", "fail", "skip"):
            await asyncio.to_thread(self._journal.notes.drop_draft, entry.actor, entry.task_id)
        return outcome

    async def _explained(self, outcome: Outcome, actor: Actor, revision: int | None) -> Outcome:
        """A refusal, with what happened meanwhile and who may."""
        try:
            known = await self._known(actor, outcome.task_id)
        except Problem:
            return outcome
        if known is None:
            return outcome
        key = outcome.task_id.rpartition("/")[2]
        happened = history_of(known.found.view.record, key)
        since = revision if revision is not None else known.task.revision - 1
        return replace(
            outcome,
            revision=known.task.revision,
            meanwhile=tuple(one for one in happened if one.revision > since),
            may=self._may(known) if outcome.code in _THEIRS else (),
        )

    def _may(self, known: _Known) -> tuple[str, ...]:
        task, now = known.task, datetime.now(UTC)
        if task.owner:
            return (task.owner,)
        names = {name for role in (task.role, *task.also) for name in self._directory.people_of(role, now)}
        return tuple(sorted((names | set(task.people)) - set(task.excluded) - set(task.barred)))

    @staticmethod
    def _refused(envelope: Mapping[str, Any], error: BadInput | Refused, known: _Known | None) -> Outcome:
        """What was refused before it was written down."""
        field = error.field if isinstance(error, BadInput) else ""
        model = _model(envelope["action"], known.step) if known and error.code == "invalid_field" else None
        errors = faults(model, envelope["body"]) if model else ()
        return Outcome(
            action_id=envelope["action_id"],
            task_id=envelope["task_id"],
            action=envelope["action"],
            state="refused",
            code=error.code,
            detail=seen_from("body", str(error)),
            field=errors[0]["field"] if errors else field.removeprefix("body."),
            errors=errors,
        )


def as_outcome(entry: Entry) -> Outcome:
    """What came of an action in the journal."""
    made = Outcome(entry.action_id, entry.task_id, entry.action, "pending")
    answer = entry.answer or {}
    if entry.state == "answered":
        return replace(made, state="applied", answer=answer, revision=answer.get("revision"))
    if entry.state == "refused":
        detail, field = seen_from("body", str(answer.get("detail", ""))), str(answer.get("field", ""))
        return replace(
            made, state="refused", code=answer.get("code", ""), detail=detail, field=field.removeprefix("body.")
        )
    if entry.state == "held":
        return replace(made, state="held", held_until=entry.held_until)
    if entry.state == "undone":
        return replace(made, state="refused", code="undone", detail="the action was undone before it was sent")
    return made


def faults(model: type[BaseModel], body: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """Each misfit of a body, as the field's path and what was expected; never the value."""
    try:
        model.model_validate_json(json.dumps(body, ensure_ascii=False), strict=True, extra="forbid")
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return tuple(_fault(model, fault) for fault in found[:FAULTS_SHOWN])
    return ()


def _fault(model: type[BaseModel], fault: Mapping[str, Any]) -> dict[str, str]:
    """One misfit; a check of the whole model names the field that it is about as `field: why`."""
    field = ".".join(str(part)[:60] for part in fault["loc"])
    said = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "union_tag_invalid":
        said = "should be one of the kinds in the schema"
    name, colon, why = said.partition(": ")
    if not field and colon and name in model.model_fields:
        return {"field": name, "detail": why}
    return {"field": field or "body", "detail": said}


def _model(action: str, step: Step[Any, Any]) -> type[BaseModel] | None:
    return step.gives if action == "complete" else MOVES[action].takes


def _check(envelope: Mapping[str, Any]) -> None:
    """Refuse what no unit can read.

    Raises:
        Problem: 404.
        BadInput.
    """
    if envelope["action"] not in MOVES:
        raise Problem(404, "unknown_action", f"there is no such action; there are {', '.join(sorted(MOVES))}")
    task_id, action_id, acting_for = envelope["task_id"], envelope["action_id"], envelope["acting_for"]
    if len(task_id) > _LONGEST_TASK or not task_id.isprintable():
        raise not_yours()
    if not 0 < len(action_id) <= _LONGEST_ID or not (action_id.isascii() and action_id.isprintable()):
        raise BadInput(f"should be 1 to {_LONGEST_ID} printable characters", field="action_id")
    if acting_for is not None and (not 0 < len(acting_for) <= 200 or not acting_for.isprintable()):  # noqa: PLR2004 - as Action has it
        raise BadInput("should be the name of a person", field="acting_for")
    if envelope["revision"] is not None and not 1 <= envelope["revision"] < 2**31:
        raise BadInput("should be a revision that was seen, from 1", field="revision")
    try:
        data = json.dumps(envelope["body"], ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise BadInput("what JSON can hold: no NaN, no half character", field="body", code="bad_body") from None
    if len(data) > BODY_LIMIT:
        raise BadInput(f"{len(data)} bytes, at most {BODY_LIMIT} are taken", field="body", code="too_large")
    loads(data)


def _judge_body(envelope: Mapping[str, Any], known: _Known | None) -> None:
    """Refuse a body that does not fit at once, where the unit's version is the one of this catalog.

    Raises:
        BadInput, Refused: as the unit would.
    """
    if known is None or not known.task.is_open:
        return
    record = known.found.view.record
    if record is None or record.version != known.unit.version:
        return
    action = Action.model_validate({**envelope, "revision": known.task.revision})
    Reviews(record, {}).judge(known.task, known.step, action)
    wrong = misfit(known.task, known.step, action)
    if wrong is not None:
        raise wrong
