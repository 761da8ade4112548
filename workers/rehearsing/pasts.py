"""Past cases of a step for a rehearsal: what the model was asked, what it gave, and what was decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, and_, select
from temporalio.client import Client

from observability.ledger.inputs import unsealed
from observability.ledger.keeping import inputs
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import actions, cases, proposals, steps
from workers.rehearsing.performed import Performed, history_of, read_performed
from workunits.codec import ring_of
from workunits.core.hybrid import AI
from workunits.core.proposal import Offered, digest
from workunits.core.spec import Step
from workunits.core.unit import WorkUnit

FORGOTTEN, GONE, SEALED, NOT_ASKED, MISFIT = "forgotten", "history_gone", "sealed", "not_asked", "input_misfit"
WHY: Mapping[str, str] = {
    FORGOTTEN: "their personal data is erased",
    GONE: "the engine has their history no more (its retention), and what the ledger keeps is not what was asked",
    SEALED: "they are sealed with a key that is not here: set WORKUNITS_CODEC_KEYS to a key file that has it",
    NOT_ASKED: "no model was asked there",
    MISFIT: "what was asked then does not fit today's input type",
}
"""Why a case cannot be rehearsed, in words."""
EVERY = "all"
"""In the place of a version: cases of all versions."""
_PEOPLE = ("", "-v1", "-v2", "-v3", "-again")
"""Behind the key of a performance: what people did of it; of several, the last decided."""


@dataclass(slots=True, kw_only=True)
class Past:
    """What is known of one case."""

    case: str
    version: str
    segment: str
    executor: str
    what: BaseModel
    """What the model was asked."""
    old: dict[str, Any] | None = None
    """What the old executor gave, in the step's form."""
    old_code: str = ""
    """The business exception that it raised."""
    decided: dict[str, Any] | None = None
    """What a person decided."""
    decided_code: str = ""
    """The business exception that the person met instead."""
    independent: bool = False
    """Whether the person decided without seeing the old proposal."""
    was_auto: bool = False
    latency_us: int = 0
    """Of the old executor."""
    cycle_us: int | None = None
    measured_us: int = 0
    """Queue and touch of the person's decision."""
    whole_us: int = 0
    """From when it could be made until it was."""


@dataclass(slots=True)
class Gathered:
    """The cases to rehearse, newest first, and how many could not be, by why."""

    pasts: list[Past] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    from_ledger: int = 0
    """Of them, those of which only the ledger still has the input: nobody can say what was decided."""
    others: Counter[str] = field(default_factory=Counter)
    """Closed cases that were not looked at, for they are of another version than is wanted."""

    @property
    def versions(self) -> Counter[str]:
        """How many there are to rehearse, by version."""
        return Counter(past.version for past in self.pasts)


async def gather(
    client: Client, ledger: Ledger, unit: type[WorkUnit], step: Step[Any, Any], limit: int, *, version: str = EVERY
) -> Gathered:
    """Find what closed cases asked a step's model, the last time that they did.

    Args:
        client: Connected; with the keys, where there are some.
        ledger: It knows the cases.
        unit: The unit.
        step: Its `ai` or hybrid step.
        limit: Cases at most.
        version: Only cases of this version, since another may have asked, and let people decide, something else.

    Raises:
        RPCError: the engine does not answer.
        LedgerUnavailableError.
    """
    found = Gathered()
    with ledger.read() as connection:
        rows = list(_rows(connection, unit, step))
    found.others.update(row.version for row in rows if version not in (EVERY, row.version))
    for row in (one for one in rows if version in (EVERY, one.version)):
        if len(found.pasts) >= limit:
            break
        if row.forgotten_at is not None:
            found.left[FORGOTTEN] += 1
            continue
        with ledger.read() as connection:
            known = _Known.read(connection, row)
        events = await history_of(client, row.case_id, row.run_id)
        performed = read_performed(events, row.key, known.acts)
        what: BaseModel | str = _asked(step, performed, gone=not events)
        if what == GONE:
            what = _kept(client, known, step)
            found.from_ledger += not isinstance(what, str)
        if isinstance(what, str):
            found.left[what] += 1
        else:
            found.pasts.append(_past(known, step, what, performed))
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger knows of a case's proposal."""

    row: Any
    acts: list[str]
    """The actions that completed the decision, the last one last."""
    done: Sequence[Any]
    """What people did of the step."""
    kept: Any
    """The case's start argument."""

    @classmethod
    def read(cls, connection: Connection, row: Any) -> Self:
        """Read it."""
        own = row.key.removesuffix(AI)
        keys = [f"{own}{vote}" for vote in _PEOPLE] if row.key.endswith(AI) else []
        acts = (
            select(actions.c.action_id)
            .where(actions.c.case_id == row.case_id, actions.c.key.in_(keys))
            .where(actions.c.action == "complete", actions.c.state == "completed")
            .order_by(actions.c.at, actions.c.key)
        )
        is_theirs = and_(steps.c.case_id == row.case_id, steps.c.key.in_(keys), steps.c.kind == "human")
        done = connection.execute(select(steps).where(is_theirs, steps.c.done_at.is_not(None))).all()
        kept = connection.execute(select(inputs.c.input).where(inputs.c.case_id == row.case_id)).scalar()
        return cls(row, list(connection.execute(acts).scalars()), done, kept)


