"""The report process: fills a ledger with 100,000 closed cases and computes the report over them."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowExecutionStatus

from bench.approval import Approval
from bench.processes import ROOT, environment
from observability.learning.report import report
from observability.learning.selection import Asked
from observability.ledger.forgetting import Forgetting
from observability.ledger.intake import definition_of
from observability.ledger.rows import rows_of
from observability.ledger.seeing import Seen
from observability.ledger.store import Ledger
from observability.ledger.writing import write
from workunits.core.record import Acted, Record, Routed, StartNote, Work
from workunits.core.spec import Close

CASES = 100_000
AT_A_TIME = 500
TIMES = 3
SECOND = 1_000_000
HOUR = 3600 * SECOND
CLOSES: dict[Close, float] = {
    "achieved": 80,
    "achieved_late": 7,
    "not_achieved": 6,
    "expired": 3,
    "cancelled": 3,
    "failed": 1,
}
"""How often cases close in each way, in percent."""
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def fill(ledger: Ledger) -> None:
    """Write the cases as the follower does."""
    definition, dice = definition_of(Approval), random.Random(1)  # noqa: S311 - plausible, and each time the same
    for start in range(0, CASES, AT_A_TIME):
        now = datetime.now(UTC)
        rows = [rows_of(_seen(_record(number, dice)), now, definition) for number in range(start, start + AT_A_TIME)]
        with ledger.write() as connection:
            write(connection, rows, Forgetting.load(connection), now)


def _seen(record: Record) -> Seen:
    closed = record.when(record.closed or 0)
    return Seen(
        case=record.case,
        unit=record.unit,
        run=f"run-{record.key}",
        run_started=record.started,
        status=WorkflowExecutionStatus.COMPLETED,
        started=record.started,
        closed=closed,
        changed=closed,
        note=StartNote(key=record.key),
        record=record,
        tasks=(),
    )


def _record(number: int, dice: random.Random) -> Record:
    """A case as it may have been: two machine steps, a person, at times an exception, a repair and a repeat."""
    close = dice.choices(list(CLOSES), list(CLOSES.values()))[0]
    record = Record(
        unit="approval",
        version="1",
        case=f"approval:{number}",
        key=str(number),
        started=BEGIN + timedelta(seconds=60 * number),
        due=24 * HOUR,
        segment=dice.choice(["small", "large"]),
    )
    at = _machine(record, "enrich", "automated", dice.randrange(SECOND), dice)
    at = _machine(record, "assess", "ai", at, dice)
    if dice.random() < 0.08:
        record.steps[-1].end, record.steps[-1].code = "exception", "incomplete"
        record.routes.append(Routed(at=at, key="assess", code="incomplete", to="decide"))
    if dice.random() < 0.05:
        at = _machine(record, "assess-2", "ai", at, dice, redo_of="assess")
    decide = Work(key="decide", step="decide", kind="human", ready=at, by=f"person-{dice.randrange(40)}")
    record.steps.append(decide)
    decide.claimed = at + int(dice.expovariate(1 / (2 * HOUR)))
    begun = decide.claimed + int(dice.expovariate(1 / HOUR))
    closed = begun + int(dice.lognormvariate(0, 0.8) * 600 * SECOND)
    if close == "achieved_late":
        closed = max(closed, record.due + HOUR)
    decide.done, decide.end = closed, "done" if close.startswith(("achieved", "not")) else "cancelled"
    if dice.random() < 0.1:
        decide.assigned_only = decide.end == "done"
    else:
        decide.work.append((begun, closed))
    for action, when in (("claim", decide.claimed), ("start", begun), ("complete", closed)):
        record.actions.append(_acted(record, action, when, str(decide.by)))
    record.close, record.closed = close, closed
    record.breached = record.due if closed > record.due else None
    return record


def _machine(
    record: Record, key: str, kind: Any, ready: int, dice: random.Random, *, redo_of: str | None = None
) -> int:
    """Perform a machine step; gives when it ended."""
    begun = ready + dice.randrange(SECOND)
    ended = begun + dice.randrange(20 * SECOND)
    work = Work(key=key, step=key.partition("-")[0], kind=kind, ready=ready, done=ended, end="done", redo_of=redo_of)
    work.work.append((begun, ended))
    record.steps.append(work)
    return ended


def _acted(record: Record, action: str, at: int, by: str) -> Acted:
    return Acted(
        at=at,
        id=f"{record.key}-{action}",
        hash="0" * 16,
        task="decide",
        action=action,
        by=by,
        state="claimed",
        revision=len(record.actions) + 2,
    )


def report_times(url: str) -> dict[str, Any]:
    """Seconds of each report, in a process of its own; the database is empty."""
    command = [sys.executable, "-m", "bench.ledger_report", url]
    said = subprocess.run(command, cwd=ROOT, env=environment(), check=True, stdout=subprocess.PIPE)  # noqa: S603
    measured: dict[str, Any] = json.loads(said.stdout)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url", help="of an empty database")
    ledger = Ledger(parser.parse_args().url)
    ledger.migrate()
    began = time.perf_counter()
    fill(ledger)
    filled = time.perf_counter() - began
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        found = report(ledger, Asked("approval"))
        took.append(time.perf_counter() - began)
        if found.figures.n != CASES:
            raise RuntimeError(f"the report is over {found.figures.n} cases")
    print(json.dumps({"filled_s": filled, "report_s": took}), flush=True)


if __name__ == "__main__":
    main()
