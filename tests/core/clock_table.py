"""Situations of a clock, with answers that were worked out by hand; times are local ones in Berlin.

2 March 2026 is a Monday. Clocks go forward on Sunday 29 March at 2:00, and back on Sunday 25 October at 3:00. Good
Friday is 3 April, Easter Monday 6 April, Christmas Day a Friday; Christmas Eve is open from 9 to 13; 3 to 7 August is
closed. The office is open Monday to Friday from 9 to 17.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workunits.core.promise import Budget, elapsed, working_days, working_hours

MON, TUE = "2026-03-02", "2026-03-03"


@dataclass(frozen=True)
class Situation:
    """One clock, and what is known of it."""

    name: str
    start: str
    within: Budget
    expected: dict[str, Any]
    """`due`; and as of `at`: `used` and `paused` in hours, `late`, `state`, `generation`."""
    calendar: str = ""
    pauses: dict[str, float] = field(default_factory=dict)
    """Reason and cap in hours."""
    waits: tuple[tuple[str, str, str | None], ...] = ()
    """Of the task's owner: for whom, from, to."""
    outsider: tuple[tuple[str, str | None], ...] = ()
    """Tasks of the role `customer`: from, to."""
    holds: tuple[tuple[str, str | None], ...] = ()
    entries: tuple[tuple[str, str, Any], ...] = ()
    """What people did: what, when, and the reason or the hours."""
    closed: str | None = None
    at: str | None = None


def office(name: str, start: str, within: Budget, expected: dict[str, Any], **more: Any) -> Situation:
    """A situation by the office's calendar."""
    return Situation(name, start, within, expected, calendar="office", **more)


H = working_hours
D = working_days
E = elapsed

ELAPSED = (
    Situation("a day is 24 hours", f"{MON} 10:00", E(hours=24), {"due": f"{TUE} 10:00"}),
    Situation("at the due time it is met", f"{MON} 10:00", E(hours=24), {"used": 24, "late": False}, at=f"{TUE} 10:00"),
    Situation(
        "a part of a second is not late", f"{MON} 10:00", E(hours=24), {"late": False}, at=f"{TUE} 10:00:00.999999"
    ),
    Situation("a whole second is", f"{MON} 10:00", E(hours=24), {"late": True}, at=f"{TUE} 10:00:01"),
    Situation(
        "99.951 % of a day is in time",
        f"{MON} 00:00",
        E(hours=24),
        {"late": False, "used": 86357 / 3600},
        at=f"{MON} 23:59:17",
    ),
    Situation("a day over the gap ends an hour later", "2026-03-28 10:00", E(hours=24), {"due": "2026-03-29 11:00"}),
    Situation("a day over the overlap, an hour earlier", "2026-10-24 10:00", E(hours=24), {"due": "2026-10-25 09:00"}),
    Situation("due in the second of two hours", "2026-10-25 00:30", E(hours=3), {"due": "2026-10-25 02:30b"}),
    Situation("the 29th of February is a day", "2028-02-28 12:00", E(hours=24), {"due": "2028-02-29 12:00"}),
    Situation("and so is the day after it", "2028-02-29 12:00", E(hours=24), {"due": "2028-03-01 12:00"}),
    Situation("over New Year", "2026-12-31 20:00", E(hours=8), {"due": "2027-01-01 04:00"}),
)

