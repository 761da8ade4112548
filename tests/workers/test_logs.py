"""What an entry of the log says."""

from __future__ import annotations

import logging
import sys

from workers.logs import OneLine


def _raise(error: Exception) -> None:
    raise error


def _entry(message: str) -> str:
    """The line for the exception that is being handled."""
    record = logging.LogRecord("test", logging.WARNING, __file__, 1, message, None, sys.exc_info())
    return OneLine().format(record)


def test_an_exception_is_one_line_with_the_place_where_it_began():
    """Who looks for a performer's fault is sent to the performer, not to the code around it."""
    said = ""
    try:
        try:
            _raise(ValueError("no such\norder"))
        except ValueError as error:
            raise RuntimeError("the step failed") from error
    except RuntimeError:
        said = _entry("Completing activity as failed")

    assert said.count("\n") == 0
    assert "error=RuntimeError: the step failed" in said
    assert said.endswith(f"(at {__file__}:{_raise.__code__.co_firstlineno + 1})")


def test_an_exception_without_a_place(monkeypatch):
    """One that was never raised has none; with WORKUNITS_DEBUG the whole traceback is there."""
    record = logging.LogRecord("test", logging.ERROR, __file__, 1, "odd", None, (KeyError, KeyError("x"), None))
    assert OneLine().format(record).endswith("odd error=KeyError: 'x'")
    monkeypatch.setenv("WORKUNITS_DEBUG", "1")
    try:
        _raise(ValueError("seen"))
    except ValueError:
        assert "Traceback (most recent call last)" in _entry("odd")
