"""A rehearsal: a changed executor of an `ai` or hybrid step is asked what past cases asked, and nothing comes of it.

The performer runs as a plain function in this process, outside Temporal and without its cases, behind a guard that
refuses files, programs and the network, but for asking the model. What it answers is compared and thrown away.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from observability.learning.rehearsal import Figures, Trial, figures
from observability.ledger.auditing import note_audit
from observability.ledger.autonomy import Grant, live, standing, stopped
from observability.ledger.store import Ledger
from workers.rehearsing.metered import SPENT, UNPRICED, Meter, MeteredModel
from workers.rehearsing.pasts import Gathered, gather
from workers.rehearsing.side_effects import SideEffectError, guarded
from workers.rehearsing.trials import Bench, Heard, Said
from workunits.core.autonomy import Level
from workunits.core.errors import BadInput, BusinessException, Refused
from workunits.core.proposal import Asked, executor
from workunits.core.spec import Step
from workunits.core.unit import WorkUnit
from workunits.performs import Performer
from workunits.proposing import Proposal
from workunits.registry import Catalog

IN_A_ROW = 5
"""So many failures one after the other, of one kind, and the rest is not tried: it would be paid for nothing."""
SIDE_EFFECT = "side_effect_refused"
_ENDING = {
    SPENT: "the budget is spent",
    UNPRICED: "nobody knows what this model costs, so no budget can be kept: leave --budget-usd out, and use --limit",
}


@dataclass(slots=True, kw_only=True)
class Rehearsal:
    """What came of it."""

    unit: str
    version: str
    step: str
    kind: str
    model: str
    material: tuple[str, ...]
    gathered: Gathered
    grants: list[Grant]
    """The levels that are signed for today's version, whoever they are signed for."""
    stopped: bool
    executors: Counter[str] = field(default_factory=Counter)
    """Who proposed in these cases."""
    executor: str = ""
    """Who was rehearsed: model, prompt and tools."""
    level: Level | None = None
    """Where it would stand today, in cases of no segment; hybrid steps."""
    level_why: str = ""
    """Why lower than declared or signed."""
    ended: str = ""
    """Why it ended before the last case; empty: it did not."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Side effects that were refused."""
    trials: list[Trial] = field(default_factory=list)
    figures: Figures | None = None
    spent_usd: float | None = None
    tokens: int = 0
    requests: int = 0


def rehearsable(catalog: Catalog, path: str) -> tuple[type[WorkUnit], Step[Any, Any]]:
    """The unit and the step that `UNIT.STEP` names.

    Raises:
        BadInput: there is no such step, or no model performs it.
        Refused: `inputs_not_kept`: the unit does not say that inputs may be used again.
        UnknownUnitError.
    """
    name, _, step_name = path.partition(".")
    unit = catalog.get(name)
    known = [step for step in unit.steps if step.kind in ("ai", "hybrid")]
    found = next((step for step in known if step.name == step_name), None)
    if found is None:
        there = ", ".join(f"{name}.{step.name}" for step in known) or "none in this unit"
        raise BadInput(f"only steps of kind ai or hybrid can be rehearsed; there is {there}", field="step")
    if not unit.keep_inputs:
        why = (
            f"{name} does not declare that inputs of its cases may be used again: state keep_inputs = True in the unit"
        )
        raise Refused("inputs_not_kept", f"{why}; from then on the ledger keeps them, and past cases can be rehearsed")
    return unit, found


def rewriter(named: str) -> Callable[[str], str] | None:
    """The function `MODULE:FUNCTION` that gives the instructions to use instead of the performer's.

    Raises:
        BadInput: there is none.
    """
    if not named:
        return None
    module, _, name = named.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None) if module and name else None
    except ImportError:
        found = None
    if not callable(found) or inspect.iscoroutinefunction(found):
        why = "write MODULE:FUNCTION, a function that takes the present instructions and gives those to use instead"
        raise BadInput(why, field="--prompt-from")
    return found  # type: ignore[no-any-return]