HOURS = (
    office("over one night", f"{MON} 10:00", H(8), {"due": f"{TUE} 10:00"}),
    office("used up when the office shuts", f"{MON} 09:00", H(8), {"due": f"{MON} 17:00"}),
    office("started on a Saturday", "2026-02-28 12:00", H(8), {"due": f"{MON} 17:00"}),
    office("started before hours", f"{MON} 07:00", H(4), {"due": f"{MON} 13:00"}),
    office("started after hours", f"{MON} 18:00", H(1), {"due": f"{TUE} 10:00"}),
    office("started as the office shuts", f"{MON} 17:00", H(1), {"due": f"{TUE} 10:00"}),
    office("over a weekend", "2026-03-06 16:45", H(0.5), {"due": "2026-03-09 09:15"}),
    office("a week of work", f"{MON} 09:00", H(40), {"due": "2026-03-06 17:00"}),
    office("and an hour", f"{MON} 09:00", H(41), {"due": "2026-03-09 10:00"}),
    office("over Easter, which moves", "2026-04-02 16:00", H(2), {"due": "2026-04-07 10:00"}),
    office("over the weekend of the gap", "2026-03-27 16:00", H(2), {"due": "2026-03-30 10:00"}),
    office("over the weekend of the overlap", "2026-10-23 16:00", H(2), {"due": "2026-10-26 10:00"}),
    office("over half a day and Christmas", "2026-12-24 12:00", H(2), {"due": "2026-12-28 10:00"}),
    office("over a closure", "2026-07-31 16:00", H(2), {"due": "2026-08-10 10:00"}),
    office("started in a closure", "2026-08-05 11:00", H(2), {"due": "2026-08-10 11:00"}),
    office("nothing is used on a Sunday", "2026-03-06 16:00", H(2), {"used": 1, "late": False}, at="2026-03-08 23:00"),
    office("late after the weekend", "2026-03-06 16:00", H(2), {"used": 2.5, "late": True}, at="2026-03-09 10:30"),
    office("not a microsecond late at night", f"{MON} 09:00", H(8), {"used": 8, "late": False}, at=f"{TUE} 08:59"),
    Situation(
        "a night with the gap is an hour short", "2026-03-28 22:00", H(8), {"due": "2026-03-29 23:00"}, calendar="night"
    ),
    Situation(
        "a night with the overlap, an hour long",
        "2026-10-24 22:00",
        H(8),
        {"due": "2026-10-25 05:00"},
        calendar="night",
    ),
    Situation("a calendar of all hours", f"{MON} 10:00", H(24), {"due": f"{TUE} 10:00"}, calendar="daily"),
)

DAYS = (
    office("the next day, same time", f"{MON} 10:00", D(1), {"due": f"{TUE} 10:00"}),
    office("Friday to Monday", "2026-03-06 10:00", D(1), {"due": "2026-03-09 10:00"}),
    office("Sunday to Monday", "2026-03-08 10:00", D(1), {"due": "2026-03-09 10:00"}),
    office("a local midnight on a day off", "2026-03-08 00:00", D(1), {"due": "2026-03-09 00:00"}),
    office("also after hours", "2026-03-06 20:00", D(1), {"due": "2026-03-09 20:00"}),
    office("two days over Easter", "2026-04-02 10:00", D(2), {"due": "2026-04-08 10:00"}),
    office("over the gap, same local time", "2026-03-27 10:00", D(1), {"due": "2026-03-30 10:00"}),
    office("over the overlap, same local time", "2026-10-23 10:00", D(1), {"due": "2026-10-26 10:00"}),
    office("half a day is a day", "2026-12-23 10:00", D(1), {"due": "2026-12-24 10:00"}),
    office("even after its half", "2026-12-23 14:00", D(1), {"due": "2026-12-24 14:00"}),
    office("five days over a closure", "2026-07-27 10:00", D(5), {"due": "2026-08-10 10:00"}),
    office("the 29th of February", "2028-02-28 10:00", D(1), {"due": "2028-02-29 10:00"}),
    Situation(
        "input 58: 2:30 in the gap is the gap's end",
        "2026-03-28 02:30",
        D(1),
        {"due": "2026-03-29 03:00"},
        calendar="daily",
    ),
    Situation(
        "input 59: 2:30 in the overlap is the first",
        "2026-10-24 02:30",
        D(1),
        {"due": "2026-10-25 02:30"},
        calendar="daily",
    ),
    office(
        "a pause of a day moves it by a day",
        f"{MON} 10:00",
        D(1),
        {"due": "2026-03-04 10:00"},
        pauses={"customer": 99},
        waits=(("customer", f"{MON} 12:00", f"{TUE} 12:00"),),
    ),
    office(
        "a pause over the weekend",
        "2026-03-06 10:00",
        D(1),
        {"due": "2026-03-10 10:00"},
        pauses={"customer": 99},
        waits=(("customer", "2026-03-06 12:00", "2026-03-09 12:00"),),
    ),
)

