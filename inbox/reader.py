"""Reading for someone who is known: tasks and cases that are theirs to see, with all that one needs to decide."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from temporalio.service import RPCError

from inbox.directory import Directory
from inbox.identity import Actor
from inbox.journal import Journal
from inbox.lookup import Found, Lookup, due_of, in_time, warned_of
from inbox.notes import Look
from inbox.rights import Authority, allowed, authority, may_cancel, may_read_case, may_read_task, why_we_ask
from inbox.security import not_yours
from inbox.sheet import CaseSheet, TaskSheet, hash_of, history_of, task_in
from observability.learning.proposed import without_undecided
from workunits.cases import CaseView
from workunits.client import Cases, UnknownCaseError, case_of
from workunits.core.errors import Refused
from workunits.core.lifecycle import Task
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog

PATIENCE = 2.0
"""Seconds for a worker that does not say what is asked; less than for an engine that does not answer."""


class Reader:
    """Reads; what is not there and what is not theirs to see is refused with the same words."""

    def __init__(self, cases: Cases, catalog: Catalog, lookup: Lookup, directory: Directory, journal: Journal) -> None:
        """Put the parts together."""
        self._cases = cases
        self._catalog = catalog
        self._lookup = lookup
        self._directory = directory
        self._journal = journal

    async def sheet(self, actor: Actor, task_id: str, *, address: str) -> TaskSheet:
        """One task; that it was shown is kept. See `TaskService.sheet`."""
        now = datetime.now(UTC)
        found, unit, task, speaks = await self.find_task(actor, task_id)
        view, record = found.view, found.view.record
        initiator = initiator_of(view)
        step = next(step for step in unit.steps if step.name == task.step)
        said = await self._question(task) if task.is_open and not found.engine_down else None
        shown = {
            "asked": said["asked"] if said else None,
            "evidence": said["evidence"] if said else None,
            "proposal": said.get("proposal") if said else None,
            "answer_schema": said["answer_schema"] if said else step.gives.model_json_schema(),
        }
        # Without a proposal the hash is the one of before there were any.
        unsaid = {"proposal"} if shown["proposal"] is None else set()
        asked = {name: value for name, value in shown.items() if name not in unsaid}
        seen = hash_of({**asked, "task": task.id, "revision": task.revision})
        look = Look(now, actor.name, actor.origin[:60], address[:60], view.case, task.id, task.revision, seen)
        kept = await asyncio.to_thread(self._kept, look)
        needs_input = said is None and not found.engine_down
        return TaskSheet(
            task=task,
            case_id=view.case,
            unit=view.unit,
            key=view.key,
            version=record.version if record else unit.version,
            due=due_of(view),
            warned=warned_of(view),
            why=why_we_ask(task, speaks),
            **shown,
            waits=step.waits,
            exceptions=tuple(exception.code for exception in step.raises),
            skippable=step.if_skipped is not None,
            forwardable=step.forwardable,
            allowed=allowed(task, step, unit, actor, speaks, initiator=initiator) if task.is_open else {},
            accountable=self._directory.accountable(task.accountable, now) if task.accountable else None,
            history=history_of(record),
            record=record,
            **kept,
            seen=seen,
            live=said is not None,
            source=found.source,
            case_input=await self._lookup.start_argument(view.case) if needs_input else None,
        )

    def _kept(self, look: Look) -> dict[str, Any]:
        """What the store has for a sheet; first of all, that it was shown."""
        notes = self._journal.notes
        notes.note_look(look)
        own = (entry for entry in self._journal.unsettled(look.task_id) if entry.actor == look.actor)
        return {
            "comments": tuple(notes.comments(look.case_id)),
            "draft": notes.draft(look.actor, look.task_id),
            "pending": tuple(own),
        }

    async def _question(self, task: Task) -> dict[str, Any] | None:
        """What a worker says is asked; None when none does now."""
        try:
            async with in_time():
                return await self._cases.question(task.id, patience=PATIENCE)
        except (Refused, RPCError, TimeoutError, UnknownCaseError):
            return None

    async def case(self, actor: Actor, case_id: str) -> CaseSheet:
        """One case. See `TaskService.case`."""
        found, unit, speaks = await self.find_case(actor, case_id)
        view = found.view
        record = without_undecided(view.record) if view.record else None
        initiator = initiator_of(view)
        return CaseSheet(
            case_id=view.case,
            unit=view.unit,
            key=view.key,
            state=view.state,
            is_open=view.is_open,
            run_id=view.run,
            started=view.started,
            closed=view.closed,
            due=due_of(view),
            record=record,
            tasks=view.tasks,
            history=history_of(record),
            comments=tuple(await asyncio.to_thread(self._journal.notes.comments, case_id)),
            may_cancel=view.is_open and may_cancel(actor, unit, speaks, initiator),
            source=found.source,
        )

    async def find_case(self, actor: Actor, case_id: str) -> tuple[Found, type[WorkUnit], Authority]:
        """A case that the actor may read.

        Raises:
            Problem: 404, 503.
        """
        found = await self._lookup.case(case_id)
        unit = self._catalog.get(found.view.unit)
        speaks = authority(actor, self._directory, datetime.now(UTC))
        readable = may_read_case(actor, unit, speaks, initiator=initiator_of(found.view)) or any(
            may_read_task(actor, unit, speaks, task) for task in found.view.tasks
        )
        if not readable:
            raise not_yours()
        return found, unit, speaks

    async def find_task(self, actor: Actor, task_id: str) -> tuple[Found, type[WorkUnit], Task, Authority]:
        """A task that the actor may read.

        Raises:
            Problem: 404, 503.
        """
        found = await self._lookup.case(case_of(task_id))
        unit = self._catalog.get(found.view.unit)
        speaks = authority(actor, self._directory, datetime.now(UTC))
        task = task_in(found.view, task_id, unit)
        initiator = initiator_of(found.view)
        if task is None or not may_read_task(actor, unit, speaks, task, initiator=initiator):
            raise not_yours()
        return found, unit, task, speaks

    async def case_of(self, actor: Actor, about: str) -> str:
        """The case of a task or a case that the actor may read.

        Raises:
            Problem: 404.
        """
        found = (await self.find_task(actor, about))[0] if "/" in about else (await self.find_case(actor, about))[0]
        return found.view.case


def initiator_of(view: CaseView) -> str:
    """Who started a case; empty when nobody said."""
    return view.record.started_by if view.record else ""
