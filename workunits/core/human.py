"""The desk of a case: its open tasks, and how a message to one of them is judged and applied.

A message is judged in full before anything changes, and applied with no await in between, so that a refusal
costs nothing and an acceptance is whole. The same judgement serves Updates (which are answered) and Signals
(which are not: a bad one is noted on the record).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from .errors import BadInput, Refused
from .lifecycle import Action, Task, judge
from .machine import Said
from .record import IGNORED_KEPT, Acted, Ignored, Record, Work
from .sealed import require_open
from .spec import Step
from .strict_json import parse, read

MESSAGE = "act"
"""The one message name, for Updates and Signals."""
REMEMBERED = 500
"""Accepted actions whose answers are kept beyond those on open tasks."""
REMEMBERED_BYTES = 128 * 1024
"""Of all that are kept: half of what a case may carry."""


class Desk:
    """Holds a case's tasks, and judges every message to them."""

    def __init__(self, record: Record, steps: dict[str, Step[Any, Any]], now: Callable[[], datetime]) -> None:
        """Start with no task.

        Args:
            record: Where accepted and ignored actions are written.
            steps: The unit's human steps by name.
            now: The case's clock.
        """
        self.record = record
        self.tasks: dict[str, Task] = {}
        self._asked: dict[str, tuple[str, Said | None]] = {}
        self.answers: dict[str, str] = {}
        """Task id -> the accepted answer as JSON."""
        self.changed = False
        self.taken = 0
        """Messages that cost history in this run."""
        self.judged: tuple[datetime, datetime] | None = None
        """When a task last ended, and when that counts: at the sender's time, or when an expiry was due."""
        self._steps = steps
        self._now = now
        self._acted = {acted.id: acted for acted in record.actions}

    def open(self, step: Step[Any, Any], work: Work, what: str, because: Said | None) -> Task:
        """Open a task, or find it again after continue-as-new."""
        task_id = f"{self.record.case}/{work.key}"
        if task_id not in self.tasks:
            ready = self.record.when(work.ready)
            self.tasks[task_id] = Task(
                id=task_id,
                step=step.name,
                role=step.role,
                ready=ready,
                expires=ready + step.expires.span if step.expires else None,
                external=step.external,
                accountable=step.accountable,
                because=because.code if because else None,
            )
            self.changed = True
        self._asked[task_id] = what, because
        return self.tasks[task_id]

    def question(self, task_id: str) -> dict[str, Any]:
        """What the person of an open task is asked: the task, the step's input, and what led here.

        Raises:
            ApplicationError: `unknown_task`.
        """
        task = self.tasks.get(task_id)
        if task is None or not task.is_open:
            raise ApplicationError("there is no such open task in this case", type="unknown_task", non_retryable=True)
        what, because = self._asked[task_id]
        evidence = json.loads(because.evidence) if because and because.evidence else None
        answer = self._steps[task.step].gives.model_json_schema()
        return {
            "task": task.model_dump(mode="json"),
            "asked": json.loads(what),
            "evidence": evidence,
            "answer_schema": answer,
        }

    def expire(self, task: Task) -> None:
        """End a task that nobody answered, at the time when it was due."""
        task.state = "expired"
        task.revision += 1
        due = task.expires or self._now()
        work = self._work(task)
        _stop(work, self.record.offset(due))
        work.done, work.end = self.record.offset(due), "expired"
        self._count_as(due)
        self.changed = True

    def _count_as(self, moment: datetime) -> None:
        """Say when what happens now counts as having happened; the latest, when several things do."""
        now = self._now()
        before = self.judged[1] if self.judged and self.judged[0] == now else moment
        self.judged = now, max(before, moment)

    def cancel(self, at: int) -> None:
        """End all open tasks: the case is over."""
        for task in self.open_tasks():
            task.state = "cancelled"
            task.revision += 1
            work = self._work(task)
            _stop(work, at)
            work.done, work.end = max(at, work.ready), "cancelled"

    def open_tasks(self) -> list[Task]:
        """The tasks on which someone may still act."""
        return [task for task in self.tasks.values() if task.is_open]

    def check(self, name: str, args: Sequence[RawValue]) -> None:
        """Refuse an Update before it costs history."""
        self._accept(name, args)

    def take(self, name: str, args: Sequence[RawValue]) -> dict[str, Any]:
        """Apply an Update, or answer again what its action id was answered before.

        Raises:
            MissingKeyError: only in a replay, by a worker without the key of those before it: the check refuses others.
        """
        require_open(*args)
        self.taken += 1
        return self._apply(*self._accept(name, args))

    def hear(self, name: str, args: Sequence[RawValue]) -> None:
        """Apply a Signal, or note why it is ignored."""
        self.taken += 1
        try:
            accepted = self._accept(name, args)
        except ApplicationError as error:
            self._ignore(error.type or "", error.message)
        except Exception as error:  # noqa: BLE001 - a bug in a model's own check: nobody's message may wedge the case
            self._ignore("check_failed", f"the check of the message failed with {type(error).__name__}")
        else:
            self._apply(*accepted)

    def _ignore(self, code: str, why: str) -> None:
        self.record.ignored_count += 1
        if len(self.record.ignored) < IGNORED_KEPT:
            self.record.ignored.append(Ignored(at=self.record.offset(self._now()), code=code, why=why[:200]))

    def _accept(self, name: str, args: Sequence[RawValue]) -> tuple[Action, str, str]:
        """Judge one message and change nothing; the action, its hash, and the answer as JSON."""
        try:
            if name != MESSAGE:
                raise Refused("unknown_message", f"only {MESSAGE!r} is understood")
            action = read(Action, args)
            print_ = fingerprint(action)
            before = self._acted.get(action.action_id)
            if before:
                if before.hash != print_:
                    raise Refused("action_id_reused", "the same action id came before with other content")
                return action, print_, ""
            task = self.tasks.get(action.task_id)
            if task is None:
                raise self._unknown(action.task_id)
            judge(task, action, self._now())
            return action, print_, self._answer(task, action)
        except BadInput as error:
            raise ApplicationError(str(error), {"field": error.field}, type=error.code, non_retryable=True) from None
        except Refused as error:
            raise ApplicationError(str(error), type=error.code, non_retryable=True) from None

    def _unknown(self, task_id: str) -> Refused:
        """Why there is no such task: only open ones are carried into the next run."""
        case, _, key = task_id.rpartition("/")
        was = next((w for w in self.record.steps if w.key == key and w.kind == "human" and w.end), None)
        if was is None or case != self.record.case:
            return Refused("unknown_task", "there is no such task in this case")
        return Refused("closed", f"the task is {'completed' if was.end == 'done' else was.end}")

    def _answer(self, task: Task, action: Action) -> str:
        """The body of a completing action, checked against the step's output type."""
        body = json.dumps(action.body, ensure_ascii=False)
        if action.action == "complete":
            try:
                parse(self._steps[task.step].gives, body.encode())
            except BadInput as error:
                field = f"body.{error.field}" if error.field else "body"
                raise BadInput(
                    str(error).removeprefix(f"{error.field or 'body'}: "), field=field, code=error.code
                ) from None
        elif action.body:
            raise BadInput(f"{action.action!r} takes no body", field="body")
        return body

    def _apply(self, action: Action, print_: str, body: str) -> dict[str, Any]:
        before = self._acted.get(action.action_id)
        if before:
            return {"task_id": f"{self.record.case}/{before.task}", "state": before.state, "revision": before.revision}
        task = self.tasks[action.task_id]
        arrived = self._now()
        move = judge(task, action, arrived)
        counts = task.clip(action.sent_at, arrived)
        work = self._work(task)
        _move(work, action, self.record.offset(counts))
        task.state = move.target
        task.revision += 1
        task.owner = None if action.action == "release" else action.actor
        if action.action == "complete":
            self.answers[task.id] = body
            self._count_as(counts)
        acted = Acted(
            at=self.record.offset(counts),
            id=action.action_id,
            hash=print_,
            task=work.key,
            action=action.action,
            by=action.actor,
            acting_for=action.acting_for,
            state=task.state,
            revision=task.revision,
        )
        self.record.actions.append(acted)
        self._acted[acted.id] = acted
        self.changed = True
        return {"task_id": task.id, "state": task.state, "revision": task.revision}

    def forget_old_answers(self) -> None:
        """Keep, for the next run, the last actions and those on open tasks, the newest first while there is room.

        The sender's journal has the rest. Sent again, they change nothing: their revisions are stale.
        """
        keep = {task.id.rpartition("/")[2] for task in self.open_tasks()}
        kept: list[Acted] = []
        room = REMEMBERED_BYTES
        for age, acted in enumerate(reversed(self.record.actions)):
            if age < REMEMBERED or acted.task in keep:
                room -= len(acted.model_dump_json().encode())
                if room < 0:
                    break
                kept.append(acted)
        self.record.actions = kept[::-1]

    def _work(self, task: Task) -> Work:
        key = task.id.rpartition("/")[2]
        return next(work for work in self.record.steps if work.key == key)


def _move(work: Work, action: Action, at: int) -> None:
    """Write an action's effect on the intervals of work."""
    if action.action == "release":
        _stop(work, at)
        work.claimed = work.by = work.acting_for = None
        return
    if work.claimed is None:
        work.claimed = at
    work.by, work.acting_for = action.actor, action.acting_for
    if action.action == "start":
        work.since = at
    elif action.action == "stop":
        _stop(work, at)
    elif action.action == "complete":
        if work.since is None and not work.work:
            work.assigned_only = True
        _stop(work, at)
        work.done, work.end = at, "done"


def _stop(work: Work, at: int) -> None:
    if work.since is not None:
        work.work.append((work.since, max(at, work.since)))
        work.since = None


def fingerprint(action: Action) -> str:
    """A hash of what the sender asked for; a repetition may carry a newer time or revision."""
    content = action.model_dump_json(exclude={"sent_at", "revision"})
    return hashlib.sha256(content.encode()).hexdigest()[:16]
