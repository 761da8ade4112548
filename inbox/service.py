"""What the pages, the API and the command line share: lists, sheets and actions, for someone who is known."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from temporalio.service import RPCError

from inbox.acting import Acting, as_outcome
from inbox.courier import Courier, Redelivered
from inbox.directory import Directory
from inbox.doors import Doors
from inbox.fallback import page_from_engine
from inbox.identity import Actor
from inbox.journal import Journal
from inbox.listing import Listing
from inbox.lookup import Lookup
from inbox.notes import Comment, Draft
from inbox.overlay import fresh_of, laid_over
from inbox.reader import Reader, initiator_of
from inbox.rights import admins_of, authority, may_cancel, may_read_case, viewer_of
from inbox.security import Problem, not_yours
from inbox.sheet import CaseSheet, Outcome, TaskSheet
from inbox.stamping import stamps
from inbox.store import JournalUnavailableError
from inbox.wanted import TaskPage, Viewer, Wanted
from observability.learning.forecast import Forecaster
from observability.ledger.store import Ledger, LedgerError
from workunits.client import Cases, Started, UnknownCaseError
from workunits.core.errors import Refused
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog

T = TypeVar("T")
PATIENCE = 3.0
"""Seconds for a case that does not answer an action; it is delivered later then."""


class TaskService:
    """The one way to tasks and cases for people and for machines that act for them."""

    def __init__(
        self, *, cases: Cases, catalog: Catalog, ledger: Ledger, directory: Directory, journal: Journal
    ) -> None:
        """Put the parts together; the journal is open."""
        self.cases_of = cases
        self.catalog = catalog
        self.directory = directory
        self.journal = journal
        self.ledger = ledger
        self._listing = Listing(ledger, catalog)
        self._forecaster = Forecaster(ledger)
        self._lookup = Lookup(cases, ledger)
        self._courier = Courier(cases, journal)
        self._reader = Reader(cases, catalog, self._lookup, directory, journal)
        self._acting = Acting(self._lookup, journal, self._courier, directory, catalog)

    @classmethod
    def of(cls, doors: Doors) -> Self:
        """The service of an inbox."""
        return cls(
            cases=doors.cases,
            catalog=doors.catalog,
            ledger=doors.ledger,
            directory=doors.directory,
            journal=doors.journal,
        )

    # -- delivery

    async def deliver_forever(self, stop: asyncio.Event) -> None:
        """Deliver what the journal holds until told to stop; run it beside every door."""
        await self._courier.deliver_forever(stop)

    async def redeliver(self, since: datetime, *, patience: float = 30.0) -> list[Redelivered]:
        """Send again what was answered since then and a restored engine no longer knows; twice changes nothing.

        Raises:
            JournalUnavailableError.
        """
        return await self._courier.redeliver(since, patience=patience)

    # -- lists

    async def tasks(self, actor: Actor, wanted: Wanted) -> TaskPage:
        """One page of open tasks, the most urgent first.

        Raises:
            BadInput: what is wanted does not fit.
            UnknownUnitError: names the nearest ones.
            Problem: 404 for a unit that is not the actor's to see; 503 when neither ledger nor engine answers.
        """
        now = datetime.now(UTC)
        viewer = viewer_of(actor, self.catalog, authority(actor, self.directory, now))
        self._check_unit(viewer, wanted.unit)
        try:
            return await asyncio.to_thread(self._page, actor, wanted, viewer, now)
        except LedgerError:
            try:
                page = await page_from_engine(self.cases_of, wanted, viewer, now, self._listing.touch.known)
            except (RPCError, TimeoutError):
                raise Problem(
                    503, "engine_unavailable", "neither the ledger nor the engine answers now; try again", retry_after=5
                ) from None
        # The engine's listing shows what its cases say now; of one's own, only what is on its way is missing.
        fresh = await asyncio.to_thread(self.journal.fresh, actor.name, now)
        return laid_over(page, fresh_of(fresh), lambda _: (), wanted, viewer)

    def _page(self, actor: Actor, wanted: Wanted, viewer: Viewer, now: datetime) -> TaskPage:
        page = self._listing.page(wanted, viewer, now)
        page = replace(page, breach=self.chances([row.case_id for row in page.tasks], now))
        try:
            fresh = fresh_of(self.journal.fresh(actor.name, now))
        except JournalUnavailableError:
            return replace(page, banner="The inbox's own store does not answer now: nothing can be saved or decided.")
        return laid_over(page, fresh, self._listing.rows, wanted, viewer)

    def chances(self, case_ids: Sequence[str], now: datetime) -> Mapping[str, float]:
        """How probably each of some open cases breaks its promise, as far as that is known without waiting."""
        try:
            with self.ledger.read() as connection:
                found = self._forecaster.at_once(connection, sorted(set(case_ids)), now)
        except LedgerError:
            return {}
        return {
            case: one.probability
            for case, one in found.items()
            if one.probability is not None and one.basis != "passed"
        }

    def stamps(self, actor: Actor, sheet: TaskSheet, now: datetime) -> bool:
        """Whether the actor accepts this step's proposals faster than they can be read; False where nobody knows."""
        return stamps(self.ledger, self.journal, actor.name, (sheet.unit, sheet.task.step), now)

    def _check_unit(self, viewer: Viewer, unit: str | None) -> None:
        if unit is None:
            return
        if viewer.within is not None and unit not in viewer.within:
            raise not_yours()
        if unit not in self.catalog:
            self.catalog.get(unit[:60])

    # -- sheets

    async def sheet(self, actor: Actor, task_id: str, *, address: str = "") -> TaskSheet:
        """One task, with all that one needs to decide; that it was shown is kept.

        Args:
            actor: Who looks.
            task_id: `<case>/<task>`.
            address: From where.

        Raises:
            Problem: 404: there is none, or it is not the actor's to see; 503.
            JournalUnavailableError.
        """
        return await self._reader.sheet(actor, task_id, address=address)

    async def case(self, actor: Actor, case_id: str) -> CaseSheet:
        """One case.

        Raises:
            Problem: 404: there is none, or it is not the actor's to see; 503.
            JournalUnavailableError.
        """
        return await self._reader.case(actor, case_id)

    # -- actions

    async def act(
        self,
        actor: Actor,
        task_id: str,
        action: str,
        body: Mapping[str, Any],
        *,
        action_id: str = "",
        revision: int | None = None,
        acting_for: str | None = None,
        hold: float = 0,
        seen: str | None = None,
        review: Any = None,
        patience: float | None = None,
    ) -> Outcome:
        """Act on a task: written down first, then sent until it is answered.

        Args:
            actor: Who acts.
            task_id: `<case>/<task>`.
            action: Such as `claim` or `complete`.
            body: What the action says; the answer of a `complete`.
            action_id: The same id again has the first answer again; a new one when omitted.
            revision: The revision that the actor saw; whichever the task has when omitted.
            acting_for: Whom the actor stands in for.
            hold: Seconds in which it can be undone.
            seen: `TaskSheet.seen`; that of the actor's last look when omitted.
            review: What the actor says about the proposal that was shown, as `workunits.core.proposal.Review`.
            patience: Seconds to wait for an answer before it counts as pending; `PATIENCE` when omitted.

        Raises:
            Problem: 404: there is no such task or action, or it is not the actor's to see.
            JournalUnavailableError: nothing was accepted.
        """
        return await self._acting.act(
            actor,
            task_id,
            action,
            body,
            action_id=action_id or uuid.uuid4().hex,
            revision=revision,
            acting_for=acting_for,
            hold=timedelta(seconds=hold),
            seen=seen,
            review=review,
            patience=PATIENCE if patience is None else patience,
        )

    async def outcome(self, actor: Actor, action_id: str) -> Outcome:
        """How an action of the actor's own stands.

        Raises:
            Problem: 404.
            JournalUnavailableError.
        """
        entry = await asyncio.to_thread(self.journal.find, action_id)
        if entry is None or entry.actor != actor.name:
            raise not_yours()
        return as_outcome(entry)

    async def undo(self, actor: Actor, action_id: str) -> bool:
        """Take back an action of the actor's own that is still held; whether that was possible.

        Raises:
            JournalUnavailableError.
        """
        return await asyncio.to_thread(self.journal.undo, action_id, actor.name)

    # -- cases

    async def start(self, actor: Actor, unit: str, data: bytes, *, key: str | None = None) -> Started:
        """Start a case; whoever has a part in the unit may.

        Raises:
            Problem: 404 for a unit that is not the actor's to see.
            UnknownUnitError, BadInput, DuplicateCaseError, RPCError.
        """
        cls = self.unit(actor, unit)
        return await self.cases_of.start(cls.unit_name, data, key=key, by=actor.name)

    async def cancel(self, actor: Actor, case_id: str, reason: str) -> None:
        """Ask a case to close as cancelled; the unit's admins and whoever started it may.

        Raises:
            Problem: 404, 403.
            Refused: `closed`: says how.
            RPCError.
        """
        found, unit, speaks = await self._reader.find_case(actor, case_id)
        if not may_cancel(actor, unit, speaks, initiator_of(found.view)):
            roles = " or ".join(sorted(set(admins_of(unit))))
            raise Problem(403, "not_allowed", f"a case is cancelled by its initiator or by {roles}")
        if found.engine_down:
            raise Problem(503, "engine_unavailable", "the engine does not answer now; try again", retry_after=5)
        try:
            await self.cases_of.cancel(case_id, actor=actor.name, reason=reason)
        except UnknownCaseError:  # the ledger has it, and the engine has forgotten it
            raise Refused("closed", f"the case closed as {found.view.state}") from None

    def unit(self, actor: Actor, name: str) -> type[WorkUnit]:
        """A unit that the actor has a part in.

        Raises:
            UnknownUnitError: names the nearest ones, to whoever may see all of them.
            Problem: 404.
        """
        units = self.units(actor)
        found = next((unit for unit in units if unit.unit_name == name), None)
        if found is None:
            if actor.units is None and name not in self.catalog:
                self.catalog.get(name[:60])
            raise not_yours()
        return found

    def units(self, actor: Actor) -> list[type[WorkUnit]]:
        """The units that the actor has a part in."""
        speaks = authority(actor, self.directory, datetime.now(UTC))
        return [unit for unit in self.catalog if may_read_case(actor, unit, speaks)]

    # -- what is kept beside decisions

    async def comment(self, actor: Actor, about: str, text: str) -> Comment:
        """Say something about a task, or about a case, to all who may read it.

        Raises:
            Problem: 404.
            BadInput, JournalUnavailableError.
        """
        task_id = about if "/" in about else None
        case_id = await self._reader.case_of(actor, about)
        return await self._keep(lambda: self.journal.notes.comment(actor.name, case_id, text, task_id))

    async def comments(self, actor: Actor, about: str) -> list[Comment]:
        """What was said about a case, or the case of a task.

        Raises:
            Problem: 404.
            JournalUnavailableError.
        """
        case_id = await self._reader.case_of(actor, about)
        return await self._keep(lambda: self.journal.notes.comments(case_id))

    async def save_draft(self, actor: Actor, task_id: str, body: Mapping[str, Any]) -> Draft:
        """Keep what was typed so far; it is the actor's alone.

        Raises:
            Problem: 404.
            BadInput, JournalUnavailableError.
        """
        await self._reader.find_task(actor, task_id)
        return await self._keep(lambda: self.journal.notes.save_draft(actor.name, task_id, body))

    async def draft(self, actor: Actor, task_id: str) -> Draft | None:
        """What the actor has typed so far."""
        return await self._keep(lambda: self.journal.notes.draft(actor.name, task_id))

    async def drop_draft(self, actor: Actor, task_id: str) -> None:
        """Forget what the actor has typed so far."""
        await self._keep(lambda: self.journal.notes.drop_draft(actor.name, task_id))

    async def save_view(self, actor: Actor, name: str, query: str) -> None:
        """Keep filters under a name.

        Raises:
            BadInput, JournalUnavailableError.
        """
        await self._keep(lambda: self.journal.notes.save_view(actor.name, name, query))

    async def views(self, actor: Actor) -> Mapping[str, str]:
        """The actor's saved views: filters by name."""
        return await self._keep(lambda: self.journal.notes.views(actor.name))

    async def drop_view(self, actor: Actor, name: str) -> bool:
        """Delete a saved view; whether there was one."""
        return await self._keep(lambda: self.journal.notes.drop_view(actor.name, name))

    @staticmethod
    async def _keep(what: Callable[[], T]) -> T:
        return await asyncio.to_thread(what)
