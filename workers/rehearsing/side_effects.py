"""A guard for code that is only to think: while it is on, this process writes no file and reaches nobody.

It is an audit hook of Python's: what goes past Python (a library in C, a database's own file access) is not seen.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

NOT_GUARDED = (
    "what goes past Python's own files, programs and sockets, such as a database driver written in C; "
    "what was opened before (a connection, a socket, a file); looking up a host's name; os.mkfifo and os.mknod"
)
"""What it cannot see, in words."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
_FILES = frozenset({"remove", "rename", "mkdir", "rmdir", "link", "symlink", "truncate", "chmod", "chown", "utime"})
_ATTRIBUTES = ("setxattr", "removexattr")
_PROGRAMS = ("system", "exec", "fork", "forkpty", "posix_spawn", "spawn")
_SIGNALS = ("os.kill", "os.killpg", "signal.pthread_kill")
_REFUSED = {
    **{f"os.{what}": "changing files" for what in (*_FILES, *_ATTRIBUTES)},
    **dict.fromkeys(("subprocess.Popen", *(f"os.{what}" for what in _PROGRAMS)), "another program"),
    **dict.fromkeys(_SIGNALS, "a signal"),
    **dict.fromkeys(("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"), "the network"),
    "sqlite3.connect": "a database",
}
_asking: ContextVar[bool] = ContextVar("asking", default=False)
_thinking: ContextVar[bool] = ContextVar("thinking", default=False)
"""Stays set in a thread that goes on when the guard is off again: one whose time was over."""


class SideEffectError(PermissionError):
    """Code that was only to think tried to do something."""


class _Guard:
    """The process's one guard: a hook cannot be taken out again."""

    def __init__(self) -> None:
        self.on = False
        self.hooked = False
        self.refused: Counter[str] = Counter()

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """Refuse what is not thinking."""
        if not (self.on or _thinking.get()) or _asking.get():
            return
        what = "writing a file" if event == "open" and _writes(args) else _REFUSED.get(event)
        if what is None:
            return
        self.refused[what] += 1
        raise SideEffectError(f"{what} is refused in a rehearsal")


_guard = _Guard()


@contextmanager
def guarded() -> Iterator[Counter[str]]:
    """Refuse side effects inside; gives what was refused, with how often, as it comes."""
    if not _guard.hooked:
        sys.addaudithook(_guard.hook)
        _guard.hooked = True
    _guard.refused = Counter()
    _guard.on, token = True, _thinking.set(True)
    # Else an import inside writes what it compiled: that would need an exception, which others could slip through.
    compiled, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield _guard.refused
    finally:
        sys.dont_write_bytecode = compiled
        _guard.on = False
        _thinking.reset(token)


@contextmanager
def asking_the_model() -> Iterator[None]:
    """Let the network be reached inside, by this task and those that it starts: the model has to be asked."""
    token = _asking.set(True)
    try:
        yield
    finally:
        _asking.reset(token)


def _writes(args: tuple[Any, ...]) -> bool:
    """Whether a file is opened to be written: by its mode where there is one, else by its flags."""
    _, mode, flags = (*args, None, None, None)[:3]
    if isinstance(mode, str):
        return any(sign in mode for sign in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITING)
