"""Tables and pairs on stdout: fitted to a terminal, and one plain line per row in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from workers.pages.words import plain

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod, RenderableType
    from rich.text import Text

_PIPE_WIDTH = 10_000
"""In a pipe no row is broken: whatever reads it counts lines."""
_GAP, _NARROWEST = 2, 10
Cell = str | tuple[str, str]
"""A text, or a text with the style that a terminal shows it in."""


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]], *, whole: Collection[int] = (0,)) -> None:
    """Print a table.

    Args:
        headers: One per column; `>` in front aligns the column to the right.
        rows: The cells; text of others is made harmless.
        whole: Columns that are never broken: what stands there is copied.
    """
    from rich.table import Table

    names = [header.lstrip(">") for header in headers]
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(name), *(row[n].cell_len for row in texts)) for n, name in enumerate(names)]
    floors = [width if n in whole else min(width, _NARROWEST) for n, width in enumerate(widths)]
    grid = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for n, (header, name) in enumerate(zip(headers, names, strict=True)):
        side: JustifyMethod = "right" if header.startswith(">") else "left"
        grid.add_column(name, justify=side, overflow="fold", no_wrap=n in whole, min_width=floors[n])
    for row in texts:
        grid.add_row(*row)
    # A terminal that is too narrow even so breaks the lines by itself, and leaves the words whole.
    _print(grid, at_least=sum(floors) + _GAP * len(floors))


def pairs(rows: Iterable[tuple[str, Cell]], *, indent: int = 0) -> None:
    """Print names with their values below each other; a pair without a value is left out."""
    from rich.padding import Padding
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows:
        if value:
            grid.add_row(name, _text(value))
    _print(Padding(grid, (0, 0, 0, indent)))


def line(text: Cell = "", *, style: str = "") -> None:
    """Print one line of text."""
    said = _text(text)
    if style:
        said.stylize(style)
    _print(said)


def _text(cell: Cell) -> Text:
    from rich.text import Text

    text, style = cell if isinstance(cell, tuple) else (cell, "")
    return Text(plain(text), style=style)


def _print(what: RenderableType, at_least: int = 0) -> None:
    console = _console()
    console.width = max(console.width, at_least)
    with console.capture() as captured:
        console.print(what)
    # Cells are filled up with blanks, which a copy or a diff would carry along.
    sys.stdout.write("".join(f"{row.rstrip()}\n" for row in captured.get().splitlines()))


def _console() -> Console:
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(
        file=sys.stdout,
        width=None if terminal else _PIPE_WIDTH,
        no_color=None if terminal else True,
        force_terminal=None if terminal else False,
        highlight=False,
        markup=False,
        emoji=False,
    )
