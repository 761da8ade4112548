"""An explanation: every microsecond of a case in one part of one step, beside what is usual; what makes cases late."""

# mypy: disable-error-code="union-attr,arg-type,operator,misc,index"
from __future__ import annotations

import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from observability.learning.baseline import Order, freeze
from observability.learning.explained import AmbiguousError, TooLargeError, UnknownError, explained, record_of
from observability.learning.explaining import explain
from observability.learning.lateness import lateness
from observability.learning.pasts import past
from observability.learning.selection import Asked
from observability.learning.usual import MINIMUM, UNASKED, Gathering, Usual, apportion, cells_of, usual_of
from observability.ledger.figures import union
from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import baseline_cases, baseline_intervals
from observability.ledger.writing import write
from tests.observability.invented import BEGIN, BUDGET, HOUR, case_rows, fill
from tests.observability.old_process import MAP, log_map, write_log
from workers.pages.words import micro
from workunits.core.parts import PARTS, parts
from workunits.core.record import Record, Routed, Rung, Work
from workunits.registry import Catalog, Package
from workunits.units import UNITS

UNIT = "refund_request"
CATALOG = Catalog([Package("ours", UNITS, (), ())])
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = HOUR // 60


def slow(hours: float = 10, **more) -> Record:
    """A case that waited so long for its decision, which then took an hour; its budget is four hours."""
    ready, begun = 2 * MINUTE, 2 * MINUTE + round(hours * HOUR)
    look = Work(key="look", step="look", kind="automated", ready=0, done=ready, end="done", work=[(0, ready)])
    decide = Work(key="decide", step="decide", kind="human", ready=ready, done=begun + HOUR, end="done", by="ann")
    decide.work = [(begun, begun + HOUR)]
    closed = begun + HOUR
    due = 4 * HOUR
    late = closed > due
    facts = {"close": "achieved_late" if late else "achieved", "closed": closed, "breached": due if late else None}
    there = {"unit": UNIT, "version": "1", "case": f"{UNIT}:S-1", "key": "S-1", "started": BEGIN, "due": due}
    return Record(**{**there, **facts, "steps": [look, decide], **more})


def put(ledger, *made: Record) -> None:
    """Put cases into a ledger."""
    with ledger.write() as connection:
        write(connection, [case_rows(record) for record in made], Forgetting.load(connection), datetime.now(UTC))


def test_the_largest_excess_is_named_first(ledger):
    """In one plain sentence, with the median and its n, and with its share of the lateness."""
    usual = [slow(0.5 + n / 100, case=f"{UNIT}:U-{n}", key=f"U-{n}") for n in range(21)]
    put(ledger, *usual, slow())
    found = explained(ledger, record_of(ledger, "S-1"), NOW, CATALOG)

    assert found.sentence(micro) == (
        "100 % of the lateness is waiting for a refund approver at decide: 10 h against a median of 36 min (n=21)."
    )
    assert found.lateness == 7 * HOUR + 2 * MINUTE
    assert sum(share.lateness for share in found.shares) == found.lateness
    assert (found.broke.part, found.record.steps[found.broke.work].key) == ("queue", "decide")


def test_a_role_is_named_where_the_unit_says_it():
    """The sentence speaks of a person, and of the largest excess, not of the largest part."""
    usual = Usual(40, dict.fromkeys(PARTS, 0), {})
    found = explain(slow(), NOW, usual, roles={"decide": "reviewer"})

    assert "waiting for a reviewer at decide: 10 h against a median of 0 ms (n=40)" in found.sentence(micro)


def test_with_too_few_cases_it_says_so(ledger):
    """Nine closed cases say nothing; ten do."""
    put(ledger, slow(), *(slow(1, case=f"{UNIT}:U-{n}", key=f"U-{n}") for n in range(MINIMUM - 1)))
    few = explained(ledger, record_of(ledger, f"{UNIT}:S-1"), NOW, CATALOG)
    put(ledger, slow(1, case=f"{UNIT}:U-x", key="U-x"))
    enough = explained(ledger, record_of(ledger, f"{UNIT}:S-1"), NOW, CATALOG)

    assert few.sentence(micro) == (
        "There is nothing to compare with: 9 closed cases of version 1, and 10 are needed; "
        "the largest part is waiting for a refund approver at decide: 10 h."
    )
    assert few.as_json(micro)["compared"]["parts"]["queue"]["median_seconds"] is None
    assert "of the lateness" in enough.sentence(micro)


def test_without_a_ledger_there_is_nothing_to_compare_with():
    """The parts are there all the same."""
    found = explain(slow(), NOW, UNASKED)

    assert found.sentence(micro).startswith("There is nothing to compare with: the ledger does not have the case;")
    assert sum(found.parts.values()) == found.elapsed


