"""The people of a soak: they start cases, act on them as rivals, repeat themselves, use both doors, and cancel some."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from pydantic_core import to_json
from temporalio.client import Client
from temporalio.service import RPCError

from tests.lab.messages import envelope
from tests.soak.journal import Journal, Story
from tests.soak.package import PACKAGE
from tests.soak.patience import ATTEMPT, STALE, Insist, Watch
from tests.soak.plan import Plan
from tests.soak.site import QUEUE
from tests.soak.unit import Haul
from workunits.cases import is_unknown
from workunits.client import Cases
from workunits.core.errors import Refused
from workunits.core.human import MESSAGE
from workunits.core.lifecycle import Task
from workunits.registry import Catalog

NAMES = {"clerk": ("amy", "bob", "cid"), "boss": ("dot", "eve")}
STEPS = {step.role: step.name for step in Haul.steps if step.kind == "human"}
CANCELLED, BY_SIGNAL, ASK_AFTER, CLAIM_FIRST, REPEATED, PUSHY, GRANTED = 0.08, 0.3, 0.5, 0.5, 0.3, 0.2, 0.8
"""Shares: of cases; of actions; of those Signals whose sender asks what came of them; and so on."""
AT_ONCE = 60
"""Cases: were more of them open, the machine would be busy with nothing but looking at them."""
_UNHURRIED = 1.5
"""Seconds that a person takes at most before they do something."""


@dataclass(frozen=True)
class Deed:
    """One action of a person."""

    task: Task
    action: str
    id: str
    who: str
    body: dict[str, bool]


class People:
    """All of them."""

    def __init__(self, client: Client, plan: Plan) -> None:
        """Prepare; `journal` says afterwards what they were told."""
        self._client = client
        self._cases = Cases(client, Catalog([PACKAGE]), queue=QUEUE)
        self._plan = plan
        self.journal = Journal()
        self.insist = Insist(self.journal.errors)
        self.closed = 0
        self._room = asyncio.Semaphore(AT_ONCE)

    async def see_through(self, number: int) -> None:
        """Begin at its time, when there is room.

        Raises:
            StuckError, WorkUnitsError: it does not close, or is not there any more.
        """
        rng = self._plan.rng(number)
        await asyncio.sleep(rng.uniform(0, self._plan.seconds * 0.85))
        async with self._room:
            await self._see_through(number, rng)

    async def _see_through(self, number: int, rng: random.Random) -> None:
        """Start a case and stay with it until it has closed."""
        key = f"s{self._plan.seed}-{number}"
        story = self.journal.story(f"{Haul.unit_name}:{key}")
        for _ in range(_times(rng)):
            await self.insist(lambda: self._cases.start(Haul.unit_name, to_json({"request": key})))
            story.started = True
            self.journal.counts["starts"] += 1
        watch = Watch(self._cases, story.case, self.insist)
        doing = [
            self._decide(story, watch, role, who, self._plan.rng(f"{number}-{who}"))
            for role, names in NAMES.items()
            for who in rng.sample(names, rng.randint(1, len(names)))
        ]
        if rng.random() < CANCELLED:
            doing.append(self._cancel(story, rng.uniform(0, 4)))
        async with asyncio.TaskGroup() as crowd:
            for what in doing:
                crowd.create_task(what)
            while (await watch.look()).is_open:
                self.insist.check("it is still open")
                await asyncio.sleep(STALE)
        self.closed += 1

    async def _cancel(self, story: Story, after: float) -> None:
        await asyncio.sleep(after)
        story.cancelled = True
        try:
            await self.insist(lambda: self._cases.cancel(story.case, actor="zoe", reason="no longer wanted"))
        except Refused:
            self.journal.counts["cancels too late"] += 1
        else:
            self.journal.counts["cancels"] += 1

    async def _decide(self, story: Story, watch: Watch, role: str, who: str, rng: random.Random) -> None:
        """Try to be the one who decides, until someone has."""
        tries = 0
        while True:
            await asyncio.sleep(rng.uniform(0.1, _UNHURRIED))
            view = await watch.look()
            done = [work.step for work in view.record.steps if work.end == "done"] if view.record else []
            if not view.is_open or STEPS[role] in done:
                return
            task = next((task for task in view.tasks if task.role == role), None)
            if task is None or (task.owner not in (None, who) and rng.random() > PUSHY):
                continue
            tries += 1
            claims = task.owner is None and rng.random() < CLAIM_FIRST
            body = {} if claims else {"granted": rng.random() < GRANTED}
            await self._do(story, Deed(task, "claim" if claims else "complete", f"{who}-{tries}", who, body), rng)

    async def _do(self, story: Story, deed: Deed, rng: random.Random) -> None:
        """Send one action, by either door, once or more often."""
        story.sent.add(deed.id)
        if rng.random() < BY_SIGNAL:
            for _ in range(_times(rng)):
                await self._signal(story, deed)
            if rng.random() > ASK_AFTER:
                return
        for _ in range(_times(rng)):
            await self._update(story, deed)

    async def _signal(self, story: Story, deed: Deed) -> None:
        said = envelope(deed.task, action=deed.action, action_id=deed.id, actor=deed.who, body=deed.body)

        async def send() -> None:
            try:
                await self._client.get_workflow_handle(story.case).signal(MESSAGE, said)
            except RPCError as error:
                if is_unknown(error):
                    raise Refused("closed", "the case has closed") from None
                raise

        try:
            await self.insist(send)
        except Refused:
            self.journal.counts["signals too late"] += 1
        else:
            story.heard.add(deed.id)
            self.journal.counts["signals"] += 1

    async def _update(self, story: Story, deed: Deed) -> None:
        try:
            answer = await self.insist(
                lambda: self._cases.act(
                    deed.task.id,
                    deed.action,
                    actor=deed.who,
                    roles=[deed.task.role],
                    body=deed.body,
                    action_id=deed.id,
                    revision=deed.task.revision,
                    patience=ATTEMPT,
                )
            )
        except Refused as refused:
            story.refuse(deed.id, refused.code)
            self.journal.counts[f"refused: {refused.code}"] += 1
        else:
            story.accept(deed.id, answer)
            self.journal.counts["accepted"] += 1


def _times(rng: random.Random) -> int:
    """Once; from some people, twice."""
    return 2 if rng.random() < REPEATED else 1
