"""The command that takes cases out of the ledger, for process mining, a spreadsheet or another program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.console import Exit, Json, emit, fail, note, setup

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from observability.export.hiding import Hiding
    from observability.export.reading import CaseFile, Wanted
    from observability.ledger.store import Ledger
    from workunits.codec import KeyRing

_STDOUT = "-"
_SHOW_EVERY = 100
"""Cases between two moves of the progress bar."""


class Format(StrEnum):
    """How an export is written."""

    XES = "xes"
    CSV = "csv"
    JSONL = "jsonl"


class Table(StrEnum):
    """What a row of a CSV is."""

    CASES = "cases"
    STEPS = "steps"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be written, and where to."""

    form: Format
    table: Table
    target: Path | None
    """The file; None for stdout."""
    force: bool
    hiding: Hiding | None
    """Takes personal data out, where that is asked for."""
    keys: KeyRing | None = None
    """Open inputs that the ledger keeps sealed."""


def export(
    ctx: typer.Context,
    *,
    form: Annotated[Format, typer.Option("--format", help="An event log, a table, or a JSON object per case.")],
    table: Annotated[Table | None, typer.Option(help="What a row of a CSV is; by default a case.")] = None,
    unit: Annotated[str | None, typer.Option(help="Only this unit's cases.")] = None,
    version: Annotated[str | None, typer.Option(help="Only cases of this version.")] = None,
    close: Annotated[str | None, typer.Option(help="Only cases that closed as this.")] = None,
    state: Annotated[str | None, typer.Option(help="Only cases that are open, closed, running, waiting ...")] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="Only cases that closed then or later, and open ones.")] = (
        ""
    ),
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Only cases that closed before, and open ones that had started.")
    ] = "",
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE|-", help="Where to; - is stdout.")] = _STDOUT,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    without_personal_data: Annotated[
        bool, typer.Option("--without-personal-data", help="Aliases for names; no free texts, no personal fields.")
    ] = False,
    json: Json = False,
) -> None:
    """Write cases and what happened in them as XES, CSV or JSON lines."""
    from observability.export.hiding import Hiding
    from observability.export.reading import Wanted
    from observability.ledger.pruning import units_of
    from observability.ledger.store import Ledger
    from workers.key_file import ring

    target = None if output == _STDOUT else Path(output)
    if table and form != Format.CSV:
        fail("only a CSV has a table; leave it out, or write --format csv", field="--table")
    if json and target is None:
        fail("stdout takes the export itself; name a file for it: --output FILE", field="--json")
    _check_words(close, state)
    wanted = Wanted(unit, version, close, state, _moment(since, "--since"), _moment(until, "--until"))
    hiding = Hiding(setup(ctx).catalog) if without_personal_data else None
    keys = ring(setup(ctx).settings) if form == Format.JSONL else None
    job = Job(form, table or Table.CASES, target, force, hiding, keys)
    if target:  # so that a file half-written goes, too
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    ledger = Ledger(setup(ctx).settings.ledger_url)
    ledger.check()
    if unit and unit not in units_of(ledger):
        setup(ctx).catalog.get(unit)  # names near ones
    try:
        written = _write(job, ledger, wanted)
    except BrokenPipeError:
        _end_quietly()
        return
    finally:
        ledger.close()
    _tell(job, written, json=json)


def _write(job: Job, ledger: Ledger, wanted: Wanted) -> int:
    """Write the export; gives the number of its cases."""
    from observability.export.reading import read
    from observability.output import OutputExistsError, opened

    parts, as_bytes = _writer(job)
    files = read(ledger, wanted, parts, with_input=job.form == Format.JSONL, keys=job.keys)
    written = 0

    def told(step: Callable[[int], None]) -> Iterator[CaseFile]:
        nonlocal written
        for file in files:
            yield job.hiding.apply(file) if job.hiding else file
            written += 1
            step(written)

    try:
        with opened(job.target, replace=job.force) as out, _progress(ledger, wanted) as step:
            for piece in as_bytes(told(step)):
                out.write(piece)
    except OutputExistsError as error:
        fail(str(error), code="exists", exit_code=Exit.CONFLICT, field="--output")
    return written


def _writer(job: Job) -> tuple[tuple[str, ...], Callable[[Iterable[CaseFile]], Iterator[bytes]]]:
    """The parts of a case that a format tells, and what writes them."""
    if job.form == Format.XES:
        from observability.export import xes

        return xes.PARTS, xes.log_of
    if job.form == Format.JSONL:
        from observability.export import lines

        return lines.PARTS, lines.lines_of
    from observability.export import spreadsheet

    return spreadsheet.PARTS[job.table.value], lambda files: spreadsheet.rows_of(files, job.table.value)


def _check_words(close: str | None, state: str | None) -> None:
    from observability.export.reading import CLOSED, OPEN
    from workunits.core.spec import CLOSES, OPEN_STATES

    if close is not None and close not in CLOSES:
        fail(f"one of {', '.join(CLOSES)}", field="--close", code="invalid_field")
    states = (OPEN, CLOSED, *OPEN_STATES, *CLOSES)
    if state is not None and state not in states:
        fail(f"one of {', '.join(states)}", field="--state", code="invalid_field")


def _moment(text: str, field: str) -> datetime | None:
    """A moment, or the beginning of a day in UTC."""
    from datetime import UTC, date, datetime

    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        pass
    try:
        said = datetime.fromisoformat(text)
        when = said.astimezone(UTC) if said.tzinfo else None
    except (ValueError, OverflowError):  # the last: of the year 1 or 9999, and of none by UTC
        when = None
    if when is None:
        fail(
            "write a day, or a time with its zone: 2026-01-31, 2026-01-31T14:05:00Z", field=field, code="invalid_field"
        )
    return when


@contextmanager
def _progress(ledger: Ledger, wanted: Wanted) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far it is; gives what is to be called with the number of cases so far."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from observability.export.reading import count

    columns = (TextColumn("cases"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        bar = shown.add_task("", total=count(ledger, wanted))

        def step(written: int) -> None:
            if written % _SHOW_EVERY == 0:
                shown.update(bar, completed=written)

        yield step


def _end_quietly() -> None:
    """Whoever read the export has seen enough; what is still to be flushed goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _tell(job: Job, written: int, *, json: bool) -> None:
    if json:
        emit({"cases": written, "format": job.form.value, "output": str(job.target)})
    if not written:
        note("n = 0: no case fits; the export is valid, and empty")
    elif job.target and not json:
        typer.echo(f"{written} case{'s' if written != 1 else ''} written to {job.target}")
