"""What an export looks like, whatever stands in a case: harmless in a spreadsheet, valid, and nameless if asked."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from observability.export import lines, spreadsheet, xes
from observability.export.reading import PAGE, Wanted, count, page_query, read
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from tests.observability.event_log import SECOND, START, a_case, attributes, check_structure, figures, fill, put
from workunits.core.steps import KINDS

EVIL = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1")
TABLES: tuple[spreadsheet.Table, ...] = ("cases", "steps", "events")
NASTY = 'a\x00b\x1b[31m\ufffe"<&>\u2028\r\nend'


def table(ledger, name="cases", wanted=None):
    """A CSV, read as a spreadsheet would."""
    raw = b"".join(spreadsheet.rows_of(read(ledger, wanted or Wanted(), spreadsheet.PARTS[name]), name))
    return list(csv.DictReader(io.StringIO(raw.decode(), newline="")))


def event_log(ledger, wanted=None):
    """An event log, checked."""
    return check_structure(b"".join(xes.log_of(read(ledger, wanted or Wanted(), xes.PARTS))))


def json_lines(ledger):
    """The lines of a JSONL export."""
    return [json.loads(line) for line in lines.lines_of(read(ledger, Wanted(), with_input=True))]


@pytest.mark.parametrize("evil", EVIL)
def test_input_45_a_formula_is_text(ledger, evil):
    """A cell that a spreadsheet would compute begins with an apostrophe, in whatever column it stands."""
    put(ledger, a_case(evil, why=evil, segment=evil))
    (row,) = table(ledger)
    (step, *_) = table(ledger, "steps")

    assert [row[name] for name in ("business_key", "why", "segment")] == [f"'{evil}"] * 3
    assert step["business_key"] == f"'{evil}"


def test_input_45_a_number_stays_a_number(ledger):
    """A negative number that is one is no text, and a text in the middle of which a sign stands is left alone."""
    made = a_case("a=b-c")
    made.case["cost"] = -12.5
    put(ledger, made)
    (row,) = table(ledger)

    assert (row["cost"], row["business_key"]) == ("-12.5", "a=b-c")


def test_csv_is_exact_and_quoted(ledger):
    """Durations are seconds to the microsecond, times are UTC, absent is empty, and quotes and line breaks survive."""
    put(ledger, a_case("1", closed=100 * SECOND + 1, why='he said "no",\r\nthen left'))
    raw = b"".join(spreadsheet.rows_of(read(ledger, Wanted(), ()), "cases"))
    (row,) = table(ledger)

    assert raw.startswith(b"case_id,unit,version,business_key,")
    assert raw.endswith(b"\r\n")
    assert row["cycle_seconds"] == "100.000001"
    assert row["closed_at"] == "2026-03-01T08:01:40.000001Z"
    assert row["why"] == 'he said "no",\r\nthen left'
    assert (row["cost"], row["reworked"], row["facts"]) == ("", "false", "{}")
    assert [Decimal(step["work_seconds"]) for step in table(ledger, "steps")] == [
        Decimal("1.999999"),
        Decimal("60.000001") - Decimal("0.000001"),
    ]


def test_the_columns_are_documented():
    """docs/exports.md names every column of every table, every key of a line and every attribute of the log."""
    said = Path("docs/exports.md").read_text(encoding="utf-8")
    columns = {name for kind in TABLES for name in spreadsheet.header(kind)}
    of_log = {key for key, _ in (*xes._OF_CASE, *xes._OF_EVENT)}

    assert {name for name in columns | set(lines.KEYS) | of_log if f"`{name}`" not in said} == set()
    (executor,) = (line for line in said.splitlines() if line.startswith("| `executor` |"))
    assert {kind for kind in KINDS if f"`{kind}`" not in executor} == {"hybrid"}  # its parts are `ai` and `human`


def test_a_table_of_events(ledger):
    """A row for each transition, with the case that it belongs to."""
    put(ledger, a_case("1"))
    rows = table(ledger, "events")

    assert [(row["activity"], row["transition"]) for row in rows] == [
        ("CASE", "start"),
        *(("look", name) for name in ("schedule", "start", "complete")),
        *(("decide", name) for name in ("schedule", "assign", "start", "complete")),
        ("CASE", "complete"),
    ]
    assert {row["case_id"] for row in rows} == {"plain:1"}


@pytest.fixture
def loose(tmp_path):
    """A ledger in SQLite, which keeps what PostgreSQL refuses: NUL, what is no number."""
    opened = Ledger(f"sqlite:///{tmp_path / 'loose.sqlite'}")
    opened.migrate()
    yield opened
    opened.close()


def test_what_xml_cannot_hold_is_replaced(loose):
    """Control characters and the like do not break the event log, and what can stay stays."""
    put(loose, a_case("1", segment=NASTY, facts={"note": NASTY, "large": 2**63, "share": float("inf")}))
    told = attributes(next(event_log(loose).iter("trace")))

    assert told["segment"] == told["facts.note"] == 'a\ufffdb\ufffd[31m\ufffd"<&>\u2028\r\nend'
    assert (told["facts.large"], told["facts.share"]) == (str(2**63), float("inf"))


def test_what_is_no_number_does_not_end_an_export(loose):
    """JSON knows no NaN: the event log and the table say it, the lines leave it open."""
    put(loose, a_case("1", facts={"odd": float("nan")}))

    assert math.isnan(attributes(next(event_log(loose).iter("trace")))["facts.odd"])
    assert "NaN" in table(loose)[0]["facts"]
    assert json_lines(loose)[0]["facts"] == {"odd": None}


def test_a_lone_surrogate_is_not_stored(loose):
    """What is no text never reaches an export: the ledger refuses it, and the follower makes a letter of it."""
    with pytest.raises(StatementError, match="surrogates not allowed"):
        put(loose, a_case("1", facts={"note": "a\ud800b"}))


def test_no_case_is_a_valid_export(ledger):
    """N = 0: an event log without traces, a table of its header alone, no lines."""
    log = event_log(ledger)

    assert list(log.iter("trace")) == []
    assert table(ledger) == []
    assert json_lines(ledger) == []


def test_what_comes_after_the_close_is_moved_to_it(ledger):
    """The last event is the close, also when people went on until the case learned of its end."""
    made = a_case("1", closed=20 * SECOND)  # ann took the task at 30 s and was done at 100 s
    put(ledger, made)
    trace = next(event_log(ledger).iter("trace"))
    times = [attributes(event)["time:timestamp"] for event in trace.iter("event")]

    assert figures(trace)["cycle_us"] == made.case["cycle_us"] == 20 * SECOND
    assert max(times) == made.case["closed_at"]


def test_which_cases_are_wanted(ledger):
    """Each filter leaves out what it says, and the window is by the close; open cases are in until it ends."""
    late = START + timedelta(seconds=200)
    put(
        ledger,
        a_case("early"),
        a_case("late", closed=300 * SECOND, close="failed"),
        a_case("open", close=None, closed=None),
        a_case("other", version="2", unit="pair"),
    )

    def found(**wanted):
        cases_found = [file.case["business_key"] for file in read(ledger, Wanted(**wanted), ())]
        assert count(ledger, Wanted(**wanted)) == len(cases_found)
        return cases_found

    assert found() == ["early", "late", "open", "other"]
    assert found(unit="pair") == found(version="2") == ["other"]
    assert found(close="failed") == found(state="failed") == ["late"]
    assert found(state="open") == found(state="running") == ["open"]
    assert found(state="closed") == ["early", "late", "other"]
    assert found(since=late) == ["late", "open"]
    assert found(until=late) == ["early", "open", "other"]
    assert found(since=START + timedelta(seconds=300), state="closed") == ["late"]
    assert found(until=START) == []


def test_each_case_once_across_pages(ledger):
    """Pages meet without a gap, also between cases that started at the same moment."""
    made = [a_case(f"{number:04}") for number in range(PAGE + 5)]
    put(ledger, *made)

    assert [file.case["business_key"] for file in read(ledger, Wanted(), ())] == [f"{n:04}" for n in range(PAGE + 5)]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A ledger of 20,000 cases."""
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('large') / 'ledger.sqlite'}")
    ledger.migrate()
    fill(ledger, 20_000)
    yield ledger
    ledger.close()


