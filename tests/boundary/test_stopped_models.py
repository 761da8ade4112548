"""The kill switch of a step that is a model's alone: it fails, and whoever its failure rule names takes over."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from observability.ledger.autonomy import LedgerStandings, lift, stop
from observability.ledger.store import Ledger
from observability.metrics.autonomy import autonomy
from tests.boundary.alone import Flood
from tests.boundary.contracts import Claim, Receipt, Verdict
from tests.boundary.test_hybrid import Broken
from workunits.core.gate import examine
from workunits.core.record import Work
from workunits.core.spec import Step
from workunits.proposing import Standings
from workunits.registry import Catalog, Package
from workunits.testing import Answer, Lab

pytestmark = pytest.mark.asyncio(loop_scope="session")

WHY = {"actor": "ana", "reason": "it sorts nothing"}


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger in a file."""
    store = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    store.migrate()
    yield store
    store.close()


async def run(lab: Lab, standings: Standings, model: Any = None) -> list[Work]:
    """What was performed in a case of its own, which is achieved."""
    claim = Claim(number=uuid.uuid4().hex[:10])
    sorted_ = Receipt(number=claim.number, paid=1)
    answers: dict[Step[Any, Any], Any] = {
        Flood.SORT: model or sorted_,
        Flood.SORT_BY_HAND: Answer(sorted_, by="ben"),
        Flood.DECIDE: Answer(Verdict(verdict="pay"), by="ana"),
    }
    view = await lab.run(Flood, claim, answers, standings=standings)
    assert view.record is not None
    assert view.close == "achieved"
    return view.record.steps


def told(works: list[Work]) -> list[tuple[str, str | None, str | None]]:
    """How each step ended."""
    return [(work.key, work.end, work.code) for work in works]


BY_HAND = [("sort", "failed", "stopped"), ("sort_by_hand", "done", None), ("decide", "done", None)]
BY_MODEL = [("sort", "done", None), ("decide", "done", None)]


async def test_a_stopped_model_is_not_asked_and_a_person_takes_over(court: Lab, quick: Ledger) -> None:
    """It fails at once and for good, until the stop is lifted."""
    asked: list[Claim] = []

    def sort(claim: Claim) -> Receipt:
        asked.append(claim)
        return Receipt(number=claim.number, paid=1)

    standings = LedgerStandings(quick)
    assert examine(Flood) == []
    stop(quick, "flood", "sort", **WHY)
    stopped = await run(court, standings, sort)
    assert (told(stopped), stopped[0].attempts, asked) == (BY_HAND, 1, [])
    with quick.read() as connection:
        (point,) = autonomy(connection, Catalog([Package("here", (Flood,), (), ())]), datetime.now(UTC))
    assert (point.metric, point.labels, point.value) == ("workunit_autonomy_stopped", ("flood", "sort"), 1)
    lift(quick, "flood", "sort", **WHY)
    assert (told(await run(court, standings, sort)), len(asked)) == (BY_MODEL, 1)


async def test_what_a_model_gave_that_was_stopped_meanwhile_is_not_taken(court: Lab, quick: Ledger) -> None:
    """The stop is read again before its output is handed over."""

    def sort(claim: Claim) -> Receipt:
        stop(quick, "flood", "sort", **WHY)
        return Receipt(number=claim.number, paid=1)

    assert told(await run(court, LedgerStandings(quick), sort)) == BY_HAND


async def test_where_nobody_can_say_whether_it_is_stopped_a_person_takes_over(court: Lab, tmp_path: Path) -> None:
    """After as many attempts as the step has; where there is no ledger, nobody can have stopped it."""
    unknown = await run(court, Broken())
    assert (unknown[0].code, unknown[0].attempts, unknown[1].key) == ("autonomy_unknown", 2, "sort_by_hand")
    none = LedgerStandings(Ledger(f"sqlite:///{tmp_path / 'none.db'}"))
    assert told(await run(court, none)) == BY_MODEL
