"""The part of the four-element test that reads what a human step declares beside its role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .gate_facts import count, members, name_of
from .gate_promise import promise, silence_problems
from .spec import Step, Votes

_MOST_VOTES = 20


def human_problems(step: Step[Any, Any]) -> Iterator[tuple[str, str, str]]:
    """What a person's step leaves undecided, as (field, what, remedy)."""
    yield from _expiry(step)
    for field in ("start_by", "finish_by"):
        if getattr(step, field) is not None:
            yield from promise(field, getattr(step, field))
    yield from silence_problems(step)
    yield from _votes(step)
    for other in members(step.excludes) or ():
        if not isinstance(other, Step) or other.kind not in ("human", "hybrid") or other is step:
            remedy = "Name the human steps whose performers may not do this one: excludes=(PREPARE,)"
            yield "excludes", f"{name_of(other)} is no other human step", remedy
    for field in ("excludes", "waits"):
        if members(getattr(step, field)) is None:
            yield field, f"{name_of(getattr(step, field))} is no tuple", f"Write {field}=(...,): a tuple, also of one"
    if step.if_skipped is not None and not isinstance(step.if_skipped, step.gives):
        yield "if_skipped", "it is not what the step gives", f"Write a {name_of(step.gives)}"


def _expiry(step: Step[Any, Any]) -> Iterator[tuple[str, str, str]]:
    follows = [name for name in ("instead", "by_default") if getattr(step, name) is not None]
    if follows and step.expires is None:
        yield follows[0], "the task never expires", "Write expires=elapsed(days=7), or leave it out"
    if len(follows) > 1:
        yield "instead", "an expiry has two consequences, instead and by_default", "Keep one"
    if step.by_default is not None and not isinstance(step.by_default, step.gives):
        yield "by_default", "it is not what the step gives", f"Write a {name_of(step.gives)}, the safe answer"
    if step.instead is not None and not isinstance(step.instead, Step):
        yield (
            "instead",
            f"{name_of(step.instead)} is no step",
            "Name a step of this unit with the same input and output",
        )


def _votes(step: Step[Any, Any]) -> Iterator[tuple[str, str, str]]:
    if step.votes is None:
        return
    if not isinstance(step.votes, Votes):
        yield "votes", f"{name_of(step.votes)} says not how many vote", "Write votes=Votes(of=3, quorum=2)"
        return
    of, quorum = count(step.votes.of), count(step.votes.quorum)
    if of is None or quorum is None or not 1 < of <= _MOST_VOTES or not 1 < quorum <= of:
        remedy = f"Write votes=Votes(of=3, quorum=2): 2 to {_MOST_VOTES} people, a quorum of 2 up to all of them"
        yield "votes", "so many votes cannot decide", remedy
    if step.external or step.if_skipped is not None:
        yield "votes", "a vote is neither external nor skipped", "Leave the other out"
