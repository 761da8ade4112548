"""Many cases at once: each line of the input is started, or refused with its number and why."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from temporalio.service import RPCError, RPCStatusCode

from workers.console import CommandError, Exit, judge, note
from workers.intake import Line, Source, explained
from workers.pages.words import plain
from workunits.client import Cases, DuplicateCaseError, Started
from workunits.core.errors import BadInput, WorkUnitsError

AT_ONCE = 32
"""Starts under way; more would only queue in the engine."""


@dataclass(frozen=True)
class Order:
    """What every case of the input is started with."""

    unit: str
    key: str | None = None
    accepted_at: datetime | None = None
    delay: timedelta = timedelta(0)


@dataclass(frozen=True)
class Outcome:
    """What became of one line."""

    line: int
    started: Started | None = None
    error: CommandError | None = None
    case: str = ""
    """The case that is in the way, when one is."""

    def as_json(self) -> dict[str, Any]:
        """As an entry of `cases` or of `errors`."""
        if self.started:
            there = self.started
            return {"line": self.line, "case": there.case, "run": there.run, "existing": there.existing}
        assert self.error is not None  # noqa: S101 - a line is started or refused
        said = {"line": self.line, "code": self.error.code, "message": str(self.error)}
        more = {"field": self.error.field, "case": self.case}
        return said | {name: value for name, value in more.items() if value}


@dataclass
class Result:
    """What has become of the input so far."""

    many: bool
    """A case per line, not one document."""
    keep: bool
    """Keep every outcome; else only the numbers, so that an input of any length fits into memory."""
    started: int = 0
    existing: int = 0
    failed: int = 0
    codes: set[str] = field(default_factory=set)
    """Of the refusals."""
    kept: list[Outcome] = field(default_factory=list)
    lost: CommandError | None = None
    """Why the rest was not tried."""

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        if outcome.error:
            self.failed += 1
            self.codes.add(outcome.error.code)
        elif outcome.started:
            self.existing += outcome.started.existing
            self.started += not outcome.started.existing
        if self.keep:
            self.kept.append(outcome)

    @property
    def seen(self) -> int:
        """Lines that were started or refused."""
        return self.started + self.existing + self.failed

    @property
    def exit_code(self) -> Exit:
        """How the command ends."""
        if not self.failed:
            return Exit.OK
        if self.started or self.existing:
            return Exit.PARTLY
        return Exit.CONFLICT if self.codes == {"duplicate"} else Exit.USAGE

    def as_json(self) -> dict[str, Any]:
        """The numbers, and every outcome that was kept."""
        return {
            "started": self.started,
            "existing": self.existing,
            "failed": self.failed,
            "cases": [outcome.as_json() for outcome in self.kept if outcome.started],
            "errors": [outcome.as_json() for outcome in self.kept if outcome.error],
        }

    def __str__(self) -> str:
        """The numbers in words."""
        parts = [f"{self.started} started"]
        parts += [f"{self.existing} there already"] if self.existing else []
        parts += [f"{self.failed} refused"] if self.failed else []
        return ", ".join(parts)


async def start_all(
    cases: Cases, order: Order, lines: AsyncIterator[Line], source: Source, *, many: bool, keep: bool
) -> Result:
    """Start the cases of all lines, and say on stderr what is refused; outcomes come in the order of the lines.

    Of several lines with one business key the first is started, although many lines are under way at a time.

    Args:
        cases: The way to them.
        order: What each is started with.
        lines: The input.
        source: Says how far it has been read.
        many: See `Result`.
        keep: See `Result`.
    """
    result, under_way = Result(many, keep), deque[asyncio.Task[Outcome]]()
    field = cases.catalog.get(order.unit).key
    with progress(source, result) as tell:

        def settle(outcome: Outcome) -> None:
            result.add(outcome)
            tell(f"line {outcome.line}: {outcome.error}" if outcome.error and not keep else "")

        try:
            async for line in lines:
                if len(under_way) == AT_ONCE:
                    settle(await under_way.popleft())
                key = _key(line, field)
                before = next((task for task in reversed(under_way) if key and task.get_name() == key), None)
                under_way.append(asyncio.create_task(start_one(cases, order, line, after=before), name=key))
            while under_way:
                settle(await under_way.popleft())
        except RPCError as error:
            result.lost = judge(error)
            for said in await asyncio.gather(*under_way, return_exceptions=True):
                if isinstance(said, Outcome):
                    settle(said)
        except asyncio.CancelledError:
            tell(f"Stopped: {result}. Give the same input again: what was started is left alone.")
            raise
        finally:
            for task in under_way:
                task.cancel()
    return result


async def start_one(cases: Cases, order: Order, line: Line, *, after: asyncio.Task[Outcome] | None = None) -> Outcome:
    """Start the case of one line.

    Args:
        cases: The way to it.
        order: What it is started with.
        line: The case.
        after: An earlier line with the same key.

    Raises:
        RPCError: the engine does not answer.
    """
    if after:
        await asyncio.wait([after])
    try:
        if line.fault:
            raise BadInput(line.fault, code=line.code)
        started = await cases.start(
            order.unit, line.data, key=order.key, accepted_at=order.accepted_at, delay=order.delay
        )
    except RPCError as error:
        if error.status != RPCStatusCode.INVALID_ARGUMENT:
            raise
        return Outcome(line.number, error=judge(error))
    except WorkUnitsError as error:
        if isinstance(error, BadInput) and error.code == "bad_body" and not line.fault:
            error = explained(error, line.data)
        there = error.case if isinstance(error, DuplicateCaseError) else ""
        return Outcome(line.number, error=judge(error), case=there)
    return Outcome(line.number, started=started)


def _key(line: Line, field: str) -> str:
    """The business key that a line gives its case; empty when it gives none that can be read."""
    with suppress(ValueError, RecursionError):
        said = json.loads(line.data)
        return str(said.get(field, "")) if isinstance(said, dict) else ""
    return ""


@contextmanager
def progress(source: Source, result: Result) -> Iterator[Callable[[str], None]]:
    """Show on a terminal how far it is; gives what is to be called after each line, with what to say of it."""
    if not sys.stderr.isatty():
        yield lambda text: note(plain(text)) if text else None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False, markup=False)
    columns = [TextColumn("{task.description}", markup=False), TimeElapsedColumn()]
    if source.size:
        columns.insert(1, BarColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        bar = shown.add_task("", total=source.size)

        def say(text: str) -> None:
            if text:
                console.print(plain(text), soft_wrap=True)
            shown.update(bar, completed=source.taken, description=str(result))

        yield say
