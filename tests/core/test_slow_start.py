"""The test engine on a busy machine: the SDK waits five seconds for a server, and `Lab` starts it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from workunits import testing
from workunits.testing import Lab


async def test_a_server_that_is_slow_to_start_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The first time it does not answer in time; the second time it does."""
    slow, script = tmp_path / "was-slow", tmp_path / "temporal"
    lines = (
        "#!/bin/sh",
        f'[ -e "{slow}" ] || {{ touch "{slow}"; exec sleep 30; }}',
        f'exec "{testing.temporal_binary()}" "$@"',
    )
    script.write_text("\n".join(lines), encoding="utf-8")
    script.chmod(0o700)
    monkeypatch.setattr(testing, "temporal_binary", lambda: str(script))

    async with Lab() as lab:
        assert slow.exists()
        assert await lab.client.service_client.check_health()


async def test_a_server_that_cannot_start_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is tried once: nothing that is wrong otherwise gets better by itself."""
    asked: list[str] = []

    def nowhere() -> str:
        asked.append(str(tmp_path / "temporal"))
        return asked[-1]

    monkeypatch.setattr(testing, "temporal_binary", nowhere)
    with pytest.raises(RuntimeError, match="Failed starting"):
        async with Lab():
            pass

    assert len(asked) == 1
