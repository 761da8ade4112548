"""Performers of the units in trouble: what is broken, and until when, is a test's to say."""

from __future__ import annotations

import asyncio
from collections import Counter

from temporalio import activity
from temporalio.exceptions import ApplicationError

from tests.lab.clocked import Stalled
from tests.lab.contracts import Facts, Odd, Request, Unreadable
from tests.lab.troubles import Held, Trip
from workunits.performs import effect_key, performs

BROKEN: set[str] = set()
"""`<request>/<step>`: fails until a test takes it out."""
ODD: set[str] = set()
"""As BROKEN: raises a business exception."""
WAITING: dict[str, asyncio.Event] = {}
"""`<request>/<step>`: what a performer waits for before it does anything."""
TRIES: Counter[str] = Counter()
"""By effect key: how often it was tried."""
TWICE = 2
DONE: list[str] = []
"""The effect keys of what was really done, in order."""


async def _do(request: str) -> Facts:
    here = f"{request}/{activity.info().activity_type.rpartition('.')[2]}"
    if here in WAITING:
        await WAITING[here].wait()
    if here in BROKEN:
        raise ApplicationError("the bank of Ann Example is down", type="bank_down", non_retryable=True)
    if here in ODD:
        raise Odd
    DONE.append(effect_key())
    return Facts(risk=request)


@performs(Held.BOOK)
async def book(case: Request) -> Facts:
    """Book, by the case's mood only the third time or never."""
    key = effect_key()
    TRIES[key] += 1
    if case.mood == "broken" or (case.mood == "twice" and TRIES[key] <= TWICE):
        raise ApplicationError("the bank is down", type="bank_down", non_retryable=True)
    return await _do(case.request)


@performs(Stalled.LOOK)
async def look(case: Request) -> Facts:
    """Look."""
    return await _do(case.request)


@performs(Held.CONFIRM)
async def confirm(booked: Facts) -> Facts:
    """Confirm."""
    return await _do(booked.risk)


@performs(Trip.BOOK_FLIGHT)
async def book_flight(case: Request) -> Facts:
    """Book."""
    return await _do(case.request)


@performs(Trip.BOOK_ROOM)
async def book_room(case: Request) -> Facts:
    """Book."""
    return await _do(case.request)


@performs(Trip.BOOK_GUIDE)
async def book_guide(case: Request) -> Facts:
    """Book."""
    return await _do(case.request)


@performs(Trip.BOOK_CAR)
async def book_car(case: Request) -> Facts:
    """Book, unless there is none."""
    if case.mood == "no car":
        raise Odd
    if case.mood == "no licence":
        raise Unreadable
    return await _do(case.request)


@performs(Trip.CANCEL_FLIGHT)
async def cancel_flight(booked: Facts) -> Facts:
    """Cancel."""
    return await _do(booked.risk)


@performs(Trip.CANCEL_ROOM)
async def cancel_room(booked: Facts) -> Facts:
    """Cancel."""
    return await _do(booked.risk)


@performs(Trip.CANCEL_GUIDE)
async def cancel_guide(booked: Facts) -> Facts:
    """Cancel."""
    return await _do(booked.risk)
