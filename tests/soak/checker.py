"""The invariants of a soak: pure, so that it can be shown to find what it is there to find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.soak.journal import Story
from workunits.core.parts import PARTS, parts
from workunits.core.record import Record


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold."""

    case: str
    what: str


@dataclass
class Facts:
    """One case, as engine, world and ledger have it at the end."""

    ends: list[str] = field(default_factory=list)
    """The engine's status of each of its runs that did not just continue as another."""
    record: Record | None = None
    effects: Counter[str] = field(default_factory=Counter)
    """How often each of its steps had its effect."""
    row: Mapping[str, Any] | None = None
    """Its row in the ledger."""
    actions: Counter[str] = field(default_factory=Counter)
    """The ids of the ledger's actions."""
    steps: Counter[str] = field(default_factory=Counter)
    """The keys of the ledger's steps."""
    open_tasks: int = 0


def check(story: Story | None, facts: Facts) -> list[str]:
    """What is wrong with one case.

    Args:
        story: What those outside were told; None when nobody has started it.
        facts: What there is.
    """
    if story is None:
        return ["nobody started it"]
    if not story.started:
        return ["its start was never acknowledged"]
    if not facts.ends:
        return ["its start was acknowledged, and the engine does not have it"]
    if len(facts.ends) != 1 or facts.record is None or facts.record.close is None:
        return [f"it did not close once, by itself: {', '.join(facts.ends) or 'no end'}"]
    return [
        *story.contradictions,
        *_actions(story, facts.record),
        *_decisions(facts.record),
        *_effects(facts.record, facts.effects),
        *_row(facts.record, facts),
    ]


def _actions(story: Story, record: Record) -> Iterator[str]:
    there = {acted.id: (acted.state, acted.revision) for acted in record.actions}
    for twice in [i for i, times in Counter(acted.id for acted in record.actions).items() if times > 1]:
        yield f"action {twice} is on its record more than once"
    for action_id, answer in story.accepted.items():
        if there.get(action_id) != answer:
            yield f"action {action_id} was accepted as {answer} and is on its record as {there.get(action_id)}"
    for action_id in there.keys() - story.sent:
        yield f"action {action_id} is on its record, and nobody sent it"
    for action_id in there.keys() & story.refused.keys():
        yield f"action {action_id} was refused as {story.refused[action_id]} and is on its record"
    unheard = len(story.heard - there.keys())
    if unheard > record.ignored_count:
        yield f"{unheard} signals had no effect, of which it knows {record.ignored_count}"


def _decisions(record: Record) -> Iterator[str]:
    for work in record.steps:
        if work.kind == "human":
            made = [acted.by for acted in record.actions if acted.task == work.key and acted.action == "complete"]
            if len(made) != (work.end == "done"):
                yield f"{work.key} ended as {work.end} and was decided {len(made)} times"
            elif made and made != [work.by]:
                yield f"{work.key} was decided by {made[0]}, its record names {work.by}"


def _effects(record: Record, effects: Counter[str]) -> Iterator[str]:
    performed = {work.key: work for work in record.steps if work.kind != "human"}
    for key, work in performed.items():
        times = effects[key]
        if times > 1 or (work.end == "done" and times == 0):
            yield f"{key} ended as {work.end} and had its effect {times} times"
    for key in effects.keys() - performed.keys():
        yield f"{key} had an effect and is not on its record"


def _row(record: Record, facts: Facts) -> Iterator[str]:
    row = facts.row
    if row is None:
        yield "it is not in the ledger"
        return
    if sum(parts(record).values()) != record.closed:
        yield "the parts of its time do not add up to its cycle time"
    if sum(row[f"{part}_us"] for part in PARTS) != row["cycle_us"]:
        yield "in the ledger, the parts of its time do not add up to its cycle time"
    if (row["close"], row["reason"], row["closed_at"]) != (
        record.close,
        record.reason,
        record.when(record.closed or 0),
    ):
        yield f"it closed as {record.close}, in the ledger as {row['close']}"
    if facts.actions != Counter(acted.id for acted in record.actions):
        yield "the ledger has other actions than its record"
    if facts.steps != Counter(work.key for work in record.steps):
        yield "the ledger has other steps than its record"
    if facts.open_tasks:
        yield f"{facts.open_tasks} of its tasks are open in the ledger"


def check_all(stories: Mapping[str, Story], facts: Mapping[str, Facts]) -> Iterable[Violation]:
    """What is wrong with any case: with one that was started, one that the engine has, or one in the ledger."""
    for case in sorted(stories.keys() | facts.keys()):
        for what in check(stories.get(case), facts.get(case, Facts())):
            yield Violation(case, what)
