"""A unit of their own for the tests that put the ledger through faults, and what only looks like one of its cases."""

from __future__ import annotations

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from tests.lab.contracts import Decision, Request, Result
from workunits.core.spec import Learning, Measure, Outcome, elapsed, human
from workunits.core.unit import WorkUnit


class Trial(WorkUnit, name="trial", version="1", key="request"):
    """A person decides."""

    outcome = Outcome(
        Result,
        "The request is decided within 24 hours.",
        achieved=lambda result: result.granted,
        within=elapsed(hours=24),
        accountable="head of tests",
    )
    learning = Learning(
        owner="test owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )

    DECIDE = human("decide", Request, Decision, role="clerk", accountable="head of tests")

    async def work(self, case: Request) -> Result:
        """Have it decided."""
        return Result(granted=(await self.perform(self.DECIDE, case)).decision == "grant")


@workflow.defn(name="trial")
class Impostor:
    """Another program's workflow under the unit's name: its starter writes its memo, and it writes one better."""

    def __init__(self) -> None:
        """Wait."""
        self._mended = False

    @workflow.run
    async def run(self, better: str) -> None:
        """Leave the memo as it is until told to mend it."""
        await workflow.wait_condition(lambda: self._mended)
        workflow.upsert_memo({"workunit": raw(better)})

    @workflow.signal
    def mend(self) -> None:
        """Go on to the better memo."""
        self._mended = True


def raw(memo: str) -> RawValue:
    """A memo, character for character."""
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=memo.encode()))
