"""What a visitor sees of the demo: live on a terminal, plain lines in a pipe, a table at the end. 100 columns wide."""

from __future__ import annotations

import os
import sys
from collections import Counter, deque
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, get_args

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from workers.demo import Act, Audience, Outcome, Row
from workers.demo_cases import SCRIPTS
from workers.engine.child import Child
from workers.engine.embedded import Engine
from workers.pages.words import span
from workunits.core.spec import Close

_WIDTH = 100
_SHOWN = 12
"""Events in sight."""
_COLUMNS = ("case", "unit", "closed as", "reason", "cycle time", "who decided", "SLA")
_STYLES = {
    "achieved": "green",
    "achieved_late": "yellow",
    "not_achieved": "magenta",
    "expired": "cyan",
    "cancelled": "blue",
    "failed": "red",
    "breached": "red",
}
_MEANINGS: dict[Close, str] = {
    "achieved": "the outcome, within its time",
    "achieved_late": "the outcome, after its time",
    "not_achieved": "a proper end without the outcome",
    "expired": "a person was asked and never answered",
    "cancelled": "a person called it off",
    "failed": "bad input, or a machine step that failed for good",
}


class Page(Audience):
    """Shows a demo as it happens, as a context manager."""

    def __init__(self, *, ai_model: str, stderr: bool) -> None:
        """Prepare the page.

        Args:
            ai_model: What answers the AI steps.
            stderr: Keep stdout free.
        """
        terminal = (sys.stderr if stderr else sys.stdout).isatty() and os.environ.get("TERM") != "dumb"
        self._ai_model = ai_model
        self._console = Console(
            stderr=stderr,
            width=None if terminal else _WIDTH,
            force_terminal=terminal,
            no_color=None if terminal else True,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._done = 0
        self._events: deque[tuple[str, str, Text, str]] = deque(maxlen=_SHOWN)
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task = self._progress.add_task("the engine starts", total=len(SCRIPTS))
        self._live = Live(console=self._console, get_renderable=self._now, transient=True) if terminal else None

    def __enter__(self) -> Self:
        """Say what comes."""
        units = len({script.unit for script in SCRIPTS})
        self._console.print(Text(f"{len(SCRIPTS)} cases of {units} work units, to every way of closing", "bold"))
        self._fact(
            "time",
            "Long waits are skipped: every case has a virtual clock on the engine, which is moved to the next "
            "answer or expiry. The times below are those of that clock.",
        )
        if self._ai_model == "test":
            loud = "NO AI MODEL IS CONFIGURED: the `test` model answers AI steps, and MAKES ITS ANSWERS UP. "
            remedy = "For a real one set WORKUNITS_AI_MODEL=openai:<model> and OPENAI_API_KEY, or another provider's."
            self._fact("AI", Text(loud, "bold yellow").append(remedy, "not bold"))
        else:
            self._fact("AI", f"{self._ai_model} answers the AI steps.")
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.stop()

    def engine_runs(self, engine: Engine) -> None:
        """Say where it is."""
        self._fact(
            "engine", f"A Temporal server of its own at {engine.address.host}; its state: {_shown(engine.plan.folder)}"
        )
        self._progress.update(self._task, description="the worker starts")

    def worker_serves(self, worker: Child) -> None:
        """Say which process it is."""
        log = f"; its log: {_shown(worker.log)}" if worker.log else ""
        self._fact("worker", f"A process of its own, as `workunits worker` starts it{log}")
        self._progress.update(self._task, description="the cases run")

    def acted(self, act: Act) -> None:
        """Keep it in sight for a while."""
        after = f"after {span(act.after)}" if act.after else ""
        self._events.append((act.key, act.who, Text(act.what), after))

    def closed(self, row: Row) -> None:
        """Count it."""
        self._done += 1
        self._progress.advance(self._task)
        after = f"after {_time(row)}" if row.cycle_seconds is not None else ""
        how = Text(f"closed as {row.close}" if row.close else "did not close", _STYLES.get(row.close or "failed", ""))
        self._events.append((row.key, "", how, after))
        if not self._live:
            self._print(Text(f"{self._done:>2}/{len(SCRIPTS)} {row.unit} {row.key} {how} {after}"))

    def end(self, outcome: Outcome) -> None:
        """Show all cases, and what came of them."""
        sla = Counter(row.sla for row in outcome.rows)
        people = {person for row in outcome.rows for person in row.decided_by}
        lasted = timedelta(seconds=sum(row.cycle_seconds or 0 for row in outcome.rows))
        summary = (
            f"SLA: {sla['met']} met, {sla['breached']} breached, {sla['void']} void: failed or called off in time.\n"
            f"{len(people)} people answered. Together the cases lasted {span(lasted)}; here they took "
            f"{outcome.seconds:.0f} s.\n"
            f"Nothing is left running. What the cases sent out: {_shown(outcome.folder / 'data' / 'outbox')}\n"
            "Next: make run"
        )
        for part in (_cases(outcome.rows, self._console.width), _ways(outcome.rows), Text(summary)):
            self._print(Text())
            self._print(part)

    def _print(self, what: RenderableType) -> None:
        """Print; in a pipe without the blanks that fill lines up."""
        if self._live:
            self._console.print(what)
            return
        with self._console.capture() as captured:
            self._console.print(what)
        lines = captured.get().splitlines()
        self._console.out("\n".join(line.rstrip() for line in lines), highlight=False)

    def _fact(self, name: str, text: str | Text) -> None:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=6, style="dim")
        grid.add_column(overflow="fold")
        grid.add_row(name, text)
        self._print(grid)

    def _now(self) -> Group:
        grid = Table.grid(padding=(0, 2, 0, 0))
        for key, who, what, after in self._events:
            grid.add_row(f"  {key}", who, what, Text(after, "dim"))
        return Group(Text(), self._progress, grid)


def _cases(rows: list[Row], width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    left_out = () if width >= _WIDTH else ("unit",)  # of all columns, it is the one that the key gives away
    for name in _COLUMNS:
        if name not in left_out:
            table.add_column(name, justify="right" if name == "cycle time" else "left", no_wrap=True)
    for row in rows:
        cells: dict[str, str | Text] = {
            "case": row.key,
            "unit": row.unit,
            "closed as": _styled(row.close or "open"),
            "reason": row.reason or "",
            "cycle time": _time(row),
            "who decided": "\n".join(row.decided_by),
            "SLA": _styled(row.sla or ""),
        }
        table.add_row(*(cell for name, cell in cells.items() if name not in left_out))
    return table


def _ways(rows: list[Row]) -> Table:
    counts = Counter(row.close for row in rows)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("closed as", no_wrap=True)
    table.add_column("cases", justify="right")
    table.add_column("which means", style="dim")
    for close in get_args(Close):
        table.add_row(_styled(close), str(counts[close]), _MEANINGS[close])
    return table


def _styled(word: str) -> Text:
    return Text(word, _STYLES.get(word, ""))


def _time(row: Row) -> str:
    return "" if row.cycle_seconds is None else span(timedelta(seconds=row.cycle_seconds))


def _shown(path: Path) -> str:
    """A path as one would type it here."""
    return min(str(path), os.path.relpath(path), key=len)
