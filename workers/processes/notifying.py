"""`workunits notify`: the notifier as a process, and what it says of what could not be delivered."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta
from pathlib import Path

from inbox.channels import Channels, Pace, Routes, mail_url, outbox_url
from inbox.noticeboard import Noticeboard
from inbox.notices import Notifier
from inbox.store import Store
from observability.ledger.store import Ledger
from workers.console import OnUp
from workers.engine.connect import connect
from workers.logs import core_to_log, log
from workers.people import open_directory
from workers.processes.worker import end_with_stdin
from workers.settings import Settings, SettingsError, make_private
from workunits.client import Cases
from workunits.registry import Catalog

_OUTBOX_WINDOW = timedelta(seconds=5)
"""Who tries things out does not wait a minute to see a message."""


async def notify(
    settings: Settings,
    catalog: Catalog,
    *,
    outbox: Path | None = None,
    until_stdin_closes: bool = False,
    on_up: OnUp | None = None,
) -> None:
    """Tell people of their tasks until SIGTERM or SIGINT.

    Args:
        settings: Who is who, and how they are reached.
        catalog: The units whose tasks are told of.
        outbox: The folder in which messages are left where the settings name no channels.
        until_stdin_closes: End when stdin does: whoever started this process holds its other end.
        on_up: Told of whose tasks people are told, once it begins.

    Raises:
        SettingsError, FileError: something in the settings or in a file is not right.
        SchemaError: the ledger's schema is older or newer; says what to do.
        LedgerUnavailableError, JournalUnavailableError, UnreachableError: at the start; later ones are waited out.
    """
    core_to_log()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        loop.add_reader(sys.stdin, end_with_stdin, stop)
    directory, channels = open_directory(settings, catalog), open_channels(settings, outbox)
    make_private(settings.state)
    ledger, store = Ledger(settings.ledger_url), Store(settings.journal_url)
    board = Noticeboard(store)
    try:
        await asyncio.to_thread(ledger.check)
        await asyncio.to_thread(board.open)
        client = await connect(settings, catalog)
        cases = Cases(client, catalog, queue=settings.queue)
        if settings.inbox_url is None:
            log.warning("notices hold no link: say in WORKUNITS_INBOX_URL where people find the inbox")
        notifier = Notifier(cases, ledger, board, directory, channels, url=settings.inbox_url or "")
        log.info("telling people of their tasks, namespace=%s", client.namespace)
        if on_up:
            on_up({"namespace": client.namespace, "ledger": str(ledger)})
        await notifier.run(stop)
    finally:
        store.close()
        ledger.close()
    log.info("stopped")


def open_channels(settings: Settings, outbox: Path | None = None) -> Channels:
    """The channels that the settings name, else a folder.

    Args:
        settings: The file of channels, and the mail server.
        outbox: The folder, where there is neither.

    Raises:
        SettingsError: they name none.
        FileError: their file is not right.
    """
    mail = mail_url(settings.mail.get_secret_value(), settings.mail_from) if settings.mail else ""
    if settings.notices:
        return Channels.watch(settings.notices, mail=mail)
    if not mail and outbox:
        return Channels(Routes(Pace(window=_OUTBOX_WINDOW), mail=outbox_url(outbox, settings.mail_from)))
    if not mail:
        why = "notices: how are people reached? Name the file of channels in WORKUNITS_NOTICES, or set WORKUNITS_MAIL"
        raise SettingsError(f"{why}; docs/notices.md shows one", field="notices")
    return Channels(Routes(mail=mail))
