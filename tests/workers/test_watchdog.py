"""The watchdog's parts that need no engine: who is eligible, how long a step may take, what is new, what is told."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbox.directory import Directory
from inbox.roster import Absence, Person, Roster
from tests.faults.units import Advised, Errand
from workers.watching.board import Board
from workers.watching.eligible import why_nobody
from workers.watching.finding import KINDS, Finding, ago
from workers.watching.patience import patience_of
from workunits.core.lifecycle import Task

DOCS = Path(__file__).parents[2] / "docs" / "watchdog.md"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def directory(*, away: tuple[str, ...] = (), standing_in: str | None = None) -> Directory:
    """Ann and Ben are clerks, Cleo is none; some are away."""
    names = {"ann": ("clerks",), "ben": ("clerks",), "cleo": ()}
    people = {name: Person(name, name, groups=groups) for name, groups in names.items()}
    span = {"start": NOW - timedelta(days=1), "end": NOW + timedelta(days=1)}
    absences = [Absence(**span, person=name, substitute=standing_in) for name in away]
    return Directory(Roster(people=people, groups={"clerks": ("clerk",)}, absences=absences))


def task(**more: object) -> Task:
    """A task for a clerk."""
    return Task.model_validate({"id": "u:1/decide", "step": "decide", "role": "clerk", "ready": NOW} | more)


@pytest.mark.parametrize(
    ("asked", "people", "why"),
    [
        (task(), directory(), ""),
        (task(role="judge"), directory(), "nobody has the role judge"),
        (task(role="judge", external=True), directory(), ""),
        (task(role="judge", people=["cleo"]), directory(), ""),
        (task(role="judge", people=["zoe"]), directory(), "nobody has the role judge"),
        (task(role="judge", also=["clerk"]), directory(), ""),
        (task(role="judge", also=["king"]), directory(), "nobody has the role judge or king"),
        (task(excluded=["ann"]), directory(), ""),
        (task(excluded=["ann"], barred=["ben"]), directory(), "everybody with the role clerk is excluded"),
        (task(), directory(away=("ann",)), ""),
        (task(), directory(away=("ann", "ben")), "everybody with the role clerk who may do it is away"),
        (task(), directory(away=("ann", "ben"), standing_in="cleo"), ""),
        (task(excluded=["cleo"]), directory(away=("ann", "ben"), standing_in="cleo"), "everybody with the role clerk"),
        (task(excluded=["ann"]), directory(away=("ben",)), "everybody with the role clerk who may do it is away"),
        (task(owner="cleo", state="claimed"), directory(), ""),
        (task(owner="zoe", state="claimed"), directory(), "zoe has claimed it, and is not in the directory any more"),
        (task(owner="ann", state="claimed"), directory(away=("ann",)), "ann has claimed it, is away, and nobody"),
        (task(owner="ann", state="claimed"), directory(away=("ann",), standing_in="ben"), ""),
    ],
)
def test_who_can_do_a_task(asked, people, why):
    """Somebody with the role, present or represented, neither excluded nor barred; a claimed one, its owner."""
    said = why_nobody(asked, people, NOW)

    assert said.startswith(why)
    assert bool(said) == bool(why)


def test_the_patience_of_a_step():
    """All attempts at their limit, and the pauses between them, which double up to a minute."""
    assert patience_of(Advised.ADVISE) == timedelta(seconds=2 * 1 + 1)
    assert patience_of(Errand.FETCH) == timedelta(seconds=6 * 2 + 1 + 2 + 4 + 8 + 16)
    assert patience_of(Errand.DELIVER) == timedelta(minutes=30, seconds=3)


def test_a_finding_is_one_while_it_lasts():
    """Its words may change and its beginning does not; what ends is told once, and what comes again is new."""
    board = Board()
    first, words = Finding("held", "paused", "x", case="u:1"), Finding("held", "paused again", "x", case="u:1")
    known = Finding("task_failing", "KeyError", "x", since=NOW - timedelta(hours=1), case="u:2")

    one = board.take([first, known], NOW)
    two = board.take([words], NOW + timedelta(minutes=1))
    three = board.take([words, known], NOW + timedelta(minutes=2))

    assert [finding.case for finding in one.now] == ["u:2", "u:1"]
    assert len(one.new) == 2
    assert [(finding.cause, finding.since) for finding in two.now] == [("paused again", NOW)]
    assert (two.new, [finding.case for finding in two.ended]) == ((), ["u:2"])
    assert [finding.case for finding in three.new] == ["u:2"]


def test_every_kind_has_its_section():
    """The page says of each kind what it is, where it comes from, and what to do; and of no other."""
    text = DOCS.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))

    assert set(sections) == set(KINDS)
    for kind, said in sections.items():
        assert "**Cause.**" in said, kind
        assert "**Remedy.**" in said, kind


@pytest.mark.parametrize(
    ("seconds", "said"), [(-1, "0 s"), (59, "59 s"), (119, "119 s"), (120, "2 min"), (9000, "2.5 h"), (259200, "3 d")]
)
def test_a_length_of_time_in_words(seconds, said):
    """In the unit in which people would say it."""
    assert ago(seconds) == said
