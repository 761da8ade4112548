"""What the ledger remembers for those who start cases: a key is used once, also after the engine's retention."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy import select

from observability.ledger.store import Ledger, LedgerUnavailableError
from observability.ledger.tables import cases

log = logging.getLogger("workunits.memory")


class LedgerMemory:
    """Answers from the ledger; while that is down it remembers nothing, for no case waits for it."""

    def __init__(self, ledger: Ledger) -> None:
        """Use a ledger."""
        self._ledger = ledger

    async def closed(self, case: str) -> str | None:
        """How and when a case closed, in words; None for one that is open or was never there."""
        try:
            return await asyncio.to_thread(self._closed, case)
        except LedgerUnavailableError as error:
            log.warning("a key that the engine has forgotten may be used again: %s", error)
            return None

    def _closed(self, case: str) -> str | None:
        with self._ledger.read() as connection:
            row = connection.execute(
                select(cases.c.close, cases.c.closed_at).where(cases.c.case_id == case, cases.c.close.is_not(None))
            ).one_or_none()
        return f"{row.close} at {row.closed_at:%Y-%m-%d %H:%M} UTC" if row else None
