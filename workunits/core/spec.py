"""The four elements of a work unit, as frozen facts: outcome, logic (steps and rules), structure, learning.

Nothing here checks anything: a wrong or a missing fact must not raise where it stands, or its author would see
one problem at a time. `gate.py` finds all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel

from .autonomy import Autonomy as Autonomy
from .errors import BusinessException
from .promise import Between as Between
from .promise import Budget as Budget
from .promise import Elapsed as Elapsed
from .promise import Passed as Passed
from .promise import Pause as Pause
from .promise import Rise as Rise
from .promise import Target as Target
from .promise import Urgency as Urgency
from .promise import as_target as as_target
from .promise import elapsed as elapsed
from .promise import working_days as working_days
from .promise import working_hours as working_hours
from .steps import KINDS as KINDS
from .steps import UNSTATED as UNSTATED
from .steps import After as After
from .steps import I as I
from .steps import Kind as Kind
from .steps import O as O
from .steps import SilenceApproves as SilenceApproves
from .steps import Step as Step
from .steps import Votes as Votes
from .steps import ai as ai
from .steps import automated as automated
from .steps import human as human
from .steps import hybrid as hybrid
from .steps import unit_step as unit_step

R = TypeVar("R", bound=BaseModel)

Close = Literal["achieved", "achieved_late", "not_achieved", "expired", "cancelled", "failed"]
"""How a case closes (semantics: a passed deadline is a fact of its own, never folded into a "no")."""
CLOSES: tuple[str, ...] = get_args(Close)
OPEN_STATES = ("running", "waiting", "incident")
"""How an open case stands: at work, waiting for a person, or held by an incident until an operator decides."""


@dataclass(frozen=True, slots=True)
class Quality(Generic[R]):
    """How good an outcome was: taken from the result at the close, or from evidence that comes later."""

    name: str
    """`lower_case`; evidence names it."""
    of_result: Callable[[R], float] | None = None
    """Says it from the result alone, at the close; yes is 1, no is 0. Pure."""
    within: Elapsed | None = None
    """For evidence: how long after the close something may happen and still count."""
    stands: Callable[[float], bool] | None = None
    """For evidence: whether an achieved outcome still stands with this value. Pure."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What the unit is for: a result in business terms, within a time, under one accountable role."""

    result: type[R] = UNSTATED
    """The result type that `work()` returns."""
    statement: str = ""
    """One sentence in business terms, with its time bound."""
    achieved: Callable[[R], bool] = UNSTATED
    """Says from the result alone whether the outcome is achieved. Pure."""
    within: Budget | Target = UNSTATED
    """The SLA's budget, counted from the case's start: `elapsed(hours=24)`; or a whole `Target`."""
    accountable: str = ""
    """The one role that answers for the outcome."""
    warn: float = 0.75
    """The fraction of the budget at which a case counts as at risk, between 0 and 1; a `Target` has its own."""
    quality: tuple[Quality[R], ...] = ()
    """What else makes an outcome a good one, at the close or days later."""
    worded_on_purpose: str = ""
    """Why the statement stands although `check` reads it as an activity or misses its time bound."""

    @property
    def target(self) -> Target:
        """The promise in full."""
        return as_target(self.within, self.warn)


@dataclass(frozen=True, slots=True)
class On(Generic[I, O]):
    """An exception rule: what follows when `step` raises `exception`.

    `instead`: another step with the same input and output takes over.
    `repair`: a step gives a new input, and `step` is performed again with it, at most `times`.
    Neither, or `times` used up: the case closes as not achieved, with the exception's code as its reason;
    with `compensate`, what was done so far is undone first.
    """

    exception: type[BusinessException]
    step: Step[I, O]
    instead: Step[I, O] | None = None
    repair: Step[I, I] | None = None
    times: int = 1
    compensate: bool = False


@dataclass(frozen=True, slots=True)
class OnFailure(Generic[I, O]):
    """A failure rule: when `step` has failed technically, after its last attempt, `instead` takes over.

    Without such a rule the step's `after` says what follows. A technical failure is never counted as a business
    exception.
    """

    step: Step[I, O]
    instead: Step[I, O] = UNSTATED


Rule = On[Any, Any] | OnFailure[Any, Any]

MEASURES = (
    "cycle_time",
    "exception_rate",
    "outcome_attainment",
    "on_time",
    "sla_attainment",
    "first_pass_yield",
    "straight_through_rate",
    "rework_rate",
    "override_rate",
    "handoffs",
    "cost_per_outcome",
)
"""The measures that a unit may learn from; their formulas are in docs/concepts.md."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure that the unit is judged by: its target, and where its baseline comes from."""

    name: str
    """One of `MEASURES`."""
    at_most: float | Elapsed | None = None
    at_least: float | Elapsed | None = None
    at: str = ""
    """The statistic of a duration: `median`, `p85` or `p95`."""
    baseline: str = ""
    """Where the baseline comes from: "the first 100 cases of version 1", "the log of 2025"."""

    def __str__(self) -> str:
        """Say the target in words."""
        bound = self.at_most if self.at_most is not None else self.at_least
        sign = "at most" if self.at_most is not None else "at least"
        return " ".join(str(part) for part in (self.name, self.at, sign, bound) if part != "")


@dataclass(frozen=True, slots=True)
class Rate:
    """What an hour of a role's work costs."""

    per_hour: float
    currency: str = "EUR"


@dataclass(frozen=True, slots=True)
class Learning:
    """How the unit gets better: who reviews which measures, against what, how often."""

    owner: str = ""
    """The role that owns the unit's definition and its improvement."""
    review: Elapsed = UNSTATED
    """How often the owner reviews the measures."""
    measures: tuple[Measure, ...] = ()
    rates: Mapping[str, Rate] = field(default_factory=dict)
    """Cost per role; what is not declared is absent from cost figures, never 0."""
    segment: Callable[[Any], str] | None = None
    """Names the segment of a case, from its input alone; at most 40 characters, no personal data. Pure."""
