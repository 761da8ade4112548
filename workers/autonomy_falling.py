"""Signed levels fall by themselves, while the follower runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from observability.ledger.autonomy import Grant, unended
from observability.ledger.store import Ledger, LedgerError
from workers.logs import log
from workunits.registry import Catalog

if TYPE_CHECKING:
    from observability.autonomy.demotion import Fall

EVERY = 600.0
"""Seconds."""


async def let_fall_often(ledger: Ledger, catalog: Catalog, every: float = EVERY) -> None:
    """End what must fall again and again, until cancelled; whatever goes wrong, the next time comes."""
    while True:
        try:
            for grant, found in await asyncio.to_thread(let_fall, ledger, catalog, datetime.now(UTC)):
                why = "; ".join(one.words for one in found)
                log.error("%s.%s no longer decides at level %s: %s", grant.unit, grant.step, grant.level, why)
        except LedgerError as error:
            log.warning("the signed levels of autonomy cannot be looked at: %s", str(error)[:200])
        except Exception:  # noqa: BLE001 - nobody waits for this task: it would end unseen, and nothing fall any more
            log.exception("the look at the signed levels of autonomy failed")
        await asyncio.sleep(every)


def let_fall(ledger: Ledger, catalog: Catalog, now: datetime) -> list[tuple[Grant, list[Fall]]]:
    """End all signed levels that must fall now; gives them with why. One that cannot be judged keeps no other one up.

    Raises:
        LedgerError.
    """
    with ledger.read() as connection:
        signed = unended(connection)
    if not signed:
        return []
    # Only where a level is signed: its statistics take a second to load, and half as much memory again.
    from observability.autonomy.granting import end_if_due

    fallen = []
    for grant in signed:
        try:
            if found := end_if_due(ledger, catalog, grant, now):
                fallen.append((grant, found))
        except LedgerError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is about this one, the next one may have to fall
            log.exception("the signed level %s of %s.%s cannot be looked at", grant.level, grant.unit, grant.step)
    return fallen
