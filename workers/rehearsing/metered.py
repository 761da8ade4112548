"""A model whose every request is counted and paid for out of one budget, and whose instructions may be changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel
from temporalio.exceptions import ApplicationError

from workers.rehearsing.side_effects import asking_the_model
from workunits.ai import Model

if TYPE_CHECKING:
    from pydantic_ai.models import Model as Client

    from workunits.proposing import Proposal

O = TypeVar("O", bound=BaseModel)

SPENT = "budget_spent"
"""The code of a request that was not made: the budget is used up."""
UNPRICED = "price_unknown"
"""The code of what cannot go on: there is a budget, and nobody knows what the model costs."""


@dataclass
class Meter:
    """What a model was asked and cost so far."""

    budget_usd: float | None = None
    requests: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    dearest: float = 0.0
    """USD of the dearest request so far."""
    unpriced: int = 0
    """Requests of which nobody knows what they cost."""

    def require_budget(self) -> None:
        """Refuse a request that the budget may not cover: each may cost as much as the dearest before it.

        Raises:
            ApplicationError: `budget_spent`, `price_unknown`.
        """
        if self.budget_usd is None:
            return
        if self.unpriced:
            raise ApplicationError("the model's price is not known", type=UNPRICED, non_retryable=True)
        if self.cost_usd + self.dearest > self.budget_usd or self.cost_usd >= self.budget_usd:
            raise ApplicationError("the budget is spent", type=SPENT, non_retryable=True)

    def note(self, response: Any) -> None:
        """Count an answered request."""
        self.requests += 1
        self.tokens += response.usage.input_tokens + response.usage.output_tokens
        try:
            cost = float(response.cost().total_price)
        except (LookupError, AssertionError, ValueError):
            self.unpriced += 1
            return
        self.cost_usd += cost
        self.dearest = max(self.dearest, cost)


@dataclass(frozen=True)
class MeteredModel(Model):
    """A model for a rehearsal; performers get it in the place of theirs."""

    meter: Meter = field(default_factory=Meter)
    rewrite: Callable[[str], str] | None = None
    """Gives the instructions to use instead of the performer's."""
    rewritten_by: str = ""
    """Its name: part of the prompt's version."""

    async def ask(self, instructions: str, data: BaseModel, gives: type[O], *, test_answer: O | None = None) -> O:
        """As `Model.ask`, with the changed instructions."""
        return await super().ask(self._changed(instructions), data, gives, test_answer=test_answer)

    async def propose(
        self, instructions: str, data: BaseModel, gives: type[O], *, prompt: str, **more: Any
    ) -> Proposal[O]:
        """As `Model.propose`, with the changed instructions."""
        version = f"{prompt}+{self.rewritten_by}" if self.rewrite else prompt
        return await super().propose(self._changed(instructions), data, gives, prompt=version, **more)

    def _changed(self, instructions: str) -> str:
        return self.rewrite(instructions) if self.rewrite else instructions

    def _client_for(self, test_answer: BaseModel | None) -> Client:
        return _counted(super()._client_for(test_answer), self.meter)


def _counted(client: Client, meter: Meter) -> Client:
    from pydantic_ai.models.wrapper import WrapperModel

    class Counted(WrapperModel):
        async def request(self, *args: Any, **more: Any) -> Any:
            meter.require_budget()
            with asking_the_model():
                response = await super().request(*args, **more)
            meter.note(response)
            return response

    return Counted(client)
