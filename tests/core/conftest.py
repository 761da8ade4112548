"""What tests of the core share."""

from __future__ import annotations

import pytest

from tests.core.long_runs import LIMIT


@pytest.fixture
def short_runs(monkeypatch):
    """Runs of ten messages instead of 1,500; the module passes through the sandbox."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", LIMIT)
