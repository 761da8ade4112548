"""What an export looks like, whatever stands in a case: harmless in a spreadsheet, valid, and without names if asked."""

from __future__ import annotations

import csv
import io
import itertools
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import BaseModel
from sqlalchemy import String, Text, select

from observability.export import lines, spreadsheet, xes
from observability.export.events import NEEDED
from observability.export.hiding import NAMES, WRITTEN, Hiding
from observability.export.reading import CASE_COLUMNS, IN_ORDER, PAGE, Wanted, columns_of, count, read
from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import corrections, evidence, inputs
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from observability.ledger.writing import insert_all, write
from tests.observability.event_log import SECOND, START, a_case, attributes, check_structure, figures, fill
from workunits.core.personal import PERSONAL
from workunits.core.record import Acted
from workunits.registry import Catalog

EVIL = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1")
NASTY = 'a\x00b\x1b[31m\ufffe"<&>\u2028\r\nend'
IMPERSONAL = {
    *("case_id", "unit", "version", "business_key", "run_id", "state", "close", "reason", "sla", "segment", "trace_id"),
    *("currency", "definition", "first_close", "key", "step", "kind", "ended", "code", "redo_of", "task_id", "role"),
    *("accountable", "because", "routed_to", "target", "result", "entry", "action_id", "action", "outcome"),
    *("evidence_id", "measure", "correction_id", "from_close", "to_close"),
}
"""Columns with text that say nothing of a person: ids, codes, and names out of the catalog."""


def put(ledger: Ledger, *found):
    """Write cases as the follower does."""
    with ledger.write() as connection:
        write(connection, found, Forgetting.load(connection), START + timedelta(days=1))


def table(ledger, name="cases", wanted=None):
    """A CSV, read as a spreadsheet would."""
    raw = b"".join(spreadsheet.rows_of(read(ledger, wanted or Wanted(), spreadsheet.PARTS[name]), name))
    return list(csv.DictReader(io.StringIO(raw.decode(), newline="")))


def event_log(ledger, wanted=None):
    """An event log, checked."""
    return check_structure(b"".join(xes.log_of(read(ledger, wanted or Wanted(), xes.PARTS))))


def json_lines(ledger, hiding=None):
    """The lines of a JSONL export."""
    files = read(ledger, Wanted(), with_input=True)
    return [json.loads(line) for line in lines.lines_of(hiding.apply(file) if hiding else file for file in files)]


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


def test_the_header_is_documented():
    """docs/exports.md names every column of every table."""
    with open("docs/exports.md", encoding="utf-8") as file:
        said = file.read()
    columns = {name for kind in ("cases", "steps", "events") for name in spreadsheet.header(kind)}
    keys = {*lines.KEYS, *(name for part in IN_ORDER for name in columns_of(part))}
    attributes_of_xes = {key for key, _ in (*xes._OF_CASE, *xes._OF_EVENT)}

    assert {name for name in columns | set(lines.KEYS) | attributes_of_xes if f"`{name}`" not in said} == set()
    assert keys  # the rows below a line are those of docs/ledger.md


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


def test_what_xml_cannot_hold_is_replaced(ledger):
    """Control characters and the like do not break the event log, and what can stay stays."""
    nasty = NASTY.replace("\x00", "") if not ledger.sqlite else NASTY  # PostgreSQL takes no NUL at all
    put(
        ledger,
        a_case(
            "1", segment=nasty, facts={"note": nasty, "large": 2**63, "share": float("inf")} if ledger.sqlite else {}
        ),
    )
    told = attributes(next(event_log(ledger).iter("trace")))

    assert told["segment"].endswith('[31m\ufffd"<&>\u2028\r\nend')
    assert "\x1b" not in told["segment"]
    if ledger.sqlite:
        assert (told["facts.large"], told["facts.share"]) == (str(2**63), float("inf"))


def test_a_lone_surrogate_does_not_end_an_export(ledger):
    """What an outsider put into a memo is no text; it is replaced in each format."""
    if not ledger.sqlite:
        return  # PostgreSQL's JSON refuses it
    put(ledger, a_case("1", facts={"note": "a\ud800b", "odd": float("nan")}))

    assert attributes(next(event_log(ledger).iter("trace")))["facts.note"] == "a\ufffdb"
    assert "a?b" in table(ledger)[0]["facts"]
    assert json_lines(ledger)[0]["facts"] == {"note": "a?b", "odd": None}


def test_no_case_is_a_valid_export(ledger):
    """N = 0: an event log without traces, a table of its header alone, no lines."""
    log = event_log(ledger)

    assert list(log.iter("trace")) == []
    assert table(ledger) == []
    assert json_lines(ledger) == []


def test_what_comes_after_the_close_is_moved_to_it(ledger):
    """The last event is the close, also when a task had opened by the time the case learned of its end."""
    made = a_case("1", closed=50 * SECOND)
    made.steps[1].update(done_at=START + timedelta(seconds=100), intervals=[[40 * SECOND, 50 * SECOND]])
    put(ledger, made)

    assert figures(next(event_log(ledger).iter("trace")))["cycle_us"] == 50 * SECOND


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


class Person(BaseModel):
    """A case with something personal in it."""

    name: Annotated[str, PERSONAL]
    product: str


class Unit:
    """As much of a unit as hiding asks for."""

    unit_name = "plain"
    case_type = Person


