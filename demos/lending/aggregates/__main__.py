"""`make stream-aggregates LOG=FILE`: the bank's log, in aggregates that may be committed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workers.cli import main
from workers.console import Json, emit, note

OUT = Path(__file__).parent / "loans-2012.json"
MAP = Path("docs/baselines/loans-2012.toml")
ZONE = "Europe/Amsterdam"

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def stream_aggregates(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="The event log: XES, also as gzip. It is only read.")],
    *,
    map_: Annotated[Path, typer.Option("--map", metavar="MAP.toml", help="How the log is to be read.")] = MAP,
    zone: Annotated[str, typer.Option(help="The zone whose days and hours its people worked in.")] = ZONE,
    out: Annotated[Path, typer.Option(help="The file to write; one that is there is replaced.")] = OUT,
    json: Json = False,
) -> None:
    """Add a log up into counts, shares and quantiles; nothing of a single case is kept."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from pydantic_core import to_json

    from demos.lending.aggregates.reading import aggregates
    from observability.learning.mapping import read_map
    from observability.output import opened
    from workers.console import fail

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fail("--zone: write a zone such as Europe/Amsterdam or UTC", code="invalid_field", field="--zone")
    found = aggregates(log, read_map(map_), zone)
    with opened(out, replace=True) as file:
        file.write(to_json(found, indent=1) + b"\n")
    if json:
        emit(found)
    else:
        note(f"{found['cases']['n']} cases added up, {found['cases']['open']} of them open. Written: {out}")


if __name__ == "__main__":
    main(app)
