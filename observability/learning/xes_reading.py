"""XES logs, of version 1.0, 2.0 and IEEE 1849: with a namespace or without, whatever prefixes they declare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lxml import etree

from observability.learning.log_times import TimeError, Times
from observability.learning.logs import Event, LogError, Remarks, Trace
from observability.learning.mapping import LogMap

OUTSIDE = "events_outside_traces"
_TAGS = tuple(f"{{*}}{name}" for name in ("log", "extension", "global", "event", "trace"))
_OURS = ("concept", "lifecycle", "time", "org")
_PLACEHOLDERS = ("", "unknown", "__invalid__")
"""What writers of logs put where they know no value; the `global` elements of a log declare such, too."""
_NAME, _AT = "concept:name", "time:timestamp"


def read_xes(path: Path, stream: BinaryIO, mapping: LogMap, remarks: Remarks) -> Iterator[Trace]:
    """Read the traces one after the other; what has been read is let go.

    Raises:
        LogError: it is not well-formed (line and column), no XES log, or an event lacks what it needs.
    """
    reader = _Reader(path, mapping, remarks)
    try:
        # No entity is expanded, nothing is fetched; libxml2's limits on depth and size stay on.
        parsed = etree.iterparse(
            stream,
            events=("start", "end"),
            tag=_TAGS,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            remove_comments=True,
            remove_pis=True,
            huge_tree=False,
        )
        for step, element in parsed:
            if step == "start":
                reader.begin(element)
            elif (trace := reader.end(element)) is not None:
                yield trace
    except etree.XMLSyntaxError as error:
        line, column = error.position
        said = (error.msg or "not well-formed").partition(", line ")[0][:120]
        raise LogError(
            path, f"broken XML at line {line}, column {column}: {said}; mend it or export it again"
        ) from None
    if not reader.is_log:
        raise LogError(path, "no XES log: its outermost element is not <log>")


class _Reader:
    def __init__(self, path: Path, mapping: LogMap, remarks: Remarks) -> None:
        self.is_log = False
        self._path, self._remarks = path, remarks
        self._times = Times(mapping.zone, "", remarks.counts)
        self._attribute = mapping.segment.attribute if mapping.segment else None
        self._prefixes: dict[str, str] = {}
        self._never = ""
        self._number = 0
        self._inside = False
        self._events: list[Event] = []

    def begin(self, element: etree._Element) -> None:
        name = _local(element)
        if name == "log":
            self.is_log = True
            if element.getroottree().docinfo.internalDTD is not None:
                raise LogError(self._path, "it declares a document type, which no XES log needs; take the DOCTYPE out")
        elif name == "trace":
            self._number += 1
            self._inside = True

    def end(self, element: etree._Element) -> Trace | None:
        name = _local(element)
        if name == "event":
            if self._inside:
                self._events.append(self._event(element))
            else:
                self._remarks.counts[OUTSIDE] += 1
            element.clear()
        elif name == "trace":
            trace = self._trace(element)
            _let_go(element)
            return trace
        elif name == "extension":
            self._extend(element)
        elif name == "global" and element.get("scope") == "event":
            self._never = self._attributes(element).get(_AT, "")
        return None

    def _extend(self, element: etree._Element) -> None:
        """A log may give the standard's extensions other prefixes."""
        standard = element.get("uri", "").rpartition("/")[2].removesuffix(".xesext")
        prefix = element.get("prefix", standard)
        if standard in _OURS and prefix != standard:
            self._prefixes[prefix] = standard

    def _attributes(self, element: etree._Element) -> dict[str, str]:
        # Only those of its own: attributes of attributes say nothing about the event.
        found = {}
        for child in element.iterchildren(tag=etree.Element):
            key, value = child.get("key"), child.get("value")
            if key is not None and value is not None:
                found[self._standard(key) if self._prefixes else key] = value
        return found

    def _standard(self, key: str) -> str:
        prefix, colon, rest = key.partition(":")
        return f"{self._prefixes.get(prefix, prefix)}{colon}{rest}"

    def _event(self, element: etree._Element) -> Event:
        there = self._attributes(element)
        activity, when = there.get(_NAME, ""), there.get(_AT, "")
        if not activity:
            raise self._refusal(f"has no {_NAME}; every event needs its activity")
        if not when or when == self._never:
            raise self._refusal(f"has no {_AT}; every event needs its time")
        try:
            at = self._times.read(when)
        except TimeError as error:
            raise self._refusal(f"its {_AT} {error}") from None
        said = (there.get(key) for key in ("lifecycle:transition", "org:resource", "concept:instance"))
        transition, resource, instance = (value if _says(value) else None for value in said)
        return Event(activity, transition, at, resource, instance)

    def _refusal(self, why: str) -> LogError:
        return LogError(self._path, f"trace {self._number}, event {len(self._events) + 1}: {why}")

    def _trace(self, element: etree._Element) -> Trace:
        there = self._attributes(element)
        segment = there.get(self._attribute) if self._attribute else None
        events, self._events, self._inside = self._events, [], False
        return Trace(self._number, there.get(_NAME, ""), segment if _says(segment) else None, events)


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _says(value: str | None) -> bool:
    return value is not None and value.strip().lower() not in _PLACEHOLDERS


def _let_go(element: etree._Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
