"""`make demo STREAM=lending`: a value stream, its applications drawn from a bank's log and really executed."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli import main
from workers.console import Exit, Json, emit, fail, note, run

if TYPE_CHECKING:
    from demos.lending.beside import Beside
    from demos.lending.playing import Played, Say
    from observability.learning.stream import Stream
    from workers.settings import Settings

FOLDER, PAGE = "lending-demo", "stream.html"
MANY, WEEKS = 150, 13
QUIET_WEEKS = 5
"""Weeks without a holiday, so that the demo gives the same whenever it is run."""

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def lending_demo(
    *,
    seed: Annotated[int, typer.Option(help="Other applicants and people's answers.")] = 1,
    many: Annotated[int, typer.Option(min=10, max=5000, help="Applications.")] = MANY,
    quarter: Annotated[bool, typer.Option("--quarter", help="Thirteen weeks, however many come in.")] = False,
    json: Json = False,
) -> None:
    """Live through a value stream, and put it beside the bank's log."""
    from demos.lending.page import page
    from workers.engine.child import until_stopped
    from workers.settings import load_settings

    say = note if json else typer.echo
    asked = (0, WEEKS) if quarter else (many, 0)
    ended = run(until_stopped(_live(load_settings(), str(seed), asked, say)))
    if ended is None:
        fail("stopped in the middle; nothing is left running", code="stopped", exit_code=Exit.FINDING)
    told, document, faults = ended
    if json:
        emit({"seed": seed, **document})
    else:
        typer.echo(page(*told))
    if faults:
        first = "; ".join(faults[:3])
        fail(f"{len(faults)} otherwise than planned: {first}", code="not_as_planned", exit_code=Exit.FINDING)


Told = tuple["Played", "Stream", "Stream", "Beside", dict[str, Any]]


async def _live(
    settings: Settings, seed: str, asked: tuple[int, int], say: Say
) -> tuple[Told, dict[str, Any], list[str]]:
    from demos.learn.fidelity import compare
    from demos.lending import beside, playing
    from observability.learning.stream import look, units_of
    from observability.learning.stream_html import write_page
    from workers.engine.child import unless
    from workers.simulating.house import Build, House

    began = time.monotonic()
    many, weeks = asked
    say("A simulated office, its cases really executed: an engine of its own and a worker start")
    async with House(settings, FOLDER, (Build("lending"),)) as house:
        names = [unit.unit_name for unit in units_of(playing.STREAM, house.catalog)]
        have = [name for name in playing.PLAYED if name in names]
        missing = [name for name in playing.PLAYED if name not in have]
        begin = playing.begins(datetime.now(UTC), weeks or QUIET_WEEKS)
        plan = playing.plan(begin, seed, have, missing, many=many, weeks=weeks)
        say(f"{len(plan.threads)} applications drawn; {len(plan.cases)} cases planned")
        played = await unless(playing.Player(house, plan, say).play(), house.broken)
        fidelity = compare(house.ledger, played.executed)
        units = units_of(playing.STREAM, house.catalog)
        stream = look(house.ledger, beside.question(plan, units))
        rush = look(house.ledger, beside.question(plan, units, rush=True))
        side = beside.compare(house.ledger, plan, stream)
        target: Path = house.folder / PAGE
        write_page(target, stream, units, replace=True)
    seconds = round(time.monotonic() - began, 1)
    more = {"seconds": seconds, "page": str(target), "fidelity": fidelity}
    document = {
        "applications": len(plan.threads),
        "cases": len(played.executed),
        "executed_units": have,
        "missing_units": missing,
        **more,
        "stream": stream,
        "while_applications_came_in": rush,
        "before_and_after": side,
        "otherwise": played.otherwise,
    }
    faults = [*played.otherwise]
    if fidelity.off:
        faults.append(f"{fidelity.off} piece(s) of people's work are recorded otherwise than planned")
    return (played, stream, rush, side, more), document, faults


if __name__ == "__main__":
    main(app)
