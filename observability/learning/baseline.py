"""Baselines: the process as it was before, frozen with the intervals that its figures were computed from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from observability.learning.baseline_rows import keep, shared_names, write
from observability.learning.log_times import as_moment
from observability.learning.logs import LogError, Remarks, Tell, hash_of, read_log
from observability.learning.mapping import LogMap
from observability.learning.spool import Spool
from observability.learning.tally import Tally
from observability.learning.traces import Reader
from observability.ledger.auditing import note_audit
from observability.ledger.keeping import baselines
from observability.ledger.store import Ledger, LedgerError
from workunits.core.unit import WorkUnit

METRICS = "1"
"""The version of the metric definitions: figures of different versions are not compared."""
EMPTY = "traces_without_events"
_NAMED = 8
_LONGEST_NAME, _LONGEST_SOURCE = 100, 400


class BaselineExistsError(LedgerError):
    """Another baseline of the unit has that name."""


class NoBaselineError(LedgerError):
    """The unit has no such baseline."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A frozen baseline."""

    baseline_id: str
    unit: str
    name: str
    source: str
    """The log's file name."""
    source_hash: str
    """SHA-256 of the log's bytes and of the map."""
    frozen_at: datetime
    window_from: datetime
    """The first event."""
    window_to: datetime
    """The last event."""
    n: int
    n_open: int
    metrics: str
    mapping: Mapping[str, Any]
    figures: Mapping[str, Any]
    """Durations in microseconds; docs/baseline.md describes each."""
    segments: Mapping[str, float]
    """The share of each segment."""


_FIELDS = tuple(field.name for field in fields(Baseline))


@dataclass(frozen=True, slots=True)
class Frozen:
    """What an import did."""

    baseline: Baseline
    existing: bool
    """The same log was there already, read with the same map."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported."""

    log: Path
    mapping: LogMap
    name: str = ""
    """The log's file name without its endings, when empty."""
    actor: str = ""
    """Who asks for it."""

    @property
    def baseline_name(self) -> str:
        """The baseline's name."""
        return self.name or self.log.name.split(".")[0][:_LONGEST_NAME] or "log"


def freeze(ledger: Ledger, order: Order, tell: Tell = lambda _: None) -> Frozen:
    """Import a log as a baseline, in one transaction that begins when all of it has been read.

    Args:
        ledger: Where to; its schema has been checked.
        order: What.
        tell: Is told how many bytes of the log have been read.

    Raises:
        LogError: the log cannot be read; names the place. Nothing was written.
        BaselineExistsError: the unit has another baseline of that name.
        LedgerUnavailableError: nothing was written.
    """
    source = hashlib.sha256(f"{hash_of(order.log)}\0{METRICS}\0".encode() + order.mapping.canonical()).hexdigest()
    with ledger.read() as connection:
        there = _standing(connection, order, source)
    if there is not None:
        return Frozen(there, existing=True)
    with Spool() as spool:
        tally, remarks = _read(order, spool, tell)
        baseline = _baseline(order, source, tally, remarks)
        with ledger.write() as connection:
            there = _standing(connection, order, source)  # again: now nobody else can write
            if there is not None:
                return Frozen(there, existing=True)
            connection.execute(baselines.insert().values({name: getattr(baseline, name) for name in _FIELDS}))
            write(connection, baseline.baseline_id, spool)
            _refuse_duplicates(connection, baseline, order)
            told = {"unit": baseline.unit, "name": baseline.name, "n": baseline.n}
            note_audit(connection, order.actor, "baseline", baseline.frozen_at, case=None, **told)
    return Frozen(baseline, existing=False)


def baselines_of(connection: Connection, unit: str, name: str = "") -> Sequence[Baseline]:
    """The baselines of a unit, newest first.

    Raises:
        NoBaselineError: there is none.
    """
    wanted = select(baselines).where(baselines.c.unit == unit).order_by(baselines.c.frozen_at.desc())
    rows = connection.execute(wanted.where(baselines.c.name == name) if name else wanted).mappings()
    found = [_of_row(row) for row in rows]
    if not found:
        which = f"no baseline {name[:60]!r}" if name else "no baseline"
        raise NoBaselineError(
            f"the unit {unit[:60]} has {which} here; workunits baseline import LOG --unit UNIT --map MAP"
        )
    return found