def test_a_case_that_is_no_longer_than_usual_says_so():
    """A short case is no accusation."""
    gathered = Gathering()
    for _ in range(20):
        gathered.add(["look", "decide"], cells_of(slow(2)))
    found = explain(slow(1), NOW, gathered.usual())

    assert found.sentence(micro).startswith("No part took longer than is usual (n=20); the largest part is ")


def test_an_open_case_is_explained_up_to_now():
    """What goes on ends now."""
    record = slow(close=None, closed=None, breached=None)
    record.steps[1] = Work(key="decide", step="decide", kind="human", ready=2 * MINUTE)
    found = explain(record, record.when(6 * HOUR), UNASKED)

    assert found.elapsed == 6 * HOUR
    assert found.parts["queue"] == 6 * HOUR - 2 * MINUTE
    assert found.lateness == 2 * HOUR


def test_every_case_adds_up_and_so_does_its_document(ledger):
    """Parts, steps, shares and their JSON, to the microsecond, of 60 invented cases."""
    for made in fill(ledger, 60):
        found = explained(ledger, record_of(ledger, made.case), NOW, CATALOG)
        said = found.as_json(micro)

        assert sum(found.parts.values()) == sum(sum(piece.wall.values()) for piece in found.pieces) == made.closed
        assert dict(found.parts) == parts(made)
        assert sum(sum(split.values()) for split in found.executors.values()) == made.closed
        assert sum(share.lateness for share in found.shares) == found.lateness
        assert round(sum(said["parts"].values()) * 1e6) == round(said["elapsed_seconds"] * 1e6) == made.closed
        assert round(sum(step["seconds"] for step in said["steps"]) * 1e6) == made.closed


@given(st.lists(st.tuples(st.integers(0, 12 * HOUR), st.integers(0, 12 * HOUR)).map(sorted).map(tuple), max_size=4))
def test_the_working_time_is_the_elapsed_time_without_off_hours(off):
    """By part and by step, exactly."""
    found = explain(slow(), NOW, UNASKED, off=off)
    inside = [(min(a, found.elapsed), min(b, found.elapsed)) for a, b in off]
    edges = sorted({edge for interval in inside for edge in interval})
    closed = sum(b - a for a, b in pairwise(edges) if any(c <= a and b <= d for c, d in inside))

    assert found.working == found.elapsed - closed
    assert found.working == sum(found.working_parts.values())
    assert found.working == sum(sum(piece.working.values()) for piece in found.pieces)
    assert found.working_parts["off_hours"] == 0


def test_the_median_of_a_step_is_over_the_cases_that_performed_it(ledger):
    """And of one that is rarely performed, no time at all is usual."""
    made = fill(ledger, 300)
    with ledger.read() as connection:
        usual = usual_of(connection, UNIT, "1", but=made[0].case)
    others = made[1:]
    waited = [cells_of(record).get(("mend", "external_wait"), 0) for record in others if record.routes]

    assert usual.n == 299
    assert usual.cells["mend", "external_wait"].n == len(waited)
    assert usual.cells["mend", "external_wait"].median == statistics.median_low(waited)
    assert usual.part("queue") == statistics.median_low(parts(record)["queue"] for record in others)
    assert usual.of(("never", "queue")).median == 0


def test_a_name_that_is_not_there_or_is_twice(ledger):
    """A key is enough where it leaves no doubt."""
    put(ledger, slow(), slow(case="other:S-1", unit="other"))

    with pytest.raises(AmbiguousError, match="several cases have this key"):
        record_of(ledger, "S-1")
    with pytest.raises(UnknownError):
        record_of(ledger, "S-2")
    assert record_of(ledger, "other:S-1").unit == "other"


def test_an_open_case_whose_record_is_too_large_is_explained_once_it_has_closed(ledger):
    """What it lists meanwhile has no steps, and would be all idle."""
    put(ledger, slow(close=None, closed=None, breached=None, elsewhere=True, steps=[]))

    with pytest.raises(TooLargeError, match="explained once it has closed"):
        record_of(ledger, "S-1")
    put(ledger, slow(elsewhere=True, case=f"{UNIT}:S-2", key="S-2"))
    assert record_of(ledger, "S-2").closed is not None


def test_the_trace_tells_exceptions_and_rungs_in_order():
    """Each with how late it fired."""
    record = slow()
    record.routes = [Routed(at=HOUR, key="look", code="odd", to="decide")]
    record.rungs = [Rung(rung="deadline", due=4 * HOUR, at=5 * HOUR), Rung(rung="warn", due=2 * MINUTE, at=2 * MINUTE)]
    said = explain(record, NOW, UNASKED).as_json(micro)["trace"]

    assert [(one["what"], one.get("late_seconds")) for one in said] == [
        ("warn", 0.0),
        ("exception", None),
        ("deadline", 3600.0),
    ]