def with_people(key="1"):
    """A case in which three people had a part."""
    more = {"why": "Ann Smith was rude", "cancelled_by": "bob: on demand", "facts": {"name": "Zed", "product": "loan"}}
    made = a_case(key, **more)
    made.steps[1]["acting_for"] = "eve"
    for row in made.tasks:
        row["owner"] = "bob"
    at = START + timedelta(seconds=40)
    made.actions.append(
        {"case_id": f"plain:{key}", "action_id": "a1", "at": at, "key": "decide", "action": "start", "actor": "ann"}
        | {"acting_for": "eve", "state": "in_progress", "revision": 2}
    )
    return made


def tell_more(ledger, case="plain:1"):
    """Evidence, a correction and the input of a case."""
    known = {"case_id": case, "recorded_at": START}
    with ledger.write() as connection:
        insert_all(
            connection,
            evidence,
            [
                known
                | {
                    "evidence_id": "e",
                    "measure": "complaint",
                    "value": 1.0,
                    "source": "Ann's letter",
                    "occurred_at": START,
                    "recorded_by": "bob",
                    "counts": True,
                }
            ],
        )
        insert_all(
            connection,
            corrections,
            [
                known
                | {
                    "correction_id": "c",
                    "at": START,
                    "kind": "evidence",
                    "from_close": "achieved",
                    "to_close": "not_achieved",
                    "why": "Ann complained",
                }
            ],
        )
        insert_all(
            connection, inputs, [{"case_id": case, "input": {"name": "Zed", "product": "loan", "unknown": "Zed"}}]
        )


def test_without_personal_data(ledger):
    """Names become aliases that stay the same, free texts and personal fields are left out, and the rest stays."""
    put(ledger, with_people())
    tell_more(ledger)
    (case,) = json_lines(ledger, Hiding([Unit]))
    text = json.dumps(case)

    assert not [name for name in ("ann", "Ann", "bob", "eve", "Zed", "rude", "letter", "demand") if name in text]
    decide = next(row for row in case["steps"] if row["key"] == "decide")
    assert (decide["performer"], decide["acting_for"]) == ("person-1", "person-2")
    assert case["actions"][0]["actor"] == "person-1"
    assert {row["owner"] for row in case["tasks"]} == {"person-3"} == {case["evidence"][0]["recorded_by"]}
    assert (case["input"], case["facts"]) == ({"product": "loan"}, {"product": "loan"})
    assert (case["business_key"], case["effective_close"]) == ("1", "not_achieved")


def test_the_input_of_an_unknown_unit_stays_behind(ledger):
    """Where nobody can say which fields are personal, none is told; without the option all is."""
    put(ledger, with_people())
    tell_more(ledger)

    assert json_lines(ledger, Hiding(Catalog([])))[0]["input"] is None
    assert json_lines(ledger)[0]["input"] == {"name": "Zed", "product": "loan", "unknown": "Zed"}


def test_handoffs_compute_without_names(ledger):
    """The event log without personal data has the same figures as the one with it."""
    put(ledger, *(with_people(str(number)) for number in range(3)))
    hiding = Hiding([Unit])
    hidden = check_structure(b"".join(xes.log_of(map(hiding.apply, read(ledger, Wanted(), xes.PARTS)))))

    assert list(map(figures, hidden.iter("trace"))) == list(map(figures, event_log(ledger).iter("trace")))


def test_every_column_with_text_is_judged():
    """A new column that holds text must be a name, a free text, or said to be impersonal, or it would leak."""
    texts = {
        "cases": {name for name in CASE_COLUMNS if name in cases.c and isinstance(cases.c[name].type, String | Text)}
    }
    for part, (source, _) in IN_ORDER.items():
        texts[part] = {column.name for column in source.c if isinstance(column.type, String | Text)}

    for part, columns in texts.items():
        assert columns - IMPERSONAL == {*NAMES.get(part, ()), *WRITTEN.get(part, ())}, part


WRITERS = {
    "xes": (xes.PARTS, xes.log_of),
    "jsonl": (lines.PARTS, lines.lines_of),
    "csv": (NEEDED, lambda files: spreadsheet.rows_of(files, "events")),
}


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A ledger of 20,000 cases."""
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('large') / 'ledger.sqlite'}")
    ledger.migrate()
    fill(ledger, 20_000)
    yield ledger
    ledger.close()


@pytest.mark.parametrize("form", WRITERS)
def test_memory_does_not_grow(large, form):
    """The last thousand of 20,000 cases take no more memory than the first."""
    parts, as_bytes = WRITERS[form]
    pieces = as_bytes(read(large, Wanted(), parts))
    size = 0
    tracemalloc.start()
    try:
        size += sum(map(len, itertools.islice(pieces, 1000)))
        _, first = tracemalloc.get_traced_memory()
        tracemalloc.stop()  # what lies between is not measured: that would take four times as long
        size += sum(map(len, itertools.islice(pieces, 18_000)))
        tracemalloc.start()
        size += sum(map(len, pieces))
        _, last = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert last < 1.2 * first < 50_000_000
    assert size > 20_000 * 500


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


def test_a_long_case_keeps_its_claim(ledger):
    """A case whose old actions are gone still says who took a task, and when."""
    made = with_people()
    made.actions.clear()
    put(ledger, made)

    assert [row["resource"] for row in table(ledger, "events") if row["transition"] == "assign"] == ["ann"]
    assert Acted  # the record's own word for what is gone
    assert datetime.now(UTC) > START