def newest_baseline(connection: Connection, unit: str) -> Baseline | None:
    """The baseline of a unit that holds now; None where it has none."""
    try:
        return baselines_of(connection, unit)[0]
    except NoBaselineError:
        return None


def unknown_steps(baseline: Baseline, unit: type[WorkUnit]) -> Sequence[str]:
    """The steps of a baseline that its unit, registered since, does not have."""
    known = {step.name for step in unit.steps}
    return [step for step in LogMap.model_validate(baseline.mapping).step_names if step not in known]


def _read(order: Order, spool: Spool, tell: Tell) -> tuple[Tally, Remarks]:
    remarks, tally = Remarks(), Tally(order.mapping)
    reader = Reader(order.mapping, remarks)
    for trace in read_log(order.log, order.mapping, remarks, tell):
        case = reader.read(trace)
        if case is None:
            remarks.counts[EMPTY] += 1
            continue
        tally.add(case)
        keep(spool, case, tally.person)
    _refuse_unknown(order.log, remarks)
    if not tally.n:
        raise LogError(order.log, "the log has no trace with an event; there is nothing to compare with")
    return tally, remarks


def _refuse_unknown(log: Path, remarks: Remarks) -> None:
    """Only now: whoever writes a map wants to see all that is missing in it."""
    for what, where, found in (
        ("activities", "under [steps], [ends], milestones or ignore", remarks.unknown_activities),
        ("transitions", "under [lifecycle]", remarks.unknown_transitions),
    ):
        if found:
            most = ", ".join(f"{name[:60]!r} ({count})" for name, count in found.most_common(_NAMED))
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            raise LogError(log, f"it has {what} that the map does not name: {most}{more}; name each {where}")


def _baseline(order: Order, source: str, tally: Tally, remarks: Remarks) -> Baseline:
    figures = tally.figures()
    unit, name = order.mapping.unit, order.baseline_name
    window = tally.window or (0, 0)
    absent = sorted(order.mapping.named() - remarks.seen)
    return Baseline(
        baseline_id=hashlib.sha256(f"{unit}\0{name}\0{source}".encode()).hexdigest(),
        unit=unit,
        name=name,
        source=order.log.name[:_LONGEST_SOURCE],
        source_hash=source,
        frozen_at=datetime.now(UTC),
        window_from=as_moment(window[0]),
        window_to=as_moment(window[1]),
        n=tally.n,
        n_open=figures["closes"].get("open", 0),
        metrics=METRICS,
        mapping=order.mapping.model_dump(mode="json", exclude_defaults=True),
        figures={**figures, "remarks": {**dict(remarks.counts), "not_in_the_log": absent}},
        segments={segment: count / tally.n for segment, count in sorted(tally.segments.items())},
    )


def _standing(connection: Connection, order: Order, source: str) -> Baseline | None:
    """The baseline that this import would make, if it is there already."""
    named = select(baselines).where(baselines.c.unit == order.mapping.unit, baselines.c.name == order.baseline_name)
    row = connection.execute(named).mappings().one_or_none()
    if row is None:
        return None
    if row["source_hash"] != source:
        raise BaselineExistsError(
            f"the unit {order.mapping.unit} has another baseline {order.baseline_name!r}, of another log or map; "
            "a baseline is frozen: give this one a name of its own with --name"
        )
    return _of_row(row)


def _of_row(row: RowMapping) -> Baseline:
    return Baseline(**{name: row[name] for name in _FIELDS})


def _refuse_duplicates(connection: Connection, baseline: Baseline, order: Order) -> None:
    if order.mapping.duplicates == "apart":
        return
    twice = shared_names(connection, baseline.baseline_id)
    if twice:
        raise LogError(
            order.log,
            f"{len(twice)} name(s) belong to more than one trace, as of traces {twice[0][0]} and {twice[0][1]}; "
            'take the copies out, or count each by itself: duplicates = "apart" in the map',
        )
