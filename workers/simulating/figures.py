"""What a plan says by itself, before anything is executed: how busy people are, how long tasks wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workers.simulating.plan import Person, Planned, Turn
from workunits.core.working import SECOND


@dataclass(frozen=True, slots=True)
class Load:
    """A role over a time."""

    role: str
    people: int
    tasks: int
    utilisation: float
    """The share of their hours in which they work."""
    mean_wait_seconds: float
    """From ready until somebody begins."""
    mean_queue: float
    """Tasks that wait, averaged over all of the time: Little's law has it as their rate times their mean wait."""


def loads(planned: Iterable[Planned], people: Sequence[Person], since: int, until: int) -> list[Load]:
    """Sum up each role over a time; tasks count when they were ready in it.

    Args:
        planned: The plan.
        people: Its people; one with several roles counts in each of them.
        since: Microseconds since 1970.
        until: The same.
    """
    turns = [turn for case in planned for turn in case.turns if since <= turn.ready < until]
    roles = dict.fromkeys(role for person in people for role in person.roles)
    return [_load(role, turns, [person for person in people if role in person.roles], since, until) for role in roles]


def _load(role: str, turns: Sequence[Turn], people: Sequence[Person], since: int, until: int) -> Load:
    own = [turn for turn in turns if turn.role == role]
    named = {person.name: person for person in people}
    waited = sum(turn.claimed - turn.ready for turn in own)
    worked = sum(named[turn.who].hours.consumed(turn.claimed, turn.completed) for turn in own)
    there = sum(person.hours.consumed(since, until) for person in people)
    return Load(
        role,
        len(people),
        len(own),
        worked / there if there else 0.0,
        waited / len(own) / SECOND if own else 0.0,
        waited / (until - since),
    )
