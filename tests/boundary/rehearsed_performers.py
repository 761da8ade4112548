"""The performers of the unit that is rehearsed: they ask the model that they are given. And its package."""

from typing import Any

from tests.boundary.contracts import Claim, Receipt, Suspicious, Verdict
from tests.boundary.rehearsed import Hail
from workunits.ai import Model
from workunits.performs import performs
from workunits.proposing import Proposal
from workunits.registry import Package


class Adjusting:
    """Asks the model that it is given."""

    def __init__(self, model: Model) -> None:
        """Ask this one."""
        self._model = model

    @performs(Hail.SORT)
    async def sort(self, claim: Claim) -> Receipt:
        """What it may come to."""
        return await self._model.ask("Sort.", claim, Receipt, test_answer=Receipt(number=claim.number, paid=1))

    @performs(Hail.DECIDE)
    async def decide(self, claim: Claim) -> Proposal[Verdict]:
        """Pay or refuse."""
        if claim.story == "odd":
            raise Suspicious("odd")
        return await self._model.propose("Decide.", claim, Verdict, prompt="2", test_answer=Verdict(verdict="refuse"))


def louder(instructions: str) -> str:
    """Other instructions."""
    return instructions.upper()


PACKAGE: Any = Package("hail", (Hail,), ("tests.boundary.contracts",), ("tests.boundary.rehearsed_performers",))
