"""Performers that get stuck where the case says, and have their effects once."""

from __future__ import annotations

import threading
from pathlib import Path

from temporalio import activity

from tests.faults.book import Book
from tests.faults.contracts import Decision, Found, Request
from tests.faults.units import Advised, Errand
from workunits.performs import effect_key, performs


class Errands:
    """Keeps a book that outlives every worker."""

    def __init__(self, data: Path) -> None:
        """Open the book."""
        self._book = Book(data)

    @performs(Errand.FETCH)
    def fetch(self, case: Request) -> Found:
        """Fetch it."""
        self._run("fetch", case.trouble)
        return Found(trouble=case.trouble)

    @performs(Errand.DELIVER)
    def deliver(self, found: Found) -> Found:
        """Deliver it."""
        self._run("deliver", found.trouble)
        return found

    def _run(self, step: str, trouble: str) -> None:
        info = activity.info()
        key = effect_key()
        self._book.begin(key, info.attempt, info.task_token)
        if trouble == f"before {step}":
            self._book.wait(key)
        self._book.have_effect(key)
        if trouble == f"after {step}":
            self._book.wait(key)
        self._book.end(key, info.attempt)


@performs(Advised.ADVISE)
def advise(case: Request) -> Decision:
    """Never come back, one way or another."""
    if case.trouble == "blocked":
        threading.Event().wait()
    while case.trouble == "endless":
        pass
    if case.trouble == "none":
        return None  # type: ignore[return-value]
    return Decision(granted=True)
