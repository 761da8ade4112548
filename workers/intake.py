"""What a command reads from a file or from stdin: one document, or a case per line.

However long the input is, no more of it is in memory than one case may have.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.console import note
from workunits.core.errors import BadInput
from workunits.core.strict_json import BODY_LIMIT, VALUE_LIMIT, loads

STDIN = "-"
_PER_LINE = (".jsonl", ".ndjson")
_CHUNK = 64 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EMPTY = "an empty line; remove it"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input, or the whole of it when it is one document."""

    number: int
    """Counted from 1."""
    data: bytes = b""
    fault: str = ""
    """Why it can be no case."""
    code: str = "bad_body"


@dataclass
class Source:
    """An open file, or stdin."""

    file: int
    name: str
    size: int | None
    """Bytes of a regular file; nobody knows how much a pipe will bring."""
    taken: int = 0
    """Bytes read so far."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """Go through the input; while a pipe is silent, other work goes on."""
        waits = True
        while True:
            waits = waits and await self._until_ready()
            piece = os.read(self.file, _CHUNK)
            if not piece:
                return
            self.taken += len(piece)
            yield piece

    async def _until_ready(self) -> bool:
        """Wait until there is something to read; false for what never has to be waited for."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self.file, ready.set)
        except PermissionError:  # what epoll says of a regular file
            return False
        try:
            await ready.wait()
        finally:
            # Not watched while nobody reads: a full pipe would keep the loop busy.
            loop.remove_reader(self.file)
        return True

    async def lines(self) -> AsyncIterator[Line]:
        """Go through the lines; empty ones at the end do not count."""
        number = empty = 0
        async for data, size in self._split():
            number += 1
            line = _line(number, data, size)
            if line.fault == _EMPTY:
                empty += 1
                continue
            for passed in range(number - empty, number):
                yield Line(passed, fault=_EMPTY)
            empty = 0
            yield line

    async def _split(self) -> AsyncIterator[tuple[bytes, int]]:
        """Each line without its end, and its size; of one that is too long, only the size."""
        kept, size = bytearray(), 0
        async for piece in self.pieces():
            *ended, last = piece.split(b"\n")
            for part in ended:
                size += len(part)
                yield (bytes(kept) + part if size <= VALUE_LIMIT else b""), size
                kept.clear()
                size = 0
            size += len(last)
            if size <= VALUE_LIMIT:
                kept += last
            else:
                kept.clear()
        yield bytes(kept), size


@contextmanager
def opened(path: str, *, field: str = "--input") -> Iterator[Source]:
    """Open a file, or stdin for `-`.

    Args:
        path: The file.
        field: The option that names it.

    Raises:
        BadInput: stdin is closed.
        OSError: it cannot be opened.
    """
    if path == STDIN:
        if sys.stdin is None:  # as `<&-` leaves it, and some that start processes in the background
            raise BadInput("stdin is closed, so there is nothing to read; pipe it in, or name a file", field=field)
        if sys.stdin.isatty():
            note("Reading from the terminal; end with Ctrl-D.")
        yield Source(sys.stdin.fileno(), "stdin", _size(sys.stdin.fileno()))
        return
    with Path(path).open("rb", buffering=0) as file:
        yield Source(file.fileno(), path, _size(file.fileno()))


async def cases(source: Source, *, per_line: bool = False) -> tuple[bool, AsyncIterator[Line]]:
    """Find out whether the input is one document or a case per line, and go through it.

    A document may be spread over lines. It is a case per line when the file's name or the caller says so, or when
    there are several lines and one of the first two is an object by itself.

    Args:
        source: The input.
        per_line: Do not guess.
    """
    lines = source.lines()
    if per_line or Path(source.name).suffix.lower() in _PER_LINE:
        return True, lines
    head: list[Line] = []
    async for line in lines:
        head.append(line)
        if sum(line.fault != _EMPTY for line in head) > 1:
            break
    is_list = any(line.data.lstrip().startswith(b"[") for line in head[:1])
    several = sum(line.fault != _EMPTY for line in head) > 1
    if several and not is_list and any(_is_object(line) for line in head):
        return True, _chain(head, lines)
    return False, _whole(_chain(head, lines))


async def read_body(source: Source) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        BadInput: it is over 64 KB, no JSON, or no object.
    """
    data = bytearray()
    async for piece in source.pieces():
        data += piece
        if len(data) > BODY_LIMIT:
            raise BadInput(f"over {BODY_LIMIT} bytes; pass larger data by reference", field="body", code="too_large")
    try:
        body = loads(bytes(data))
    except BadInput as error:
        fault = explained(error, bytes(data))
        raise BadInput(str(fault), field="body", code=fault.code) from None
    if not isinstance(body, dict):
        raise BadInput("an object is needed, such as {...}", field="body", code="bad_body")
    return body


def explained(error: BadInput, data: bytes) -> BadInput:
    """The same error, with the place where JSON stops being JSON, when that is the trouble."""
    try:
        json.loads(data)
    except json.JSONDecodeError as fault:
        where = (
            f"line {fault.lineno}, column {fault.colno}"
            if fault.lineno > 1 or b"\n" in data.strip()
            else f"column {fault.colno}"
        )
        what = fault.msg[:1].lower() + fault.msg[1:].removesuffix(" at")  # it names no part of the value
        return BadInput(f"not JSON: {what} at {where}", field=error.field, code=error.code)
    except (ValueError, RecursionError):
        return error
    return error


async def _chain(head: list[Line], rest: AsyncIterator[Line]) -> AsyncIterator[Line]:
    for line in head:
        yield line
    async for line in rest:
        yield line


async def _whole(lines: AsyncIterator[Line]) -> AsyncIterator[Line]:
    """The lines as one document."""
    data = bytearray()
    async for line in lines:
        if line.fault and line.fault != _EMPTY:
            where = f"line {line.number}: " if data else ""
            yield Line(1, fault=f"{where}{line.fault}", code=line.code)
            return
        data += line.data + b"\n"
        if len(data) > VALUE_LIMIT + 1:
            yield Line(1, fault=_too_large(len(data), "over "), code="too_large")
            return
    if data.lstrip().startswith(b"["):
        yield Line(1, fault="a list is no case; write one case per line and use --jsonl")
    elif data:
        yield Line(1, bytes(data))


def _line(number: int, data: bytes, size: int) -> Line:
    if size > VALUE_LIMIT:
        return Line(number, fault=_too_large(size), code="too_large")
    if number == 1 and data.startswith(_BYTE_ORDER_MARK):
        return Line(number, fault="it begins with a byte order mark; save it as UTF-8 without one")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return Line(number, fault=f"not UTF-8, from byte {error.start + 1} on")
    if "\0" in text:
        return Line(number, fault="a NUL byte")
    return Line(number, data) if text.strip() else Line(number, fault=_EMPTY)


def _too_large(size: int, over: str = "") -> str:
    return f"{over}{size} bytes, at most {VALUE_LIMIT} are taken; pass larger data by reference"


def _is_object(line: Line) -> bool:
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(line.data), dict)
    return False


def _size(file: int) -> int | None:
    said = os.fstat(file)
    return said.st_size if stat.S_ISREG(said.st_mode) else None
