"""All that a unit declares is in its hash and said by `diff`, and what weakens its boundary asks for a signature."""

from __future__ import annotations

import dataclasses
import types
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.lab.contracts import Decision, Facts, Request, Result
from tests.replay.planted import Planted
from workers.governing.changes import changes, first
from workunits.core.spec import (
    Autonomy,
    Between,
    Learning,
    Measure,
    Outcome,
    Quality,
    Rate,
    SilenceApproves,
    Step,
    Target,
    Urgency,
    Votes,
    automated,
    elapsed,
    human,
    hybrid,
    unit_step,
)
from workunits.core.unit import WorkUnit
from workunits.governance import boundary, needs
from workunits.registry import definition_hash, describe

BOSS = "head of tests"
NO = Decision(decision="refuse", reason="no")
YES = Decision(decision="grant")

LOOK = human("look", Request, Facts, role="clerk", accountable=BOSS)
ADVISE = hybrid("advise", Facts, Decision, role="clerk", accountable=BOSS)
DECIDE = human("decide", Facts, Decision, role="clerk", accountable=BOSS, expires=elapsed(hours=36))
LATER = human("later", Facts, Decision, role="expert", accountable=BOSS)
ASK = unit_step("ask", Facts, Facts, unit="other")
PAY = automated("pay", Decision, Facts, approved_by=DECIDE)
STEPS = {"LOOK": LOOK, "ADVISE": ADVISE, "DECIDE": DECIDE, "LATER": LATER, "ASK": ASK, "PAY": PAY}
OUTCOME = Outcome(
    Result,
    "The request is decided within 24 hours.",
    achieved=lambda result: result.granted,
    within=elapsed(hours=24),
    accountable=BOSS,
    quality=(Quality("returned", within=elapsed(days=30), stands=lambda found: found == 0),),
)
LEARNING = Learning(
    owner="test owner",
    review=elapsed(days=30),
    measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
)


async def work(self, case: Request) -> Result:
    """Nothing of it runs; it names the steps."""
    raise NotImplementedError(self.LOOK, self.ADVISE, self.DECIDE, self.LATER, self.ASK, self.PAY)


def unit(**edits: Any) -> type[WorkUnit]:
    """The unit with some of its members replaced."""
    facts = {"__module__": __name__, "__qualname__": "Whole", "outcome": OUTCOME, "learning": LEARNING, "work": work}
    members = facts | STEPS | edits
    return types.new_class("Whole", (WorkUnit,), {"name": "whole", "key": "request"}, lambda body: body.update(members))


def step(base: Step[Any, Any], **facts: Any) -> dict[str, Any]:
    """A step that states something else."""
    return {base.name.upper(): replace(base, **facts)}


def may(**facts: Any) -> dict[str, Any]:
    """The hybrid step with another autonomy."""
    return step(ADVISE, autonomy=Autonomy(**facts))


def over(_: Facts, decision: Decision) -> Any:
    """The risk class of a decision."""
    return "over_limit" if decision.decision == "grant" else "routine"


def other(_: Facts, __: Decision) -> Any:
    """Another one."""
    return "external"


TWO, ALL_THREE = Votes(of=3, quorum=2), Votes(of=3, quorum=3)

