"""A small log of an old process with the traps of real ones, as XES and as CSV, and the map that reads it."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby, zip_longest
from pathlib import Path
from xml.sax.saxutils import quoteattr
from zoneinfo import ZoneInfo

from observability.learning.mapping import LogMap, parse_map

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
MAP = """
unit = "loan"
milestones = ["A_*"]
zone = "Europe/Amsterdam"

[steps."W_Check"]
step = "check"
kind = "human"

[steps."W_Call"]
step = "call"
kind = "human"

[ends]
achieved = ["A_APPROVED"]

[ends.not_achieved]
A_DECLINED = "declined"
A_CANCELLED = "cancelled"

[exceptions]
"W_Call" = "documents_missing"

[rework]
check = ["W_Call"]

[resources]
"112" = "automated"

[segment]
attribute = "AMOUNT"
bins = [5000, 10000]

[csv]
case = "Case"
activity = "Activity"
time = "When"
transition = "What"
resource = "Who"
"""
Row = tuple[str, str, str, str, str, str]
ROWS: Sequence[Row] = (
    # case, amount, activity, transition, local time, resource
    ("L-1", "4000", "A_SUBMITTED", "COMPLETE", "08:00:00", "112"),
    ("L-1", "4000", "W_Check", "SCHEDULE", "08:00:00", "112"),
    ("L-1", "4000", "W_Check", "START", "09:00:00", "ann"),
    ("L-1", "4000", "W_Check", "COMPLETE", "09:30:00", "ann"),
    ("L-1", "4000", "A_APPROVED", "COMPLETE", "10:00:00", "112"),
    # Declined by a rule, within seconds.
    ("L-2", "5000", "A_SUBMITTED", "COMPLETE", "08:00:00", "112"),
    ("L-2", "5000", "A_DECLINED", "COMPLETE", "08:00:30", "112"),
    # Out of order, an exception, and a repeat because of it; Ann works on L-1 as well.
    ("L-3", "12000", "A_APPROVED", "COMPLETE", "11:00:00", "112"),
    ("L-3", "12000", "A_SUBMITTED", "COMPLETE", "08:00:00", "112"),
    ("L-3", "12000", "W_Check", "SCHEDULE", "08:00:00", "112"),
    ("L-3", "12000", "W_Check", "START", "08:30:00", "bob"),
    ("L-3", "12000", "W_Check", "COMPLETE", "08:45:00", "bob"),
    ("L-3", "12000", "W_Call", "START", "09:00:00", "ann"),
    ("L-3", "12000", "W_Call", "COMPLETE", "09:10:00", "ann"),
    ("L-3", "12000", "W_Check", "START", "10:00:00", "bob"),
    ("L-3", "12000", "W_Check", "COMPLETE", "10:05:00", "bob"),
    # A start without an end; the case is open.
    ("L-4", "4000", "A_SUBMITTED", "COMPLETE", "08:00:00", "112"),
    ("L-4", "4000", "W_Check", "START", "08:20:00", "ann"),
    # An end without a start, by nobody; an amount that is none.
    ("L-5", "a lot", "A_SUBMITTED", "COMPLETE", "08:00:00", "112"),
    ("L-5", "a lot", "W_Check", "SCHEDULE", "08:00:00", "112"),
    ("L-5", "a lot", "W_Check", "COMPLETE", "09:00:00", ""),
    ("L-5", "a lot", "A_CANCELLED", "COMPLETE", "09:00:00", ""),
    # Bob works on it and on L-3 at once.
    ("L-6", "7000", "A_SUBMITTED", "COMPLETE", "08:00:00", "112"),
    ("L-6", "7000", "W_Check", "START", "08:30:00", "bob"),
    ("L-6", "7000", "W_Check", "COMPLETE", "08:45:00", "bob"),
    ("L-6", "7000", "A_APPROVED", "COMPLETE", "09:30:00", "112"),
)
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<global scope="event"><date key="time:timestamp" value="1970-01-01T00:00:00.000+01:00"/></global>
<string key="meta:total" value="6"><int key="nested" value="26"/></string>
"""


def log_map(text: str = MAP) -> LogMap:
    """The map, judged."""
    return parse_map(text, "map.toml")


def when(clock: str) -> datetime:
    """A time of the log's day."""
    return datetime.fromisoformat(f"2012-03-01T{clock}").replace(tzinfo=AMSTERDAM)


def event(activity: str = "A_SUBMITTED", at: str = "2012-03-01T08:00:00.000+01:00", *more: str) -> str:
    """An event of a log."""
    return (
        f'<event><string key="concept:name" value={quoteattr(activity)}/>'
        f'<date key="time:timestamp" value="{at}"/>{"".join(more)}</event>'
    )


def xes(*traces: str, head: str = HEAD) -> str:
    """A log of traces."""
    return head + "\n".join(f"<trace>{trace}</trace>" for trace in traces) + "</log>\n"


def xes_of(rows: Iterable[Row]) -> str:
    """Rows as XES: every second case in another zone, with attributes of attributes."""
    traces = []
    for number, (case, group) in enumerate(groupby(rows, key=lambda row: row[0])):
        there = list(group)
        parts = [f'<string key="concept:name" value="{case}"/><string key="AMOUNT" value="{there[0][1]}"/>']
        for _, _, activity, transition, clock, resource in there:
            at = when(clock).astimezone(ZoneInfo("Asia/Tokyo") if number % 2 else AMSTERDAM)
            who = f'<string key="org:resource" value="{resource}"/>' if resource else ""
            nested = '<string key="nested"><string key="org:resource" value="nobody"/></string>'
            what = f'<string key="lifecycle:transition" value="{transition}"/>'
            parts.append(event(activity, at.isoformat(timespec="milliseconds"), what, who, nested))
        traces.append("".join(parts))
    return xes(*traces)


def csv_of(rows: Iterable[Row]) -> str:
    """Rows as CSV, cases mixed with each other, times without a zone."""
    cases = [list(group) for _, group in groupby(rows, key=lambda row: row[0])]
    mixed = [row for rank in zip_longest(*cases) for row in rank if row]
    lines = ["Case;AMOUNT;Activity;What;When;Who"]
    lines += [";".join((*row[:4], f"2012-03-01 {row[4]}", row[5])) for row in mixed]
    return "\n".join(lines) + "\n"


def write_log(folder: Path, kind: str) -> Path:
    """The small log as a file."""
    path = folder / f"old.{kind}"
    text = csv_of(ROWS) if "csv" in kind else xes_of(ROWS)
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if kind.endswith("gz") else text.encode())
    return path


def micros(**span: float) -> int:
    """A duration in microseconds."""
    return timedelta(**span) // timedelta(microseconds=1)
