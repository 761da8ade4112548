"""What a log of applications says in aggregates: counts, shares and quantiles, and no row of any case.

The log is read with the map and the reader of `workunits baseline import`, so that both mean the same by a piece of
work, its queue and its touch.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from observability.learning.estimates import as_json, censored
from observability.learning.log_times import as_moment
from observability.learning.logs import LogError, Remarks, Tell, hash_of, read_log
from observability.learning.mapping import LogMap
from observability.learning.pieces import Piece
from observability.learning.traces import Case, Reader

LEVELS = (0.01, *(round(0.025 * number, 3) for number in range(1, 40)), 0.99)
"""The shares at which quantiles are kept; what lies beyond the outermost of them is cut off."""
FEWEST = 20
"""Values below which no quantile is told: it would come close to telling single rows."""
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORKING_DAYS = 5
SOURCE = "B. F. van Dongen, BPI Challenge 2012, 4TU.ResearchData"
DOI = "10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f"
WAITS = (("offer_sent_until_sent_back", "O_SENT", "O_SENT_BACK"),)
"""From the first event of the one to the next one of the other, by the name that the aggregates give to it."""
_SECOND = 1_000_000


def aggregates(log: Path, mapping: LogMap, zone: str, tell: Tell = lambda _: None) -> dict[str, Any]:
    """Read a log, and keep nothing of it but aggregates.

    Args:
        log: The event log.
        mapping: How it is to be read.
        zone: The IANA zone whose days and hours its people worked in.
        tell: Is told how many bytes have been read.

    Raises:
        LogError: it cannot be read, or has no case; names the place.
    """
    remarks, counted = Remarks(), _Counted(ZoneInfo(zone))
    reader = Reader(mapping, remarks)
    for trace in read_log(log, mapping, remarks, tell):
        case = reader.read(trace)
        if case is not None:
            counted.add(case)
    if not counted.cycles:
        raise LogError(log, "the log has no trace with an event; there is nothing to add up")
    about = {
        "source": SOURCE,
        "doi": DOI,
        "log": {"name": log.name, "sha256": hash_of(log)},
        "window": {"from": as_moment(counted.first).isoformat(), "to": as_moment(counted.last).isoformat()},
        "zone": zone,
        "holds": "aggregates only: counts, shares, means and quantiles; durations in seconds of wall-clock time",
        "made_by": "make stream-aggregates LOG=FILE",
    }
    return {"about": about, **counted.told()}


class _Work:
    """One work item."""

    def __init__(self) -> None:
        self.sittings: list[float] = []
        self.of_case: list[float] = []
        self.queues: list[float] = []
        self.performers: set[str] = set()
        self.by_day: defaultdict[date, set[str]] = defaultdict(set)
        self.overnight = self.unfinished = self.cases = 0


class _Counted:
    """What has been read so far."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self.first = self.last = 0
        self.cycles: list[tuple[str, float]] = []
        self._arrived: list[datetime] = []
        self._work: defaultdict[str, _Work] = defaultdict(_Work)
        self._milestones: Counter[str] = Counter()
        self._amounts: list[float] = []
        self._waits: defaultdict[str, list[float]] = defaultdict(list)
        self._handoffs: Counter[str] = Counter()
        self._exceptions: Counter[str] = Counter()
        self._reworked = self._untouched = 0
        self._touched: list[float] = []
        self._begun: list[datetime] = []
        self._people: defaultdict[date, set[str]] = defaultdict(set)

    def add(self, case: Case) -> None:
        self.first = min(self.first or case.started_at, case.started_at)
        self.last = max(self.last, case.ended_at)
        self.cycles.append((_end(case), case.cycle_time / _SECOND))
        self._arrived.append(self._local(case.started_at))
        self._milestones.update(case.milestones)
        if case.trace.segment and case.trace.segment.isdecimal():
            self._amounts.append(float(case.trace.segment))
        for name, first, then in WAITS:
            begun = min((event.at for event in case.trace.events if event.activity == first), default=None)
            ends = (event.at for event in case.trace.events if event.activity == then)
            if begun is not None and (ended := min((at for at in ends if at > begun), default=None)) is not None:
                self._waits[name].append((ended - begun) / _SECOND)
        self._handoffs.update(case.handoffs)
        if case.close is not None:
            self._exceptions.update(case.exceptions)
            self._reworked += bool(case.reworked)
        pieces: defaultdict[str, list[Piece]] = defaultdict(list)
        for piece in case.pieces:
            if piece.kind == "human" and piece.performed:
                pieces[piece.step].append(piece)
        self._untouched += case.close is not None and not pieces
        touched = sum(self._add_work(self._work[step], some) for step, some in pieces.items())
        if touched:
            self._touched.append(touched)

    def _add_work(self, work: _Work, pieces: Iterable[Piece]) -> float:
        """Count a case's pieces of one work item; gives their touch in all."""
        work.cases += 1
        found = 0.0
        for piece in pieces:
            if piece.queue is not None:
                work.queues.append(piece.queue / _SECOND)
            if piece.begun is not None:
                self._person(work, piece, self._local(piece.begun))
            if piece.touch is None:
                work.unfinished += 1
            elif self._local(piece.work[0][0]).date() != self._local(piece.work[-1][1]).date():
                work.overnight += 1  # nobody worked all night: when they did, the log does not say
            else:
                work.sittings.append(piece.touch / _SECOND)
                found += piece.touch / _SECOND
        if found:
            work.of_case.append(found)
        return found

    def _person(self, work: _Work, piece: Piece, begun: datetime) -> None:
        self._begun.append(begun)
        if piece.performer is not None:
            work.performers.add(piece.performer)
            work.by_day[begun.date()].add(piece.performer)
            self._people[begun.date()].add(piece.performer)

    def told(self) -> dict[str, Any]:
        n = len(self.cycles)
        ends = Counter(end for end, _ in self.cycles)
        closed = n - ends["open"]
        return {
            "cases": {"n": n, "open": ends["open"], "ends": _shares(ends, n)},
            "amount_requested": quantiles(self._amounts),
            "waits_seconds": {name: quantiles(self._waits[name]) for name, _, _ in WAITS},
            "arrivals": self._arrivals(),
            "cycle_seconds": self._cycles(ends),
            "milestones": _shares(self._milestones, n),
            "work": {step: self._item(work, n) for step, work in sorted(self._work.items())},
            "case_touch_seconds": quantiles(self._touched),
            "people": self._told_people(),
            "of_closed": {
                "n": closed,
                "no_human_work": _share(self._untouched, closed),
                "rework": _share(self._reworked, closed),
                "exceptions": _shares(self._exceptions, closed),
            },
            "handoffs_per_case": {kind: _rounded(count / n) for kind, count in sorted(self._handoffs.items())},
        }

    def _cycles(self, ends: Mapping[str, int]) -> dict[str, Any]:
        by_end = {end: [cycle for its, cycle in self.cycles if its == end] for end in sorted(ends) if end != "open"}
        seen = censored([round(cycle) for _, cycle in self.cycles], [end != "open" for end, _ in self.cycles])
        return {
            "closed": quantiles([cycle for end, cycle in self.cycles if end != "open"]),
            "by_end": {end: quantiles(some) for end, some in by_end.items()},
            "open_counted_as_censored": as_json(seen),
        }

    def _arrivals(self) -> dict[str, Any]:
        by_date = Counter(at.date() for at in self._arrived)
        first, last = min(by_date), max(by_date)
        dates = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        week: dict[str, list[int]] = {day: [] for day in DAYS}
        for one in dates:
            week[DAYS[one.weekday()]].append(by_date[one])
        return {
            "days": len(dates),
            "mean_per_day": {day: _rounded(float(np.mean(some))) if some else None for day, some in week.items()},
            "per_working_day": quantiles([by_date[one] for one in dates if one.weekday() < WORKING_DAYS]),
            "hours": {
                "working_days": _hours(at for at in self._arrived if at.weekday() < WORKING_DAYS),
                "weekends": _hours(at for at in self._arrived if at.weekday() >= WORKING_DAYS),
            },
        }

    def _item(self, work: _Work, n: int) -> dict[str, Any]:
        return {
            "cases": _share(work.cases, n),
            "sittings": len(work.sittings) + work.overnight + work.unfinished,
            "touch_seconds": quantiles(work.sittings),
            "touch_seconds_of_a_case": quantiles(work.of_case),
            "left_out_of_touch": {"over_night": work.overnight, "start_or_end_missing": work.unfinished},
            "touch_hours": _rounded(sum(work.sittings) / 3600),
            "queue_seconds": quantiles(work.queues),
            "performers": len(work.performers),
            "performers_per_working_day": _median(work.by_day),
        }

    def _told_people(self) -> dict[str, Any]:
        everybody = set().union(*self._people.values()) if self._people else set()
        return {
            "n": len(everybody),
            "per_working_day": _median(self._people),
            "hours_of_starts": _hours(at for at in self._begun if at.weekday() < WORKING_DAYS),
            "starts_on_weekends": _share(sum(at.weekday() >= WORKING_DAYS for at in self._begun), len(self._begun)),
        }

    def _local(self, at: int) -> datetime:
        return as_moment(at).astimezone(self._zone)


