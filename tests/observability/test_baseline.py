"""A baseline from the old process's log: what it says, what it leaves out, and that it is there whole or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import event, func, select

from observability.learning import baseline as freezing
from observability.learning import baseline_rows
from observability.learning.baseline import (
    BaselineExistsError,
    NoBaselineError,
    Order,
    baselines_of,
    freeze,
    unknown_steps,
)
from observability.learning.logs import LogError
from observability.ledger.keeping import audit, baseline_cases, baseline_intervals, baselines
from observability.ledger.store import Ledger, LedgerUnavailableError
from tests.lab.units import Plain
from tests.observability.old_process import HEAD, MAP, log_map, micros, when, write_log, xes
from tests.observability.old_process import event as log_event


def order(tmp_path, kind="xes.gz", text=MAP, name="old"):
    """The import of the small log."""
    return Order(write_log(tmp_path, kind), log_map(text), name, "ann")


def counts(ledger: Ledger) -> list[int]:
    """How many rows each table has."""
    with ledger.read() as connection:
        tables = (baselines, baseline_cases, baseline_intervals, audit)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


@pytest.fixture(params=["xes.gz", "csv"])
def frozen(request, ledger: Ledger, tmp_path):
    """The small log as a baseline, from each kind of log, in each kind of database."""
    return freeze(ledger, order(tmp_path, request.param)).baseline


def test_every_trace_counts_and_open_ones_are_shown_apart(frozen):
    """All six traces are in n and in the cycle time; the one without a declared end is open."""
    figures = frozen.figures
    assert (frozen.n, frozen.n_open) == (6, 1)
    assert figures["closes"] == {"achieved": 3, "not_achieved": 2, "open": 1}
    assert figures["reasons"] == {"declined": 1, "cancelled": 1}
    assert figures["cycle_time_us"]["n"] == 6
    assert figures["cycle_time_us"]["median"]["value"] == micros(hours=1)
    assert figures["cycle_time_us"]["p85"]["value"] == micros(hours=3)
    assert figures["cycle_time_by_close_us"]["open"]["median"]["value"] == micros(minutes=20)
    assert (frozen.window_from, frozen.window_to) == (when("08:00:00"), when("11:00:00"))


def test_the_censored_estimate_stands_beside(frozen):
    """Kaplan-Meier by hand: 5/6, 5/6 x 3/4, 5/6 x 3/4 x 2/3 < 1/2 at the third end, an hour and a half."""
    estimate = frozen.figures["cycle_time_censored_us"]
    assert (estimate["n"], estimate["ended"]) == (6, 5)
    assert estimate["median"]["value"] == micros(minutes=90)


def test_queue_and_touch_come_from_what_the_log_has(frozen):
    """Queue where a schedule and a start meet; touch of cases whose every start and end is there."""
    figures = frozen.figures
    assert figures["queue_us"]["n"] == 2
    assert figures["queue_us"]["median"]["value"] == micros(minutes=30)
    assert figures["touch_human_us"]["n"] == 3
    assert figures["touch_human_us"]["median"]["value"] == micros(minutes=30)
    assert figures["touch_left_out"] == 2
    assert figures["flow_efficiency"]["overall"] == pytest.approx(75 / 390)
    assert figures["touch_overlapping"] == pytest.approx(25 / 75)  # bob 15 minutes, ann 10
    check = figures["steps"]["check"]
    assert (check["pieces"], check["traces"]) == (6, 5)
    assert (check["completed_without_start"], check["started_without_end"], check["scheduled_only"]) == (1, 1, 0)


def test_rates_are_of_closed_cases(frozen):
    """Five cases have ended: the open one says nothing about how cases end."""
    figures = frozen.figures
    named = ("attainment", "rework", "first_pass_yield", "straight_through")
    assert [(figures[name]["count"], figures[name]["n"]) for name in named] == [(3, 5), (1, 5), (2, 5), (1, 5)]
    assert figures["exceptions"]["any"]["count"] == 1
    assert figures["exceptions"]["by_code"]["documents_missing"]["share"] == pytest.approx(0.2)
    assert figures["handoffs"] == {"hh": 2, "hm": 0, "mh": 0, "mm": 0, "unknown": 0, "per_case": pytest.approx(1 / 3)}


def test_what_the_log_cannot_say_is_absent(frozen):
    """Nothing in a log tells of an SLA, quality, cost or waiting for others, and no machine's work was measured."""
    absent = ("touch_machine_us", "external_wait_us", "sla", "quality", "cost")
    assert [frozen.figures[name] for name in absent] == [None] * len(absent)