STEP: tuple[tuple[str, dict[str, Any], dict[str, Any], str, bool], ...] = (
    ("excludes", step(DECIDE, excludes=(LOOK,)), {}, "performed look may now perform this one, too", True),
    ("excludes", {}, step(DECIDE, excludes=(LOOK,)), "performed look may not perform this one (four eyes)", True),
    ("votes", step(DECIDE, votes=TWO), {}, "one answer decides, not 2 equal answers of 3 any more", True),
    (
        "votes",
        step(DECIDE, votes=TWO),
        step(DECIDE, votes=ALL_THREE),
        "3 equal answers of 3 decide, not 2",
        True,
    ),
    (
        "votes",
        step(DECIDE, votes=TWO),
        step(DECIDE, votes=Votes(of=3, quorum=2, on=lambda answer: answer.decision)),
        "it has a rule for what of an answer counts as the vote now",
        True,
    ),
    (
        "by_default",
        {},
        step(DECIDE, by_default=NO, grants=lambda answer: answer.decision == "grant"),
        "silence is now the answer decision refuse",
        True,
    ),
    (
        "silence_approves",
        step(DECIDE, by_default=NO, grants=lambda answer: answer.decision == "grant"),
        step(
            DECIDE,
            by_default=YES,
            grants=lambda answer: answer.decision == "grant",
            silence_approves=SilenceApproves("policy 7.2, signed by the head", "it is taken back"),
        ),
        "silence approves, on the word of policy 7.2, signed by the head; undone by: it is taken back",
        True,
    ),
    (
        "grants",
        step(DECIDE, by_default=NO, grants=lambda answer: answer.decision == "grant"),
        step(DECIDE, by_default=NO, grants=lambda answer: False),
        "its rule for which answers grant something changed",
        True,
    ),
    ("if_skipped", {}, step(DECIDE, if_skipped=YES), "it may be skipped now, and gives decision grant", True),
    (
        "if_skipped",
        step(DECIDE, if_skipped=NO),
        step(DECIDE, if_skipped=YES),
        "skipped, it gives decision grant, reason nothing, not decision refuse, reason no any more",
        True,
    ),
    ("instead", {}, step(DECIDE, instead=LATER), "unanswered, later takes over", True),
    ("forwardable", step(DECIDE, forwardable=False), {}, "its owner may pass it on now", True),
    ("waits", {}, step(DECIDE, waits=("customer",)), "waits nothing became customer", False),
    ("undo", {}, step(DECIDE, undo=False), "an answer cannot be taken back any more", False),
    ("role", {}, step(DECIDE, role="expert"), "a person (expert) performs it, not a person (clerk)", True),
    ("accountable", {}, step(DECIDE, accountable="raider"), "raider answers for it, not head of tests any more", True),
    ("decides", {}, step(LOOK, decides=False, accountable=""), "it decides nothing any more", True),
    ("external", {}, step(LOOK, external=True), "outsiders do it now", True),
    ("start_by", {}, step(DECIDE, start_by=elapsed(hours=1)), "start by nothing became", False),
    ("finish_by", {}, step(DECIDE, finish_by=elapsed(hours=2)), "finish by nothing became", False),
    ("expires", {}, step(DECIDE, expires=elapsed(hours=1)), "expires 1 d 12 h became 1 h", False),
    (
        "expires",
        step(DECIDE, instead=LATER),
        step(DECIDE, instead=LATER, expires=elapsed(hours=1)),
        "expires 1 d 12 h became 1 h",
        True,
    ),
    (
        "expires",
        step(DECIDE, by_default=NO),
        step(DECIDE, by_default=NO, expires=elapsed(hours=1)),
        "expires 1 d 12 h became 1 h",
        True,
    ),
    ("timeout", {}, step(PAY, timeout=timedelta(seconds=9)), "timeout 30 s became 9 s", False),
    ("attempts", {}, step(PAY, attempts=9), "attempts 3 became 9", False),
    ("inline", {}, step(PAY, inline=True, timeout=timedelta(seconds=1)), "inline False became True", False),
    ("after", {}, step(PAY, after="incident"), "after nothing became incident", False),
    ("approved_by", {}, step(PAY, approved_by=LATER), "it acts only on what later decided, not decide", True),
    (
        "payload",
        {},
        step(PAY, payload=lambda what: what),
        "it has a rule for what of its input must be what was decided now",
        True,
    ),
    (
        "shown",
        step(PAY, shown=lambda facts: Decision(decision="grant", reason=facts.risk)),
        step(PAY, shown=lambda _: Decision(decision="grant")),
        "its rule for what of the decision's input is to be done changed",
        True,
    ),
    (
        "case_key",
        {},
        step(ASK, case_key=lambda what: what.risk),
        "it has a rule for the key of the other unit's",
        False,
    ),
    ("calls", {}, step(ASK, calls="third"), "another unit (third) performs it, not another unit (other)", True),
    ("autonomy", {}, may(level="A3"), "level A2 became A3", True),
    ("autonomy.level", {}, may(level="A0"), "level A2 became A0", True),
    ("autonomy.risk", {}, may(risk=over), "it has a rule for the risk class now", True),
    ("autonomy.risk", may(risk=over), may(risk=other), "its rule for the risk class changed", True),
    ("autonomy.risk", may(risk=over), {}, "it has no rule for the risk class any more", True),
    ("autonomy.dual", {}, may(dual=()), "dual irreversible became nothing", True),
    ("autonomy.material", {}, may(material=("decision",)), "material nothing became decision", True),
    ("autonomy.blind", {}, may(blind=0.2), "blind 0.05 became 0.2", True),
    ("autonomy.audit", {}, may(audit=0.2), "audit 0.05 became 0.2", True),
    ("autonomy.veto", {}, may(veto=elapsed(hours=1)), "veto nothing became", True),
    ("autonomy.reasons", {}, may(reasons=("no",)), "reasons nothing became no", True),
    (
        "autonomy.decoy",
        may(decoy=lambda _, right: right.model_copy(), seeded=0.1),
        may(decoy=lambda _, right: right, seeded=0.1),
        "its rule for making a wrong proposal out of a right one changed",
        True,
    ),
    (
        "autonomy.seeded",
        may(decoy=lambda _, right: right, seeded=0.1),
        may(decoy=lambda _, right: right),
        "seeded 0.1 became nothing",
        True,
    ),
)


