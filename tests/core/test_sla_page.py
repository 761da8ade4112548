"""The worked examples of docs/sla.md are true."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.clock_table import Situation
from tests.core.test_clocks import reading_of, us
from workunits.core.promise import Budget, elapsed, working_days, working_hours

PAGE = Path(__file__).parents[2] / "docs" / "sla.md"
KINDS: dict[str, Callable[[int], Budget]] = {
    "h": lambda n: elapsed(hours=n),
    "working hour": working_hours,
    "working day": working_days,
}
ROW = re.compile(r"\| (\d{4}-\S+ \S+) \| (.+?) \| (?:(\S+ \S+) to (\S+ \S+) )?\| (\d{4}-\S+ \S+) \|")
ROWS = ROW.findall(PAGE.read_text(encoding="utf-8"))


def budget(said: str) -> Budget:
    """A promise as the page words it."""
    number, _, unit = said.partition(" ")
    return KINDS[unit.removesuffix("s")](int(number))


@pytest.mark.parametrize(("start", "promise", "since", "until", "due"), ROWS)
def test_a_worked_example_is_due_when_the_page_says(start, promise, since, until, due):
    """Started, promised, stood still: due."""
    within = budget(promise)
    waits = (("customer", since, until),) if since else ()
    calendar = "" if promise.endswith(" h") else "office"
    situation = Situation("page", start, within, {}, calendar=calendar, pauses={"customer": 999}, waits=waits)
    record, reading = reading_of(situation)

    assert str(within) == promise
    assert reading.due == us(record, due)


def test_the_page_has_examples():
    """None of them is overlooked."""
    assert len(ROWS) == 14
