"""A value stream as the ledger has it: which outcomes went on, how long it took, and which role limits it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from observability.learning.stream import NoCasesError, Question, Stream, look, units_of
from observability.learning.stream_flows import Passage, flows, main_line, threads
from observability.learning.stream_html import write_page
from observability.learning.stream_load import Desk, Trend, trend
from observability.ledger.forgetting import Forgetting
from observability.ledger.rows import Definition, rows_of
from observability.ledger.seeing import Seen
from observability.ledger.store import Ledger
from observability.ledger.writing import write
from workers.pages.stream import page
from workunits.core.record import Record, Routed, StartNote, Work
from workunits.core.spec import Rate
from workunits.core.working import Hours
from workunits.units import UNITS

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = 3_600_000_000
DAY = 24 * HOUR
WEEKS = 4
FIRST, SECOND_, LAST = "identity_screening", "affordability_assessment", "contract_and_disbursement"
DEFINITION = Definition("1", "0" * 12, {"verify": "identity officer"}, {}, {"identity officer": Rate(30)})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record(unit: str, key: str, start: int, closed: int | None, close: str = "achieved", **more: Any) -> Record:
    """A case without steps, of a moment in microseconds since `BEGIN`."""
    made = Record(unit=unit, version="1", case=f"{unit}:{key}", key=key, started=BEGIN + _span(start), due=DAY)
    made.close, made.closed = (None, None) if closed is None else (close, closed - start)  # type: ignore[assignment]
    return made.model_copy(update=more)


def with_work(made: Record, ready: int, begun: int, done: int, who: str) -> Record:
    """The same with a person's step, in microseconds since its start."""
    work = Work(key="verify", step="verify", kind="human", ready=ready, claimed=begun, done=done, end="done", by=who)
    work.work = [(begun, done)]
    made.steps.append(work)
    return made


def _span(microseconds: int) -> timedelta:
    return timedelta(microseconds=microseconds)


def keep(ledger: Ledger, records: list[Record]) -> None:
    """Put cases into a ledger, as if the engine had listed them."""
    rows = []
    for one in records:
        status = WorkflowExecutionStatus.COMPLETED if one.close else WorkflowExecutionStatus.RUNNING
        closed = one.when(one.closed) if one.closed is not None else None
        seen = Seen(
            case=one.case,
            unit=one.unit,
            run="r",
            run_started=one.started,
            status=status,
            started=one.started,
            closed=closed,
            changed=closed or one.started,
            note=StartNote(key=one.key),
            record=one,
            tasks=(),
        )
        rows.append(rows_of(seen, datetime.now(UTC), DEFINITION))
    with ledger.write() as connection:
        write(connection, rows, Forgetting.load(connection), datetime.now(UTC))


