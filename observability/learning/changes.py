"""The learning ledger: what was changed in a unit and why, what came of it, and who decided; rows are only ever added.

A verdict is computed from cases and written down with what it was computed from. Whoever decides says what is to be
done with it, and cannot say what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, func, select

from observability.ledger.auditing import note_audit
from observability.ledger.keeping import learning
from observability.ledger.store import Ledger, LedgerError
from workunits.core.spec import MEASURES
from workunits.core.unit import WorkUnit

Outcome = Literal["better", "not_worse", "worse", "undecided"]
Decision = Literal["adopt", "drop", "keep"]
DECISIONS: tuple[str, ...] = get_args(Decision)
OUTCOMES: tuple[str, ...] = get_args(Outcome)
_ADOPTABLE = ("better", "not_worse")
_LONGEST = 2_000
_LONGEST_VERSION = 40


class LearningError(LedgerError):
    """The learning ledger does not take this as things stand."""


class ChangeFieldError(LedgerError):
    """A field of an entry is not right."""

    code = "invalid_field"

    def __init__(self, field: str, why: str) -> None:
        """Name the field and the remedy."""
        self.field = field
        super().__init__(f"{field}: {why}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as it stands in the ledger."""

    unit: str
    seq: int
    at: datetime
    actor: str
    entry: Literal["proposed", "decided", "reviewed", "baseline", "asked", "granted", "ended"]
    change: int | None = None
    from_version: str | None = None
    to_version: str | None = None
    measure: str | None = None
    owner: str | None = None
    hypothesis: str | None = None
    expected: str | None = None
    verdict: Outcome | None = None
    decision: Decision | None = None
    reason: str | None = None
    baseline: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


_FIELDS = tuple(one.name for one in fields(Entry))


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that somebody wants to try, and how it will be judged."""

    from_version: str
    to_version: str
    hypothesis: str
    expected: str
    measure: str
    """The one primary measure, of `workunits.core.spec.MEASURES`."""

    def check(self) -> None:
        """Refuse what nobody could judge later.

        Raises:
            ChangeFieldError: names the field.
        """
        for name in ("from_version", "to_version"):
            if not 0 < len(getattr(self, name)) <= _LONGEST_VERSION:
                raise ChangeFieldError(name, f"name a version, in 1 to {_LONGEST_VERSION} characters")
        if self.from_version == self.to_version:
            raise ChangeFieldError("to_version", "is the version that is changed; name the one that the change makes")
        for name in ("hypothesis", "expected"):
            if not getattr(self, name).strip() or len(getattr(self, name)) > _LONGEST:
                raise ChangeFieldError(name, f"say it in 1 to {_LONGEST:,} characters")
        if self.measure not in MEASURES:
            raise ChangeFieldError("measure", f"is one of {', '.join(MEASURES)}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison of two versions came to."""

    outcome: Outcome
    from_version: str
    to_version: str
    measure: str
    detail: Mapping[str, Any]
    """The whole comparison as JSON values: it is frozen into the ledger."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody does with a verdict."""

    decision: str
    """`adopt`, `drop`, or `keep`: it goes on running."""
    reason: str
    actor: str
    at: datetime

    def check(self) -> None:
        """Refuse what says nothing.

        Raises:
            ChangeFieldError: names the field.
        """
        if self.decision not in DECISIONS:
            raise ChangeFieldError("decision", f"is one of {', '.join(DECISIONS)}")
        if not self.reason.strip() or len(self.reason) > _LONGEST:
            raise ChangeFieldError("reason", f"say why, in 1 to {_LONGEST:,} characters")


@dataclass(frozen=True, slots=True)
class Change:
    """One change and all that became of it."""

    number: int
    proposed: Entry
    decided: Sequence[Entry]
    """Every decision on it, oldest first."""
    baselines: Sequence[Entry]

    @property
    def last(self) -> Entry | None:
        """The decision that holds."""
        return self.decided[-1] if self.decided else None

    @property
    def open(self) -> bool:
        """Whether it is still to be decided: never judged, or kept running."""
        return self.last is None or self.last.decision == "keep"


def propose(ledger: Ledger, unit: type[WorkUnit], wanted: Proposal, actor: str, now: datetime) -> Entry:
    """Write a change down before anyone has seen what it does.

    Raises:
        ChangeFieldError: a field is not right.
        LearningError: the same version is already on trial.
        LedgerUnavailableError: nothing was written.
    """
    wanted.check()
    with ledger.write() as connection:
        there = changes_of(connection, unit.unit_name)
        for other in there:
            if other.open and other.proposed.to_version == wanted.to_version:
                raise LearningError(
                    f"change {other.number} already proposes that version and is not decided: "
                    f"workunits learn history {unit.unit_name}"
                )
        number = 1 + max((other.number for other in there), default=0)
        said = {name: getattr(wanted, name) for name in ("from_version", "to_version", "measure")}
        words = {"hypothesis": wanted.hypothesis.strip(), "expected": wanted.expected.strip()}
        return add(
            connection,
            unit.unit_name,
            "proposed",
            actor,
            now,
            change=number,
            owner=unit.learning.owner,
            **said,
            **words,
        )


