"""Calendar files: TOML, read and judged as a whole."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from workunits.calendars.spec import Calendar, Closure, Holidays, Moved, Single, Week, Yearly
from workunits.core.errors import WorkUnitsError
from workunits.toml_lines import line_of, lines_of

LARGEST = 1024 * 1024
"""Bytes of a calendar file."""
NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
"""What a calendar may be called."""
_TABLES: Mapping[str, type[BaseModel]] = {
    "hours": Week,
    "holidays": Holidays,
    "every_year": Yearly,
    "dates": Single,
    "closures": Closure,
    "moved": Moved,
}
_SAID = {
    # In the words of whoever writes the file; all else pydantic says well enough.
    "bool_type": "write true or false, without quotes",
    "date_type": "write a date without quotes, such as 2026-12-28",
    "dict_type": "write it as a table",
    "int_type": "write a whole number without quotes, such as 1",
    "missing": "it is missing; add it",
    "model_type": "write it as a table",
    "string_pattern_mismatch": "one line of text",
    "string_type": "write a text in quotes",
    "tuple_type": 'write a list: hours as ["09:00-17:00"], everything else below a [[heading]] of its own',
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not right in a calendar file."""

    file: str
    line: int | None
    field: str
    """Empty when it is about the whole file."""
    why: str
    """With the remedy."""

    def __str__(self) -> str:
        """Say it on one line."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.field}: {self.why}" if self.field else f"{where}: {self.why}"


class CalendarError(WorkUnitsError):
    """A calendar cannot be used."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Say everything that is not right in it at once."""
        self.problems = tuple(problems)
        self.code = "bad_calendar"
        self.field = self.problems[0].field
        if len(self.problems) == 1:
            super().__init__(str(self.problems[0]))
        else:
            lines = "".join(f"\n  - {problem}" for problem in self.problems)
            super().__init__(f"{self.problems[0].file} has {len(self.problems)} problems:{lines}")


def read(path: Path) -> Calendar:
    """Read a calendar file.

    Raises:
        CalendarError: whatever is not right, each with its line and its remedy.
    """
    return parse(text_of(path), str(path))


def parse(text: str, file: str) -> Calendar:
    """Judge the text of a calendar file.

    Raises:
        CalendarError: as `read`.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        at = re.search(r"\(at line (\d+), column \d+\)", said)
        why = f"not TOML: {said.partition(' (at ')[0].lower()}"
        if "overwrite" in said or "twice" in said:  # tomllib's words for a key that is there already
            why = "the key is there twice; keep one"
        raise CalendarError([Problem(file, int(at[1]) if at else None, "", why)]) from None
    try:
        return Calendar.model_validate(content)
    except ValidationError as error:
        lines = lines_of(text)
        found = error.errors(include_input=False, include_url=False)
        problems = [_problem(one, lines, file) for one in found]
        raise CalendarError(sorted(problems, key=lambda one: one.line or 0)) from None


def text_of(path: Path) -> str:
    """Read a file's text.

    Raises:
        CalendarError: it is missing, not readable, too large or not text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            why = "larger than 1 MB; a calendar is a short TOML file"
        else:
            return content.decode("utf-8-sig")
    except FileNotFoundError:
        why = "there is no such calendar file; name one that is there"
    except UnicodeDecodeError:
        why = "not UTF-8 text; save it as such"
    except OSError as error:
        why = f"cannot be read: {(error.strerror or 'it failed').lower()}"
    raise CalendarError([Problem(str(path), None, "", why)])


def name_of(path: Path) -> str:
    """Name a calendar after its file.

    Raises:
        CalendarError: the file's name cannot be that of a calendar.
    """
    if path.suffix != ".toml" or not NAME.fullmatch(path.stem):
        why = "a calendar is named by its file: lower-case letters, digits, - and _, a letter first, then .toml; rename"
        raise CalendarError([Problem(str(path), None, "", f"{why} it")])
    return path.stem


def _problem(error: ErrorDetails, lines: Mapping[tuple[str, ...], int], file: str) -> Problem:
    path = tuple(str(part) for part in error["loc"])
    said = error["msg"].removeprefix("Value error, ")
    # A rule of a whole table names its field itself.
    inside = re.match(r"([a-z_]+): (.*)", said) if error["type"] == "value_error" else None
    if inside:
        path, said = (*path, inside[1]), inside[2]
    elif error["type"] == "extra_forbidden":
        said = f"there is no such key; {_near(path[-1], _keys(path[:-1]))}"
    else:
        said = _SAID.get(error["type"]) or said.replace("Input should", "should").replace("String should", "should")
    return Problem(file, line_of(lines, path), _dotted(path), said)


def _keys(path: Sequence[str]) -> list[str]:
    model: Any = _TABLES.get(path[0], Calendar) if path else Calendar
    return [field.alias or name for name, field in model.model_fields.items()]


def _near(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"


def _dotted(path: Sequence[str]) -> str:
    """A path as people count: `closures 2, from`; `hours.monday, interval 1`."""
    said = ""
    for number, part in enumerate(path):
        if part.isdigit():
            count = int(part) + 1
            said += f", interval {count}" if "hours" in path[:number] else f" {count}"
        elif said:
            said += f", {part}" if said[-1].isdigit() else f".{part}"
        else:
            said = part
    return said
