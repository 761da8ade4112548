"""What goes on in this task of the program: which case, unit, step and trace; the log says it with every line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

FACTS = ("case", "unit", "step", "attempt", "trace")
"""What a line of the log may be about, in the order in which it says so."""

_about: ContextVar[Callable[[], Mapping[str, str]] | None] = ContextVar("about", default=None)


@contextmanager
def about(facts: Callable[[], Mapping[str, str]]) -> Iterator[None]:
    """Have every line of the log that is written in here say what it is about.

    Args:
        facts: Asked when a line is written; gives some of `FACTS`.
    """
    token = _about.set(facts)
    try:
        yield
    finally:
        _about.reset(token)


def about_from_now_on(facts: Mapping[str, str]) -> None:
    """As `about`, for the rest of the task: what its caller writes about it belongs to it."""
    _about.set(lambda: facts)


def what_about() -> Mapping[str, str]:
    """What goes on here, as far as anyone said."""
    facts = _about.get()
    return facts() if facts else {}
