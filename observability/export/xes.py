"""Cases as an event log of IEEE 1849 (XES): a trace for each case, an event for each transition.

Only what the standard's schema knows, in its order: extensions, globals, classifiers, attributes, traces. Keys that
belong to no extension have no colon.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from lxml import etree

from observability.export.events import NEEDED, Event, events_of, executors
from observability.export.reading import CaseFile

PARTS = NEEDED
"""The parts of a case that are told here."""
VERSION = "1849.2023"
_SITE = "http://www.xes-standard.org/"
EXTENSIONS = (
    ("Concept", "concept", f"{_SITE}concept.xesext"),
    ("Lifecycle", "lifecycle", f"{_SITE}lifecycle.xesext"),
    ("Organizational", "org", f"{_SITE}org.xesext"),
    ("Time", "time", f"{_SITE}time.xesext"),
    ("Cost", "cost", f"{_SITE}cost.xesext"),
)
_UNKNOWN = "UNKNOWN"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
GLOBALS: dict[str, dict[str, Any]] = {
    "trace": dict.fromkeys(("concept:name", "business_key", "unit", "version", "state"), _UNKNOWN),
    "event": {
        **dict.fromkeys(("concept:name", "concept:instance", "lifecycle:transition"), _UNKNOWN),
        "time:timestamp": _NEVER,
    },
}
"""What every trace and every event has, with the value that stands for its absence."""
CLASSIFIERS = (
    ("Activity", "event", "concept:name"),
    ("Transition", "event", "concept:name lifecycle:transition"),
    ("Definition", "trace", "unit version"),
)
_OF_CASE = (
    ("concept:name", "case_id"),
    *((name, name) for name in ("business_key", "unit", "version", "state", "close", "effective_close", "reason")),
    *((name, name) for name in ("sla", "due_at", "breached_at", "accepted_at", "segment", "reworked")),
    *((name, name) for name in ("closed_outside", "vanished")),
    ("cost:total", "cost"),
    ("cost:currency", "currency"),
)
"""Attributes of a trace, and the columns that they come from."""
_OF_EVENT = (
    ("concept:name", "activity"),
    ("concept:instance", "instance"),
    ("lifecycle:transition", "transition"),
    ("time:timestamp", "at"),
    ("org:resource", "resource"),
    ("org:role", "role"),
    ("org:group", "group"),
    *((name, name) for name in ("executor", "acting_for", "ended", "code", "redo_of")),
    *((name, name) for name in ("attempts", "retry_us", "assigned_only")),
)
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_IN_A_KEY = re.compile(r"[^\w.-]")
_LARGEST = 2**63


def log_of(files: Iterable[CaseFile]) -> Iterator[bytes]:
    """Write cases as one XES document, piece by piece; it is whole only when the last piece is taken."""
    pieces = BytesIO()

    def taken() -> bytes:
        piece = pieces.getvalue()
        pieces.seek(0)
        pieces.truncate()
        return piece

    # Into memory first: were it the output itself, lxml would end the document also after an error.
    with etree.xmlfile(pieces, encoding="utf-8", buffered=False) as xml:
        xml.write_declaration()
        with xml.element("log", {"xes.version": VERSION, "xes.features": ""}):
            xml.write("\n")
            for element in _head():
                xml.write(element, pretty_print=True)
            for file in files:
                xml.write(_trace(file), pretty_print=True)
                yield taken()
    yield taken() + b"\n"


def _head() -> Iterator[etree._Element]:
    for name, prefix, uri in EXTENSIONS:
        yield etree.Element("extension", {"name": name, "prefix": prefix, "uri": uri})
    for scope, attributes in GLOBALS.items():
        element = etree.Element("global", {"scope": scope})
        for key, value in attributes.items():
            _say(element, key, value)
        yield element
    for name, scope, keys in CLASSIFIERS:
        yield etree.Element("classifier", {"name": name, "scope": scope, "keys": keys})
    for key, value in (("concept:name", "workunits"), ("lifecycle:model", "standard")):
        yield etree.Element("string", {"key": key, "value": value})


def _trace(file: CaseFile) -> etree._Element:
    case = file.case
    trace = etree.Element("trace")
    for key, column in _OF_CASE:
        _say(trace, key, case[column])
    _say(trace, "executors", executors(file.parts["steps"]))
    for prefix in ("facts", "quality"):
        for name, value in case[prefix].items():
            _say(trace, _NOT_IN_A_KEY.sub("_", f"{prefix}.{name}"), value)
    for event in events_of(file):
        trace.append(_event(event))
    return trace


def _event(event: Event) -> etree._Element:
    element = etree.Element("event")
    for key, name in _OF_EVENT:
        value = getattr(event, name)
        if value is not None:
            _say(element, key, value)
    return element


def _say(element: etree._Element, key: str, value: Any) -> None:
    """Add an attribute, typed by its value; nothing for what is not known."""
    if value is None:
        return
    kind, text = "string", str(value)
    if isinstance(value, bool):
        kind, text = "boolean", str(value).lower()
    elif isinstance(value, int):
        kind = "int" if -_LARGEST <= value < _LARGEST else "string"
    elif isinstance(value, float):
        kind, text = "float", _number(value)
    elif isinstance(value, datetime):
        kind, text = "date", value.astimezone(UTC).isoformat(timespec="microseconds")
    etree.SubElement(element, kind, {"key": key, "value": _NOT_XML.sub("\ufffd", text)})


def _number(value: float) -> str:
    """A number as XML Schema writes it."""
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF"