def outcome(**facts: Any) -> dict[str, Any]:
    """The unit with another outcome."""
    return {"outcome": replace(OUTCOME, **facts)}


def learning(**facts: Any) -> dict[str, Any]:
    """The unit with another learning."""
    return {"learning": replace(LEARNING, **facts)}


def quality(**facts: Any) -> dict[str, Any]:
    """The unit with another quality."""
    return outcome(quality=(replace(OUTCOME.quality[0], **facts),))


def within(**facts: Any) -> dict[str, Any]:
    """The unit with another promise."""
    return outcome(within=Target(elapsed(hours=24), **facts))


WHOLE: tuple[tuple[str, dict[str, Any], dict[str, Any], str, bool], ...] = (
    ("outcome.achieved", {}, outcome(achieved=lambda _: True), "its rule for what counts as achieved changed", False),
    ("outcome.statement", {}, outcome(statement="It is decided within 24 hours."), "the promise reads now", False),
    ("outcome.within", {}, outcome(within=elapsed(hours=48)), "within 1 d became 2 d", False),
    ("outcome.warn", {}, outcome(warn=0.5), "warn 0.75 became 0.5", False),
    ("outcome.accountable", {}, outcome(accountable="raider"), "raider answers for the outcome", True),
    ("outcome.quality", {}, outcome(quality=()), "quality returned is not measured any more", False),
    ("quality.name", {}, quality(name="sent_back"), "quality sent_back is measured now", False),
    ("quality.within", {}, quality(within=elapsed(days=9)), "quality returned: within 30 d became 9 d", False),
    ("quality.stands", {}, quality(stands=lambda _: True), "its rule for whether an achieved outcome still", False),
    (
        "quality.of_result",
        quality(within=None, stands=None, of_result=lambda result: result.granted),
        quality(within=None, stands=None, of_result=lambda _: 1),
        "quality returned: its rule for how it is read off the result changed",
        False,
    ),
    ("target.urgency", {}, within(urgency=Urgency(base=9)), "urgency nothing became Urgency(base=9", False),
    ("target.goal", {}, within(goal=0.5), "goal nothing became 0.5", False),
    ("learning.owner", {}, learning(owner="raider"), "raider owns the unit, not test owner any more", True),
    ("learning.review", {}, learning(review=elapsed(days=9)), "review 30 d became 9 d", False),
    ("learning.measures", {}, learning(measures=(Measure("on_time", at_least=1, baseline="none"),)), "measures", False),
    ("learning.rates", {}, learning(rates={"clerk": Rate(9)}), "rates", False),
    ("learning.segment", {}, learning(segment=lambda case: case.request), "it has a rule for the segment of", True),
    ("unit.admins", {}, {"admins": ("raider",)}, "may assign, suspend, skip and cancel any task: raider", True),
    ("unit.admins", {"admins": ("raider",)}, {}, "administrate its tasks no more: raider", True),
    ("unit.keep_inputs", {}, {"keep_inputs": True}, "it keeps the inputs of closed cases now", False),
    ("unit.facts", {}, {"facts": ("request",)}, "also kept: request", False),
    ("unit.stream", {}, {"stream": "lending"}, "nothing became lending", False),
    (
        "unit.targets",
        {},
        {"targets": (Between("waiting", "case.started", "decide.begun", Target(elapsed(hours=9))),)},
        "target waiting",
        False,
    ),
)


