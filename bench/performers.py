"""Who performs the machine steps of the approval case: no-ops, so that what is measured is the runtime."""

from bench.approval import Approval
from bench.approval_inline import ApprovalInline
from bench.contracts import Advice, Case, Facts
from workunits.performs import performs


@performs(Approval.ENRICH)
async def enrich(case: Case) -> Facts:
    return Facts(risk="low", amount=case.amount)


@performs(Approval.ASSESS)
async def assess(_: Case) -> Advice:
    return Advice(score=0.93, reason="within policy")


@performs(ApprovalInline.ENRICH)
async def enrich_inline(case: Case) -> Facts:
    return Facts(risk="low", amount=case.amount)


@performs(ApprovalInline.ASSESS)
async def assess_inline(_: Case) -> Advice:
    return Advice(score=0.93, reason="within policy")
