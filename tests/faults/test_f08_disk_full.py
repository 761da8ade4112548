"""F8: the disk under the engine is full. The error is clear, and with some space it goes on by itself."""

import asyncio
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from tests.faults.durable import durable, insist
from tests.faults.units import Errand
from workers.checks.finding import space
from workers.engine.faults import explain
from workers.settings import Settings
from workunits.delivery import UndeliveredError

SIZE, LARGER, ROOM = "8m", "64m", 64 * 1024
CASES = 3


async def test_f08_full_and_grown(tmp_path):
    """Whoever acts is told that it is not done, the operator why; with space again, nothing acknowledged is lost."""
    with small_disk(tmp_path / "disk") as disk:
        async with durable(tmp_path, disk) as fleet:
            await asyncio.to_thread(fleet.worker)
            await asyncio.to_thread(fleet.follower)
            before = [await fleet.errand(number) for number in range(CASES)]
            open_case = f"{Errand.unit_name}:open"
            await fleet.begin(open_case)
            task = await fleet.task(open_case)
            engine = fleet.engine.pid

            fill(disk)
            late = asyncio.gather(*(fleet.errand(number) for number in range(CASES)))
            await fleet.until(lambda: "disk is full" in fleet.engine.plan.log.read_text(errors="replace"))
            with pytest.raises(UndeliveredError, match="the same action id open") as undelivered:
                await fleet.act(task, "complete", action_id="open", patience=4)
            found = space(Settings(state=disk))
            grow(disk)
            await insist(lambda: fleet.act(task, "complete", action_id="open"))
            fleet.journal[open_case] = ["open"]
            await late

            assert undelivered.value.action_id == "open"
            assert (found.status, found.message) == ("fail", f"the disk of {disk} is full")
            assert explain(fleet.engine.plan.log.read_text()) == "the disk is full: free some space"
            assert fleet.engine.pid == engine
            assert len(before) + CASES + 1 == len(fleet.journal)
            await fleet.proven()


@contextmanager
def small_disk(folder):
    """A disk of its own, in memory."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=False)
    if made.returncode:
        pytest.skip("a tmpfs cannot be mounted here: run as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk):
    """Leave room for a few lines of a log."""
    with (disk / "filler").open("wb", buffering=0) as file:
        file.write(bytes(shutil.disk_usage(disk).free - ROOM))


def grow(disk):
    """Make it larger, in use."""
    subprocess.run(["mount", "-o", f"remount,size={LARGER}", disk], check=True)
