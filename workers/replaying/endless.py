"""Interrupts code under replay that never comes back: the SDK's own limit of 2 s fails sound code on a busy machine."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0
"""Seconds that one workflow task may compute; a sound one takes some milliseconds."""


class _EndlessError(BaseException):
    """Replayed code computes, and neither waits nor ends; no `except Exception` of its catches this."""


class Patience:
    """Watches one thread while it computes, and interrupts it when that takes too long."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.seen = ""
        """Where the code was when it was interrupted first."""
        self._lock = threading.Lock()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Interrupt the calling thread each time that `PATIENCE` is over, until it comes out.

        Not with `TEMPORAL_DEBUG`, which turns off the SDK's own limit, too: somebody may stand at a breakpoint.
        """
        thread, out = threading.get_ident(), threading.Event()
        if not os.environ.get("TEMPORAL_DEBUG"):
            threading.Thread(target=self._interrupt, args=(thread, out), daemon=True, name="replay-patience").start()
        try:
            yield
        finally:
            with self._lock:
                out.set()

    def _interrupt(self, thread: int, out: threading.Event) -> None:
        # Again and again: a bare `except:` would take the first for an error of its own.
        while not out.wait(PATIENCE):
            with self._lock:
                if out.is_set():
                    return
                frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented; only its name is private
                if frame is not None and not self.seen:
                    code = frame.f_code
                    where = f"{Path(code.co_filename).name}, line {frame.f_lineno}, in {code.co_name}"
                    self.seen = f"computes for {PATIENCE:g} s without an end or a wait, at {where}"
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_EndlessError))
