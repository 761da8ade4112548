"""Signed levels fall by themselves, while the follower runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from observability.ledger.autonomy import Grant, unended
from observability.ledger.store import Ledger, LedgerError
from workers.logs import log
from workunits.registry import Catalog

EVERY = 600.0
"""Seconds."""


async def let_fall_often(ledger: Ledger, catalog: Catalog, every: float = EVERY) -> None:
    """End what must fall again and again, until cancelled; whatever goes wrong, the next time comes."""
    while True:
        try:
            for grant, why in await asyncio.to_thread(_let_fall, ledger, catalog):
                log.error("%s.%s no longer decides at level %s: %s", grant.unit, grant.step, grant.level, why)
        except LedgerError as error:
            log.warning("the signed levels of autonomy cannot be looked at: %s", str(error)[:200])
        except Exception:  # noqa: BLE001 - nobody waits for this task: it would end unseen, and nothing fall any more
            log.exception("the look at the signed levels of autonomy failed")
        await asyncio.sleep(every)


def _let_fall(ledger: Ledger, catalog: Catalog) -> list[tuple[Grant, str]]:
    with ledger.read() as connection:
        if not unended(connection):
            return []
    # Only where a level is signed: its statistics take a second to load, and half as much memory again.
    from observability.autonomy.granting import let_fall

    fallen = let_fall(ledger, catalog, datetime.now(UTC))
    return [(grant, "; ".join(one.words for one in found)) for grant, found in fallen]
