"""What the tests of performers share: a step that runs, and a transport that remembers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment


@pytest.fixture
def attempt() -> Callable[..., Any]:
    """Run a performer as one attempt of a step of a case."""

    def run(fn: Callable[..., Any], what: object, *, case: str = "case-1", step: str = "step", number: int = 1) -> Any:
        env = ActivityEnvironment()
        env.info = dataclasses.replace(env.info, workflow_id=case, activity_id=step, attempt=number)
        return env.run(fn, what)

    return run


class Remembering:
    """A transport that keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str, str]] = []

    def send(self, to: str, subject: str, body: str, key: str) -> str:
        """Keep it."""
        self.sent.append((to, subject, body, key))
        return f"<{key}>"


@pytest.fixture
def transport() -> Remembering:
    """A transport that keeps what it was given."""
    return Remembering()
