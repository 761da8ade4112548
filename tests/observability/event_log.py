"""What the exports' tests read and make: an XES reader that knows only the standard, and cases that never ran."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

from observability.ledger.forgetting import Forgetting
from observability.ledger.rows import CaseRows, rows_of
from observability.ledger.seeing import Seen, Status
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, steps
from observability.ledger.writing import insert_all, write
from workunits.core.record import Record, StartNote, Work

VALUES = {
    "string": re.compile(r".*", re.DOTALL),
    "date": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),
    "int": re.compile(r"[+-]?\d{1,19}"),
    "float": re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?INF|NaN"),
    "boolean": re.compile(r"true|false|0|1"),
}
"""How the schema's simple types are written."""
NAME = re.compile(r"[A-Za-z_:][\w.:-]*")
NC_NAME = re.compile(r"[A-Za-z_][\w.-]*")
EXTENSIONS = {"concept", "lifecycle", "org", "time", "cost"}
TRANSITIONS = {
    *("schedule", "assign", "reassign", "start", "suspend", "resume", "complete", "withdraw"),
    *("ate_abort", "pi_abort", "manualskip", "autoskip", "unknown"),
}
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
SECOND = 1_000_000
MICROSECOND = timedelta(microseconds=1)


def check_structure(document: bytes) -> ET.Element:
    """Fail unless a document is as the schema of IEEE 1849 wants it, and keeps its own promises; gives the log."""
    log = ET.fromstring(document)  # noqa: S314, our own export
    assert (log.tag, set(log.attrib)) == ("log", {"xes.version", "xes.features"})
    assert re.fullmatch(r"\d+\.\d+", log.attrib["xes.version"])
    order = [*("extension", "global", "classifier"), "attribute", "trace"]
    ranks = [order.index("attribute" if child.tag in VALUES else child.tag) for child in log]
    assert ranks == sorted(ranks)
    for extension in log.iter("extension"):
        assert NC_NAME.fullmatch(extension.attrib["name"])
        prefix = extension.attrib["prefix"]
        assert extension.attrib["uri"] == f"http://www.xes-standard.org/{prefix}.xesext"
    assert {extension.attrib["prefix"] for extension in log.iter("extension")} == EXTENSIONS
    promised = {scope.attrib["scope"]: {part.attrib["key"] for part in scope} for scope in log.iter("global")}
    for classifier in log.iter("classifier"):
        assert set(classifier.attrib) == {"name", "scope", "keys"}
        assert NC_NAME.fullmatch(classifier.attrib["name"])
        assert promised[classifier.attrib["scope"]].issuperset(classifier.attrib["keys"].split())
    _check_attributes([child for child in log if child.tag in VALUES])
    for trace in log.iter("trace"):
        tags = [child.tag == "event" for child in trace]
        assert tags == sorted(tags)  # attributes first
        assert promised["trace"] <= _check_attributes([child for child in trace if child.tag != "event"])
        for event in trace.iter("event"):
            assert promised["event"] <= _check_attributes(list(event))
            assert attributes(event)["lifecycle:transition"] in TRANSITIONS
    return log


def _check_attributes(elements: list[ET.Element]) -> set[str]:
    keys = [element.attrib["key"] for element in elements]
    assert len(set(keys)) == len(keys)
    for element in elements:
        assert set(element.attrib) == {"key", "value"}
        assert NAME.fullmatch(element.attrib["key"])
        prefix, colon, _ = element.attrib["key"].partition(":")
        assert not colon or prefix in EXTENSIONS
        assert VALUES[element.tag].fullmatch(element.attrib["value"])
        assert not len(element)
    return set(keys)


def attributes(element: ET.Element) -> dict[str, Any]:
    """The attributes of a trace or an event, by key, as Python values."""
    read: dict[str, Callable[[str], Any]] = {
        "string": str,
        "date": datetime.fromisoformat,
        "int": int,
        "float": float,
        "boolean": lambda text: text == "true",
    }
    return {child.attrib["key"]: read[child.tag](child.attrib["value"]) for child in element if child.tag in VALUES}


def figures(trace: ET.Element) -> dict[str, Any]:
    """What follows from the events of a trace alone, in microseconds, named as the ledger's columns are."""
    events = [attributes(event) for event in trace.iter("event")]
    times = [event["time:timestamp"] for event in events]
    assert times == sorted(times)
    closed = [e for e in events if e["concept:name"] == "CASE" and e["lifecycle:transition"] != "start"]
    by_instance: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event["concept:name"] != "CASE":
            by_instance.setdefault(event["concept:instance"], []).append(event)
    pieces = {instance: _piece(there) for instance, there in by_instance.items()}
    effort = Counter({"human": 0, "automated": 0, "ai": 0})
    for piece in pieces.values():
        effort[piece["group"]] += piece["work_us"]
    return {
        "cycle_us": (times[-1] - times[0]) // MICROSECOND if closed else None,
        "human_effort_us": effort["human"],
        "machine_effort_us": effort["automated"] + effort["ai"],
        "steps": {instance: (piece["queue_us"], piece["work_us"]) for instance, piece in pieces.items()},
        **_handoffs(list(pieces.values())),
    }


