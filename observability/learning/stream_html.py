"""A value stream as one page that stands by itself: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from observability.learning.stream import Stream
from observability.output import opened
from workunits.core.unit import WorkUnit

_DASH = "\N{EN DASH}"


def write_page(path: Path, stream: Stream, units: Sequence[type[WorkUnit]], *, replace: bool = False) -> None:
    """Write the page; it is there whole, or not at all.

    Args:
        path: Where.
        stream: What was found.
        units: The stream's units, for their statements.
        replace: Whether a file that is there is replaced.

    Raises:
        OutputExistsError, OSError: nothing was written.
    """
    text = (
        _environment()
        .get_template("stream.html.j2")
        .render(stream=stream, statements={unit.unit_name: unit.outcome.statement for unit in units})
    )
    with opened(path, replace=replace) as file:
        file.write(text.encode())


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("observability.learning"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"span": _span, "share": _share, "when": _when, "number": _number}
    return made


def _span(microseconds: float | None) -> str:
    if microseconds is None:
        return _DASH
    left = timedelta(microseconds=round(microseconds))
    hours, minutes = left.seconds // 3600, left.seconds % 3600 // 60
    said = [(left.days, "d"), (hours, "h"), (minutes, "min"), (left.seconds % 60, "s")]
    return " ".join([f"{count} {name}" for count, name in said if count][:2]) or "0 s"


def _share(value: float | None) -> str:
    return _DASH if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return _DASH if value is None else f"{value:.1f}"


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
