"""`workunits follow`: the follower as a process."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

from observability.ledger.follower import Follower
from observability.ledger.store import Ledger
from workers.autonomy_falling import let_fall_often
from workers.console import OnUp
from workers.engine.connect import connect
from workers.logs import core_to_log, log
from workers.processes.worker import end_with_stdin
from workers.rollout import Place, guard_often
from workers.settings import Settings
from workunits.registry import Catalog


async def follow(
    settings: Settings, catalog: Catalog, *, until_stdin_closes: bool = False, on_up: OnUp | None = None
) -> None:
    """Follow until SIGTERM or SIGINT.

    Args:
        settings: Where the ledger is.
        catalog: The units whose cases are followed.
        until_stdin_closes: End when stdin does: whoever started this process holds its other end.
        on_up: Told what is followed into which ledger, once it begins.

    Raises:
        SchemaError: the ledger's schema is older or newer; says what to do.
        LedgerUnavailableError, UnreachableError: at the start; later ones are waited out.
    """
    core_to_log()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        loop.add_reader(sys.stdin, end_with_stdin, stop)
    ledger = Ledger(settings.ledger_url)
    await asyncio.to_thread(ledger.check)
    client = await connect(settings, catalog)
    log.info("following namespace=%s into %s", client.namespace, ledger)
    if on_up:
        on_up({"namespace": client.namespace, "ledger": str(ledger)})
    _look_for_garbage_seldom()
    guarding = asyncio.create_task(guard_often(Place(client, ledger, settings.deployment, settings.queue), catalog))
    falling = asyncio.create_task(let_fall_often(ledger, catalog))
    try:
        await Follower(client, ledger, catalog).run(stop)
    finally:
        guarding.cancel()
        falling.cancel()
        await asyncio.gather(guarding, falling, return_exceptions=True)
        ledger.close()
    log.info("stopped")


def _look_for_garbage_seldom() -> None:
    """Leave out what was imported, which stays, and look through new objects less often.

    By default Python spends a fifth of a pass on it, since a page of cases is many objects at once, and no garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
