"""The command of the replay gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.console import Exit, Json, emit, fail, note, run, setup

if TYPE_CHECKING:
    from temporalio.client import Client

    from workers.replaying.histories import History
    from workers.replaying.recording import Recording
    from workers.replaying.replay import Verdict
    from workunits.core.unit import WorkUnit
    from workunits.registry import Catalog

STORED = Path("tests/replay")
"""Where a checkout keeps its histories."""
_SHOWN = 6


def replay(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help=f"Histories, or folders of them. By default {STORED}.", metavar="PATH"),
    ] = None,
    *,
    from_engine: Annotated[bool, typer.Option("--from-engine", help="Replay the engine's cases, open and closed.")] = (
        False
    ),
    unit: Annotated[str, typer.Option(help="Only this unit's histories.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many cases of the engine, the newest.")] = 200,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Open cases of older versions get today's code: they must replay, too.")
    ] = False,
    record: Annotated[
        Path | None, typer.Option(help="Store here what is missing: a case of the engine for each way of closing.")
    ] = None,
    json: Json = False,
) -> None:
    """Replay stored histories against today's code, and say what an open case would trip over."""
    if paths and (from_engine or record):
        fail("PATH names stored histories; leave it out with --from-engine and --record", field="path")
    if record:
        _show_recording(run(_record(ctx, record, unit)), as_json=json)
        return
    if from_engine:
        verdicts = run(_replay_engine(ctx, unit, limit, upgrade=upgrade))
    else:
        verdicts = _replay_files(ctx, paths or [], unit, upgrade=upgrade)
    _show(verdicts, as_json=json)


def _replay_files(ctx: typer.Context, paths: Sequence[Path], unit: str, *, upgrade: bool) -> list[Verdict]:
    from workers.replaying.histories import UnreadableHistoryError, files_in, load
    from workers.replaying.replay import Verdict, replay

    if unit:
        setup(ctx).catalog.get(unit)
    files = files_in(paths or [STORED] if paths or STORED.is_dir() else [])
    if not files:
        where = ", ".join(map(str, paths or [STORED]))
        fail(f"no stored history in {where}; store some: workunits replay --record {STORED}", code="nothing_found")
    histories, unreadable = [], []
    for file in files:
        try:
            histories.append(load(file))
        except UnreadableHistoryError as error:
            unreadable.append(Verdict(str(file), status="unreadable", remedy=str(error)))
    if unit:
        histories = [history for history in histories if history.unit == unit]
        if not (histories or unreadable):
            fail(f"none of these histories is of {unit}", code="nothing_found", field="unit")
    return [*unreadable, *run(replay(histories, setup(ctx).catalog, upgrade=upgrade))]


async def _replay_engine(ctx: typer.Context, unit: str, limit: int, *, upgrade: bool) -> list[Verdict]:
    from workers.replaying.recording import histories_of
    from workers.replaying.replay import replay

    there = setup(ctx)
    async with _engine(ctx, unit) as (client, catalog, units):
        names = ", ".join(f"'{one.unit_name}'" for one in units)
        found: list[History] = [h async for h in histories_of(client, f"WorkflowType IN ({names})", limit)]
    if not found:
        fail("the engine has no case of these units", code="nothing_found")
    queues = there.settings.separate_queues.values()
    return await replay(found, catalog, upgrade=upgrade, queues=list(queues))


async def _record(ctx: typer.Context, folder: Path, unit: str) -> Recording:
    from workers.replaying.recording import record

    async with _engine(ctx, unit) as (client, catalog, units):
        return await record(client, catalog, folder, units)


@asynccontextmanager
async def _engine(ctx: typer.Context, unit: str) -> AsyncIterator[tuple[Client, Catalog, list[type[WorkUnit]]]]:
    from workers.engine.connect import connect

    there = setup(ctx)
    units = [there.catalog.get(unit)] if unit else list(there.catalog)
    yield await connect(there.settings, there.catalog), there.catalog, units


def _show(verdicts: Sequence[Verdict], *, as_json: bool) -> None:
    counts = Counter(verdict.status for verdict in verdicts)
    if as_json:
        emit({"histories": verdicts, "summary": dict(counts)})
    else:
        for verdict in verdicts:
            _print(verdict)
        summary = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counts.items())
        typer.echo(f"{len(verdicts)} {'history' if len(verdicts) == 1 else 'histories'}: {summary}")
    if counts["breaks"]:
        raise typer.Exit(Exit.FINDING)
    if counts["unreadable"] or counts["unknown_unit"]:
        raise typer.Exit(Exit.USAGE)


def _print(verdict: Verdict) -> None:
    version = f" (version {verdict.version})" if verdict.version else ""
    typer.echo(f"{verdict.status.replace('_', ' '):>12}  {verdict.history}{version}")
    for finding in verdict.findings[:_SHOWN]:
        typer.echo(f"{'':14}- {finding}")
    more = len(verdict.findings) - _SHOWN
    if more > 0:
        typer.echo(f"{'':14}- and {more} more: --json names them all")
    if verdict.remedy:
        typer.echo(f"{'':14}{verdict.remedy}")


def _show_recording(done: Recording, *, as_json: bool) -> None:
    if as_json:
        emit(done)
        return
    for path in done.stored:
        typer.echo(f"stored {path}")
    for case in done.refused:
        note(f"not stored: {case} was run by other code than today's, which cannot replay it")
    for unit, way in done.missing:
        note(f"still missing: {unit} {way}; let a case close this way on the engine, then record again")
    if not (done.stored or done.missing):
        typer.echo("nothing is missing")
