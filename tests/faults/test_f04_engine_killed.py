"""F4: kill -9 the engine under load and start it on the same file. What it acknowledged is there, once."""

import asyncio

from tests.faults.durable import durable

CASES = 16


async def test_f04_killed_under_load(tmp_path):
    """Starts, Updates and Signals are repeated until they are taken; worker and follower go on by themselves."""
    async with durable(tmp_path) as fleet:
        processes = [await asyncio.to_thread(start) for start in (fleet.worker, fleet.follower)]
        errands = asyncio.gather(*(fleet.errand(number) for number in range(CASES)))
        for acknowledged in (CASES // 2, 3 * CASES):
            await fleet.until(lambda enough=acknowledged: fleet.acknowledged >= enough)
            await fleet.lose_engine()
        await errands

        assert fleet.acknowledged == CASES * 5
        await fleet.proven()
        assert [started.process.poll() for started in processes] == [None, None]
