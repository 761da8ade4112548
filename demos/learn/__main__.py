"""`make learn-demo`: a simulated quarter, really executed, and what the learning loop makes of it."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli import main
from workers.console import Exit, Json, emit, fail, note, run

if TYPE_CHECKING:
    from demos.learn.fidelity import Fidelity
    from demos.learn.story import Say, Story
    from workers.settings import Settings

FOLDER = "learn-demo"
PAGE = "report.html"
EVERY = 100
"""Minutes of working time from one invoice to the next in the mean: some 310 in a quarter."""

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def learn_demo(
    *,
    seed: Annotated[int, typer.Option(help="Another quarter of the same office.")] = 1,
    every: Annotated[int, typer.Option(min=20, max=400, help="Minutes from one invoice to the next.")] = EVERY,
    json: Json = False,
) -> None:
    """Live through a quarter: a slow step is found, a change proposed, tried, judged, and the baseline raised."""
    from workers.engine.child import until_stopped
    from workers.settings import load_settings

    say = note if json else typer.echo
    ended = run(until_stopped(_live(load_settings(), seed, timedelta(minutes=every), say)))
    if ended is None:
        fail("stopped in the middle; nothing is left running", code="stopped", exit_code=Exit.FINDING)
    story, fidelity, page = ended
    if json:
        emit(
            {
                "seed": seed,
                "cases": len(story.executed),
                "seconds": round(story.seconds, 1),
                "summary": story.summary,
                **story.document,
                "fidelity": fidelity,
                "page": page,
            }
        )
    else:
        _end(story, fidelity, page)
    if fidelity.off:
        fail(
            f"the ledger has {fidelity.off} piece(s) of people's work otherwise than planned. See {page.parent}",
            code="not_as_planned",
            exit_code=Exit.FINDING,
        )


async def _live(settings: Settings, seed: int, every: timedelta, say: Say) -> tuple[Story, Fidelity, Path]:
    from demos.learn.fidelity import compare
    from demos.learn.quarter import Quarter
    from demos.learn.report import write_report
    from demos.learn.story import BUILDS, UNIT, Teller
    from workers.engine.child import unless
    from workers.simulating.executing import next_monday
    from workers.simulating.house import House

    began = time.monotonic()
    say("A simulated quarter, really executed: the engine and two builds of the worker start")
    async with House(settings, FOLDER, BUILDS) as house:
        teller = Teller(house, Quarter(next_monday(datetime.now(UTC)), seed, every), say)
        story = await unless(teller.tell(), house.broken)
        fidelity = compare(house.ledger, story.executed.values())
        story.seconds = time.monotonic() - began
        page = house.folder / PAGE
        write_report(page, story, fidelity, house.catalog.get(UNIT), house.ledger)
    return story, fidelity, page


def _end(story: Story, fidelity: Fidelity, page: Path) -> None:
    """Say what came of it."""
    typer.echo("")
    typer.echo(story.summary)
    typer.echo(
        f"{len(story.executed)} cases in {story.seconds:.0f} s; of {fidelity.turns} pieces of people's work "
        f"{fidelity.off} are recorded otherwise than planned. Nothing is left running."
    )
    typer.echo(f"The whole story: {min(str(page), os.path.relpath(page), key=len)}")


if __name__ == "__main__":
    main(app)