PAUSES = (
    office(
        "a wait that is listed stops it",
        f"{MON} 09:00",
        H(8),
        {"due": f"{TUE} 11:00", "used": 6, "paused": 2},
        pauses={"customer": 99},
        waits=(("customer", f"{MON} 10:00", f"{MON} 12:00"),),
        at=f"{MON} 17:00",
    ),
    office(
        "one that is not listed does not",
        f"{MON} 09:00",
        H(8),
        {"due": f"{MON} 17:00", "paused": 0},
        pauses={"customer": 99},
        waits=(("supplier", f"{MON} 10:00", f"{MON} 12:00"),),
        at=f"{MON} 17:00",
    ),
    office(
        "its cap lets it run again",
        f"{MON} 09:00",
        H(8),
        {"due": f"{TUE} 10:00", "paused": 1},
        pauses={"customer": 1},
        waits=(("customer", f"{MON} 10:00", f"{MON} 12:00"),),
        at=f"{MON} 17:00",
    ),
    office(
        "while it lasts, it is due as if it lasted to its cap",
        f"{MON} 09:00",
        H(8),
        {"due": f"{TUE} 13:00", "used": 1, "state": "paused"},
        pauses={"customer": 4},
        waits=(("customer", f"{MON} 10:00", None),),
        at=f"{MON} 11:00",
    ),
    office(
        "past its cap it runs",
        f"{MON} 09:00",
        H(8),
        {"used": 2, "state": "running", "generation": 2},
        pauses={"customer": 4},
        waits=(("customer", f"{MON} 10:00", None),),
        at=f"{MON} 15:00",
    ),
    office(
        "one cap for all waits of a reason",
        f"{MON} 09:00",
        H(8),
        {"due": f"{TUE} 12:00"},
        pauses={"customer": 3},
        waits=(("customer", f"{MON} 10:00", f"{MON} 12:00"), ("customer", f"{MON} 13:00", f"{MON} 16:00")),
    ),
    office(
        "two reasons at once count once",
        f"{MON} 09:00",
        H(8),
        {"due": f"{TUE} 12:00", "paused": 3},
        pauses={"customer": 99, "supplier": 99},
        at=f"{TUE} 09:00",
        waits=(("customer", f"{MON} 10:00", f"{MON} 12:00"), ("supplier", f"{MON} 11:00", f"{MON} 13:00")),
    ),
    office(
        "a night in a pause costs nothing",
        f"{MON} 09:00",
        H(9),
        {"due": f"{TUE} 10:00"},
        pauses={"customer": 99},
        waits=(("customer", f"{MON} 17:00", f"{TUE} 09:00"),),
    ),
    office(
        "a pause undoes no breach",
        f"{MON} 09:00",
        H(4),
        {"due": f"{MON} 13:00", "used": 6, "late": True},
        pauses={"customer": 99},
        waits=(("customer", f"{MON} 14:00", f"{MON} 16:00"),),
        at=f"{MON} 17:00",
    ),
    office(
        "a pause at the due time comes too late",
        f"{MON} 09:00",
        H(4),
        {"due": f"{MON} 13:00", "late": False},
        pauses={"customer": 99},
        waits=(("customer", f"{MON} 13:00", f"{MON} 16:00"),),
        at=f"{MON} 15:00",
    ),
    Situation(
        "an outsider's task stops it",
        f"{MON} 09:00",
        E(hours=8),
        {"due": f"{MON} 19:00"},
        pauses={"customer": 99},
        outsider=((f"{MON} 10:00", f"{MON} 12:00"),),
    ),
    Situation(
        "not if that is not listed",
        f"{MON} 09:00",
        E(hours=8),
        {"due": f"{MON} 17:00"},
        outsider=((f"{MON} 10:00", f"{MON} 12:00"),),
    ),
    Situation(
        "an open one is capped",
        f"{MON} 09:00",
        E(hours=8),
        {"due": f"{TUE} 17:00", "state": "paused"},
        pauses={"customer": 24},
        outsider=((f"{MON} 10:00", None),),
        at=f"{MON} 20:00",
    ),
    Situation(
        "a hold stops it where that is listed",
        f"{MON} 09:00",
        E(hours=8),
        {"due": f"{MON} 18:00"},
        pauses={"operations_hold": 9},
        holds=((f"{MON} 10:00", f"{MON} 11:00"),),
    ),
    Situation(
        "and not otherwise",
        f"{MON} 09:00",
        E(hours=8),
        {"due": f"{MON} 17:00"},
        pauses={"customer": 9},
        holds=((f"{MON} 10:00", f"{MON} 11:00"),),
    ),
    Situation(
        "an operator stops it and lets it go on",
        f"{MON} 09:00",
        E(hours=8),
        {"due": f"{MON} 19:00", "used": 1, "generation": 2},
        pauses={"legal_hold": 99},
        at=f"{MON} 12:00",
        entries=(("pause", f"{MON} 10:00", "legal_hold"), ("resume", f"{MON} 12:00", "legal_hold")),
    ),
    Situation(
        "an operator's pause has a cap, too",
        f"{MON} 09:00",
        E(hours=8),
        {"due": f"{MON} 20:00"},
        pauses={"legal_hold": 3},
        entries=(("pause", f"{MON} 10:00", "legal_hold"),),
    ),
    Situation(
        "it goes on only for the reason that has gone",
        f"{MON} 09:00",
        E(hours=8),
        {"due": f"{MON} 20:00", "state": "paused"},
        pauses={"legal_hold": 3, "customer": 3},
        at=f"{MON} 12:30",
        entries=(
            ("pause", f"{MON} 10:00", "legal_hold"),
            ("pause", f"{MON} 10:00", "customer"),
            ("resume", f"{MON} 12:00", "customer"),
        ),
    ),
)

