"""The desk of a case: its open tasks, and how a message to one of them is judged and applied.

A message is judged in full before anything changes, and applied with no await in between, so that a refusal
costs nothing and an acceptance is whole. The same judgement serves Updates (which are answered) and Signals
(which are not: a bad one is noted on the record).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from . import effects
from .bodies import read_body
from .clock_acts import ACTS, ClockActs
from .errors import BadInput, Refused
from .four_eyes import excluded
from .incidents import Incident, decide, judge_incident, read_decision
from .lifecycle import Action, Task, judge, judge_passing_on
from .machine import Said
from .pace import Pace
from .proposal import Offered, hash_of
from .questions import Questions
from .record import IGNORED_KEPT, Acted, Ignored, Microseconds, Record, Work
from .reviews import Reviews
from .sealed import require_open
from .spec import Step
from .stopping import STOP, judge_stop, still_shown, stop
from .strict_json import read

MESSAGE = "act"
"""The one message name, for Updates and Signals."""
HEARD_AT_ONCE = 500
"""Signals that one workflow task judges: each costs up to a third of a millisecond."""
REMEMBERED = 500
"""Accepted actions whose answers are kept beyond those on open tasks."""
REMEMBERED_BYTES = 128 * 1024
"""Of all that are kept: half of what a case may carry."""
_SIGNED_OFF = "what was delegated is passed on by whoever signs it off"
"""Cases in which somebody else did so before there was this go on without the sign-off, as their histories say."""
ANEW = "what is due is read anew after each rung"
"""Cases in which a rung fired for a task that another one had taken away go on with that, as their histories say."""
_IN_ORDER = "what is said of a task counts in its order"
"""Cases in which something was dated before what had counted already go on with that, as their histories say."""
_UNTOLD = frozenset({"sent_at", "revision", "accountable", "origin", "seen"})
"""What a repetition of an action may say otherwise: it is not what its sender asked for."""


class Desk:
    """Holds a case's tasks, and judges every message to them."""

    def __init__(
        self,
        record: Record,
        steps: dict[str, Step[Any, Any]],
        now: Callable[[], datetime],
        admins: Collection[str] = (),
    ) -> None:
        """Start with no task.

        Args:
            record: Where accepted and ignored actions are written.
            steps: The unit's human steps by name.
            now: The case's clock.
            admins: Roles that administrate the unit's tasks.
        """
        self.record = record
        self.tasks: dict[str, Task] = {}
        self.questions = Questions(steps)
        self.reviews = Reviews(record, steps)
        self.clocks: ClockActs | None = None
        """What may be done to the case's clocks."""
        self.answers: dict[str, Said] = {}
        """Task id -> what came of it, until the case has taken it."""
        self.changed = False
        self.taken = 0
        """Messages that cost history in this run."""
        self.unheard: list[tuple[str, Sequence[RawValue]]] = []
        """Signals of a flood that are judged in a later workflow task, in their order."""
        self._pace = Pace(HEARD_AT_ONCE)
        self.judged: tuple[datetime, datetime] | None = None
        """When a task last ended, and when that counts: at the sender's time, or when an expiry was due."""
        self._steps = steps
        self._now = now
        self.admins = tuple(admins)
        """Roles that administrate the unit's tasks and stop its clocks."""
        self._acted = {acted.id: acted for acted in record.actions}

    # -- tasks

    def open(
        self,
        step: Step[Any, Any],
        work: Work,
        what: str,
        because: Said | None,
        *,
        vote: str | None = None,
        shown: Offered | None = None,
    ) -> Task:
        """Open a task, or find it again after continue-as-new."""
        task_id = f"{self.record.case}/{work.key}"
        if shown is not None:
            shown = still_shown(self.record, work, shown, self.record.offset(self._now()))
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
                redo_of=work.redo_of,
                vote=vote,
                proposal=hash_of(step, shown) if shown else None,
            )
            self._exclude()
            self.changed = True
        self.questions.ask(task_id, what, because, shown)
        return self.tasks[task_id]

    def expire(self, task: Task) -> None:
        """End a task that nobody answered, at the time when it was due; one that has ended otherwise stays as it is."""
        if not task.is_open and workflow.patched(ANEW):
            return
        due = task.expires or self._now()
        effects.end(task, self.work_of(task), "expired", self.record.offset(due))
        self._count_as(due)
        self.changed = True

    def resume(self, task: Task) -> None:
        """End a wait whose time is up, at the time when it was; a task that went elsewhere meanwhile waits no more."""
        if task.state != "waiting" and workflow.patched(ANEW):
            return
        effects.resume(task, self.work_of(task), self.record.offset(task.until or self._now()))
        self.changed = True

    def cancel(self, at: Microseconds, tasks: Collection[Task] | None = None) -> None:
        """End tasks that nobody needs any more: all open ones, when the case is over."""
        for task in self.open_tasks() if tasks is None else tasks:
            effects.end(task, self.work_of(task), "cancelled", at)
            self.changed = True

    def open_tasks(self) -> list[Task]:
        """The tasks on which someone may still act."""
        return [task for task in self.tasks.values() if task.is_open]

    def _exclude(self) -> None:
        """Keep on each task who may not do it: who performed what it checks, and who votes beside it."""
        for task in self.open_tasks():
            task.excluded = excluded(self.record, task, self._steps[task.step])

    def work_of(self, task: Task) -> Work:
        """The record of the work on a task."""
        return next(work for work in self.record.steps if work.key == _key(task))

    def _count_as(self, moment: datetime) -> None:
        """Say when what happens now counts as having happened; the latest, when several things do."""
        now = self._now()
        before = self.judged[1] if self.judged and self.judged[0] == now else moment
        self.judged = now, max(before, moment)

    # -- messages

    def check(self, name: str, args: Sequence[RawValue]) -> None:
        """Refuse an Update before it costs history."""
        self._accept(name, args, only=True)

    def take(self, name: str, args: Sequence[RawValue]) -> dict[str, Any]:
        """Apply an Update, or answer again what its action id was answered before.

        Raises:
            MissingKeyError: only in a replay, by a worker without the key of those before it: the check refuses others.
        """
        require_open(*args)
        self.taken += 1
        return self._apply(*self._accept(name, args))

    def hear(self, name: str, args: Sequence[RawValue]) -> None:
        """Apply a Signal, or note why it is ignored; in a flood, later."""
        self.taken += 1
        if self.unheard or not self._pace.allows():
            self.unheard.append((name, args))
        else:
            self._hear(name, args)

    def hear_more(self) -> None:
        """Judge some of the signals that were put off; in a workflow task of its own."""
        now, self.unheard = self.unheard[:HEARD_AT_ONCE], self.unheard[HEARD_AT_ONCE:]
        for name, args in now:
            self._hear(name, args)

    def drop_unheard(self) -> None:
        """The case is over: what came in a flood behind its end had no effect."""
        self.record.ignored_count += len(self.unheard)
        self.unheard.clear()

    def _hear(self, name: str, args: Sequence[RawValue]) -> None:
        try:
            accepted = self._accept(name, args)
        except ApplicationError as error:
            self.ignore(error.type or "", error.message)
        except Exception as error:  # noqa: BLE001 - a bug in a model's own check: nobody's message may wedge the case
            self.ignore("check_failed", f"the check of the message failed with {type(error).__name__}")
        else:
            self._apply(*accepted)

    def ignore(self, code: str, why: str) -> None:
        """Note what had no effect."""
        self.record.ignored_count += 1
        if len(self.record.ignored) < IGNORED_KEPT:
            self.record.ignored.append(Ignored(at=self.record.offset(self._now()), code=code, why=why[:200]))
            # Its sender has no other answer than what the case shows.
            self.changed = self.changed or workflow.patched("what is ignored is shown")

    def _accept(self, name: str, args: Sequence[RawValue], *, only: bool = False) -> tuple[Action, str, Any]:
        """Judge one message and change nothing; the action, its hash, and its body as a model.

        Args:
            name: The message's name.
            args: What it says.
            only: Whether it is only judged, and applied later if at all: no history is written then.
        """
        try:
            if name != MESSAGE:
                raise Refused("unknown_message", f"only {MESSAGE!r} is understood")
            action = read(Action, args)
            print_ = fingerprint(action)
            before = self._acted.get(action.action_id)
            if before:
                if before.hash != print_:
                    raise Refused("action_id_reused", "the same action id came before with other content")
                return action, print_, None
            if action.action in ACTS and self.clocks:
                return action, print_, self.clocks.judge(action, self.record.offset(self._now()))
            if action.action == STOP:
                return action, print_, judge_stop(self, self._steps, action)
            task = self.tasks.get(action.task_id)
            incident = self.record.incident(action.task_id)
            if incident is not None:
                judge_incident(incident, action, self.admins)
                return action, print_, read_decision(self._steps[incident.step], action)
            if task is None:
                raise self._unknown(action.task_id)
            judge(task, action, self._now(), admins=self.admins, initiator=self.record.started_by)
            self._judge_passing_on(task, action, only=only)
            self.reviews.judge(task, self._steps[task.step], action)
            return action, print_, read_body(self._steps[task.step], task, action)
        except BadInput as error:
            raise ApplicationError(str(error), {"field": error.field}, type=error.code, non_retryable=True) from None
        except Refused as error:
            raise ApplicationError(str(error), type=error.code, non_retryable=True) from None

    def _judge_passing_on(self, task: Task, action: Action, *, only: bool) -> None:
        try:
            judge_passing_on(task, action, admins=self.admins)
        except (BadInput, Refused):
            if only or workflow.patched(_SIGNED_OFF):
                raise

    def _unknown(self, task_id: str) -> Refused:
        """Why there is no such task: only open ones are carried into the next run."""
        case, _, key = task_id.rpartition("/")
        was = next((w for w in self.record.steps if w.key == key and w.kind == "human" and w.end), None)
        if was is None or case != self.record.case:
            return Refused("unknown_task", "there is no such task in this case")
        return Refused("closed", f"the task is {'completed' if was.end == 'done' else was.end}")

    def _apply(self, action: Action, print_: str, said: Any) -> dict[str, Any]:
        before = self._acted.get(action.action_id)
        if before:
            return {"task_id": f"{self.record.case}/{before.task}", "state": before.state, "revision": before.revision}
        if action.action in ACTS and self.clocks:
            now = self.record.offset(self._now())
            return self._note(action, print_, said, now, self.clocks.enter(action, said, now))
        if action.action == STOP:
            now = self.record.offset(self._now())
            return self._note(action, print_, said, now, stop(self, action, now))
        incident = self.record.incident(action.task_id)
        if incident is not None:
            at = self._decide(incident, action, *said)
            return self._note(action, print_, said[0], at, (incident.state, incident.revision))
        task = self.tasks[action.task_id]
        work = self.work_of(task)
        counts, claimed = self._counts(task, work, action), work.claimed
        broken = self.clocks.broken(action) if self.clocks else ()
        if effects.apply(task, work, action, said, self.record.offset(counts)):
            effects.keep_first_claim(work, claimed)
            if self.clocks:
                self.clocks.told(work, broken)
            self._settle(task, action, said, counts)
        return self._note(action, print_, said, self.record.offset(counts), (task.state, task.revision))

    def _counts(self, task: Task, work: Work, action: Action) -> datetime:
        """When an action counts: when it was sent, but never before what counts already on its task."""
        counts = task.clip(action.sent_at, self._now())
        last = min(self.record.when(effects.last_counted(work)), self._now())
        return last if last > counts and workflow.patched(_IN_ORDER) else counts

    def _note(
        self, action: Action, print_: str, said: Any, at: Microseconds, stands: tuple[str, int]
    ) -> dict[str, Any]:
        """Write an accepted action on the record; its answer."""
        acted = Acted(
            at=at,
            id=action.action_id,
            hash=print_,
            task=action.task_id.rpartition("/")[2],
            action=action.action,
            by=action.actor,
            acting_for=action.acting_for,
            origin=action.origin,
            seen=action.seen,
            said={}
            if action.action == "complete" or said is None
            else said.model_dump(mode="json", exclude={"result"}, exclude_defaults=True),
            state=stands[0],
            revision=stands[1],
        )
        self.record.actions.append(acted)
        self._acted[acted.id] = acted
        self.changed = True
        return {"task_id": action.task_id, "state": acted.state, "revision": acted.revision}

    def _decide(self, incident: Incident, action: Action, said: Any, result: Any) -> Microseconds:
        """Apply a decision on an incident; when it counts."""
        counts = min(max(action.sent_at, self.record.when(incident.at)), self._now())
        at = self.record.offset(counts)
        decide(incident, action, said, at)
        if incident.holds:
            return at  # it is tried again
        work = next(work for work in self.record.steps if work.key == incident.key)
        effects.end_by_operator(work, action, at, code=None if result else incident.code)
        out = result.model_dump_json() if result else None
        self.answers[action.task_id] = Said(out=out, code="" if result else incident.code, why=incident.why)
        self._count_as(counts)
        return at

    def _settle(self, task: Task, action: Action, said: Any, counts: datetime) -> None:
        """Keep what came of a task that ended by an action, for the case to go on with."""
        self._exclude()
        step = self._steps[task.step]
        if action.action == "complete":
            self.answers[task.id] = Said(out=said.model_dump_json())
            self.reviews.note(task, action, said, self.record.offset(counts))
        elif action.action == "fail":
            self.answers[task.id] = Said(code=said.code, business=True)
            self.reviews.met(task, self.record.offset(counts))
        elif action.action == "skip" and step.if_skipped is not None:
            self.answers[task.id] = Said(out=step.if_skipped.model_dump_json())
        if not task.is_open:
            self._count_as(counts)

    def forget_old_answers(self) -> None:
        """Keep, for the next run, the last actions and those on open tasks, the newest first while there is room.

        The sender's journal has the rest. Sent again, they change nothing: their revisions are stale.
        """
        keep = {_key(task) for task in self.open_tasks()}
        kept: list[Acted] = []
        room = REMEMBERED_BYTES
        for age, acted in enumerate(reversed(self.record.actions)):
            if age < REMEMBERED or acted.task in keep or acted.action == "resolve":  # four eyes want to know
                room -= len(acted.model_dump_json().encode())
                if room < 0:
                    break
                kept.append(acted)
        self.record.actions = kept[::-1]


def fingerprint(action: Action) -> str:
    """A hash of what the sender asked for; a repetition may carry a newer time or revision."""
    content = action.model_dump_json(exclude=set(_UNTOLD))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _key(task: Task) -> str:
    return task.id.rpartition("/")[2]
