"""A TCP proxy that cuts, holds, slows down or forgets connections, between an engine and those who talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Self

from workers.engine.ports import LOOPBACK

_PIECE = 16 * 1024


class Proxy:
    """Passes bytes on, as an async context manager; what it does to them may change at any time.

    It runs on the test's own event loop: whoever talks through it must not block that loop.
    """

    def __init__(self, target: str) -> None:
        """Name the target.

        Args:
            target: `host:port`.
        """
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._open = asyncio.Event()
        self._open.set()
        self._over = asyncio.Event()
        self._refusing = False
        self._delay = 0.0
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.address = ""
        self.carried = 0
        """Bytes that went through, both ways."""

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.address = f"{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all connections."""
        assert self._server
        self._server.close()
        self._over.set()
        self.heal()
        for wire in self._wires:
            wire.reset()
        await asyncio.gather(*self._tasks)

    def cut(self) -> None:
        """Reset every connection, and every new one, until `heal`."""
        self._refusing = True
        for wire in list(self._wires):
            wire.reset()

    def hold(self) -> None:
        """Let no byte through, in neither direction, until `heal`; all that was sent is then delivered."""
        self._open.clear()

    def slow(self, delay: float) -> None:
        """Let each piece take so many seconds, until `heal`."""
        self._delay = delay

    def forget(self) -> None:
        """Never again deliver anything on the connections that there are, and tell nobody; new ones are as new."""
        for wire in self._wires:
            wire.forgotten = True

    def heal(self) -> None:
        """Pass everything on again."""
        self._refusing, self._delay = False, 0.0
        self._open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        wire = _Wire(writer)
        self._wires.add(wire)
        try:
            await self._open.wait()
            there, back = await asyncio.open_connection(self._host, self._port)
            wire.ends.append(back)
            await _first(self._pass(reader, back, wire), self._pass(there, writer, wire))
        except OSError:
            pass
        finally:
            self._wires.discard(wire)
            wire.reset()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, wire: _Wire) -> None:
        while piece := await source.read(_PIECE):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._open.wait()
            if wire.forgotten:
                continue  # read on, so that its sender believes that it arrived
            sink.write(piece)
            await sink.drain()
            self.carried += len(piece)
        if wire.forgotten:
            await self._over.wait()


class _Wire:
    """One connection, both its ends."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.ends = [writer]
        self.forgotten = False

    def reset(self) -> None:
        for end in self.ends:
            end.transport.abort()


async def _first(*work: Coroutine[Any, Any, None]) -> None:
    """Do several things until one of them ends."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
