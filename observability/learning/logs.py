"""A log of events: what is read of it, and the way into its file; nothing here holds more than one trace."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from observability.learning.mapping import LogMap
from workunits.core.errors import BadInput

Tell = Callable[[int], None]
"""Is told how many bytes of the file have been read."""
_SNIFFED = 4096
_ARCHIVES = {b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"(\xb5/\xfd": "zstd"}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a case."""

    activity: str
    transition: str | None
    """As the log names it; none when it does not."""
    at: int
    """When, in microseconds since 1970 in UTC."""
    resource: str | None
    instance: str | None
    """Which piece of work it belongs to, where the log says so."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One case of the log."""

    number: int
    """Its place in the log, from 1."""
    name: str
    """Empty when it has none."""
    segment: str | None
    """The value of the map's attribute."""
    events: list[Event]
    """In the order of the log."""


@dataclass(slots=True)
class Remarks:
    """What was met while reading, for whoever judges the figures: how often each."""

    counts: Counter[str] = field(default_factory=Counter)
    unknown_activities: Counter[str] = field(default_factory=Counter)
    unknown_transitions: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    """Activities that the map names and the log has."""


class LogError(BadInput):
    """A log cannot be read."""

    def __init__(self, log: Path, why: str) -> None:
        """Name the log; never repeat what is in it beyond the names of traces, activities and columns."""
        super().__init__(f"{log}: {why}", code="bad_log")
        self.field = "log"


def read_log(path: Path, mapping: LogMap, remarks: Remarks, tell: Tell) -> Iterator[Trace]:
    """Read the traces of a log, XES or CSV, plain or gzip: its first bytes say which.

    Args:
        path: The file.
        mapping: How to read it.
        remarks: Takes what is met on the way.
        tell: Is called now and then.

    Raises:
        LogError: names the place and the remedy.
    """
    from observability.learning.csv_reading import read_csv
    from observability.learning.xes_reading import read_xes

    with _opened(path, tell) as stream:
        start = stream.peek(_SNIFFED)[:_SNIFFED]
        for magic, name in _ARCHIVES.items():
            if start.startswith(magic):
                raise LogError(path, f"a {name} archive; unpack it first (gzip is read as it is)")
        if not start.strip():
            raise LogError(path, "the log is empty; it needs at least one trace with an event")
        # In UTF-16, too, an XML document begins with `<`, after its mark and around a zero.
        xml = (
            start.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").lstrip(b" \t\r\n\0")
        )
        read = read_xes if xml.startswith(b"<") else read_csv
        yield from read(path, stream, mapping, remarks)


def hash_of(path: Path) -> str:
    """The SHA-256 of a log's bytes.

    Raises:
        LogError: it is not there, or cannot be read.
    """
    with _file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path, tell: Tell) -> Iterator[io.BufferedReader[Any]]:
    with _file(path) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        counted = io.BufferedReader(_Counted(file, tell), 128 * 1024)
        stream = io.BufferedReader(gzip.GzipFile(fileobj=counted), 128 * 1024) if packed else counted
        try:
            yield stream
        except EOFError:
            raise LogError(path, "the gzip file ends too early; copy it again, whole") from None
        except (gzip.BadGzipFile, zlib.error):
            raise LogError(path, "the gzip file is damaged; copy it again") from None


@contextmanager
def _file(path: Path) -> Iterator[io.BufferedReader]:
    if path.is_dir():
        raise LogError(path, "a folder; name the log's file")
    try:
        file = path.open("rb")
    except OSError as error:
        raise LogError(path, f"cannot be read: {error.strerror}; name a log that is there") from None
    with file:
        if not file.seekable():
            raise LogError(path, "not a regular file; save the log first")
        yield file


class _Counted(io.RawIOBase):
    """Reads a file and tells how far it is."""

    def __init__(self, file: io.BufferedReader, tell: Tell) -> None:
        self._file, self._tell, self._read = file, tell, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        block = self._file.read(len(buffer))
        buffer[: len(block)] = block
        self._read += len(block)
        self._tell(self._read)
        return len(block)
