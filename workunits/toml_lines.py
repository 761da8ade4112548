"""On which line of a TOML text each key is set, for errors that name it."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def lines_of(text: str) -> Mapping[tuple[str, ...], int]:
    """The line of each key by its path, counted from 1; a key inside an inline table has none of its own.

    The tables of `[[name]]` are `name, 0`, `name, 1` and so on.
    """
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    count: Counter[tuple[str, ...]] = Counter()
    for number, line in enumerate(text.split("\n"), 1):
        said = line.strip()
        if said.startswith("["):
            table = _path(said) or table
            found.setdefault(table, number)
            if said.startswith("[["):
                count[table] += 1
                table = (*table, str(count[table] - 1))
                found.setdefault(table, number)
        elif "=" in said and not said.startswith("#"):
            for cut in (at for at, sign in enumerate(said) if sign == "="):  # a quoted key may hold one
                key = _path(f"{said[:cut]}=0")
                if key:
                    found.setdefault(table + key, number)
                    break
    return found


def line_of(lines: Mapping[tuple[str, ...], int], path: Sequence[str]) -> int | None:
    """The line of a key, or of the nearest thing around it."""
    for length in range(len(path), 0, -1):
        if tuple(path[:length]) in lines:
            return lines[tuple(path[:length])]
    return None


def _path(said: str) -> tuple[str, ...]:
    """The keys of a line that is TOML by itself, outermost first; none for another line."""
    try:
        inside: Any = tomllib.loads(said)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while True:
        # `[[name]]` is a list of one table.
        inside = inside[0] if isinstance(inside, list) and len(inside) == 1 else inside
        if not isinstance(inside, dict) or len(inside) != 1:
            return tuple(path)
        key, inside = next(iter(inside.items()))
        path.append(key)