def test_remarks_and_segments(frozen):
    """What was mended on the way is said; a case without a number has no segment."""
    remarks = frozen.figures["remarks"]
    assert remarks["traces_out_of_order"] == 1
    assert remarks["traces_without_segment_value"] == 1
    assert remarks["not_in_the_log"] == []
    sixth = pytest.approx(1 / 6)
    assert frozen.segments == {
        "5000 to under 10000": pytest.approx(2 / 6),
        "from 10000": sixth,
        "under 5000": pytest.approx(2 / 6),
        "unknown": sixth,
    }


def test_raw_rows_are_kept_without_names_of_people(ledger, frozen):
    """The intervals stand beside the figures; people are numbered, and the sum of touch is the same."""
    with ledger.read() as connection:
        cases = connection.execute(select(baseline_cases).order_by(baseline_cases.c.case_no)).all()
        rows = connection.execute(select(baseline_intervals).where(baseline_intervals.c.case_no == 3)).all()
    assert [case.close for case in cases] == ["achieved", "not_achieved", "achieved", None, "not_achieved", "achieved"]
    assert (cases[2].name, cases[2].exceptions, cases[2].reworked) == ("L-3", ["documents_missing"], True)
    assert {row.performer for row in rows} == {"person 1", "person 2"}
    assert [
        (row.step, row.ready_at, row.begun_at, row.done_at, row.ended) for row in sorted(rows, key=lambda r: r.seq)
    ] == [
        ("check", when("08:00:00"), when("08:30:00"), when("08:45:00"), "complete"),
        ("call", None, when("09:00:00"), when("09:10:00"), "complete"),
        ("check", None, when("10:00:00"), when("10:05:00"), "complete"),
    ]


def test_the_same_import_again_changes_nothing(ledger, tmp_path):
    """The same log and map give the same baseline, there already; comments in the map are no other map."""
    first = freeze(ledger, order(tmp_path))
    before = counts(ledger)
    again = freeze(ledger, order(tmp_path, text="# said otherwise\n" + MAP))
    assert (first.existing, again.existing) == (False, True)
    assert again.baseline == first.baseline
    assert counts(ledger) == before == [1, 6, 7, 1]


def test_another_map_needs_another_name(ledger, tmp_path):
    """A frozen baseline is not replaced: under its name another map is refused, under another it is taken."""
    freeze(ledger, order(tmp_path))
    other = MAP.replace("5000, 10000", "6000")
    with pytest.raises(BaselineExistsError, match="--name"):
        freeze(ledger, order(tmp_path, text=other))
    freeze(ledger, order(tmp_path, text=other, name="other"))
    with ledger.read() as connection:
        assert [found.name for found in baselines_of(connection, "loan")] == ["other", "old"]
        assert [found.name for found in baselines_of(connection, "loan", "old")] == ["old"]


def test_a_unit_without_a_baseline(ledger):
    """Asking for what is not there says how to make it."""
    with ledger.read() as connection, pytest.raises(NoBaselineError, match="baseline import"):
        baselines_of(connection, "loan")


def test_a_log_of_completions_alone_has_no_touch_and_no_queue(ledger, tmp_path):
    """Without starts there is no touch, without schedules no queue: none, not zero."""
    path = tmp_path / "bare.xes"
    times = ("2012-03-01T09:00:00Z", "2012-03-01T10:00:00Z")
    path.write_text(xes("".join((log_event(), log_event("W_Check", times[0]), log_event("A_APPROVED", times[1])))))
    bare = MAP.replace("[exceptions]\n", "[lifecycle]\n").replace('"W_Call" = "documents_missing"', "")
    bare = bare.replace('[rework]\ncheck = ["W_Call"]\n', "")
    figures = freeze(ledger, Order(path, log_map(bare))).baseline.figures
    nothing = ("queue_us", "touch_human_us", "active_us", "flow_efficiency", "touch_left_out", "handoffs")
    assert [figures[name] for name in nothing] == [None] * len(nothing)
    assert [figures[name] for name in ("exceptions", "rework", "first_pass_yield")] == [None] * 3
    assert figures["steps"]["check"]["touch_us"] is None
    assert figures["straight_through"]["count"] == 0
    assert figures["remarks"]["not_in_the_log"] == ["A_CANCELLED", "A_DECLINED", "W_Call"]


@pytest.mark.parametrize("how", [KeyboardInterrupt, ValueError])
def test_an_import_that_ends_halfway_leaves_nothing(how, ledger, tmp_path, monkeypatch):
    """Ctrl-C or a bug after the rows were sent takes them all back."""
    sent = baseline_rows.write

    def interrupted(*args):
        sent(*args)
        raise how

    monkeypatch.setattr(freezing, "write", interrupted)
    with pytest.raises(how):
        freeze(ledger, order(tmp_path))
    assert counts(ledger) == [0, 0, 0, 0]


