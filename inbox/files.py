"""Files that an operator writes: TOML, checked with file and line, and read again when they change."""

from __future__ import annotations

import json
import logging
import re
import stat
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from workunits.core.errors import WorkUnitsError

LOOK_EVERY = 1.0
"""Seconds between looks at whether a file has changed."""
_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_-]+)\s*(?:\.[^\]]*)?\]")

T = TypeVar("T")
log = logging.getLogger("workunits.inbox")


class FileError(WorkUnitsError):
    """A file that the inbox reads is not right."""

    def __init__(self, path: Path, why: str, line: int | None = None) -> None:
        """Say where and what; never a value that could be a secret."""
        self.path = path
        self.line = line
        super().__init__(f"{path}{f':{line}' if line else ''}: {why}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One table of a file, and where it stands."""

    source: Source
    name: str
    """Such as `[[person]] 3`."""
    line: int | None
    data: dict[str, Any]

    def error(self, field: str, why: str) -> FileError:
        """Say what is not right in it."""
        return FileError(self.source.path, f"{self.name}: {field}: {why}", self.source.line_in(self.line, field))

    def refuse_unknown(self, known: tuple[str, ...]) -> None:
        """Refuse a key that means nothing.

        Raises:
            FileError.
        """
        for key in self.data:
            if key not in known:
                raise self.error(key, f"there is no such key; known are {', '.join(known)}")

    def text(self, field: str, *, default: str | None = None, longest: int = 200) -> str:
        """A text of one line.

        Raises:
            FileError: it is missing, or none.
        """
        value = self.data.get(field, default)
        if value is None:
            raise self.error(field, "it is missing")
        # `default` may be empty; what is written may not.
        fits = isinstance(value, str) and value == value.strip() and value.isprintable() and len(value) <= longest
        if not fits or not (value or field not in self.data):
            raise self.error(field, f"1 to {longest} printable characters on one line")
        return str(value)

    def texts(self, field: str, *, longest: int = 120) -> tuple[str, ...]:
        """A list of texts, each once; empty when it is missing.

        Raises:
            FileError: it is no list of texts, or names one twice.
        """
        value = self.data.get(field, [])
        fits = isinstance(value, list) and all(
            isinstance(part, str) and part.strip() == part and part.isprintable() and 0 < len(part) <= longest
            for part in value
        )
        if not fits:
            raise self.error(field, 'a list of names, such as ["one", "two"]')
        if len(set(value)) != len(value):
            raise self.error(field, "a name is there twice; keep one")
        return tuple(value)


@dataclass(frozen=True, slots=True)
class Source:
    """A TOML file as it was read."""

    path: Path
    text: str
    data: dict[str, Any]

    def entries(self, name: str) -> Iterator[Entry]:
        """The tables `[[name]]`, in their order.

        Raises:
            FileError: it is something else.
        """
        said = self.data.get(name, [])
        if not (isinstance(said, list) and all(isinstance(entry, dict) for entry in said)):
            raise FileError(self.path, f"{name}: write [[{name}]] above each of them", self._key(name, 0))
        lines = [number for number, found in self._headers() if found == (name, "[[")]
        for number, data in enumerate(said):
            line = lines[number] if number < len(lines) else None
            yield Entry(self, f"[[{name}]] {number + 1}", line, data)

    def top(self) -> Entry:
        """The file itself, with the names of its tables."""
        return Entry(self, "the file", 0, self.data)

    def table(self, name: str) -> Entry:
        """The table `[name]`, empty when there is none.

        Raises:
            FileError: it is something else.
        """
        data = self.data.get(name, {})
        if not isinstance(data, dict):
            raise FileError(self.path, f"{name}: write [{name}] above its entries", self._key(name, 0))
        line = next((number for number, found in self._headers() if found == (name, "[")), None)
        return Entry(self, f"[{name}]", line, data)

    def line_in(self, start: int | None, key: str) -> int | None:
        """The line of a key in the table that starts at a line, else that line."""
        return self._key(key, start) or start or None

    def _key(self, key: str, start: int | None) -> int | None:
        if start is None:
            return None
        lines = self.text.split("\n")
        for number in range(start + 1, len(lines) + 1):
            line = lines[number - 1]
            if re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
                return number
            header = _HEADER.match(line)
            if header and start == 0 and header[2] == key:
                return number  # a table of the file itself
            if header and start:
                return None
        return None

    def _headers(self) -> Iterator[tuple[int, tuple[str, str]]]:
        for number, line in enumerate(self.text.split("\n"), 1):
            found = _HEADER.match(line)
            if found:
                yield number, (found[2], found[1])


def read(path: Path, what: str) -> Source:
    """Read a TOML file.

    Args:
        path: Where it is.
        what: Its name in messages, such as `directory`.

    Raises:
        FileError: it is missing, not readable, not TOML, or anyone may write it; says what to do.
    """
    try:
        if path.stat().st_mode & stat.S_IWOTH:
            raise FileError(path, f"anyone may write this {what}: chmod o-w it")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileError(path, f"there is no such {what}; name one that is there") from None
    except UnicodeDecodeError:
        raise FileError(path, "not UTF-8 text") from None
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror}") from None
    return parse(path, text)


def parse(path: Path, text: str) -> Source:
    """Take a text as a TOML file.

    Raises:
        FileError: it is none.
    """
    try:
        return Source(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(path, str(error)) from None


def written(name: str, data: Mapping[str, str | Sequence[str] | datetime]) -> str:
    """A table `[[name]]` of a TOML file."""
    # A JSON string is a TOML string, but for DEL and halves of characters.
    values = {
        k: v.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(v, datetime) else json.dumps(v) for k, v in data.items()
    }
    return "".join([f"[[{name}]]\n", *(f"{key} = {value}\n" for key, value in values.items())])


def _not_toml(path: Path, said: str) -> FileError:
    found = re.search(r"\(at line (\d+), column \d+\)", said)
    line = int(found[1]) if found else None
    if "overwrite" in said or "twice" in said:  # tomllib's words for a key that is there already
        return FileError(path, "the key is there twice; keep one", line)
    return FileError(path, f"not TOML: {said.partition(' (at ')[0].lower()}", line)


@dataclass
class Watched(Generic[T]):
    """What a file says; a new version is taken when it is right, and else the last good one stays."""

    path: Path
    load: Callable[[Path], T]
    every: float = LOOK_EVERY
    error: str = ""
    """Why the present version is not taken; empty when it is."""
    _last: T = field(init=False)
    _stamp: tuple[int, int, int] | None = field(init=False)
    _looked: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Read it the first time.

        Raises:
            FileError: whatever is not right.
        """
        self._stamp = self._stamped()
        self._last = self.load(self.path)
        self._looked = time.monotonic()

    @property
    def now(self) -> T:
        """Its content, as of the last second."""
        if time.monotonic() - self._looked >= self.every:
            self._looked = time.monotonic()
            stamp = self._stamped()
            # What kept it from being read may be mended without a word of it, such as by `chmod`.
            if stamp != self._stamp or self.error:
                self._stamp = stamp
                self._read_again()
        return self._last

    def _read_again(self) -> None:
        try:
            self._last = self.load(self.path)
        except WorkUnitsError as error:
            if str(error) != self.error:
                log.error("%s; what was read before stays in force", error)  # noqa: TRY400 - no traceback
            self.error = str(error)
        else:
            self.error = ""
            log.info("%s: read again", self.path)

    def _stamped(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
