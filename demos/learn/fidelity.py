"""How exactly the execution followed the plan: each person's act as the ledger has it, beside the moment computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from sqlalchemy import select

from observability.ledger.store import Ledger
from observability.ledger.tables import steps
from workers.simulating.executing import Executed
from workers.simulating.plan import since_1970


@dataclass(frozen=True, slots=True)
class Fidelity:
    """What was compared, and what was measured."""

    turns: int
    """Pieces of people's work that were planned."""
    off: int
    """Of the planned and the recorded ones, those that the other side has of another person or at another moment."""
    worst_start_seconds: float
    """By how much a case's own clock was off at its start, at most: what the engine took to note the request."""
    machine_steps: int
    machine_median_seconds: float
    """How long a machine step really took, from ready to done."""


def compare(ledger: Ledger, executed: Iterable[Executed]) -> Fidelity:
    """Compare the ledger with the plan of cases that have closed.

    Raises:
        LedgerUnavailableError.
    """
    executed = list(executed)
    wanted = {
        (f"{turn.of}:{one.view.key}" if turn.of else one.view.case, turn.step, turn.who, turn.claimed, turn.completed)
        for one in executed
        for turn in one.planned.turns
        if turn.gives is not None
    }
    with ledger.read() as connection:
        rows = connection.execute(select(steps)).all()
    people = {
        (row.case_id, row.step, row.performer, since_1970(row.claimed_at), since_1970(row.done_at))
        for row in rows
        if row.kind == "human" and row.claimed_at and row.done_at
    }
    machines = [(row.done_at - row.ready_at).total_seconds() for row in rows if row.kind != "human" and row.done_at]
    return Fidelity(
        turns=len(wanted),
        off=len(wanted ^ people),
        worst_start_seconds=max((one.late_start.total_seconds() for one in executed), default=0.0),
        machine_steps=len(machines),
        machine_median_seconds=median(machines) if machines else 0.0,
    )