def _rows(connection: Connection, unit: type[WorkUnit], step: Step[Any, Any]) -> Iterator[Any]:
    """Of each closed case the last proposal, newest first."""
    of_case = (cases.c.run_id, cases.c.version, cases.c.segment, cases.c.cycle_us, cases.c.forgotten_at)
    asked = (
        select(proposals, *of_case)
        .join(cases, cases.c.case_id == proposals.c.case_id)
        .where(cases.c.unit == unit.unit_name, cases.c.close.is_not(None), proposals.c.step == step.name)
        .order_by(proposals.c.at.desc(), proposals.c.key)
    )
    seen = set()
    for row in connection.execute(asked):
        if row.case_id not in seen:
            seen.add(row.case_id)
            yield row


def _asked(step: Step[Any, Any], performed: Performed, *, gone: bool) -> BaseModel | str:
    """What the model was asked, or why nobody knows."""
    if performed.sealed:
        return SEALED
    if not performed.given:
        return GONE if gone else NOT_ASKED
    try:
        read: BaseModel = step.takes.model_validate_json(performed.given)
    except ValidationError:
        return MISFIT
    return read


def _kept(client: Client, known: _Known, step: Step[Any, Any]) -> BaseModel | str:
    """The case's start argument, where its hash says that it is what the model was asked."""
    if known.kept is None or not known.row.input_hash:
        return GONE
    try:
        read: BaseModel = step.takes.model_validate(unsealed(ring_of(client), known.row.case_id, known.kept))
    except LedgerError:
        return SEALED
    except ValidationError:
        return GONE
    return read if digest(read) == known.row.input_hash else GONE


def _past(known: _Known, step: Step[Any, Any], what: BaseModel, performed: Performed) -> Past:
    row = known.row
    body = next((performed.bodies[act] for act in reversed(known.acts) if act in performed.bodies), None)
    return Past(
        case=row.case_id,
        version=row.version,
        segment=row.segment or "",
        executor=row.executor or "",
        what=what,
        old=_given(step, performed.gave),
        old_code=performed.code if performed.business else "",
        decided=_fitting(step, body),
        decided_code=next((one.code or "" for one in known.done if one.ended == "exception"), ""),
        independent=not row.shown or row.agrees is not None,
        was_auto=row.route == "auto" or not row.key.endswith(AI),
        latency_us=row.latency_us,
        cycle_us=row.cycle_us,
        measured_us=sum((one.queue_us or 0) + one.work_us for one in known.done),
        whole_us=sum(_micro(one.done_at - one.ready_at) for one in known.done),
    )


def _given(step: Step[Any, Any], gave: bytes) -> dict[str, Any] | None:
    """What the old executor gave."""
    if not gave:
        return None
    try:
        if step.kind != "hybrid":
            return dict(step.gives.model_validate_json(gave).model_dump(mode="json"))
        return _fitting(step, Offered.model_validate_json(gave).output)
    except ValidationError:
        return None


def _fitting(step: Step[Any, Any], output: Any) -> dict[str, Any] | None:
    """An output as the step's type reads it today."""
    if output is None:
        return None
    try:
        return dict(step.gives.model_validate(output).model_dump(mode="json"))
    except ValidationError:
        return None


def _micro(span: Any) -> int:
    return int(span.total_seconds() * 1_000_000)
