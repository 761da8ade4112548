"""The command that shows it all: `workunits demo`."""

from __future__ import annotations

import typer

from workers.console import Exit, Json, emit, fail, run, setup


def demo(ctx: typer.Context, *, json: Json = False) -> None:
    """Drive 28 cases of two units to every way of closing, on skipped time."""
    from workers.demo import play
    from workers.engine.child import until_stopped
    from workers.pages.demo import Page

    settings = setup(ctx).settings
    with Page(ai_model=settings.ai_model, stderr=json) as page:
        outcome = run(until_stopped(play(settings, page)))
    if outcome is None:
        fail("stopped in the middle; nothing is left running", code="stopped", exit_code=Exit.FINDING)
    if json:
        emit({"cases": outcome.rows})
    else:
        page.end(outcome)
    if outcome.faults:
        said = "; ".join(outcome.faults)
        fail(f"not as scripted: {said}. See {outcome.folder}", code="not_as_scripted", exit_code=Exit.FINDING)