def _piece(events: list[dict[str, Any]]) -> dict[str, Any]:
    at = {event["lifecycle:transition"]: event["time:timestamp"] for event in events}  # the last of each
    since, work, first = None, timedelta(0), None
    for event in events:
        transition, now = event["lifecycle:transition"], event["time:timestamp"]
        if transition in ("start", "resume"):
            since, first = now, first or now
        elif since is not None and transition not in ("assign", "unknown"):
            work, since = work + now - since, None
    last = events[-1]
    human = last["executor"] == "human"
    if human:
        free = at.get("unknown") and at["unknown"] >= at["assign"]
        queue = at["assign"] - at["schedule"] if "assign" in at and not free else None
    else:
        retried = timedelta(microseconds=last.get("retry_us", 0))
        queue = max(timedelta(0), at["start"] - at["schedule"] - retried) if "start" in at else None
    return {
        "group": last["org:group"],
        "begun": first or last["time:timestamp"],
        "done": last["time:timestamp"],
        "counts": last.get("ended") in ("done", "exception", "failed"),
        "performer": f"person {last.get('org:resource')}" if human else last["org:group"],
        "queue_us": None if queue is None else queue // MICROSECOND,
        "work_us": work // MICROSECOND,
    }


def _handoffs(pieces: list[dict[str, Any]]) -> dict[str, int]:
    done = sorted((piece for piece in pieces if piece["counts"]), key=lambda piece: (piece["begun"], piece["done"]))
    kinds = Counter(
        "".join("h" if piece["group"] in ("human", "external") else "m" for piece in pair)
        for pair in pairwise(done)
        if pair[0]["performer"] != pair[1]["performer"]
    )
    return {f"handoffs_{kind}": kinds[kind] for kind in ("hh", "hm", "mh", "mm")}


def a_case(key: str, **more: Any) -> CaseRows:
    """The rows of a closed case that never ran: a machine looks for two seconds, ann decides for a minute."""
    look = Work(key="look", step="look", kind="automated", ready=0, work=[(1, 2 * SECOND)], done=3 * SECOND, end="done")
    decide = Work(key="decide", step="decide", kind="human", ready=3 * SECOND, claimed=30 * SECOND, by="ann")
    decide.work, decide.done, decide.end = [(40 * SECOND, 100 * SECOND)], 100 * SECOND, "done"
    record = Record(unit="plain", version="1", case=f"plain:{key}", key=key, started=START, due=86_400 * SECOND)
    record.close, record.closed, record.steps = "achieved", 100 * SECOND, [look, decide]
    record = record.model_copy(update=more)
    closed = None if record.closed is None else record.when(record.closed)
    seen = Seen(
        case=record.case,
        unit=record.unit,
        run="run",
        run_started=START,
        status=Status.COMPLETED if closed else Status.RUNNING,
        started=START,
        closed=closed,
        changed=closed or START,
        note=StartNote(key=key),
        record=record,
        tasks=(),
    )
    return rows_of(seen, START + timedelta(days=1), None)


def fill(ledger: Ledger, many: int) -> None:
    """Put so many cases into a ledger, one starting every second; each with two steps."""
    template = a_case("0")
    with ledger.write() as connection:
        for first in range(0, many, 1000):
            numbers = range(first, min(first + 1000, many))
            insert_all(connection, cases, [_shifted(template.case, number) for number in numbers])
            insert_all(connection, steps, [_shifted(row, number) for number in numbers for row in template.steps])


def _shifted(row: dict[str, Any], number: int) -> dict[str, Any]:
    later = timedelta(seconds=number)
    moved = {name: value + later if isinstance(value, datetime) else value for name, value in row.items()}
    return moved | {"case_id": f"plain:{number}"} | ({"business_key": str(number)} if "business_key" in row else {})


def traces(log: ET.Element) -> Iterator[tuple[str, ET.Element]]:
    """The traces of a log by their names."""
    for trace in log.iter("trace"):
        yield attributes(trace)["concept:name"], trace


def put(ledger: Ledger, *found: CaseRows) -> None:
    """Write cases as the follower does."""
    with ledger.write() as connection:
        write(connection, found, Forgetting.load(connection), START + timedelta(days=1))
