"""The catalog and the boundary map as one page that needs nothing else: no script, no font, no picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from inbox.catalog_map import Entry, Place, by_stream, performer, title_of
from workers.pages.catalog import CLASSES

_LANES: Mapping[str, str] = {
    "outside": "Outside",
    "person": "People",
    "model": "AI models",
    "code": "Code",
    "unit": "Other units",
}


def html(found: Sequence[Entry]) -> str:
    """The whole page."""
    folder = Path(__file__).parent.parent / "templates"
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    streams = [(title_of(stream), units) for stream, units in by_stream(found).items()]
    return made.get_template("catalog.html.j2").render(
        streams=streams, lanes=_lanes, performer=performer, title="The catalog"
    )


def _lanes(one: Entry) -> list[tuple[str, str, list[Place | None]]]:
    """The lanes of a unit that have a step: their class, their name, and what stands in each column."""
    lanes = [
        (lane, name, [step if _lane(step) == lane else None for step in one.steps]) for lane, name in _LANES.items()
    ]
    return [lane for lane in lanes if any(lane[2])]


def _lane(step: Place) -> str:
    return "outside" if step.external else CLASSES.get(step.kind, "code")