def month() -> list[Record]:
    """One application each working hour, of which every fourth ends at the first unit; an officer who falls behind."""
    made = []
    for number in range(160):
        day, hour = divmod(number, 8)
        start = (day + 2 * (day // 5)) * DAY + (9 + hour) * HOUR
        key = f"L-{number}"
        wait = number * HOUR // 8  # each one waits longer than the one before
        first = with_work(record(FIRST, key, start, start + wait + HOUR // 2), 0, wait, wait + HOUR // 2, "ina")
        if number % 4 == 0:
            made.append(first.model_copy(update={"close": "not_achieved", "reason": "outcome_not_met"}))
            continue
        after = start + wait + HOUR
        made += [first, record(SECOND_, key, after, after + 2 * HOUR)]
        made.append(record(LAST, f"K-{number}", after + 3 * HOUR, after + 27 * HOUR, facts={"application": key}))
    return made


def office(begin: datetime = BEGIN, weeks: int = 2 * WEEKS) -> Hours:
    """From nine to five, Monday to Friday."""
    zero = (begin - _EPOCH) // timedelta(microseconds=1)
    days = [zero + day * DAY for day in range(7 * weeks) if day % 7 < 5]
    return Hours([(day + 9 * HOUR, day + 17 * HOUR) for day in days], zero, zero + 7 * weeks * DAY)


def asked(**more: Any) -> Question:
    """What the tests ask: four weeks of the stream."""
    window = {"since": BEGIN, "until": BEGIN + timedelta(weeks=WEEKS)}
    return Question("lending", units_of("lending", UNITS), **{**window, **more})


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger with the month."""
    opened = Ledger(f"sqlite:///{tmp_path_factory.mktemp('stream') / 'ledger.sqlite'}")
    opened.migrate()
    keep(opened, month())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def seen(ledger: Ledger) -> Stream:
    """The month, with one officer at a desk."""
    return look(ledger, asked(desks=[Desk("ina", ("identity officer",), office())]))


def test_outcomes_flow_along_the_units_by_key_and_by_fact(seen: Stream) -> None:
    """120 of 160 threads go on: to the second unit by the business key, to the last one by a fact that names it."""
    assert seen.threads == 160
    assert seen.main_line == [FIRST, SECOND_, LAST]
    assert seen.last == LAST
    views = {view.unit: view for view in seen.units}
    counted = [(flow.source, flow.target, flow.after_achieved, flow.after_other) for flow in seen.flows]
    first = views[FIRST]
    assert first.achieved == first.figures.closes["achieved"]
    assert (FIRST, SECOND_, 120, 0) in counted
    assert first.onward == {SECOND_: first.achieved}
    assert first.ended_here == 0
    assert views[LAST].ended_here == views[LAST].achieved > 100


def test_what_closes_after_the_window_is_open_in_it(seen: Stream, ledger: Ledger) -> None:
    """Closed and open are all that started; work in progress agrees with Little's law on throughput and time."""
    for view in seen.units:
        assert view.figures.n + view.open == view.started
    early = look(ledger, asked(until=BEGIN + timedelta(days=1, hours=14)))
    first = next(view for view in early.units if view.unit == FIRST)
    assert (first.started, first.open) == (13, 1)  # the thirteenth waits for an hour and a half
    second = next(view for view in seen.units if view.unit == SECOND_)
    assert second.mean_open == pytest.approx(second.per_week * 2 / (7 * 24), rel=0.02)


def test_lead_time_is_from_the_first_request_to_the_last_outcome(seen: Stream, ledger: Ledger) -> None:
    """A thread that was begun and ended by hand takes as long as it took, and an open one is in no lead time."""
    one = look(ledger, asked(until=BEGIN + timedelta(days=2, hours=15)))
    assert one.lead is not None
    # Of the first day's applications: waiting, an hour to the hand-over, and 27 more.
    assert one.lead.median.value == pytest.approx(28.6 * HOUR, rel=0.03)
    assert sum(lead.times.n for lead in seen.leads) == seen.threads - seen.open_threads


def test_an_outcome_costs_what_everything_cost(seen: Stream, ledger: Ledger) -> None:
    """Half an hour at 30 an hour for all 160, those that were refused too, for 120 outcomes; of none it is absent."""
    assert seen.cost is not None
    assert seen.cost.per_outcome == pytest.approx(20)
    none = look(ledger, asked(last="fraud_review"))
    assert none.cost is not None
    assert none.cost.per_outcome is None
    assert none.lead is None


def test_the_constraint_is_the_busiest_role_and_its_queue_grows(seen: Stream) -> None:
    """Half an hour of each working hour; and each one waits longer than the one before."""
    assert [load.role for load in seen.loads] == ["identity officer"]
    load = seen.loads[0]
    assert load.available_hours == pytest.approx(160)
    assert load.ratio == pytest.approx(0.5, abs=0.06)
    assert seen.constraint is not None
    assert seen.constraint.confirmed is True
    assert "identity officer" in page(seen)


def test_a_window_that_begins_with_nothing_open_says_so(seen: Stream, ledger: Ledger) -> None:
    """From there queues grow at first whatever the load: it stands beside the growth, and not when some were open."""
    desks = [Desk("ina", ("identity officer",), office())]
    later = look(ledger, asked(since=BEGIN + timedelta(days=4, hours=18), desks=desks))
    assert seen.constraint is not None
    assert later.constraint is not None
    assert (seen.constraint.confirmed, later.constraint.confirmed) == (True, True)
    assert "nothing was open when the window began" in page(seen)
    assert "nothing was open" not in later.constraint.why


def test_nobody_is_the_constraint_where_nobody_says_who_is_there(ledger: Ledger) -> None:
    """Without a directory there is touch, and no ratio."""
    blind = look(ledger, asked())
    assert blind.loads[0].touch_hours is not None
    assert blind.loads[0].ratio is None
    assert blind.constraint is None
    assert "Constraint: not known" in page(blind)


def test_work_in_another_role_and_absences_are_no_available_hours(ledger: Ledger) -> None:
    """A week away is forty hours less."""
    zero = (BEGIN - _EPOCH) // timedelta(microseconds=1)
    desk = Desk("ina", ("identity officer",), office(), ((zero, zero + 7 * DAY),))
    found = look(ledger, asked(desks=[desk]))
    assert found.loads[0].available_hours == pytest.approx(120)


def test_an_empty_window_is_refused(ledger: Ledger) -> None:
    """Before the first case there is nothing to look at."""
    with pytest.raises(NoCasesError, match="name another one"):
        look(ledger, asked(since=None, until=BEGIN - timedelta(days=1)))


@pytest.mark.parametrize(("queue", "grows"), [([1, 2, 2, 3, 4, 5, 5, 7, 7, 8, 9, 9], True), ([3, 1] * 8, False)])
def test_a_queue_grows_when_it_is_more_than_chance(queue: list[float], grows: bool) -> None:  # noqa: FBT001
    """A climbing one does, one that goes up and down does not."""
    found = trend(queue)
    assert isinstance(found, Trend)
    assert found.grows is grows
    assert found.low <= found.per_week <= found.high


def test_too_few_days_say_nothing() -> None:
    """Nine days are no trend."""
    assert trend([1.0] * 9) is None


def test_units_that_run_side_by_side_both_lead_on() -> None:
    """Two in parallel after one, both before the fourth; a step inside another unit follows on nothing."""

    def passage(unit: str, start: int, end: int) -> Passage:
        at = [BEGIN + timedelta(hours=hour) for hour in (start, end)]
        caller = "d:1" if unit == "e" else ""
        return Passage(f"{unit}:1", unit, "1", at[0], at[0], at[1], "achieved", clean=True, caller=caller)

    run = threads(
        [passage("a", 0, 1), passage("b", 2, 5), passage("c", 2, 9), passage("d", 9, 20), passage("e", 10, 15)]
    )
    found = flows(run, None)
    assert {(flow.source, flow.target, flow.inside) for flow in found} == {
        ("a", "b", False),
        ("a", "c", False),
        ("b", "d", False),
        ("c", "d", False),
        ("d", "e", True),
    }
    assert main_line(["a", "b", "c", "d", "e"], run, found, None)[0::2] == ["a", "d"]


def test_a_window_counts_what_happened_in_it(tmp_path: Path) -> None:
    """Seven threads went another way, and not cleanly, before the window: none of them is in a flow, line or share."""
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    opened.migrate()
    made = []
    for number in range(10):
        start, onward = (number * DAY, LAST) if number < 7 else (30 * DAY + number * HOUR, SECOND_)
        key = f"L-{number}"
        routes = [Routed(at=1, key="", code="identity_doubtful", to="verify")] if number < 7 else []
        first = record(FIRST, key, start, start + HOUR, routes=routes)
        made += [first, record(onward, key, start + 2 * HOUR, start + 3 * HOUR)]
    # One that was open when the window began, and whose next case is in it.
    made += [record(FIRST, "L-x", 8 * DAY, 29 * DAY), record(SECOND_, "L-x", 31 * DAY, 32 * DAY)]
    keep(opened, made)
    seen = look(opened, asked(since=BEGIN + timedelta(days=20), until=BEGIN + timedelta(days=40)))
    whole = look(opened, asked(since=None, until=BEGIN + timedelta(days=40)))
    opened.close()
    assert [(flow.source, flow.target, flow.after_achieved) for flow in seen.flows] == [(FIRST, SECOND_, 4)]
    assert seen.main_line == [FIRST, SECOND_]
    assert seen.lead is not None
    assert seen.roll_up.clean_threads is not None
    assert (seen.threads, seen.lead.n) == (4, 4)
    assert (seen.roll_up.clean_threads.count, seen.roll_up.clean_threads.n) == (4, 4)
    assert seen.roll_up.rolled_yield == 1
    assert (whole.threads, whole.main_line) == (11, [FIRST, LAST])
    assert whole.roll_up.clean_threads is not None
    assert (whole.roll_up.clean_threads.count, whole.roll_up.clean_threads.n) == (0, 7)
    with pytest.raises(NoCasesError, match="name another one"):
        look(opened, asked(since=BEGIN + timedelta(days=35), until=BEGIN + timedelta(days=40)))


def test_the_page_stands_by_itself(seen: Stream, tmp_path: Path) -> None:
    """No script, nothing from elsewhere; the constraint and the flows are on it."""
    target = tmp_path / "stream.html"
    write_page(target, seen, units_of("lending", UNITS))
    text = target.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert "identity officer" in text
