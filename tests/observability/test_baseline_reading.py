"""Logs as they come: every lineage of XES and CSV is read, and what cannot be read is told by its place."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from observability.learning.logs import LogError, Remarks, Trace, hash_of, read_log
from observability.ledger.store import LedgerUnavailableError
from tests.observability.old_process import HEAD, MAP, ROWS, csv_of, event, log_map, when, write_log, xes

SCHEDULED = '<string key="lifecycle:transition" value="schedule"/>'
NO_ZONE = MAP.replace('zone = "Europe/Amsterdam"\n', "")
CSV = "Case;Activity;When;What;Who;AMOUNT\n"


def read(path: Path, text: str = MAP, remarks: Remarks | None = None) -> list[Trace]:
    """Every trace of a log."""
    return list(read_log(path, log_map(text), remarks or Remarks(), lambda _: None))


def written(folder: Path, content: str | bytes) -> Path:
    """A log as a file."""
    path = folder / "log"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "head",
    [
        HEAD,
        "<log>",
        '<log xes.version="2.0" xmlns="http://www.xes-standard.org">',
        '<log xes.version="1849-2023" xmlns="http://www.xes-standard.org/"><!-- by hand --><?tool x?>',
        '<x:log xmlns:x="http://www.xes-standard.org/">',
    ],
)
def test_lineages_of_xes(head, tmp_path):
    """With a namespace or without, of any version, with a prefix, with comments: the same trace."""
    text = xes(
        f'<string key="concept:name" value="L-1"/>{event("A_SUBMITTED", "2012-03-01T08:00:00Z", SCHEDULED)}', head=head
    )
    if "x:log" in head:
        for tag in ("log", "trace", "event", "string", "date"):
            text = text.replace(f"<{tag} ", f"<x:{tag} ").replace(f"<{tag}>", f"<x:{tag}>")
            text = text.replace(f"</{tag}>", f"</x:{tag}>")
    (trace,) = read(written(tmp_path, text))
    (there,) = trace.events
    assert (trace.name, there.activity, there.transition) == ("L-1", "A_SUBMITTED", "schedule")
    assert there.at == 1_330_588_800_000_000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_of_xes(encoding, tmp_path):
    """The document says its encoding, or its mark does."""
    declared = "ISO-8859-1" if encoding.startswith("iso") else encoding[:6].upper().rstrip("-")
    text = xes(event("Prüfen")).replace('encoding="UTF-8"', f'encoding="{declared}"')
    (trace,) = read(written(tmp_path, text.encode(encoding)))
    assert trace.events[0].activity == "Prüfen"


def test_prefixes_are_those_that_the_log_declares(tmp_path):
    """A log may call the standard's extensions otherwise."""
    text = xes(event("A_SUBMITTED", "2012-03-01T08:00:00Z", SCHEDULED))
    text = text.replace('prefix="concept"', 'prefix="c"').replace("concept:name", "c:name")
    (trace,) = read(written(tmp_path, text))
    assert trace.events[0].activity == "A_SUBMITTED"


def test_attributes_of_attributes_and_placeholders_say_nothing(tmp_path):
    """A nested resource is not the event's, and UNKNOWN is no name."""
    nested = '<string key="note" value="x"><string key="org:resource" value="eve"/></string>'
    unknown = '<string key="org:resource" value="UNKNOWN"/>'
    (trace,) = read(written(tmp_path, xes(event("A_SUBMITTED", "2012-03-01T08:00:00Z", nested, unknown))))
    assert trace.events[0].resource is None


def test_events_outside_of_traces_are_counted(tmp_path):
    """An event that belongs to no case is left out, and told."""
    remarks = Remarks()
    read(written(tmp_path, xes(event()).replace("</log>", event() + "</log>")), remarks=remarks)
    assert remarks.counts["events_outside_traces"] == 1