@pytest.mark.parametrize(
    ("cases_written", "parts", "as_bytes"),
    [
        pytest.param(20_000, (), lambda files: spreadsheet.rows_of(files, "cases"), id="csv"),
        pytest.param(8_000, xes.PARTS, xes.log_of, id="xes"),
        pytest.param(8_000, lines.PARTS, lines.lines_of, id="jsonl"),
    ],
)
def test_memory_does_not_grow(large, cases_written, parts, as_bytes):
    """However many cases there are, only a page of them is in memory; what was written is let go."""
    process, size = psutil.Process(), 0
    pieces = as_bytes(read(large, Wanted(until=START + timedelta(seconds=100 + cases_written)), parts))
    used: list[int] = []
    while some := sum(map(len, itertools.islice(pieces, 1000))):
        size += some
        used.append(process.memory_info().rss)

    assert len(used) >= cases_written // 1000
    assert size > 8_000_000
    assert max(used) - used[0] < min(size / 2, 8_000_000)


def test_pages_are_found_by_the_start(large):
    """Whatever is filtered by, SQLite goes along the index on the start and sorts no more than what starts at once."""
    wanted = Wanted(unit="plain", version="1", close="achieved", state="closed", since=START, until=START)
    query = page_query(wanted, {"started_at": START, "case_id": "plain:1"}, sqlite=True)
    with large.read() as connection:
        text = query.compile(connection, compile_kwargs={"literal_binds": True})
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]

    assert plan == [
        "SEARCH cases USING INDEX ix_cases_started_at (started_at>?)",
        "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY",
    ]


def test_a_change_between_pages_is_not_torn(ledger):
    """A case is told as it was when its page was read, although it changes while the page is told."""
    put(ledger, a_case("1", close=None, closed=None), a_case("2", close=None, closed=None))
    files = read(ledger, Wanted())
    first = next(files)
    closed = a_case("2")
    closed.case["run_started_at"] += timedelta(seconds=1)
    put(ledger, closed)
    second = next(files)
    with ledger.read() as connection:
        now = connection.execute(select(cases.c.close).where(cases.c.case_id == "plain:2")).scalar_one()

    assert (first.case["close"], second.case["close"], now) == (None, None, "achieved")


def test_postgresql_shows_one_state(ledger):
    """What is read in one go fits together, in both databases: a write in between is not seen."""
    put(ledger, a_case("1"))
    with ledger.read() as connection:
        before = connection.execute(select(cases.c.case_id)).all()
        other = Ledger(ledger.url.render_as_string(hide_password=False))
        put(other, a_case("2"))
        other.close()
        after = connection.execute(select(cases.c.case_id)).all()

    assert before == after
