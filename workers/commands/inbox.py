"""The inbox, and the tokens of machines that call its API."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from workers.console import Json, announce, emit, fail, run, setup

PORT = 8080


def inbox(
    ctx: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for a free one.")] = PORT,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
    json: Json = False,
) -> None:
    """Serve the pages and the API by which people complete their steps, until SIGTERM or Ctrl-C."""
    from workers.logs import set_up_logs
    from workers.processes.inbox import serve

    there = setup(ctx)
    set_up_logs()
    on_up = announce if json else None
    serving = serve(
        there.settings, there.catalog, host=host, port=port, until_stdin_closes=until_stdin_closes, on_up=on_up
    )
    run(serving)


def token(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Who will send it, such as erp.")],
    *,
    role: Annotated[list[str], typer.Option("--role", help="A role that it has; may be repeated.")],
    unit: Annotated[list[str], typer.Option("--unit", help="A unit that it may reach; may be repeated.")],
    days: Annotated[int, typer.Option(min=1, max=730, help="Until it expires.")] = 90,
    json: Json = False,
) -> None:
    """Make an API token: shown once, and the entry with its hash for the token file."""
    from datetime import UTC, datetime

    from inbox.files import written
    from inbox.tokens import make_token

    there = setup(ctx)
    for wanted in unit:
        there.catalog.get(wanted)
    shown, digest = make_token()
    expires = (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
    entry = written("token", {"name": name, "sha256": digest, "roles": role, "units": unit, "expires": expires})
    problem = _misfit(entry)
    if problem:
        fail(problem, code="invalid_field")
    if json:
        emit({"token": shown, "entry": entry, "expires": expires})
    else:
        typer.echo(f"{shown}\n\nIt is shown once. Add to the file that WORKUNITS_TOKENS names:\n\n{entry}", nl=False)


def redeliver(
    ctx: typer.Context,
    since: Annotated[str, typer.Argument(help="From before the copy was made, such as 2026-01-31T12:00:00Z.")],
    *,
    json: Json = False,
) -> None:
    """After the engine was restored from an older copy: send again what people did since, each once."""
    from datetime import UTC, datetime

    from workers.processes.inbox import redeliver as send_again

    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        fail("since: should be a time such as 2026-01-31T12:00:00Z", code="invalid_field", field="since")
    there = setup(ctx)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    brought = run(send_again(there.settings, there.catalog, moment))
    if json:
        emit({"redelivered": brought})
        return
    for one in brought:
        typer.echo(f"{one.task_id} {one.action} by {one.actor}: {one.outcome} {one.detail}".rstrip())
    typer.echo(f"{len(brought)} action(s) looked at since {moment:%Y-%m-%d %H:%M:%S %Z}.")


def _misfit(entry: str) -> str:
    """What the file of tokens would say of an entry; empty when it takes it."""
    from pathlib import Path

    from inbox.files import FileError, parse
    from inbox.tokens import read_tokens

    try:
        read_tokens(parse(Path("the entry"), entry))
    except FileError as error:
        return str(error).rpartition("[[token]] 1: ")[2]
    return ""