def test_traces_of_the_same_name_are_refused_or_told_apart(ledger, tmp_path):
    """Two traces of one name are a mistake of the export, unless the map says that they are two cases."""
    path = tmp_path / "twice.xes"
    named = '<string key="concept:name" value="L-1"/>'
    # Two that have no name are no copies of each other.
    path.write_text(xes(named + log_event(), log_event(), log_event(), named + log_event("A_APPROVED")))
    with pytest.raises(LogError, match=r"1 name\(s\) belong to more than one trace, as of traces 1 and 4"):
        freeze(ledger, Order(path, log_map()))
    assert counts(ledger) == [0, 0, 0, 0]
    apart = freeze(ledger, Order(path, log_map('duplicates = "apart"\n' + MAP)))
    assert apart.baseline.n == 4


def test_activities_and_transitions_that_the_map_does_not_name_are_all_told_at_once(ledger, tmp_path):
    """Whoever writes a map sees everything that is missing in it; nothing is dropped in silence."""
    path = tmp_path / "more.xes"
    path.write_text(xes(log_event("X_ONE") + log_event("X_TWO") + log_event("X_TWO")))
    with pytest.raises(LogError, match=r"'X_TWO' \(2\), 'X_ONE' \(1\)"):
        freeze(ledger, Order(path, log_map()))
    odd = '<string key="lifecycle:transition" value="parked"/>'
    path.write_text(xes(log_event("W_Check", "2012-03-01T09:00:00Z", odd)))
    with pytest.raises(LogError, match=r"transitions that the map does not name: 'parked' \(1\)"):
        freeze(ledger, Order(path, log_map()))
    freeze(ledger, Order(path, log_map(MAP + '\n[lifecycle]\nParked = "suspend"\n')))


def test_what_the_map_ignores_is_as_if_it_were_not_there(ledger, tmp_path):
    """An activity years later does not stretch the cycle time; a trace of nothing else has no time and is told."""
    path = tmp_path / "archived.xes"
    late = log_event("Z_ARCHIVED", "2019-03-01T09:00:00Z")
    path.write_text(xes(log_event() + late, late, ""))
    baseline = freeze(ledger, Order(path, log_map('ignore = ["Z_*"]\n' + MAP))).baseline
    assert (baseline.n, baseline.figures["cycle_time_us"]["median"]["value"]) == (1, 0)
    assert baseline.figures["remarks"]["traces_without_events"] == 2


@pytest.mark.parametrize("text", [HEAD + "</log>", xes(""), xes("", "")])
def test_an_empty_log_is_refused(text, ledger, tmp_path):
    """A baseline of nothing is none."""
    path = tmp_path / "empty.xes"
    path.write_text(text)
    with pytest.raises(LogError, match="no trace with an event"):
        freeze(ledger, Order(path, log_map()))


def test_steps_that_the_unit_lacks_are_named_once_it_is_registered(ledger, tmp_path):
    """The map came first; the unit, registered since, has no such steps."""
    baseline = freeze(
        ledger, order(tmp_path, text=MAP.replace('"check"', '"look"').replace("check =", "look ="))
    ).baseline
    assert unknown_steps(baseline, Plain) == ["call"]


def test_a_database_that_may_only_be_read(ledger, tmp_path):
    """The refusal says why, and nothing is there afterwards."""
    _on_connect(ledger, "PRAGMA query_only = ON" if ledger.sqlite else "SET default_transaction_read_only = on")
    with pytest.raises(LedgerUnavailableError, match="may only be read"):
        freeze(ledger, order(tmp_path))
    assert counts(ledger) == [0, 0, 0, 0]


def test_a_full_disk_under_the_ledger(tmp_path):
    """SQLite finds no room in the middle of the rows: one sentence, and nothing is half there."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    with ledger.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    _on_connect(ledger, f"PRAGMA max_page_count = {pages + 1}")
    path = tmp_path / "many.xes"
    path.write_text(xes(*(f'<string key="concept:name" value="{n}"/>{log_event()}' for n in range(400))))
    with pytest.raises(LedgerUnavailableError, match="the disk is full"):
        freeze(ledger, Order(path, log_map()))
    assert counts(ledger) == [0, 0, 0, 0]
    ledger.close()


def test_a_full_disk_under_the_temporary_files(ledger, tmp_path, monkeypatch):
    """The folder of temporary files is named, for it is not where the ledger is."""
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_, **__: open("/dev/full", "w+", encoding="utf-8"))  # noqa: PTH123, SIM115
    with pytest.raises(LedgerUnavailableError, match="TMPDIR"):
        freeze(ledger, order(tmp_path))


def _on_connect(ledger: Ledger, statement: str) -> None:
    """Give every new connection a statement of its own."""
    with ledger.read():
        pass
    engine = ledger._engine
    assert engine is not None
    event.listen(engine, "connect", lambda connection, _: _run(connection, statement))
    engine.dispose()


def _run(connection, statement: str) -> None:
    connection.execute(statement)
    if not statement.startswith("PRAGMA"):
        connection.commit()
