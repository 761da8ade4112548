"""The catalog and the boundary map, as text for a terminal and as Markdown with Mermaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inbox.catalog_map import Entry, Place, by_stream, performer, title_of
from workers.pages.words import plain

MADE_BY = "workunits catalog --markdown"
_STYLES = (
    "classDef person fill:#fde9c9,stroke:#8a5300,color:#1a1a1a",
    "classDef code fill:#dfe9f5,stroke:#2f5d8c,color:#1a1a1a",
    "classDef model fill:#e6dcf5,stroke:#5b3a8c,color:#1a1a1a",
    "classDef unit fill:#dff0e0,stroke:#2c6b34,color:#1a1a1a",
)
CLASSES: Mapping[str, str] = {"human": "person", "automated": "code", "ai": "model", "hybrid": "model", "unit": "unit"}


def page(found: Sequence[Entry]) -> str:
    """The catalog as text."""
    return "\n".join(_text(found))


def _text(found: Sequence[Entry]) -> Iterator[str]:
    for stream, units in by_stream(found).items():
        yield title_of(plain(stream))
        for one in units:
            yield ""
            yield f"  {one.unit}  version {one.version} ({one.hash})  {one.stage}"
            yield f"    {plain(one.statement)}"
            yield f"    promised {plain(one.promise)}; {plain(one.accountable)} answers for it"
            yield f"    owned by {plain(one.owner)}"
            yield f"    measured by {plain('; '.join(one.measures))}"
            for step in one.steps:
                yield f"    {'~' if step.aside else '-'} {step.name}: {plain(_said(step))}"
        yield ""
    yield "~ a rule leads to it. As a page: workunits catalog --html FILE, or --markdown FILE"


def _said(step: Place) -> str:
    decides = f"; decides {step.decides}" if step.decides else ""
    answers = f"; {step.accountable} answers for it" if step.accountable else ""
    return f"{performer(step)}{decides}{answers}"


def markdown(found: Sequence[Entry]) -> str:
    """The catalog and the boundary map as one Markdown page."""
    return "\n".join(_markdown(found)) + "\n"


def _markdown(found: Sequence[Entry]) -> Iterator[str]:
    yield "# The catalog"
    yield ""
    yield "Every unit with its value stream, who owns it, who answers for its outcome, and its boundary: what a machine"
    yield f"does, what a person decides. This page is made by `{MADE_BY} FILE`; do not edit it."
    for stream, units in by_stream(found).items():
        yield from ("", f"## {_cell(title_of(stream))}", "")
        yield "| unit | version | stage | owner | answers for the outcome | promise | measures |"
        yield "|---|---|---|---|---|---|---|"
        for one in units:
            measures = "<br>".join(_cell(measure) for measure in one.measures)
            cells = (one.version, one.stage, one.owner, one.accountable, one.promise)
            link = f"[`{one.unit}`](#{one.unit})"
            yield f"| {' | '.join([link, *map(_cell, cells), measures])} |"
        for one in units:
            yield from _unit(one)


def _unit(one: Entry) -> Iterator[str]:
    yield from ("", f"### {one.unit}", "", f"{_cell(one.statement)}", "")
    yield from ("```mermaid", *mermaid(one), "```", "")
    yield "| step | performed by | decides | answers for the decision |"
    yield "|---|---|---|---|"
    for step in one.steps:
        name = f"`{step.name}`" + (" (a rule leads to it)" if step.aside else "")
        yield f"| {name} | {_cell(performer(step))} | {_cell(step.decides)} | {_cell(step.accountable)} |"
    yield ""
    yield f"Definition `{one.hash}`. Steps stand in the order in which they are declared."


def mermaid(one: Entry) -> Iterator[str]:
    """A flowchart of a unit: decisions are hexagons, dotted ways are those of rules."""
    ids = {step.name: f"s{number}" for number, step in enumerate(one.steps)}
    yield "flowchart LR"
    yield f'  case(["{_label(one.case)}"])'
    for step in one.steps:
        words = [f"<b>{step.name}</b>", _label(performer(step)).replace(" (", "<br/>(")]
        words += [f"{_label(step.accountable)} answers"] if step.accountable else []
        left, right = ("{{", "}}") if step.decides else ("[", "]")
        yield f'  {ids[step.name]}{left}"{"<br/>".join(words)}"{right}:::{CLASSES.get(step.kind, "code")}'
    yield f'  outcome(["outcome<br/>{_label(one.accountable)} answers"])'
    if any(not way.to for way in one.ways):
        yield '  closed(["closed without it"])'
    yield "  " + " --> ".join(["case", *(ids[step.name] for step in one.order), "outcome"])
    for way in one.ways:
        yield f'  {ids[way.start]} -. "{_label(way.when)}" .-> {ids[way.to] if way.to else "closed"}'
    yield from (f"  {style}" for style in _STYLES)


def _label(text: str) -> str:
    """Text inside a label, without what Mermaid or HTML reads as its own."""
    for sign, instead in (("&", "#amp;"), ("<", "#lt;"), (">", "#gt;"), ('"', "#quot;"), ("`", "#96;")):
        text = text.replace(sign, instead)
    return plain(text)


def _cell(text: str) -> str:
    """Text in a table of Markdown."""
    return plain(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
