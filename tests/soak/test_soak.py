"""A short soak; `make soak` is the long one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.observability.postgres import BIN
from tests.soak.site import Program

ROOT = Path(__file__).parents[2]
CASES, KILLS, SECONDS, SEED = 60, 8, 30, 1


def test_a_short_soak_finds_nothing():
    """60 cases through 8 kills and freezes: each closes once, and nothing acknowledged is lost or doubled."""
    if BIN is None:
        pytest.skip("PostgreSQL's server is not installed: apt-get install postgresql")
    arguments = ["--cases", CASES, "--kills", KILLS, "--seconds", SECONDS, "--seed", SEED]
    command = [sys.executable, "-m", "tests.soak", *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in ended.stdout.splitlines()]

    assert ended.returncode == 0, ended.stderr
    assert events[0]["event"] == "begin"
    assert events[-1]["event"] == "summary"
    assert events[-1]["violations"] == 0
    assert sum(events[-1]["figures"]["closes"].values()) == CASES
    assert sum(event["event"] == "fault" for event in events) >= KILLS


async def test_what_the_storm_has_brought_back_is_not_started_once_more(tmp_path):
    """A program that ended by itself, and was killed and revived before its pause was over, runs once."""
    began = []

    class Idle(Program):
        async def revive(self):
            self.wanted = True
            idle = [sys.executable, "-c", "input()"]
            began.append(subprocess.Popen(idle, stdin=subprocess.PIPE))  # noqa: ASYNC220, returns at once
            self._process = began[-1]

    program = Idle("idle", "", "up", tmp_path, {})
    program.log.touch()
    await program.revive()
    began[0].kill()
    began[0].wait()
    keeping = asyncio.create_task(program.keep())
    await asyncio.sleep(0)  # it has seen the death, and pauses
    await program.kill()
    await program.revive()
    await keeping
    for process in began:
        process.communicate()

    assert len(began) == 2
