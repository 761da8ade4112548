"""Tables and pairs on stdout: fitted to a terminal, and one plain line per row in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from workers.words import plain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_PIPE_WIDTH = 10_000
"""In a pipe no row is broken: whatever reads it counts lines."""
Cell = str | tuple[str, str]
"""A text, or a text with the style that a terminal shows it in."""


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]], *, whole: Sequence[int] = (0,)) -> None:
    """Print a table.

    Args:
        headers: One per column; `>` in front aligns the column to the right.
        rows: The cells; text of others is made harmless.
        whole: Columns that are never broken while anything else can be.
    """
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, header in enumerate(headers):
        justify, overflow = "right" if header.startswith(">") else "left", "fold"
        grid.add_column(header.lstrip(">"), justify=justify, overflow=overflow, no_wrap=number in whole)  # type: ignore[arg-type]
    for row in rows:
        grid.add_row(*(_text(cell) for cell in row))
    _print(grid)


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


def _text(cell: Cell):  # type: ignore[no-untyped-def]  # noqa: ANN202, rich is imported late
    from rich.text import Text

    text, style = cell if isinstance(cell, tuple) else (cell, "")
    return Text(plain(text), style=style)


def _print(what: RenderableType) -> None:
    console = _console()
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