@pytest.mark.parametrize(
    ("before", "after", "words", "signed"),
    [row[1:] for row in (*STEP, *WHOLE)],
    ids=[f"{n}-{row[0]}" for n, row in enumerate((*STEP, *WHOLE))],
)
def test_a_changed_fact_is_another_definition_and_said(monkeypatch, before, after, words, signed):
    """By its hash, by `diff` in words, and by a new signature of its boundary where that is moved or weakened."""
    monkeypatch.setattr("workunits.core.unit.examine", lambda _: [])  # one fact at a time, whether or not it is enough
    old, new = unit(**before), unit(**after)

    said = changes(describe(old), describe(new))

    assert definition_hash(old) != definition_hash(new)
    assert [change for change in said if words in change.words], said
    assert any(change.kind == "boundary" for change in said) == signed
    assert (needs(describe(old))[1] != needs(describe(new))[1]) == signed
    assert (boundary(describe(old)) != boundary(describe(new))) == signed


OUT = {
    "step": {"name", "takes", "gives", "kind", "raises", "compensated_by", "unit"},
    "outcome": {"result", "worded_on_purpose"},
}
"""Described, and tested elsewhere; `worded_on_purpose` is for `check` alone, `unit` is filled in by its class."""


@pytest.mark.parametrize(
    ("facts", "rows", "prefix"),
    [
        (Step, STEP, ""),
        (Autonomy, STEP, "autonomy."),
        (Outcome, WHOLE, "outcome."),
        (Quality, WHOLE, "quality."),
        (Learning, WHOLE, "learning."),
    ],
    ids=["step", "autonomy", "outcome", "quality", "learning"],
)
def test_no_fact_is_left_out_by_accident(facts, rows, prefix):
    """Whoever gives steps a new fact decides here whether it is part of what is signed."""
    tested = {name.removeprefix(prefix) for name, *_ in rows if name.startswith(prefix)}
    declared = {one.name for one in dataclasses.fields(facts)}

    assert declared <= tested | OUT.get(facts.__name__.lower(), set())


def test_what_is_not_stated_is_not_described():
    """A definition that does not use a fact keeps its hash when the fact is thought of."""
    told = describe(unit(learning=LEARNING, outcome=replace(OUTCOME, quality=())))
    decide = told["structure"]["steps"][2]

    assert not {"excludes", "votes", "by_default", "if_skipped", "grants_rule", "forwardable", "undo"} & set(decide)
    assert set(told["structure"]["steps"][1]["autonomy"]) == {
        "level",
        "dual",
        "material",
        "blind",
        "audit",
        "veto_seconds",
    }
    assert not {"admins", "keep_inputs", "stream"} & set(told)
    assert "quality" not in told["outcome"]


def test_the_first_boundary_is_shown_with_all_that_limits_it():
    """Whoever signs it reads who may not do a step, and what silence or a skipped task gives."""
    said = [f"{change.where}: {change.words}" for change in first(describe(unit(**step(DECIDE, excludes=(LOOK,)))))]

    assert "decide: whoever performed look may not perform this one (four eyes)" in said
    assert "pay: it acts only on what decide decided" in said
    assert not any("expire" in one for one in said)
    assert any(one.startswith("advise: how far its model may go: level A2") for one in said)


def test_the_first_boundary_is_shown_with_what_takes_a_persons_place():
    """When silence is an answer, and which step takes over after an exception."""
    kinds = unit(**step(DECIDE, instead=LATER)), Planted
    said = [f"{change.where}: {change.words}" for kind in kinds for change in first(describe(kind))]

    assert "decide: unanswered, later takes over" in said
    assert "decide: it expires after 1 d 12 h" in said
    assert "odd in look: look_by_hand, a person (expert), takes over" in said
    assert "technical_failure in advise: advise_by_hand, a person (expert), takes over" in said
