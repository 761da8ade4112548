"""Commands of the payload codec: make keys, see what needs them, and open payloads for Temporal's page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.console import Exit, Json, announce, emit, fail, note, run, setup

if TYPE_CHECKING:
    from workers.checks.codec import Needs
    from workers.settings import Settings

app = typer.Typer(help="Seal what the engine keeps of a case, with keys of your own.", no_args_is_help=True)
_PORT = 8234
_LONGEST_DAYS = 365


@app.command("new-key")
def new_key(
    ctx: typer.Context,
    *,
    file: Annotated[Path | None, typer.Option(help="The key file; by default that of the settings.")] = None,
    seals_in: Annotated[
        str, typer.Option("--in", help="How long until it seals: each process has to be started again by then.")
    ] = "1h",
    json: Json = False,
) -> None:
    """Add a key to the key file, or make the file; the key itself is not shown."""
    from datetime import timedelta

    from workers.key_file import add_key
    from workers.pages.words import read_span

    ahead = read_span(seals_in, field="--in", at_most=timedelta(days=_LONGEST_DAYS))
    path = file or setup(ctx).settings.codec_keys
    if path is None:
        fail("name the key file: --file FILE, or WORKUNITS_CODEC_KEYS", field="--file")
    first = not path.exists()
    key = add_key(path, ahead=ahead)
    if json:
        emit({"file": path, "id": key.id, "since": key.since, "first": first})
        return
    typer.echo(f"{path}: key {key.id}, seals from {key.since:%Y-%m-%dT%H:%M:%SZ}")
    if first:
        note(f"Switch the codec on everywhere at once: WORKUNITS_CODEC_KEYS={path}. Keep a copy of the file elsewhere.")
    else:
        note("Bring the file to every worker, follower and client, and start them again before that time.")


@app.command("rotate-check")
def rotate_check(ctx: typer.Context, *, json: Json = False) -> None:
    """Say of each key which cases need it, and which key may go."""
    from workers.checks.codec import PLAIN, count_needs
    from workers.engine.connect import connect
    from workers.key_file import load_ring

    there = setup(ctx)
    ring = load_ring(_key_file(there.settings))

    async def look() -> Needs:
        return await count_needs(await connect(there.settings, there.catalog), there.catalog)

    needs = run(look())
    uses = needs.uses(ring)
    plain = {"open": needs.open[PLAIN], "closed": needs.closed[PLAIN], "read": ring.read_plaintext}
    if json:
        emit({"keys": uses, "in_clear": plain})
    else:
        for use in uses:
            state = "MISSING" if not use.in_ring else "seals" if use.seals else "may go" if use.removable else "opens"
            typer.echo(f"{state:<8} {use.id}  {use.open} open, {use.closed} closed case(s)")
        typer.echo(f"In clear: parts of {plain['open']} open, {plain['closed']} closed case(s)")
    if any(not use.in_ring for use in uses) or (plain["open"] and not ring.read_plaintext):
        raise typer.Exit(Exit.FINDING)


@app.command()
def serve(
    ctx: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="Another address than loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = _PORT,
    json: Json = False,
) -> None:
    """Open payloads for Temporal's page and the `temporal` program, until SIGTERM or Ctrl-C."""
    import signal
    import socket

    import uvicorn

    from workers.key_file import load_ring
    from workers.logs import set_up_logs
    from workers.processes.codec_server import codec_app

    settings = setup(ctx).settings
    token = settings.codec_token.get_secret_value() if settings.codec_token else None
    ring = load_ring(_key_file(settings))
    if not _is_loopback(host) and token is None:
        fail("--host: others could read every case; set WORKUNITS_CODEC_TOKEN, or stay on 127.0.0.1", field="--host")
    set_up_logs()
    app = codec_app(ring, origins=settings.codec_origins, token=token)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        fail(f"cannot listen on {host} port {port}: {error.strerror}", code="cannot_listen", field="--port")
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False))

    def stop(*_: object) -> None:
        server.should_exit = True

    # Before it says that it is there. uvicorn takes both over, and raises a signal again, to these, once it has ended.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    note(f"Codec server on http://{host}:{port}, for {', '.join(settings.codec_origins)}. Ctrl-C stops it.")
    if json:
        announce({"codec": f"http://{host}:{port}", "origins": settings.codec_origins})
    server.run(sockets=[listening])


def _key_file(settings: Settings) -> Path:
    if settings.codec_keys is None:
        fail("the codec is off: set WORKUNITS_CODEC_KEYS to the key file", field="codec_keys")
    return settings.codec_keys


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
