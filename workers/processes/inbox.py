"""`workunits inbox`: the inbox as a process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI

from inbox.app import Doors, make_app
from inbox.courier import Redelivered
from inbox.doors import is_loopback
from inbox.journal import Journal
from inbox.oidc import Provider
from inbox.service import TaskService
from inbox.sessions import Ended
from inbox.tokens import Tokens
from observability.ledger.memory import LedgerMemory
from observability.ledger.store import Ledger, LedgerUnavailableError
from workers.console import OnUp
from workers.engine.connect import connect
from workers.governing.governed import Gate
from workers.logs import core_to_log, log
from workers.people import open_directory
from workers.processes.worker import STOPS, end_with_stdin
from workers.session_key import session_key
from workers.settings import Settings, SettingsError, make_private
from workunits.client import Cases
from workunits.core.errors import WorkUnitsError
from workunits.registry import Catalog

ENDED_FILE = "sessions.ended"
_GRACE = 5
"""Seconds for requests to end; what people did is in the journal by then."""


class InboxError(WorkUnitsError):
    """The inbox cannot start."""


async def serve(
    settings: Settings,
    catalog: Catalog,
    *,
    host: str,
    port: int,
    until_stdin_closes: bool = False,
    on_up: OnUp | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: Where people, ledger and journal are, and how people log in.
        catalog: The units whose tasks are shown.
        host: The address to listen on.
        port: The port; 0 for a free one.
        until_stdin_closes: End when stdin does: whoever started this process holds its other end.
        on_up: Told the inbox's address, once it listens.

    Raises:
        SettingsError, FileError: something in the settings or in a file is not right.
        InboxError: it cannot listen there.
        UnreachableError, SchemaError, JournalError.
    """
    core_to_log()
    refuse_dev_login(settings, host)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        loop.add_reader(sys.stdin, end_with_stdin, stop)
    with _listener(host, port) as listener:
        own = f"http://{_bracketed(host)}:{listener.getsockname()[1]}"
        url, hosts = _names(settings, host, own)
        async with open_doors(settings, catalog, url=url, hosts=hosts) as doors:
            if not stop.is_set():
                _welcome(settings, own, url)
                if on_up:
                    on_up({"inbox": url, "listening": own})
                await _serve_until(stop, make_app(doors), settings, listener)
    log.info("stopped")


async def _serve_until(stop: asyncio.Event, app: FastAPI, settings: Settings, listener: socket.socket) -> None:
    proxies = list(settings.inbox_proxies)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,  # ours
            access_log=False,  # a login's address holds its code
            server_header=False,
            ws="none",
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies,
            timeout_graceful_shutdown=_GRACE,
        )
    )

    async def end() -> None:
        await stop.wait()
        app.state.stopping.set()  # open streams end by themselves
        server.should_exit = True

    ending = asyncio.create_task(end())
    try:
        await server.serve(sockets=[listener])
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)


async def redeliver(settings: Settings, catalog: Catalog, since: datetime) -> list[Redelivered]:
    """Send again what the journal has and a restored engine no longer knows; twice changes nothing.

    Raises:
        SettingsError, FileError, UnreachableError, SchemaError, JournalError.
    """
    async with open_doors(settings, catalog) as doors:
        return await TaskService.of(doors).redeliver(since)


def refuse_dev_login(settings: Settings, host: str) -> None:
    """Refuse the development login unless nobody but this machine reaches it.

    Raises:
        SettingsError.
    """
    if not settings.dev_login:
        return
    name = urlsplit(settings.inbox_url or "http://localhost").hostname or ""
    if not (is_loopback(host) and is_loopback(name)) or settings.inbox_proxies:
        raise SettingsError(
            "dev_login: anyone who reaches the inbox could be anyone; listen on 127.0.0.1, without inbox_url and "
            "inbox_proxies, or let people log in through oidc_issuer",
            field="dev_login",
        )


@asynccontextmanager
async def open_doors(
    settings: Settings, catalog: Catalog, *, url: str = "http://localhost", hosts: tuple[str, ...] = ()
) -> AsyncIterator[Doors]:
    """Put together what the inbox stands on, and let go of it at the end.

    Args:
        settings: Where everything is.
        catalog: The units.
        url: Where people find the inbox.
        hosts: Further names of it.

    Raises:
        SettingsError, FileError: something in the settings or in a file is not right.
        UnreachableError, SchemaError, JournalError.
    """
    provider = _provider(settings)
    directory = open_directory(settings, catalog)
    tokens = Tokens.watch(settings.tokens) if settings.tokens else Tokens()
    make_private(settings.state)
    key = session_key(settings)
    ledger, journal = Ledger(settings.ledger_url), Journal(settings.journal_url)
    try:
        await _check(ledger)
        await asyncio.to_thread(journal.open)
        client = await connect(settings, catalog)
        yield Doors(
            cases=Cases(
                client,
                catalog,
                queue=settings.queue,
                deployment=settings.deployment,
                memory=LedgerMemory(ledger),
                admits=Gate(client, settings, catalog, warn=log.warning),
            ),
            catalog=catalog,
            ledger=ledger,
            directory=directory,
            journal=journal,
            url=url,
            session_key=key,
            ended=Ended(settings.state / ENDED_FILE),
            tokens=tokens,
            provider=provider,
            dev_login=settings.dev_login,
            hosts=hosts,
            temporal_ui=settings.temporal_ui or "",
            traces=settings.trace_url or "",
        )
    finally:
        journal.close()
        ledger.close()


def _provider(settings: Settings) -> Provider | None:
    if settings.oidc_issuer is None:
        return None
    if settings.oidc_client_id is None:
        raise SettingsError("oidc_client_id: as what does the provider know the inbox?", field="oidc_client_id")
    secret = settings.oidc_client_secret
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret.get_secret_value() if secret else "",
        scopes=settings.oidc_scopes,
        name_claim=settings.oidc_name_claim,
        groups_claim=settings.oidc_groups_claim,
    )


async def _check(ledger: Ledger) -> None:
    """Refuse another schema; a ledger that does not answer keeps nobody from the inbox."""
    try:
        await asyncio.to_thread(ledger.check)
    except LedgerUnavailableError as error:
        log.warning("%s; the inbox goes on without it", error)


@contextlib.contextmanager
def _listener(host: str, port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "ports go from 0 to 65535"
        raise InboxError(f"cannot listen on {_bracketed(host)}:{port}: {why}; give another --host or --port") from None
    with listener:
        yield listener


def _names(settings: Settings, host: str, own: str) -> tuple[str, tuple[str, ...]]:
    """Where people find the inbox, and by which other names it may be called."""
    here = own.partition("://")[2]
    port = here.rpartition(":")[2]
    if is_loopback(host):
        return settings.inbox_url or own, (here, *(f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")))
    if settings.inbox_url is None:
        why = "inbox_url: by which address do people find the inbox? Such as https://inbox.example.com"
        raise SettingsError(why, field="inbox_url")
    if not settings.inbox_url.startswith("https://"):
        log.warning("inbox_url is not https: cookies and case data travel in clear; put a proxy with TLS before it")
    return settings.inbox_url, ()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _welcome(settings: Settings, own: str, url: str) -> None:
    log.info("the inbox is at %s%s", url, "" if url == own else f", listening on {own}")
    if settings.dev_login:
        log.warning("development login: anyone on this machine may be anyone; never use it for real work")
    elif settings.oidc_issuer is None:
        log.warning("nobody can log in: set WORKUNITS_OIDC_ISSUER, or WORKUNITS_DEV_LOGIN=true on your own machine")


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again at the end, and the exit code would be theirs."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
