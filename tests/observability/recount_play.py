"""Random cases on skipped time: what people, machines and operators may do to a case, in any order.

A seed decides everything but the real time that machines take. An act of a person that its case refuses is a refusal
as in life: the case goes on.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.service import RPCError

from tests.conftest import Bench
from tests.lab import units
from tests.lab.messages import envelope
from tests.lab.people import Council, FourEyes, Jury, Silent
from tests.lab.terms import Crowd, Keyless, Terms
from tests.lab.troubles import Held
from tests.lab.units import Inline, Pair, Plain, Ruled
from tests.observability.recount_units import Billed
from workunits.cases import CaseView
from workunits.client import UnknownCaseError
from workunits.core.errors import BadInput, Refused
from workunits.core.incidents import Incident
from workunits.core.lifecycle import Task
from workunits.core.unit import WorkUnit

MOODS: Mapping[type[WorkUnit], Sequence[str]] = {
    Plain: ("", "flaky", "broken", "refused", "undeclared", "misfit", "stuck"),
    Inline: ("", "slow", "flaky", "refused"),
    Ruled: ("", "odd", "unreadable", "unreadable", "adviser odd", "adviser broken", "broken", "stuck"),
    Pair: ("",),
    units.Sequence: ("", "odd", "flaky"),
    Terms: ("",),
    Crowd: ("",),
    Keyless: ("",),
    Council: ("",),
    FourEyes: ("",),
    Silent: ("",),
    Billed: ("", "", "unreadable", "unreadable", "odd", "check odd", "check broken", "full"),
}
TROUBLE: Sequence[str] = ("twice", "broken", "twice", "broken", "")
"""The moods of the unit whose machine waits for operators; played beside the others."""
SILENCE: Sequence[str] = ("by_default", "instead", "neither")
"""The moods of the unit whose voters may stay silent; the same."""
BOSS = "head of tests"
PEOPLE_ONLY = (Council, FourEyes, Jury, Silent)
PEOPLE = ("ann", "bob", "eve")
_OF_THE_BOSS = ("assign", "suspend", "skip", "cancel")
_FURTHER: Mapping[str, Sequence[str]] = {
    "ready": ("assign", "suspend", "skip", "skip", "escalate"),
    "claimed": ("delegate", "resolve", "forward", "assign", "suspend", "escalate", "fail"),
    "in_progress": ("wait", "wait", "wait", "delegate", "suspend", "suspend", "escalate", "forward", "fail", "skip"),
}
_MOVES = 9
"""After so many, people come to an end."""
_AT_MOST = 25
_DECISIONS: Sequence[Mapping[str, Any]] = ({"decision": "grant"},) * 3 + ({"decision": "refuse", "reason": "no"},)


@dataclass
class Player:
    """Plays one case."""

    bench: Bench
    unit: type[WorkUnit]
    mood: str
    dice: random.Random

    def __post_init__(self) -> None:
        """Choose whether people use signals, or all that the doors offer."""
        self._by_signal = self.unit not in PEOPLE_ONLY and self.dice.random() < 0.5

    async def play(self) -> str:
        """Start a case and act on it until it has closed; the case's id."""
        case = await self._start()
        moves = 0
        while True:
            view = await self.bench.until(case, lambda now: now if _wants_someone(now) else None)
            if not view.is_open:
                return case
            if moves >= _AT_MOST:  # whoever may still do it has been excluded
                await self.bench.handle(case).terminate(reason="nobody is left")
            else:
                await self._move(view, hurry=moves >= _MOVES)
            moves += 1

    async def _start(self) -> str:
        dice = self.dice
        given: dict[str, Any] = {"mood": self.mood, "amount": dice.randint(1, 4)}
        if self.unit is Keyless:
            given = {"subject": dice.choice(["calm", "calm", "odd", "error"])}
        elif dice.random() < 0.04:
            given = {"amount": "a lot"}
        else:
            given["request"] = uuid.UUID(int=dice.getrandbits(128)).hex[:16]
        key = f"{self.unit.unit_name}-{uuid.uuid4().hex[:12]}"
        note: dict[str, Any] = {"key": key}
        if dice.random() < 0.4:
            accepted = datetime.now(UTC) + timedelta(minutes=dice.choice([-600, -7, 5]))
            note["accepted_at"] = accepted.isoformat()
        delay = timedelta(minutes=dice.choice([0] * 9 + [50]))
        note["delay"] = delay.total_seconds()
        handle = await self.bench.client.start_workflow(
            self.unit.unit_name,
            given,
            id=f"{self.unit.unit_name}:{key}",
            task_queue=self.bench.queue,
            memo={"workunit_start": note},
            start_delay=delay or None,
        )
        if delay:
            await self.bench.skip(handle.id, delay)
        return handle.id

    async def _move(self, view: CaseView, *, hurry: bool) -> None:
        held = _open_incidents(view)
        if held and (not view.tasks or hurry or self.dice.random() < 0.5):
            await self._decide(view, self.dice.choice(held), hurry=hurry)
            return
        chance = self.dice.random()
        if chance < 0.25 or (hurry and chance < 0.5):
            longest = 48 * 60 if hurry or chance < 0.06 else 300
            await self._caught_up(view.tasks[0].id)  # a jump of the clock would time a turn out
            with suppress(RPCError):  # it has just closed
                await self.bench.skip(view.case, timedelta(minutes=self.dice.uniform(0.1, longest)))
        elif chance < 0.31:
            await self._from_outside(view.case)
        else:
            await self._act(self.dice.choice(view.tasks), hurry=hurry)

    async def _decide(self, view: CaseView, incident: Incident, *, hurry: bool) -> None:
        """An operator decides on an incident."""
        if self.dice.random() < 0.4:
            with suppress(RPCError):
                await self.bench.skip(view.case, timedelta(minutes=self.dice.uniform(1, 300)))
        action = self.dice.choice(["resolve", "fail"] if hurry else ["retry", "retry", "retry", "resolve", "fail"])
        body: dict[str, Any] = {} if action == "retry" else {"reason": "so it is"}
        now = await self.bench.clock(view.case)
        await self._update(
            {
                "task_id": f"{view.case}/{incident.key}",
                "action": action,
                "actor": self.dice.choice(PEOPLE),
                "roles": ["operations"],
                "body": body | ({"result": {"risk": "by hand"}} if action == "resolve" else {}),
                "action_id": uuid.uuid4().hex,
                "revision": incident.revision,
                "sent_at": (now - timedelta(minutes=self.dice.choice([0, 0, 5, 600]))).isoformat(),
                "acting_for": self.dice.choice([None, None, "zoe"]),
            }
        )

    async def _from_outside(self, case: str) -> None:
        """An operator cancels or terminates it, unless it is just about to learn of something."""
        handle = self.bench.handle(case)
        if (await handle.describe()).raw_description.HasField("pending_workflow_task"):
            return
        try:
            if self.dice.random() < 0.5:
                await self.bench.cases.cancel(case, actor="ops", reason="enough")
            else:
                await handle.terminate(reason="enough")
        except (Refused, RPCError):
            return
        await self.bench.closed(case)

    async def _act(self, task: Task, *, hurry: bool) -> None:
        dice = self.dice
        action = self._action(task, hurry=hurry)
        who = task.owner if task.owner and dice.random() < 0.9 else dice.choice((*PEOPLE, "uma") if hurry else PEOPLE)
        case = task.id.rpartition("/")[0]
        now = await self.bench.clock(case)
        sent = envelope(
            task,
            action=action,
            action_id=uuid.uuid4().hex,
            actor=who,
            roles=[BOSS] if action in _OF_THE_BOSS or task.state == "suspended" else [task.role],
            acting_for=dice.choice([None, None, None, "zoe"]),
            revision=task.revision + (dice.random() < 0.05),
            sent_at=self._sent_at(now, task).isoformat(),
            body=self._answer(task) if action == "complete" else self._body(action, now),
        )
        for _ in range(2 if dice.random() < 0.1 else 1):
            if self._by_signal and dice.random() < 0.5:
                await self._signal(case, sent)
            else:
                await self._update(sent)

    def _action(self, task: Task, *, hurry: bool) -> str:
        if task.state in ("waiting", "suspended"):
            return self.dice.choice(["resume", "resume", "resume", "suspend", "escalate", "fail", "cancel"])
        if hurry and task.delegator:
            return "resolve"
        if hurry or self.dice.random() < 0.05:
            return self.dice.choice(["complete", "complete", "complete", "start"])
        fits = {
            "ready": ["claim", "start", "start", "complete"],
            "claimed": ["start", "start", "release", "complete"],
            "in_progress": ["stop", "release", "complete", "complete"],
        }
        if self.unit is FourEyes and task.state == "in_progress" and self.dice.random() < 0.5:
            return "wait"
        if not self._by_signal and self.dice.random() < 0.35:
            return self.dice.choice(_FURTHER[task.state])
        return self.dice.choice(fits[task.state])

    def _body(self, action: str, now: datetime) -> dict[str, Any]:
        """What an action says, beside answers."""
        because = {"reason": "so it is"}
        if action in ("assign", "delegate"):
            return {"to": self.dice.choice(PEOPLE)}
        if action == "forward":
            return {"to": self.dice.choice(PEOPLE), **because}
        if action == "wait":
            until = now + timedelta(hours=self.dice.uniform(0.1, 5))
            return {"reason": "customer", "until": until.isoformat() if self.dice.random() < 0.5 else None}
        if action == "escalate":
            return {"how": self.dice.choice(["notify_up", "reassign_up"]), **because}
        if action == "fail":
            return {"code": "odd"}
        return because if action in ("release", "resolve", "suspend", "skip", "cancel") else {}

    def _sent_at(self, now: datetime, task: Task) -> datetime:
        """Mostly now; sometimes a while ago; seldom what a wrong clock shows."""
        chance = self.dice.random()
        if chance < 0.6:
            return now
        if chance < 0.9:
            return task.ready + (now - task.ready) * self.dice.random()
        return now + timedelta(hours=self.dice.choice([-100, 100]))

    def _answer(self, task: Task) -> dict[str, Any]:
        if task.step in ("look_by_hand", "advise_by_hand", "check_by_hand"):
            return {"risk": "high"}
        if task.step == "prepare":
            return {"request": "made"}
        if task.step == "check" and self.dice.random() < 0.4:
            return {"decision": "refuse", "reason": "again"}
        if task.step in ("mend", "correct"):
            mood = self.dice.choice(["", "unreadable", "odd"])
            return {"request": "mended", "mood": mood}
        if task.step == "ask" and self.unit is Keyless:
            return {"text": "fine"}
        return dict(self.dice.choice(_DECISIONS))

    async def _update(self, sent: Mapping[str, Any]) -> None:
        try:
            await self.bench.cases.act(
                sent["task_id"],
                sent["action"],
                actor=sent["actor"],
                roles=sent["roles"],
                body=sent["body"],
                action_id=sent["action_id"],
                revision=sent["revision"],
                sent_at=datetime.fromisoformat(sent["sent_at"]),
                acting_for=sent["acting_for"],
            )
        except (Refused, BadInput):
            return

    async def _signal(self, case: str, sent: Mapping[str, Any]) -> None:
        """Send it without waiting for an answer, and then until the case has had it."""
        with suppress(RPCError):  # it has just closed
            await self.bench.handle(case).signal("act", sent)
        await self._caught_up(sent["task_id"])

    async def _caught_up(self, task_id: str) -> None:
        """Wait until the case has taken all that has reached it: then it answers a question."""
        with suppress(Refused, UnknownCaseError):  # closed meanwhile, or no such task any more: both are answers
            await self.bench.cases.question(task_id)