DEEDS = (
    Situation(
        "two hours more",
        f"{MON} 09:00",
        E(hours=4),
        {"due": f"{MON} 15:00", "generation": 2},
        entries=(("adjust", f"{MON} 10:00", 2),),
        at=f"{MON} 11:00",
    ),
    Situation(
        "an hour less", f"{MON} 09:00", E(hours=4), {"due": f"{MON} 12:00"}, entries=(("adjust", f"{MON} 10:00", -1),)
    ),
    Situation(
        "never less than nothing",
        f"{MON} 09:00",
        E(hours=4),
        {"due": f"{MON} 09:00"},
        entries=(("adjust", f"{MON} 10:00", -9),),
    ),
    Situation(
        "two adjustments add up",
        f"{MON} 09:00",
        E(hours=4),
        {"due": f"{MON} 14:30", "generation": 3},
        entries=(("adjust", f"{MON} 10:00", 2), ("adjust", f"{MON} 11:00", -0.5)),
        at=f"{MON} 12:00",
    ),
    Situation(
        "an adjustment takes a breach back",
        f"{MON} 09:00",
        E(hours=4),
        {"late": False},
        entries=(("adjust", f"{MON} 14:00", 2),),
        at=f"{MON} 15:00",
    ),
    office(
        "an adjustment is in working time",
        f"{MON} 09:00",
        H(8),
        {"due": f"{TUE} 11:00"},
        entries=(("adjust", f"{MON} 10:00", 2),),
    ),
    Situation(
        "void, and nothing counts any more",
        f"{MON} 09:00",
        E(hours=4),
        {"state": "void", "used": 1, "late": False},
        entries=(("void", f"{MON} 10:00", "contract"),),
        at=f"{MON} 20:00",
    ),
    Situation(
        "closed, and nothing counts any more",
        f"{MON} 09:00",
        E(hours=4),
        {"state": "stopped", "used": 3},
        closed=f"{MON} 12:00",
        at=f"{TUE} 12:00",
    ),
    Situation(
        "a close ends a wait, too",
        f"{MON} 09:00",
        E(hours=4),
        {"state": "stopped", "used": 1, "paused": 2},
        pauses={"customer": 99},
        waits=(("customer", f"{MON} 10:00", None),),
        closed=f"{MON} 12:00",
        at=f"{TUE} 12:00",
    ),
)

SITUATIONS = (*ELAPSED, *HOURS, *DAYS, *PAUSES, *DEEDS)