async def rehearse(
    client: Client,
    ledger: Ledger,
    step_of: tuple[type[WorkUnit], Step[Any, Any]],
    performer_with: Callable[[MeteredModel], Performer],
    model: MeteredModel,
    *,
    actor: str,
    limit: int,
    version: str = "",
    tell: Callable[[int], None] = lambda _: None,
) -> Rehearsal:
    """Ask a changed executor what past cases asked, one after the other, newest first.

    Args:
        client: Connected; with the keys, where there are some.
        ledger: It knows the cases, and its audit is told who has them read again, by which model.
        step_of: The unit and its step; see `rehearsable`.
        performer_with: Makes the performer that is bound to the step, with a model of ours.
        model: The new model, with its meter.
        actor: Who has it done.
        limit: Cases at most.
        version: Of which version, or `all`; today's when empty.
        tell: Is told how many there are, before the first is asked.

    Raises:
        RPCError: the engine does not answer.
        LedgerUnavailableError: nothing was asked.
        PerformersError: nothing performs the step.
    """
    unit, step = step_of
    performer = performer_with(model)
    gathered = await gather(client, ledger, unit, step, limit, version=version or unit.version)
    now = datetime.now(UTC)
    with ledger.read() as connection:
        held = live(connection, unit.unit_name, now, step=step.name, version=unit.version)
        is_stopped = any(one.step == step.name for one in stopped(connection, unit.unit_name))
    found = Rehearsal(
        unit=unit.unit_name,
        version=unit.version,
        step=step.name,
        kind=step.kind,
        model=model.name,
        material=(step.autonomy.material if step.autonomy else ()) or tuple(step.gives.model_fields),
        gathered=gathered,
        grants=held,
        stopped=is_stopped,
        executors=Counter(past.executor for past in gathered.pasts if past.executor),
    )
    tell(len(gathered.pasts))
    if not gathered.pasts:
        return found
    # Before the first is asked: what the model is told leaves the house with the first request.
    with ledger.write() as connection:
        asked: dict[str, Any] = {"unit": unit.unit_name, "step": step.name, "model": model.name}
        note_audit(
            connection, actor, "rehearse", now, **asked, cases=len(gathered.pasts), budget=model.meter.budget_usd
        )
    heard = await _ask_all(found, performer, model.meter)
    found.requests, found.tokens = model.meter.requests, model.meter.tokens
    found.spent_usd = None if model.meter.unpriced else model.meter.cost_usd
    if not heard:
        return found
    found.executor = next((one.said.executor for one in heard if one.said.executor), "")
    with ledger.read() as connection:
        if found.executor:
            holds = standing(connection, step, Asked(version=unit.version), found.executor)
            found.level, found.level_why = holds.level, holds.why
        found.trials = [Bench(connection, unit, step, held).trial(one) for one in heard]
    blind = step.autonomy.blind if step.autonomy else 0.0
    found.figures = figures(found.trials, blind=blind, routed=step.kind == "hybrid")
    return found


async def _ask_all(found: Rehearsal, performer: Performer, meter: Meter) -> list[Heard]:
    """Ask about each case, until there is none left, the budget is spent, or it has no purpose."""
    heard: list[Heard] = []
    with guarded() as refused:
        for past in found.gathered.pasts:
            cost, unpriced, tried = meter.cost_usd, meter.unpriced, refused.total()
            began = time.monotonic()
            said = await _ask(performer, past.what)
            took = _micro(time.monotonic() - began)
            if said.code in _ENDING:
                found.ended = _ENDING[said.code]
                break
            if refused.total() > tried:  # also where the performer made nothing of it
                said = Said(code=SIDE_EFFECT)
            paid = meter.cost_usd - cost if meter.unpriced == unpriced else None
            heard.append(Heard(past, said, took, paid))
            last = [one.said.failure for one in heard[-IN_A_ROW:]]
            if len(last) == IN_A_ROW and last[0] and len(set(last)) == 1:
                found.ended = f"{IN_A_ROW} cases in a row failed with {last[0]}"
                break
    found.refused = dict(refused)
    return heard


async def _ask(performer: Performer, what: BaseModel) -> Said:
    """What the performer says, as the platform would read it."""
    step = performer.step
    try:
        async with asyncio.timeout(step.timeout.total_seconds()):
            out = performer.fn(what) if inspect.iscoroutinefunction(performer.fn) else _in_thread(performer, what)
            return _read(step, await out)
    except BusinessException as error:
        declared = type(error) in step.raises
        return Said(code=error.code if declared else "undeclared_exception", business=declared)
    except ApplicationError as error:
        return Said(code=error.type or "ApplicationError")
    except SideEffectError:
        return Said(code=SIDE_EFFECT)
    except TimeoutError:
        return Said(code="timeout")
    except Exception as error:  # noqa: BLE001, whatever it is, it is a figure of the report
        return Said(code=type(error).__name__)


async def _in_thread(performer: Performer, what: BaseModel) -> Any:
    return await asyncio.to_thread(performer.fn, what)


def _read(step: Step[Any, Any], out: Any) -> Said:
    proposal = out if isinstance(out, Proposal) else Proposal(out)
    if not isinstance(proposal.output, step.gives) or isinstance(out, Proposal) is not (step.kind == "hybrid"):
        return Said(code="bad_result")
    who = executor(proposal.model, proposal.prompt, proposal.tools) if step.kind == "hybrid" else ""
    return Said(proposal.output.model_dump(mode="json"), proposal.output, proposal.confidence, who)


def _micro(seconds: float) -> int:
    return int(seconds * 1_000_000)
