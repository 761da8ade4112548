"""The escalation ladder: what a rung does to the tasks that it is about, and whom it reaches.

A level up never resets a clock, and never changes who is accountable.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import effects
from .promise import Rise
from .record import Microseconds

if TYPE_CHECKING:
    from .human import Desk


def climb(desk: Desk, rises: Iterable[Rise], rung: tuple[str, int], task: str | None, at: Microseconds) -> list[str]:
    """Apply what a target declares for a rung.

    Args:
        desk: Has the open tasks.
        rises: The target's ladder.
        rung: That fired; of a reminder, which one.
        task: The key of the performance that the clock is about; none: all open tasks.
        at: When.

    Returns:
        The roles that were told, or got the tasks.
    """
    reached: list[str] = []
    for rise in rises:
        if rise.on != rung[0] or (rung[1] and rise.number != rung[1]):
            continue
        for open_task in desk.open_tasks():
            if task is None or open_task.id.rpartition("/")[2] == task:
                work = desk.work_of(open_task)
                claimed = work.claimed
                effects.rise(open_task, work, rise.to, at, moved=rise.how == "reassign_up")
                effects.keep_first_claim(work, claimed)
                reached.append(rise.to)
    return list(dict.fromkeys(reached))
