"""The kill switch of a step's model: first for every proposal to come, then for every open case.

Workers read the stop before they ask a model, and again before they hand over what it gave. A case that already holds
a proposal is told; from the workflow task in which it hears of it, people decide there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from temporalio.service import RPCError

from observability.ledger.autonomy import lift, stop
from observability.ledger.store import Ledger
from workers.settings import Settings
from workunits.client import Cases
from workunits.core.errors import BadInput, Refused, WorkUnitsError
from workunits.core.spec import Kind, Step
from workunits.core.stopping import LONGEST, PREFIX, STOP
from workunits.registry import Catalog

if TYPE_CHECKING:
    from collections.abc import Collection

LISTED_WITHIN = 3.0
"""Seconds after which the engine lists a case that began before the stop, and may hold a proposal already."""
_AT_ONCE = 50
_MODELS: tuple[Kind, ...] = ("hybrid", "ai")


@dataclass
class Reach:
    """What a stop has reached."""

    step: str
    anew: bool
    """Whether it was not stopped before."""
    alone: bool = False
    """Whether it is the model's alone, so that no open case holds a proposal of it."""
    told: int = 0
    """Open cases in which people decide now."""
    before: int = 0
    """Open cases that had been told before."""
    missed: dict[str, str] = field(default_factory=dict)
    """Open cases that could not be told, and why; their next proposal finds the stop all the same."""

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "step": self.step,
            "stopped_anew": self.anew,
            "told": self.told,
            "told_before": self.before,
            "missed": self.missed,
        }

    def __str__(self) -> str:
        """In a sentence or two, and the cases that were not reached."""
        if self.alone:
            return self.first
        told = f" {self.told} open case{'s' if self.told != 1 else ''} told"
        again = f", {self.before} knew already" if self.before else ""
        missed = f", {len(self.missed)} not reached: repeat the command for" if self.missed else "."
        return "\n".join(
            [f"{self.first}{told}{again}{missed}", *(f"  {case}: {why}" for case, why in self.missed.items())]
        )

    @property
    def first(self) -> str:
        """What holds, whether or not open cases were told."""
        now = (
            "it fails from now on, and its failure rule says who takes over"
            if self.alone
            else "people decide from now on"
        )
        return f"{self.step}: {'stopped' if self.anew else 'was stopped already'}; {now}."


def hybrid_step(catalog: Catalog, path: str) -> Step[Any, Any]:
    """The hybrid step that `UNIT.STEP` names.

    Raises:
        BadInput: there is none.
        UnknownUnitError.
    """
    return _step(catalog, path, _MODELS[:1])


def stoppable_step(catalog: Catalog, path: str) -> Step[Any, Any]:
    """The step with a model that `UNIT.STEP` names: a hybrid one, or one that is the model's alone.

    Raises:
        BadInput: there is none.
        UnknownUnitError.
    """
    return _step(catalog, path, _MODELS)


def _step(catalog: Catalog, path: str, kinds: Collection[Kind]) -> Step[Any, Any]:
    name, _, step_name = path.partition(".")
    unit = catalog.get(name)
    known = [step for step in unit.steps if step.kind in kinds]
    found = next((step for step in known if step.name == step_name), None)
    if found is None:
        there = ", ".join(f"{name}.{step.name}" for step in known) or "none in this unit"
        raise BadInput(f"there is no such {' or '.join(kinds)} step; there is {there}", field="step")
    return found


def require_reason(reason: str) -> None:
    """Refuse a reason that an open case would not take, before it stands in the ledger.

    Raises:
        BadInput: it is empty, too long, or not printable.
    """
    if not reason.strip() or len(reason) > LONGEST or not reason.isprintable():
        raise BadInput(f"say why, in 1 to {LONGEST} printable characters on one line", field="--reason")


def stop_for_all(settings: Settings, step: Step[Any, Any], *, actor: str, reason: str) -> Reach:
    """Stop a step's model in the ledger, where workers read it; open cases are yet to be told.

    Raises:
        BadInput: the reason is not fit.
        LedgerUnavailableError: nothing is stopped; say it again.
    """
    require_reason(reason)
    anew = stop(Ledger(settings.ledger_url), step.unit, step.name, actor=actor, reason=reason)
    return Reach(step.activity, anew, alone=step.kind == "ai")


async def tell_open_cases(cases: Cases, step: Step[Any, Any], reach: Reach, *, actor: str, reason: str) -> None:
    """Tell every open case that a hybrid step's model is stopped.

    It looks twice: the engine lists a case a moment after it began, and what began after the stop finds it anyway.

    Raises:
        RPCError: the engine does not list them.
    """
    gate = asyncio.Semaphore(_AT_ONCE)

    async def tell(case: str) -> None:
        async with gate:
            await _tell(cases, case, step, reach, actor=actor, reason=reason)

    query = f"WorkflowType = '{step.unit}' AND ExecutionStatus = 'Running'"
    looked: set[str] = set()
    for pause in (0.0, LISTED_WITHIN):
        await asyncio.sleep(pause)
        # All of them first: an engine that fails in the middle of its list is an error of its own, not of a group.
        found = {execution.id async for execution in cases.client.list_workflows(query)} - looked
        async with asyncio.TaskGroup() as group:
            for case in found:
                group.create_task(tell(case))
        looked |= found


async def _tell(cases: Cases, case: str, step: Step[Any, Any], reach: Reach, *, actor: str, reason: str) -> None:
    try:
        await cases.act(
            f"{case}/{PREFIX}{step.name}",
            STOP,
            actor=actor,
            roles=[step.accountable],
            body={"reason": reason},
            revision=1,
        )
        reach.told += 1
    except Refused as refused:
        if refused.code == "wrong_state":
            reach.before += 1
        elif refused.code != "closed":
            reach.missed[case] = str(refused)
    except (WorkUnitsError, RPCError) as error:
        reach.missed[case] = str(error)


def lift_step(settings: Settings, step: Step[Any, Any], *, actor: str, reason: str) -> bool:
    """Let a step's model go on; whether it was stopped.

    Raises:
        BadInput: the reason is not fit.
        LedgerUnavailableError.
    """
    require_reason(reason)
    return lift(Ledger(settings.ledger_url), step.unit, step.name, actor=actor, reason=reason)
