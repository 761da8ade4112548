"""The demo's before beside its after: what is counted of executed applications is what was counted in the log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from demos.lending.beside import Beside, compare, question
from demos.lending.playing import PLAYED, ZONE, begins, plan
from observability.learning.stream import look
from observability.ledger.store import Ledger
from tests.observability.test_stream import BEGIN, HOUR, asked, keep, record
from workers.simulating.plan import moment
from workunits.core.record import Record, Work

INTAKE, DECISION, CONTRACT = "application_intake", "credit_decision", "contract_and_disbursement"


def worked(made: Record, *works: tuple[str, str, str]) -> Record:
    """The same with steps of half an hour, one after the other: each one's name, kind and performer."""
    for number, (step, kind, who) in enumerate(works):
        at, end = number * HOUR, number * HOUR + HOUR // 2
        work = Work(key=step, step=step, kind=kind, ready=at, done=end, end="done", by=who)  # type: ignore[arg-type]
        work.work = [(at, end)]
        work.external = who.startswith("applicant")
        made.steps.append(work)
    return made


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """Two applications: one is paid, and the customer of the other never sends the papers."""
    opened = Ledger(f"sqlite:///{tmp_path_factory.mktemp('beside') / 'ledger.sqlite'}")
    opened.migrate()
    intake = worked(
        record(INTAKE, "L-1", 0, 3 * HOUR), ("complete", "human", "applicant L-1"), ("admit", "human", "iris")
    )
    decision = worked(
        record(DECISION, "L-1", 4 * HOUR, 9 * HOUR),
        ("look_up", "automated", ""),
        ("assess_by_hand", "human", "iris"),
        ("score", "automated", ""),
        ("decide", "human", "olga"),
    )
    contract = worked(record(CONTRACT, "L-1", 10 * HOUR, 12 * HOUR), ("release", "human", "petra"))
    keep(opened, [intake, decision, contract, record(INTAKE, "L-2", 0, 300 * HOUR, close="expired")])
    yield compare(opened, plan(begins(BEGIN, 5), "1", PLAYED, [], many=2, weeks=0), look(opened, asked()))
    opened.close()


def test_people_change_along_the_whole_application(side: Beside) -> None:
    """From iris over the units' border to iris again is none; over a machine's step to olga, and on to petra, are two.

    The log knows no border of units and no machine between two people, and the customer is nobody of the bank.
    """
    (row,) = (row for row in side.rows if row.what.startswith("handoffs"))
    assert row.after == "1.00"  # two of two applications
    assert row.before == "2.70"


def test_papers_that_never_come_are_given_up_by_the_customer(side: Beside) -> None:
    """The bank has declined nothing when its request for papers expires."""
    assert side.ends == {"approved": 1, "cancelled": 1}


@pytest.mark.parametrize(("many", "weeks", "later"), [(12, 0, 0), (150, 0, 1), (0, 13, 2)])
def test_the_demo_asks_about_queues_once_desks_have_filled(many: int, weeks: int, later: int) -> None:
    """A week or two after the first application, where there is time for it; its days begin at midnight in Berlin."""
    drawn = plan(begins(BEGIN, weeks or 5), "1", PLAYED, [], many=many, weeks=weeks)
    about = question(drawn, [], rush=True)
    assert about.since == moment(drawn.begin) + timedelta(weeks=later)
    assert question(drawn, []).since == moment(drawn.begin)
    assert about.days is not None
    assert {moment(begin).astimezone(ZONE).hour for begin, _ in about.days} == {0}