def decide(ledger: Ledger, unit: str, number: int, verdict: Verdict, choice: Choice) -> Entry:
    """Write down what the comparison came to, and what is to be done.

    Args:
        ledger: Where.
        unit: The unit.
        number: The change.
        verdict: What was computed, of the versions and the measure that were proposed.
        choice: What is to be done.

    Raises:
        ChangeFieldError: a field is not right.
        LearningError: there is no such change, it is decided, or the verdict does not carry the decision.
        LedgerUnavailableError: nothing was written.
    """
    choice.check()
    with ledger.write() as connection:
        change = change_of(connection, unit, number)
        _refuse(change, verdict, choice.decision)
        return add(
            connection,
            unit,
            "decided",
            choice.actor,
            choice.at,
            change=number,
            from_version=verdict.from_version,
            to_version=verdict.to_version,
            measure=verdict.measure,
            verdict=verdict.outcome,
            decision=choice.decision,
            reason=choice.reason.strip(),
            detail=dict(verdict.detail),
        )


def review(ledger: Ledger, unit: type[WorkUnit], reason: str, actor: str, now: datetime) -> Entry:
    """Write down that the owner has looked, where nothing is to be changed.

    Raises:
        ChangeFieldError: nothing was said of what was seen.
        LedgerUnavailableError: nothing was written.
    """
    if not reason.strip() or len(reason) > _LONGEST:
        raise ChangeFieldError("reason", f"say what was seen, in 1 to {_LONGEST:,} characters")
    with ledger.write() as connection:
        owner = unit.learning.owner
        return add(connection, unit.unit_name, "reviewed", actor, now, owner=owner, reason=reason.strip())


def add(connection: Connection, unit: str, entry: str, actor: str, now: datetime, **said: Any) -> Entry:
    """Add an entry, and one to the audit; the transaction is one of `Ledger.write`."""
    last = connection.execute(select(func.max(learning.c.seq)).where(learning.c.unit == unit)).scalar()
    row = {"unit": unit, "seq": (last or 0) + 1, "at": now, "actor": actor, "entry": entry, "detail": {}, **said}
    connection.execute(learning.insert().values(row))
    told = {name: said[name] for name in ("change", "verdict", "decision", "baseline") if said.get(name) is not None}
    note_audit(connection, actor, f"learn_{entry}", now, unit=unit, seq=row["seq"], **told)
    return Entry(**row)


def entries_of(connection: Connection, unit: str) -> Sequence[Entry]:
    """All entries of a unit, oldest first."""
    rows = connection.execute(select(learning).where(learning.c.unit == unit).order_by(learning.c.seq)).mappings()
    return [Entry(**{name: row[name] for name in _FIELDS}) for row in rows]


def changes_of(connection: Connection, unit: str) -> Sequence[Change]:
    """The changes of a unit, oldest first."""
    return gathered(entries_of(connection, unit))


def gathered(entries: Sequence[Entry]) -> Sequence[Change]:
    """Entries put together by the change that they are about."""
    found = []
    for proposed in (entry for entry in entries if entry.entry == "proposed" and entry.change is not None):
        about = [entry for entry in entries if entry.change == proposed.change]
        decided, frozen = ([one for one in about if one.entry == kind] for kind in ("decided", "baseline"))
        found.append(Change(proposed.change or 0, proposed, decided, frozen))
    return found


def change_of(connection: Connection, unit: str, number: int) -> Change:
    """One change.

    Raises:
        LearningError: the unit has none of that number.
    """
    for change in changes_of(connection, unit):
        if change.number == number:
            return change
    raise LearningError(f"the unit {unit} has no change of that number: workunits learn history {unit}")


def _refuse(change: Change, verdict: Verdict, decision: str) -> None:
    proposed = change.proposed
    if change.last is not None and change.last.decision != "keep":
        raise LearningError(f"change {change.number} is decided; what comes next is a change of its own")
    if (verdict.from_version, verdict.to_version) != (proposed.from_version, proposed.to_version):
        raise LearningError("the comparison is of other versions than the change; compare the proposed ones")
    if verdict.measure != proposed.measure:
        raise LearningError("the comparison is by another measure than the one that was declared in advance")
    if verdict.outcome not in OUTCOMES:
        raise LearningError(f"the comparison has no verdict of {', '.join(OUTCOMES)}")
    if decision == "adopt" and verdict.outcome not in _ADOPTABLE:
        raise LearningError(
            f"the verdict is {verdict.outcome}: adopting needs better or not_worse; keep it running, or drop it"
        )