@given(st.integers(0, 10**14), st.dictionaries(st.text(max_size=3), st.integers(0, 10**13), max_size=9))
def test_apportioned_shares_add_up(total, by):
    """Exactly, and none is further than one from its proportion."""
    shares, whole = apportion(total, by), sum(by.values())

    assert sum(shares.values()) == (total if whole else 0)
    assert all(abs(share - total * by[key] / whole) < 1.01 for key, share in shares.items() if total < 10**9)
    assert all(total * by[key] // whole <= share <= total * by[key] // whole + 1 for key, share in shares.items())


def test_the_lateness_of_a_unit_adds_up_however_it_is_split(ledger):
    """By part and step, by part, by step and by exception: each is the whole lateness, which is counted by hand."""
    made = fill(ledger, 400)
    late = [record for record in made if record.breached is not None]
    found = lateness(ledger, Asked(UNIT))

    assert found.n == len(late)
    assert found.total == sum(record.closed - BUDGET for record in late)
    assert found.on_time.n == sum(record.sla == "met" for record in made)
    for split in (found.cells, found.parts, found.steps, found.codes):
        assert sum(one.lateness for one in split.values()) == found.total
        assert list(split.values()) == sorted(split.values(), key=lambda one: -one.lateness)
    assert sum(one.cases for one in found.codes.values()) == len(late)
    odd = sum(record.closed - BUDGET for record in late if record.routes)
    assert found.codes["odd", True].lateness == odd


def test_the_lateness_is_shared_out_by_what_exceeds_the_usual(ledger):
    """By hand: 2 h of queue and 6 h of work beyond the medians share 4 h as 1 to 3; where nothing does, all shares."""
    usual = [slow(1, case=f"{UNIT}:U-{n}", key=f"U-{n}") for n in range(11)]
    late = slow(3)
    late.steps[1].done = late.closed = late.closed + 6 * HOUR
    late.steps[1].work = [(3 * HOUR + 2 * MINUTE, late.closed)]
    late.close, late.due, late.breached = "achieved_late", late.closed - 4 * HOUR, late.closed - 4 * HOUR
    put(ledger, *usual, late)
    found = lateness(ledger, Asked(UNIT))

    assert {cell: one.lateness for cell, one in found.cells.items()} == {
        ("decide", "touch_human"): 3 * HOUR,
        ("decide", "queue"): HOUR,
    }
    assert found.sentence(micro, {}) == "75 % of the lateness is people's work at decide: 3 h, in 1 of 1 late case."


def test_a_window_without_late_cases(ledger):
    """It says so; a version and a window choose."""
    fill(ledger, 100)

    assert lateness(ledger, Asked(UNIT, version="2")).sentence(micro, {}) == "No case of the window closed late."
    assert lateness(ledger, Asked(UNIT, until=BEGIN)).as_json(micro, {})["lateness_seconds"] == 0
    whole, half = lateness(ledger, Asked(UNIT)), BEGIN + timedelta(weeks=5)
    first, second = lateness(ledger, Asked(UNIT, until=half)), lateness(ledger, Asked(UNIT, since=half))
    assert first.n + second.n == whole.n
    assert first.total + second.total == whole.total
    assert Counter({"a": first.closed}) + Counter({"a": second.closed}) == Counter({"a": 100})


def test_a_baseline_stands_beside(ledger, tmp_path):
    """The medians of its closed traces, counted anew from its intervals; what its log cannot say is absent."""
    made = freeze(
        ledger, Order(write_log(tmp_path, "xes.gz"), log_map(MAP.replace('unit = "loan"', f'unit = "{UNIT}"')))
    )
    closed: dict[int, list[tuple[datetime, datetime]]] = {}
    with ledger.read() as connection:
        before = past(connection, made.baseline)
        for trace in connection.execute(select(baseline_cases).where(baseline_cases.c.close.is_not(None))):
            closed[trace.case_no] = []
        for row in connection.execute(select(baseline_intervals).where(baseline_intervals.c.kind == "human")):
            if row.case_no in closed and row.begun_at and row.done_at:
                closed[row.case_no].append((row.begun_at, row.done_at))
    touched = [sum(((b - a) for a, b in union(spans)), timedelta(0)) for spans in closed.values()]
    put(ledger, slow())
    found = explained(ledger, record_of(ledger, "S-1"), NOW, CATALOG)

    assert before.n == len(closed) == 5
    assert before.parts["touch_human"] == statistics.median_low(touched) // timedelta(microseconds=1)
    assert before.parts["touch_human"] > 0
    assert {"external_wait", "retry", "off_hours", "idle", "rework"}.isdisjoint(before.parts)
    assert found.before == before
    assert found.as_json(micro)["compared"]["baseline"] == 5
