"""Incidents on the command line: found by their cases, decided one by one or by their cause, and shown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workers.acts import ORIGIN
from workers.console import CommandError, Exit, fail, judge
from workers.names import find_case
from workers.pages.tables import Cell, line, pairs, table
from workers.pages.words import distance, micro, moment, short_span
from workers.roles import Standing, standing
from workers.settings import Settings
from workunits.client import Cases
from workunits.operating import RetryEnd, Trouble, decide, end_of_retry, open_troubles, troubles_of

AT_ONCE = 8
"""Retries of a bulk that wait at the same time."""
SAID: Mapping[RetryEnd, str] = {
    "succeeded": "resolved: the step has succeeded",
    "failed_again": "failed again",
    "case_ended": "not resolved: its case ended otherwise",
    "unknown": "still being tried; look again: workunits incidents show",
}
EXITS: Mapping[RetryEnd, Exit] = {
    "succeeded": Exit.OK,
    "failed_again": Exit.FINDING,
    "case_ended": Exit.CONFLICT,
    "unknown": Exit.UNKNOWN,
}


@dataclass(frozen=True)
class Decision:
    """What is decided and by whom, as it was typed."""

    settings: Settings
    actor: str
    roles: tuple[str, ...]
    body: Mapping[str, Any]
    action_id: str = ""
    patience: float = 0
    """Seconds to wait for what comes of a retry."""


@dataclass(frozen=True)
class Retried:
    """What came of one retry."""

    trouble: Trouble
    end: RetryEnd | None = None
    error: CommandError | None = None

    @property
    def words(self) -> Cell:
        """As a cell."""
        if self.error is not None:
            return f"refused: {self.error}", "red"
        return SAID[self.end or "unknown"], "" if self.end == "succeeded" else "yellow"

    def as_json(self) -> dict[str, Any]:
        """As an object."""
        error = {"code": self.error.code, "message": str(self.error)} if self.error else None
        one = self.trouble
        named = {"case": one.view.case, "step": one.incident.key, "code": one.incident.code}
        return {**named, "result": self.end or "refused", "error": error}


async def find_trouble(cases: Cases, case: str, key: str | None, *, again: bool = False) -> Trouble:
    """Find the incident of a case that waits for a decision.

    Args:
        cases: The way to it.
        case: The case as it was named.
        key: The step, or its performance, for a case with several.
        again: A decision may be repeated, of one that waits no more.

    Raises:
        CommandError: there is no such case, none or several are open.
    """
    view = await find_case(cases, case)
    there = troubles_of(view)
    held = [one for one in there if one.incident.holds]
    if key is not None:
        held = [one for one in held if key in (one.incident.key, one.incident.step)]
    if len(held) > 1:
        named = ", ".join(one.incident.key for one in held)
        fail(f"{view.case} has several open incidents: name the step: {named}", code="ambiguous", field="step")
    if not held:
        ended = [one for one in there if key in (None, one.incident.key, one.incident.step)]
        if ended and again:
            return ended[-1]
        was = f"; the last one is {ended[-1].incident.state}" if ended else ""
        known = f", nor one of that step; open are {', '.join(_open_keys(there))}" if _open_keys(there) else ""
        fail(
            f"{view.case} has no open incident{known}{was}",
            code="no_incident",
            exit_code=Exit.CONFLICT if ended else Exit.USAGE,
            field="step" if known else "case",
        )
    return held[0]


def _standing(cases: Cases, trouble: Trouble, said: Decision) -> Standing:
    """In which roles someone decides; without a directory, as whoever answers for the unit.

    Raises:
        CommandError: the directory does not say so.
    """
    accountable = cases.catalog.get(trouble.view.unit).outcome.accountable
    return standing(said.settings, said.actor, said.roles, acting_for=None, task=None, role=accountable)


async def send(cases: Cases, trouble: Trouble, action: str, said: Decision) -> dict[str, Any]:
    """Decide on one.

    Raises:
        BadInput, Refused, UnknownCaseError, UndeliveredError, CommandError.
    """
    as_ = _standing(cases, trouble, said)
    return await decide(
        cases,
        trouble,
        action,
        actor=said.actor,
        roles=as_.roles,
        body=said.body,
        action_id=said.action_id,
        accountable=as_.accountable,
        origin=ORIGIN,
    )


async def retry_one(cases: Cases, trouble: Trouble, said: Decision) -> Retried:
    """Retry one, and wait for what comes of it.

    Raises:
        BadInput, Refused, UnknownCaseError, UndeliveredError, CommandError.
    """
    await send(cases, trouble, "retry", said)
    return Retried(trouble, await end_of_retry(cases, trouble, said.patience))


async def retry_all(cases: Cases, said: Decision, *, code: str, unit: str | None) -> list[Retried]:
    """Retry all open incidents of one cause; each for itself, so that no refusal keeps the others."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(trouble: Trouble) -> Retried:
        async with turns:
            try:
                return await retry_one(cases, trouble, said)
            except Exception as error:
                refused = judge(error)
                if refused is None:
                    raise
                return Retried(trouble, error=refused)

    found = [trouble async for trouble in open_troubles(cases, unit, code)]
    return list(await asyncio.gather(*(one(trouble) for trouble in found)))


def exit_of(results: Sequence[Retried]) -> Exit:
    """How a bulk ended."""
    good = sum(result.end == "succeeded" for result in results)
    return Exit.OK if good == len(results) else Exit.PARTLY if good else Exit.FINDING


def as_json(trouble: Trouble) -> dict[str, Any]:
    """An incident as an object."""
    view, incident = trouble.view, trouble.incident
    record = view.record
    return {
        "case": view.case,
        "unit": view.unit,
        "key": view.key,
        "step": incident.key,
        "code": incident.code,
        "cause": incident.cause,
        "state": incident.state,
        "tries": incident.tries,
        "attempts": incident.attempts,
        "revision": incident.revision,
        "opened": trouble.since,
        "closed": record.when(incident.closed) if record and incident.closed is not None else None,
        "by": incident.by,
        "reason": incident.why,
    }


def show_list(troubles: Sequence[Trouble], now: datetime) -> None:
    """Print incidents, one a line."""
    rows = []
    for trouble in troubles:
        one = trouble.incident
        age = short_span(now - trouble.since) if trouble.since else ""
        rows.append((trouble.view.case, one.key, one.code, str(one.tries), age, one.cause))
    table(("CASE", "STEP", "CODE", ">TRIES", ">OPEN FOR", "CAUSE"), rows, whole=(0, 1, 2))


def show_case(troubles: Sequence[Trouble], now: datetime) -> None:
    """Print all incidents of one case."""
    for number, trouble in enumerate(troubles):
        if number:
            line()
        one, record = trouble.incident, trouble.view.record
        line(f"{trouble.name} is {one.state}", style="bold")
        opened = f"{moment(trouble.since)}, {distance(trouble.since, now)}" if trouble.since else ""
        ended = one.closed is not None and record is not None
        closed = f"{moment(record.when(one.closed))}, after {micro(one.closed - one.at)}" if ended else ""  # type: ignore[union-attr,arg-type,operator]
        pairs(
            [
                ("Cause", one.cause),
                ("Opened", opened),
                ("Closed", closed),
                ("Tries", f"{one.tries}, {one.attempts} attempts in all"),
                ("Decided by", one.by or ""),
                ("Reason", one.why or ""),
            ]
        )


def _open_keys(troubles: Sequence[Trouble]) -> list[str]:
    return [one.incident.key for one in troubles if one.incident.holds]
