"""How tests wait for what a follower brings: the engine lists what happened a moment after it did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import select

from observability.ledger.follower import Follower
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from tests.patience import PATIENCE


async def until(follower: Follower, look: Callable[[], object], patience: float = PATIENCE) -> None:
    """Make passes, at least one, until something is so."""
    async with asyncio.timeout(patience):
        await follower.follow()
        while not look():
            await asyncio.sleep(0.02)
            await follower.follow()


async def followed(follower: Follower, ledger: Ledger, *closed: str, waiting: Sequence[str] = ()) -> None:
    """Make passes until the ledger has these cases closed, and those waiting for somebody."""

    def look() -> bool:
        with ledger.read() as connection:
            found = select(cases.c.case_id, cases.c.close, cases.c.state).where(
                cases.c.case_id.in_([*closed, *waiting])
            )
            rows = {row.case_id: row for row in connection.execute(found)}
        return len(rows) == len(closed) + len(waiting) and (
            all(rows[case].close for case in closed) and all(rows[case].state == "waiting" for case in waiting)
        )

    await until(follower, look)