def quantiles(values: Iterable[float]) -> dict[str, Any] | None:
    """Mean and quantiles at `LEVELS`, in their order; None of too few values."""
    some = list(values)
    if len(some) < FEWEST:
        return None
    found = np.quantile(some, LEVELS, method="linear")
    return {"n": len(some), "mean": _rounded(float(np.mean(some))), "at": [_rounded(float(value)) for value in found]}


def _end(case: Case) -> str:
    return "open" if case.close is None else case.reason or "approved"


def _hours(moments: Iterable[datetime]) -> list[float] | None:
    """Which share falls into each of the 24 hours."""
    counted = Counter(at.hour for at in moments)
    n = sum(counted.values())
    return [_rounded(counted[hour] / n) for hour in range(24)] if n else None


def _median(by_day: Mapping[date, set[str]]) -> float | None:
    """How many there were on the middle one of the working days on which there was anybody."""
    some = [len(there) for day, there in by_day.items() if day.weekday() < WORKING_DAYS]
    return float(np.median(some)) if some else None


def _shares(counted: Mapping[str, int], n: int) -> dict[str, Any]:
    return {name: _share(count, n) for name, count in sorted(counted.items())}


def _share(count: int, n: int) -> dict[str, Any]:
    return {"n": count, "share": _rounded(count / n) if n else None}


def _rounded(value: float) -> float:
    return round(value, 4 if abs(value) < 1 else 1)
