"""One unit, and that unit after edits which the gate must catch, or must let pass.

Its histories in tests/replay/lab were recorded with `Planted`. Not named test_*: the sandbox refuses those.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import workflow

from tests.lab.contracts import Decision, Facts, Odd, Request, Result
from workunits.core.spec import Learning, Measure, On, OnFailure, Outcome, ai, automated, elapsed, human
from workunits.core.unit import WorkUnit

BOSS = "head of tests"
OUTCOME = Outcome(
    Result,
    "The request is decided within 24 hours.",
    achieved=lambda result: result.granted,
    within=elapsed(hours=24),
    accountable=BOSS,
)
LEARNING = Learning(
    owner="test owner",
    review=elapsed(days=30),
    measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
)

LOOK = automated("look", Request, Facts, raises=(Odd,), timeout=timedelta(minutes=1), attempts=2)
LOOK_BY_HAND = human("look_by_hand", Request, Facts, role="expert", accountable=BOSS)
WEIGH = automated("weigh", Facts, Facts, inline=True)
ADVISE = ai("advise", Facts, Facts, attempts=1)
ADVISE_BY_HAND = human("advise_by_hand", Facts, Facts, role="expert", accountable=BOSS)
DECIDE = human("decide", Facts, Decision, role="clerk", accountable=BOSS, expires=elapsed(hours=36))
FILE = automated("file", Facts, Facts)
STEPS = {
    "LOOK": LOOK,
    "LOOK_BY_HAND": LOOK_BY_HAND,
    "WEIGH": WEIGH,
    "ADVISE": ADVISE,
    "ADVISE_BY_HAND": ADVISE_BY_HAND,
    "DECIDE": DECIDE,
    "FILE": FILE,
}
RULES = (On(Odd, LOOK, instead=LOOK_BY_HAND), OnFailure(ADVISE, instead=ADVISE_BY_HAND))


async def work(self, case: Request) -> Result:
    """Look, weigh, get advice, have it decided, file it."""
    facts = await self.perform(self.LOOK, case)
    advice = await self.perform(self.ADVISE, await self.perform(self.WEIGH, facts))
    decision = await self.perform(self.DECIDE, advice)
    filed = await self.perform(self.FILE, advice)
    return Result(granted=decision.decision == "grant", by=[filed.risk])


def after(
    edit: str, work: Callable[..., Any] = work, *, outcome=OUTCOME, rules=RULES, version="1", **steps
) -> type[WorkUnit]:
    """The unit after an edit; `edit` is also the name of the class, by which the sandbox finds it."""
    facts = {"outcome": outcome, "learning": LEARNING, "rules": rules, "work": work}
    members = {"__module__": __name__, "__qualname__": edit, **STEPS, **steps, **facts}
    declared = {"name": "planted", "version": version, "key": "request"}
    unit: type[WorkUnit] = types.new_class(edit, (WorkUnit,), declared, lambda body: body.update(members))
    return unit


Planted = after("Planted")

# --- facts that no command's kind or id shows -------------------------------------------------------------------------

TimeoutChanged = after("TimeoutChanged", FILE=replace(FILE, timeout=timedelta(seconds=20)))
HeartbeatGained = after("HeartbeatGained", FILE=replace(FILE, timeout=timedelta(seconds=31)))
AttemptsChanged = after("AttemptsChanged", FILE=replace(FILE, attempts=5))
InlineTimeoutChanged = after("InlineTimeoutChanged", WEIGH=replace(WEIGH, timeout=timedelta(seconds=1)))
InlineAttemptsChanged = after("InlineAttemptsChanged", WEIGH=replace(WEIGH, attempts=1))
BudgetChanged = after("BudgetChanged", outcome=replace(OUTCOME, within=elapsed(hours=48)))
WarningChanged = after("WarningChanged", outcome=replace(OUTCOME, warn=0.5))
ExpiryChanged = after("ExpiryChanged", DECIDE=replace(DECIDE, expires=elapsed(hours=40)))
RoleChanged = after("RoleChanged", DECIDE=replace(DECIDE, role="expert"))
PredicateChanged = after("PredicateChanged", outcome=replace(OUTCOME, achieved=lambda result: not result.granted))


async def _gives_less(self, case: Request) -> Result:
    given = await work(self, case)
    return given.model_copy(update={"by": []})


ResultChanged = after("ResultChanged", _gives_less)


async def _files_something_else(self, case: Request) -> Result:
    facts = await self.perform(self.LOOK, case)
    advice = await self.perform(self.ADVISE, await self.perform(self.WEIGH, facts))
    decision = await self.perform(self.DECIDE, advice)
    filed = await self.perform(self.FILE, facts.model_copy(update={"score": 0.25}))
    return Result(granted=decision.decision == "grant", by=[filed.risk])


InputChanged = after("InputChanged", _files_something_else)

# --- steps ------------------------------------------------------------------------------------------------------------


async def _without_filing(self, case: Request) -> Result:
    facts = await self.perform(self.LOOK, case)
    advice = await self.perform(self.ADVISE, await self.perform(self.WEIGH, facts))
    decision = await self.perform(self.DECIDE, advice)
    return Result(granted=decision.decision == "grant", by=[advice.risk])


StepRemoved = after("StepRemoved", _without_filing)


async def _without_weighing(self, case: Request) -> Result:
    facts = await self.perform(self.LOOK, case)
    advice = await self.perform(self.ADVISE, facts)
    decision = await self.perform(self.DECIDE, advice)
    filed = await self.perform(self.FILE, advice)
    return Result(granted=decision.decision == "grant", by=[filed.risk])


InlineStepRemoved = after("InlineStepRemoved", _without_weighing)
StepRenamed = after("StepRenamed", FILE=replace(FILE, name="archive"))


async def _files_first(self, case: Request) -> Result:
    facts = await self.perform(self.LOOK, case)
    advice = await self.perform(self.ADVISE, await self.perform(self.WEIGH, facts))
    filed = await self.perform(self.FILE, advice)
    decision = await self.perform(self.DECIDE, advice)
    return Result(granted=decision.decision == "grant", by=[filed.risk])


StepsSwapped = after("StepsSwapped", _files_first)

CHECK = automated("check", Facts, Facts)


async def _checks_in_between(self, case: Request) -> Result:
    facts = await self.perform(self.CHECK, await self.perform(self.LOOK, case))
    advice = await self.perform(self.ADVISE, await self.perform(self.WEIGH, facts))
    decision = await self.perform(self.DECIDE, advice)
    filed = await self.perform(self.FILE, advice)
    return Result(granted=decision.decision == "grant", by=[filed.risk])


StepInserted = after("StepInserted", _checks_in_between, CHECK=CHECK)


async def _checks_at_the_end(self, case: Request) -> Result:
    result = await work(self, case)
    await self.perform(self.CHECK, Facts(risk=result.by[0]))
    return result


StepAtTheEnd = after("StepAtTheEnd", _checks_at_the_end, CHECK=CHECK)
InlineStepAtTheEnd = after("InlineStepAtTheEnd", _checks_at_the_end, CHECK=replace(CHECK, inline=True))
PersonAtTheEnd = after(
    "PersonAtTheEnd", _checks_at_the_end, CHECK=human("check", Facts, Facts, role="clerk", decides=False)
)


async def _checks_beside(self, case: Request) -> Result:
    facts, _ = await asyncio.gather(
        self.perform(self.LOOK, case), self.perform(self.CHECK, Facts(risk="none")), return_exceptions=False
    )
    advice = await self.perform(self.ADVISE, await self.perform(self.WEIGH, facts))
    decision = await self.perform(self.DECIDE, advice)
    filed = await self.perform(self.FILE, advice)
    return Result(granted=decision.decision == "grant", by=[filed.risk])


StepBeside = after("StepBeside", _checks_beside, CHECK=CHECK)
InlineStepBeside = after("InlineStepBeside", _checks_beside, CHECK=replace(CHECK, inline=True))
ExecutorSwapped = after("ExecutorSwapped", FILE=human("file", Facts, Facts, role="clerk", decides=False))

# --- rules, and a bug -------------------------------------------------------------------------------------------------

RuleRemoved = after("RuleRemoved", rules=RULES[:1])
RuleChanged = after("RuleChanged", rules=(On(Odd, LOOK), RULES[1]))


async def _forgets(self, case: Request) -> Result:
    result = await work(self, case)
    return {"granted": result}["refused"]


Bug = after("Bug", _forgets)


async def _turns(self, case: Request) -> Result:
    facts = await self.perform(self.LOOK, case)
    while facts.risk:
        pass
    return Result(granted=True, by=[])


async def _turns_and_catches(self, case: Request) -> Result:
    facts = await self.perform(self.LOOK, case)
    while facts.risk:
        try:
            str(facts.risk)
        except Exception:  # noqa: BLE001, S112 - what a careless author writes
            continue
    return Result(granted=True, by=[])


Endless = after("Endless", _turns)
EndlessCatching = after("EndlessCatching", _turns_and_catches)

# --- what the gate must let pass --------------------------------------------------------------------------------------

Reworded = after(
    "Reworded",
    outcome=replace(OUTCOME, statement="Whoever asks has a decision within 24 hours."),
    CHECK=automated("check", Facts, Facts, timeout=timedelta(minutes=9)),
)


async def _checks_new_cases(self, case: Request) -> Result:
    facts = await self.perform(self.LOOK, case)
    if workflow.patched("check the facts"):
        facts = await self.perform(self.CHECK, facts)
    advice = await self.perform(self.ADVISE, await self.perform(self.WEIGH, facts))
    decision = await self.perform(self.DECIDE, advice)
    filed = await self.perform(self.FILE, advice)
    return Result(granted=decision.decision == "grant", by=[filed.risk])


Guarded = after("Guarded", _checks_new_cases, CHECK=CHECK)
AsItRan = after("AsItRan", version="9")
AsItIsNow = after("AsItIsNow", _checks_in_between, version="9", CHECK=CHECK)
NewVersion = after("NewVersion", _without_filing, version="2")
SameInNewVersion = after("SameInNewVersion", version="2")
