"""The four elements of a work unit, as frozen facts: outcome, logic (steps and rules), structure, learning.

Nothing here checks anything: a wrong or a missing fact must not raise where it stands, or its author would see
one problem at a time. `gate.py` finds all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel

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

I = TypeVar("I", bound=BaseModel)
O = TypeVar("O", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)

Kind = Literal["automated", "ai", "human"]
"""Who performs a step: code, a model, or a person."""
KINDS: tuple[str, ...] = get_args(Kind)

UNSTATED: Any = None
"""What a fact is until it is stated; the four-element test names it."""

After = Literal["fail", "incident"]
"""What follows a machine step's last attempt: the case closes as failed, or stays open for an operator."""

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
class Votes:
    """Several people answer the same question; each in a task of their own, none twice."""

    of: int
    """How many are asked."""
    quorum: int
    """So many equal answers decide, at once; the others are then asked no more."""
    on: Callable[[Any], Any] = lambda answer: answer.model_dump(mode="json")
    """What of an answer counts as the vote; the whole answer when omitted. Pure."""


@dataclass(frozen=True, slots=True)
class SilenceApproves:
    """An answer by default that grants something: only where governance has said so, and it can be taken back."""

    governance: str
    """Who allowed it, and where that is written: "policy 7.2, signed by the head of credit"."""
    undone_by: str
    """How what was granted is taken back: "the limit is lowered again within a day"."""


@dataclass(frozen=True)
class Step(Generic[I, O]):
    """One declared step: what goes in, what comes out, who or what performs it. Pure data."""

    name: str
    """Stays in histories for years: `lower_case`, and never reused for another meaning."""
    takes: type[I]
    gives: type[O]
    kind: Kind = UNSTATED
    role: str = ""
    """Human steps: who may do it. `customer` with `external` for a party outside the organisation."""
    external: bool = False
    """A person outside the organisation does it: the time counts as external wait."""
    decides: bool = False
    """A decision point of the case."""
    accountable: str = ""
    """The human role that answers for the decision; required at every decision point."""
    raises: tuple[type[BusinessException], ...] = ()
    """The business exceptions that its performer may raise; each needs a rule."""
    timeout: timedelta = timedelta(seconds=30)
    """Machine steps: one attempt's limit, from its start."""
    attempts: int = 3
    """Machine steps: how often the platform tries before the step has failed for good."""
    inline: bool = False
    """Automated steps under 2 s: runs as a local activity, which is cheaper; people's actions wait meanwhile."""
    after: After = "fail"
    """Machine steps: what follows the last attempt, where no rule takes over."""
    compensated_by: Step[O, Any] | None = None
    """What undoes it: takes its output, and is performed when a rule or the unit compensates."""
    start_by: Budget | Target | None = None
    """Human steps: how soon work on it begins, from when it is ready."""
    finish_by: Budget | Target | None = None
    """Human steps: how soon it is done, from when it is ready."""
    expires: Elapsed | None = None
    """Human steps: unanswered for this long, the task expires; then the case closes as `expired`, unless:"""
    instead: Step[I, O] | None = None
    """another step takes over; or"""
    by_default: O | None = field(default=None, hash=False)
    """this is the answer: it must be the safe one, for silence is never an approval."""
    grants: Callable[[Any], bool] | None = None
    """Says whether an answer grants something: what nobody said must not. Pure."""
    silence_approves: SilenceApproves | None = None
    """States that `by_default` grants something after all, and on whose word."""
    excludes: tuple[Step[Any, Any], ...] = ()
    """Whoever performed one of these steps of the case may not perform this one (four eyes)."""
    votes: Votes | None = None
    """Several people answer."""
    waits: tuple[str, ...] = ()
    """For whom its owner may wait: reasons such as `customer`."""
    if_skipped: O | None = field(default=None, hash=False)
    """What a skipped task gives; without it, it may not be skipped."""
    forwardable: bool = True
    """Its owner may pass it on to another person or role."""
    undo: bool = True
    """A door may hold an answer for some seconds, in which its sender can take it back."""
    unit: str = field(default="", compare=False)
    """The unit it belongs to; filled in when the unit's class is made."""

    @property
    def activity(self) -> str:
        """The name under which a machine step's performer is registered."""
        return f"{self.unit}.{self.name}"


def automated(
    name: str,
    takes: type[I],
    gives: type[O],
    *,
    raises: tuple[type[BusinessException], ...] = (),
    decides: bool = False,
    accountable: str = "",
    timeout: timedelta = timedelta(seconds=30),
    attempts: int = 3,
    inline: bool = False,
    after: After = "fail",
    compensated_by: Step[O, Any] | None = None,
) -> Step[I, O]:
    """Declare a step that code performs."""
    return Step(
        name,
        takes,
        gives,
        "automated",
        raises=raises,
        decides=decides,
        accountable=accountable,
        timeout=timeout,
        attempts=attempts,
        inline=inline,
        after=after,
        compensated_by=compensated_by,
    )


def ai(
    name: str,
    takes: type[I],
    gives: type[O],
    *,
    raises: tuple[type[BusinessException], ...] = (),
    decides: bool = False,
    accountable: str = "",
    timeout: timedelta = timedelta(minutes=2),
    attempts: int = 3,
    after: After = "fail",
    compensated_by: Step[O, Any] | None = None,
) -> Step[I, O]:
    """Declare a step that a model performs."""
    return Step(
        name,
        takes,
        gives,
        "ai",
        raises=raises,
        decides=decides,
        accountable=accountable,
        timeout=timeout,
        attempts=attempts,
        after=after,
        compensated_by=compensated_by,
    )


def human(
    name: str,
    takes: type[I],
    gives: type[O],
    *,
    role: str = "",
    accountable: str = "",
    decides: bool = True,
    external: bool = False,
    raises: tuple[type[BusinessException], ...] = (),
    start_by: Budget | Target | None = None,
    finish_by: Budget | Target | None = None,
    expires: Elapsed | None = None,
    instead: Step[I, O] | None = None,
    by_default: O | None = None,
    grants: Callable[[Any], bool] | None = None,
    silence_approves: SilenceApproves | None = None,
    excludes: tuple[Step[Any, Any], ...] = (),
    votes: Votes | None = None,
    waits: tuple[str, ...] = (),
    if_skipped: O | None = None,
    forwardable: bool = True,
    undo: bool = True,
    compensated_by: Step[O, Any] | None = None,
) -> Step[I, O]:
    """Declare a step that a person of `role` performs.

    A person's step counts as a decision point, so it names who is accountable, unless `decides=False`
    says that it only supplies information. The other facts are those of `Step`.
    """
    return Step(
        name,
        takes,
        gives,
        "human",
        role=role,
        external=external,
        decides=decides,
        accountable=accountable,
        raises=raises,
        start_by=start_by,
        finish_by=finish_by,
        expires=expires,
        instead=instead,
        by_default=by_default,
        grants=grants,
        silence_approves=silence_approves,
        excludes=excludes,
        votes=votes,
        waits=waits,
        if_skipped=if_skipped,
        forwardable=forwardable,
        undo=undo,
        compensated_by=compensated_by,
    )


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
