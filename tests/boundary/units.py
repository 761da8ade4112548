"""A unit with a hybrid step whose decision is acted on, and one that calls it."""

from tests.boundary.contracts import Claim, Household, Order, Outcome, Receipt, Settled, Suspicious, Verdict
from workunits.core.autonomy import Risk
from workunits.core.spec import (
    Autonomy,
    Learning,
    Measure,
    On,
    automated,
    elapsed,
    human,
    hybrid,
    unit_step,
)
from workunits.core.spec import Outcome as Promise
from workunits.core.unit import WorkUnit


def _risk(claim: Claim, verdict: Verdict) -> Risk:
    if claim.amount > 10_000 or verdict.amount > 50_000:
        return "irreversible"
    return "over_limit" if verdict.amount > 1_000 else "routine"


def _decoy(_: Claim, verdict: Verdict) -> Verdict:
    return Verdict(verdict="pay", amount=verdict.amount + 777)


_LEARNING = Learning(
    owner="head of claims",
    review=elapsed(days=30),
    measures=(Measure("cycle_time", at_most=elapsed(hours=4), at="median", baseline="the first 100 cases"),),
)


class Damage(WorkUnit, name="damage", version="1", key="number"):
    """A claim is decided, and paid as it was decided."""

    outcome = Promise(
        Outcome,
        "The claim is decided and settled within 24 hours.",
        achieved=lambda result: result.verdict.verdict in ("pay", "refuse"),
        within=elapsed(hours=24),
        accountable="head of claims",
    )
    learning = _LEARNING
    DECIDE = hybrid(
        "decide",
        Claim,
        Verdict,
        role="adjuster",
        accountable="head of claims",
        raises=(Suspicious,),
        autonomy=Autonomy(
            level="A2",
            risk=_risk,
            material=("verdict", "amount"),
            blind=0.0,
            audit=0.1,
            veto=elapsed(hours=2),
            decoy=_decoy,
        ),
    )
    INSPECT = human("inspect", Claim, Verdict, role="inspector", accountable="head of claims")
    PAY = automated("pay", Order, Receipt, approved_by=DECIDE, payload=lambda order: order.decided)
    rules = (On(Suspicious, DECIDE, instead=INSPECT),)

    async def work(self, case: Claim) -> Outcome:
        """Decide, then pay."""
        verdict = await self.perform(self.DECIDE, case)
        if verdict.verdict == "refuse":
            return Outcome(verdict=verdict)
        decided = verdict.model_copy(update={"amount": 999_999}) if case.story == "tampered" else verdict
        receipt = await self.perform(self.PAY, Order(number=case.number, decided=decided))
        return Outcome(verdict=verdict, paid=receipt.paid)


class Ransom(WorkUnit, name="ransom", version="1", key="number"):
    """Paid when somebody says yes to exactly this sum."""

    outcome = Promise(
        Receipt,
        "The sum is paid within 24 hours.",
        achieved=lambda receipt: receipt.paid > 0,
        within=elapsed(hours=24),
        accountable="head of claims",
    )
    learning = _LEARNING
    ALLOW = human("allow", Claim, Verdict, role="adjuster", accountable="head of claims")
    PAY = automated("pay", Claim, Receipt, approved_by=ALLOW, shown=lambda claim: claim)

    async def work(self, case: Claim) -> Receipt:
        """Ask, and pay."""
        await self.perform(self.ALLOW, case)
        return await self.perform(self.PAY, case.model_copy(update={"amount": 999}) if case.story == "raised" else case)


class Cover(WorkUnit, name="cover", version="1", key="policy"):
    """A household is made whole, by way of the claim's own unit."""

    outcome = Promise(
        Settled,
        "The household is made whole within 48 hours.",
        achieved=lambda result: result.paid >= 0,
        within=elapsed(hours=48),
        accountable="head of households",
    )
    learning = _LEARNING
    SETTLE = unit_step("settle", Claim, Outcome, unit="damage", key=lambda claim: claim.number)

    async def work(self, case: Household) -> Settled:
        """Have the claim settled."""
        settled = await self.perform(self.SETTLE, case.claim)
        return Settled(paid=settled.paid)