@pytest.mark.parametrize("kind", ["xes", "xes.gz", "csv", "csv.gz"])
def test_all_kinds_of_files_tell_the_same(kind, tmp_path):
    """Its bytes say what a log is; mixed zones and mixed rows come out as one order of cases."""
    path = write_log(tmp_path, kind).rename(tmp_path / "no-ending")
    traces = read(path)
    assert [trace.name for trace in traces] == ["L-1", "L-2", "L-3", "L-4", "L-5", "L-6"]
    assert [trace.segment for trace in traces] == ["4000", "5000", "12000", "4000", "a lot", "7000"]
    said = [
        (trace.name, there.activity, there.transition, there.at, there.resource)
        for trace in traces
        for there in trace.events
    ]
    assert said == [
        (case, activity, transition, int(when(clock).timestamp()) * 1_000_000, who or None)
        for case, _, activity, transition, clock, who in ROWS
    ]


def test_a_row_per_piece_of_work(tmp_path):
    """Logs with a begin and an end in one row: up to three events of one piece."""
    text = MAP.replace('transition = "What"', 'start = "Begin"\nschedule = "Ready"')
    rows = "Case,Activity,Ready,Begin,When,Who,AMOUNT\n"
    rows += "1,W_Check,2012-03-01T08:00Z,2012-03-01T09:00Z,2012-03-01T10:00Z,ann,1\n"
    rows += "1,W_Check,,2012-03-01T09:30Z,,bob,1\n"
    (trace,) = read(written(tmp_path, rows), text)
    assert [(there.transition, there.resource, there.instance) for there in trace.events] == [
        ("schedule", "ann", "line 2"),
        ("start", "ann", "line 2"),
        ("complete", "ann", "line 2"),
        ("start", "bob", "line 3"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (xes(event()).replace("</trace>", ""), r"broken XML at line 6, column \d+: Opening and ending tag mismatch"),
        (xes(event())[:-10], r"broken XML at line \d+, column \d+"),
        (b"\xef\xbb\xbf<html></html>", "outermost element is not <log>"),
        (HEAD.replace("<log", '<!DOCTYPE log [<!ENTITY a "aaaa">]>\n<log') + "</log>", "declares a document type"),
        (xes(event(), event() + "<event/>"), "trace 2, event 2: has no concept:name"),
        (xes('<event><string key="concept:name" value="A"/></event>'), "trace 1, event 1: has no time:timestamp"),
        (xes(event("A", "1970-01-01T00:00:00.000+01:00")), "trace 1, event 1: has no time:timestamp"),
        (xes(event("A", "last week")), "trace 1, event 1: its time:timestamp is not an ISO 8601 time"),
        (b"", "the log is empty"),
        (b" \n", "the log is empty"),
        (b"PK\x03\x04rest", "a zip archive; unpack it first"),
        (gzip.compress(xes(event()).encode())[:-20], "the gzip file ends too early"),
        (gzip.compress(xes(event()).encode())[:40] + b"x" * 400, "the gzip file (is damaged|ends too early)"),
        ("Case;Activity\n1;A\n", r"the column 'When', which the log has not; it has Case, Activity"),
        (CSV.replace("Who", "When"), "the column 'When', which the log has twice"),
        (CSV + "1;A\n", r"line 2: has 2 column\(s\), fewer than the header"),
        (
            CSV + "1;A;2012-03-01;;;\n1;A;2012-03-01;;;;x\n",
            r"line 3: has 7 column\(s\), more than the header's 6; quote",
        ),
        (CSV + "1;A;2012-03-01;;;\n;A;2012-03-01;;;\n", "line 3: its column 'Case' is empty"),
        (CSV + "1;A;;;;\n", "line 2: its column 'When' is empty"),
        (CSV + "1;A;soon;;;\n", "line 2: its column 'When' is not an ISO 8601 time"),
        (CSV + '1;A;2012-03-01;"x', "after line 1: not CSV"),
        (CSV.encode() + b"1;\xff;2012-03-01;;;\n", r"not such text as the map says; name csv.encoding"),
        (CSV + "1;A;2012-03-25T02:30:00;;;\n", "line 2: its column 'When' never was"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_place(content, said, tmp_path):
    """Each says where and what to do, and never the value."""
    path = written(tmp_path, content)
    with pytest.raises(LogError, match=said) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert not any(value in str(caught.value) for value in ("last week", "soon"))


@pytest.mark.parametrize("content", [xes(event("A", "2012-03-01T08:00:00")), CSV + "1;A;2012-03-01T08:00;;;\n"])
def test_a_time_without_a_zone_needs_one_from_the_map(content, tmp_path):
    """It may mean any time: without a zone in the map it is refused, with one it is that zone's."""
    path = written(tmp_path, content)
    with pytest.raises(LogError, match="has no zone; say in the map which one is meant"):
        read(path, NO_ZONE)
    assert read(path)[0].events[0].at == 1_330_585_200_000_000


def test_a_time_in_the_repeated_hour_is_its_first_run_and_told(tmp_path):
    """When the clocks go back, 02:30 comes twice; the rule is stated, and how often it was used."""
    remarks = Remarks()
    (trace,) = read(written(tmp_path, xes(event("A", "2012-10-28T02:30:00"))), remarks=remarks)
    assert trace.events[0].at == 1_351_384_200_000_000
    assert remarks.counts["repeated_hour"] == 1


def test_a_csv_log_needs_its_columns(tmp_path):
    """A map for XES does not say which column is what."""
    with pytest.raises(LogError, match=r"needs a map with \[csv\]"):
        read(written(tmp_path, csv_of(ROWS)), MAP.partition("[csv]")[0])


def test_times_of_another_format(tmp_path):
    """The map may say how a CSV log writes its times, and its text."""
    text = MAP + 'time_format = "%d/%m/%Y %H:%M"\nencoding = "cp1252"\ndelimiter = "#"\n'
    rows = CSV.replace(";", "#") + "1#Prüfen#01/03/2012 08:00###\n"
    (trace,) = read(written(tmp_path, rows.encode("cp1252")), text)
    assert (trace.events[0].activity, trace.events[0].at) == ("Prüfen", 1_330_585_200_000_000)


@pytest.mark.parametrize("read_it", [hash_of, read])
def test_a_log_that_is_not_there(read_it, tmp_path):
    """A missing file and a folder are told as such."""
    with pytest.raises(LogError, match="No such file or directory; name a log that is there"):
        read_it(tmp_path / "missing.xes")
    with pytest.raises(LogError, match="a folder; name the log's file"):
        read_it(tmp_path)


def test_no_room_for_sorting_a_csv_log(tmp_path, monkeypatch):
    """Rows of any order are sorted on disk; when that is full, the folder is named."""
    import sqlite3

    def full(_: str) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:")
        connection.execute("PRAGMA max_page_count = 2")
        return connection

    monkeypatch.setattr("observability.learning.csv_reading.connect", full)
    with pytest.raises(LedgerUnavailableError, match="TMPDIR"):
        read(written(tmp_path, CSV + "1;A;2012-03-01;;;\n" * 1000))


def long_log(traces: int) -> Iterator[str]:
    """The text of a log, piece by piece."""
    yield HEAD
    for number in range(traces):
        yield f'<trace><string key="concept:name" value="{number}"/>{event() * 8}</trace>\n'
    yield "</log>"


def test_memory_does_not_grow_with_the_log(tmp_path):
    """A log twenty times as long takes no more memory to read."""
    program = (
        "import re, sys; from pathlib import Path; from tests.observability.old_process import log_map\n"
        "from observability.learning.logs import Remarks, read_log\n"
        "n = sum(1 for _ in read_log(Path(sys.argv[1]), log_map(), Remarks(), lambda _: None))\n"
        # Not getrusage: its peak includes that of the process which this one was forked from.
        "print(n, re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    taken = {}
    for traces in (400, 8_000):
        path = tmp_path / f"{traces}.xes"
        with path.open("w") as file:
            file.writelines(long_log(traces))
        said = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
        read_traces, taken[traces] = map(int, said.stdout.split())
        assert read_traces == traces
    assert taken[8_000] - taken[400] < 3_000, taken  # kilobytes