def _open_incidents(view: CaseView) -> list[Incident]:
    return [one for one in view.record.incidents if one.state == "open"] if view.record and view.is_open else []


def _wants_someone(view: CaseView) -> bool:
    return bool(view.tasks or _open_incidents(view)) or not view.is_open


async def play(bench: Bench, seed: int, count: int, at_once: int = 12) -> dict[str, type[WorkUnit]]:
    """Play cases at the same time; which unit each is of."""
    gate = asyncio.Semaphore(at_once)
    units = list(MOODS)

    async def one(number: int) -> tuple[str, type[WorkUnit]]:
        unit = units[number % len(units)]
        mood = MOODS[unit][number // len(units) % len(MOODS[unit])]
        return await throw(number, unit, mood)

    async def throw(number: int, unit: type[WorkUnit], mood: str) -> tuple[str, type[WorkUnit]]:
        async with gate:
            dice = random.Random(f"{seed}/{number}")  # noqa: S311 - a game, and no secret
            return await Player(bench, unit, mood, dice).play(), unit

    times = range(count // len(units))
    held = [throw(count + number, Held, TROUBLE[number % len(TROUBLE)]) for number in times]
    silent = [throw(count + len(held) + number, Jury, SILENCE[number % len(SILENCE)]) for number in times]
    return dict(await asyncio.gather(*(one(number) for number in range(count)), *held, *silent))
