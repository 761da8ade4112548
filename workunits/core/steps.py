"""The steps of a unit, as frozen facts: what goes in, what comes out, who or what performs each.

As in `spec.py`, nothing here checks anything: `gate.py` finds all that is wrong or missing at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel

from .autonomy import Autonomy
from .errors import BusinessException
from .promise import Budget, Elapsed, Target

I = TypeVar("I", bound=BaseModel)
O = TypeVar("O", bound=BaseModel)

Kind = Literal["automated", "ai", "human", "hybrid", "unit"]
"""Who performs a step: code, a model, a person, a model whose proposals a person decides, or another unit."""
KINDS: tuple[str, ...] = get_args(Kind)

UNSTATED: Any = None
"""What a fact is until it is stated; the four-element test names it."""

After = Literal["fail", "incident"]
"""What follows a machine step's last attempt: the case closes as failed, or stays open for an operator."""


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
    autonomy: Autonomy[I, O] | None = None
    """Hybrid steps: how far the model may go."""
    approved_by: Step[Any, Any] | None = None
    """Machine steps: acts only on what this step of the case has decided; a payload that differs is refused."""
    payload: Callable[[I], BaseModel] | None = None
    """What of its input must be what was decided; the whole input when omitted. Pure."""
    shown: Callable[[Any], BaseModel] | None = None
    """Where a yes or no decides: what of that step's input is decided on, so that exactly this is done. Pure."""
    calls: str = ""
    """Steps of kind `unit`: the unit that performs it."""
    case_key: Callable[[I], str] | None = None
    """Of that unit's case: its business key, from the input. Pure."""
    unit: str = field(default="", compare=False)
    """The unit it belongs to; filled in when the unit's class is made."""

    @property
    def activity(self) -> str:
        """The name under which a machine step's performer is registered."""
        return f"{self.unit}.{self.name}"

    @property
    def asks_person(self) -> bool:
        """Whether a person may be asked."""
        return self.kind in ("human", "hybrid")

    @property
    def has_performer(self) -> bool:
        """Whether a function performs it, or proposes."""
        return self.kind in ("automated", "ai", "hybrid")


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
    approved_by: Step[Any, Any] | None = None,
    payload: Callable[[I], BaseModel] | None = None,
    shown: Callable[[Any], BaseModel] | None = None,
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
        approved_by=approved_by,
        payload=payload,
        shown=shown,
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


def hybrid(
    name: str,
    takes: type[I],
    gives: type[O],
    *,
    role: str = "",
    accountable: str = "",
    autonomy: Autonomy[I, O] | None = None,
    raises: tuple[type[BusinessException], ...] = (),
    timeout: timedelta = timedelta(minutes=2),
    attempts: int = 2,
    start_by: Budget | Target | None = None,
    finish_by: Budget | Target | None = None,
    expires: Elapsed | None = None,
    instead: Step[I, O] | None = None,
    excludes: tuple[Step[Any, Any], ...] = (),
    waits: tuple[str, ...] = (),
    forwardable: bool = True,
    undo: bool = True,
    compensated_by: Step[O, Any] | None = None,
) -> Step[I, O]:
    """Declare a decision that a model proposes and a person of `role` takes, as far as `autonomy` says.

    It is always a decision point. When the model fails, is late or gives nothing fit, the person decides without it.
    """
    return Step(
        name,
        takes,
        gives,
        "hybrid",
        role=role,
        decides=True,
        accountable=accountable,
        autonomy=Autonomy() if autonomy is None else autonomy,
        raises=raises,
        timeout=timeout,
        attempts=attempts,
        start_by=start_by,
        finish_by=finish_by,
        expires=expires,
        instead=instead,
        excludes=excludes,
        waits=waits,
        forwardable=forwardable,
        undo=undo,
        compensated_by=compensated_by,
    )


def unit_step(
    name: str,
    takes: type[I],
    gives: type[O],
    *,
    unit: str,
    key: Callable[[I], str] | None = None,
    raises: tuple[type[BusinessException], ...] = (),
) -> Step[I, O]:
    """Declare a step that another unit performs, as a case of its own with its own outcome, promise and record.

    Args:
        name: Of the step.
        takes: The other unit's case.
        gives: Its result.
        unit: Its name.
        key: The business key of its case, from the input; else it is the parent's, with the step's name.
        raises: Its reasons for not achieving its outcome that this unit has rules for; any other closes this case
            as not achieved, for that reason.
    """
    return Step(name, takes, gives, "unit", calls=unit, case_key=key, raises=raises)
