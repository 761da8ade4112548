"""What changed between two definitions of a unit: in words, with what breaks its users and what moves its boundary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workers.governing.schema_changes import Flow, differences, only_for_readers
from workers.pages.fact_words import became, label, words_for
from workunits.governance import boundary, silence_answers, turn_of
from workunits.registry import hash_of

Kind = Literal["boundary", "contract", "other"]
Definition = Mapping[str, Any]
"""As `workunits.registry.describe` gives it, and as the ledger keeps it."""

_WHO = {
    "human": "a person",
    "automated": "code",
    "ai": "an AI model",
    "hybrid": "an AI model, approved by a person",
    "unit": "another unit",
}
_MACHINES = ("automated", "ai")
"""Executors of which it does not matter by what name they are found."""
_STEP_FACTS = (
    "takes",
    "gives",
    "timeout_seconds",
    "attempts",
    "inline",
    "expires_seconds",
    "start_by",
    "finish_by",
    "after",
    "compensated_by",
    "waits",
    "undo",
    "case_key_rule",
)
"""What a step says that is not about who or what does it, decides, or answers for it."""
_TOLD = {*_STEP_FACTS, "name", "executor", "performed_by", "decides", "accountable", "external", "raises"}

_FOR_READERS = "a title, a description or an example changed, and nothing else"
_NO_WORDS = "something changed for which there are no words here"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was."""

    kind: Kind
    """`boundary`: who or what does or answers for something; `contract`: what its users give, get or are promised."""
    where: str
    words: str
    breaking: bool = False
    """Whether someone who used the unit rightly before does not any more."""


def changes(before: Definition, after: Definition) -> list[Change]:
    """All changes between two definitions of a unit; none when they say the same, but for the version."""
    found = [
        *_top(before, after),
        *_outcome(before["outcome"], after["outcome"]),
        *_schema(before["logic"]["input"], after["logic"]["input"], "input", "in"),
        *_rules(before, after),
        *_steps(before["structure"]["steps"], after["structure"]["steps"]),
        *_learning(before["learning"], after["learning"]),
        *_segment(before, after),
    ]
    if not found and hash_of({**before, "version": ""}) != hash_of({**after, "version": ""}):
        found.append(Change("contract", "definition", _NO_WORDS))
    return found


def first(after: Definition) -> list[Change]:
    """The boundary of a definition that has nothing before it, as changes: all of it is new."""
    outcome, learning, steps = after["outcome"], after["learning"], after["structure"]["steps"]
    return [
        Change("boundary", "outcome", f"{outcome['accountable']} answers for it"),
        *(Change("boundary", step["name"], words) for step in steps for words in (_stated(step), *_limits(step))),
        *_admins((), after.get("admins", ())),
        *(Change("boundary", where, _then(after, then)) for where, then in _rules_of(after).items() if turn_of(then)),
        Change("boundary", "learning", f"{learning['owner']} owns the unit"),
    ]


def _stated(step: Definition, performs: str = "performs", decides: str = "decides", answers: str = "answers") -> str:
    outside = ", outside" * bool(step["external"])
    decision = f", and {decides}" * bool(step["decides"])
    who = f"; {step['accountable']} {answers} for it" if step["accountable"] else ""
    return f"{_performer(step)} {performs} it{outside}{decision}{who}"


def _limits(step: Definition) -> Iterator[str]:
    """What else a step says that whoever answers for the outcome signs."""
    for fact in sorted(set(step) - _TOLD):
        yield from words_for(fact, None, step[fact])
    if silence_answers(step):
        yield from words_for("expires_seconds", None, step.get("expires_seconds"))


def _admins(before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    fewer, more = _moved(before, after)
    if more:
        yield Change("boundary", "admins", f"may assign, suspend, skip and cancel any task: {', '.join(more)}")
    if fewer:
        yield Change("boundary", "admins", f"administrate its tasks no more: {', '.join(fewer)}")


def _top(before: Definition, after: Definition) -> Iterator[Change]:
    if before.get("stream") != after.get("stream"):
        yield Change("other", "stream", became(before.get("stream"), after.get("stream")))
    if before.get("keep_inputs") != after.get("keep_inputs"):
        kept = "keeps the inputs of closed cases now" if after.get("keep_inputs") else "keeps no inputs any more"
        yield Change("other", "ledger", f"it {kept}")
    yield from _admins(before.get("admins", ()), after.get("admins", ()))
    if before["key"] != after["key"]:
        yield Change("contract", "key", became(before["key"], after["key"]), breaking=True)
    gone, come = _moved(before["facts"], after["facts"])
    if gone:
        yield Change("contract", "facts", f"no longer kept: {', '.join(gone)}", breaking=True)
    if come:
        yield Change("contract", "facts", f"also kept: {', '.join(come)}")


def _outcome(before: Definition, after: Definition) -> Iterator[Change]:
    if before["accountable"] != after["accountable"]:
        words = f"{after['accountable']} answers for the outcome, not {before['accountable']} any more"
        yield Change("boundary", "outcome", words)
    if before["statement"] != after["statement"]:
        yield Change("contract", "outcome", f"the promise reads now: {after['statement']}")
    yield from _schema(before["result"], after["result"], "result", "out")
    yield from _quality(before.get("quality", ()), after.get("quality", ()))
    for name in sorted({*before, *after} - {"accountable", "statement", "result", "quality"}):
        if before.get(name) != after.get(name):
            old, new = before.get(name), after.get(name)
            longer = name == "within_seconds" and isinstance(old, float) and isinstance(new, float) and new > old
            weaker = longer or (name.startswith(("within", "target ")) and new is None)
            for words in words_for(name, old, new):
                yield Change("contract", "outcome", words, breaking=weaker)


def _quality(before: Sequence[Definition], after: Sequence[Definition]) -> Iterator[Change]:
    old, new = ({quality["name"]: quality for quality in qualities} for qualities in (before, after))
    for name in sorted({*old, *new}):
        was, now = old.get(name, {}), new.get(name, {})
        if not was or not now:
            yield Change(
                "contract", "outcome", f"quality {name} is {'measured now' if now else 'not measured any more'}"
            )
            continue
        for fact in (fact for fact in {**was, **now} if was.get(fact) != now.get(fact)):
            for words in words_for(fact, was.get(fact), now.get(fact)):
                yield Change("contract", "outcome", f"quality {name}: {words}")


def _schema(before: Definition, after: Definition, where: str, flow: Flow) -> Iterator[Change]:
    found = list(differences(before, after, flow))
    for one in found:
        yield Change("contract", where, f"{one.path or 'the whole'} {one.words}", breaking=one.breaking)
    if not found and hash_of(before) != hash_of(after):
        yield Change("contract", where, _FOR_READERS if only_for_readers(before, after) else _NO_WORDS)


def _rules(before: Definition, after: Definition) -> Iterator[Change]:
    old, new = _rules_of(before), _rules_of(after)
    for where in sorted({*old, *new}):
        then, now = old.get(where), new.get(where)
        if then == now:
            continue
        # Which step takes over, or mends the input, says who or what does the work; how often is the owner's affair.
        kind: Kind = "other" if turn_of(then) == turn_of(now) else "boundary"
        if now is None:
            words = f"the rule is gone (was: {_then(before, then)})"
        elif then is None:
            words = f"a new rule: {_then(after, now)}"
        else:
            who, whom = _turned(before, then), _turned(after, now)
            moved = f"moved from {who} to {whom}: " if who and whom and who != whom else ""
            words = f"{moved}{became(_then(before, then), _then(after, now))}"
        yield Change(kind, where, words)


def _rules_of(definition: Definition) -> dict[str, str]:
    return {f"{rule['on']} in {rule['step']}": rule["then"] for rule in definition["logic"]["rules"]}


def _then(definition: Definition, then: str | None) -> str:
    """What a rule has done, with who or what does it."""
    turn, who = turn_of(then), _turned(definition, then)
    return (then or "").replace(turn[1], f"{turn[1]}, {who},", 1) if turn and who else then or ""


def _turned(definition: Definition, then: str | None) -> str:
    """Who or what performs the step that a rule turns to; nothing where there is none."""
    name = (turn_of(then) or ("", ""))[1]
    return next((_performer(step) for step in definition["structure"]["steps"] if step["name"] == name), "")


def _steps(before: Sequence[Definition], after: Sequence[Definition]) -> Iterator[Change]:
    old, new = ({step["name"]: step for step in steps} for steps in (before, after))
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            words = _stated(old[name], "performed", "decided", "answered")
            yield Change("boundary", name, f"the step is gone; {words}")
        elif name not in old:
            # Whoever signs the boundary signs all that limits the step, as when the unit is published first.
            said = (f"a new step; {_stated(new[name])}", *_limits(new[name]))
            yield from (Change("boundary", name, words) for words in said)
        else:
            yield from _step(name, old[name], new[name])
    common = [name for name in old if name in new]
    if common != [name for name in new if name in old]:
        yield Change("other", "structure", "the steps are declared in another order")


def _step(name: str, before: Definition, after: Definition) -> Iterator[Change]:
    was, now = _performer(before), _performer(after)
    if before["executor"] != after["executor"]:
        yield Change("boundary", name, f"moved from {was} to {now}")
    elif was != now:
        yield Change("boundary", name, f"{now} performs it, not {was} any more")
    if before["decides"] != after["decides"]:
        yield Change("boundary", name, "it decides now" if after["decides"] else "it decides nothing any more")
    if before["accountable"] != after["accountable"]:
        who = after["accountable"] or "nobody"
        yield Change("boundary", name, f"{who} answers for it, not {before['accountable'] or 'nobody'} any more")
    if before["external"] != after["external"]:
        yield Change("boundary", name, "outsiders do it now" if after["external"] else "it is done inside now")
    gone, come = _moved(before["raises"], after["raises"])
    if gone or come:
        parts = [f"may raise {', '.join(come)}"] * bool(come) + [f"no longer raises {', '.join(gone)}"] * bool(gone)
        yield Change("other", name, "; ".join(parts))
    if before["executor"] == after["executor"] in _MACHINES and before["performed_by"] != after["performed_by"]:
        yield Change("other", name, f"its performer {became(before['performed_by'], after['performed_by'])}")
    yield from _facts(name, before, after)


def _facts(name: str, before: Definition, after: Definition) -> Iterator[Change]:
    for fact in _STEP_FACTS:
        old, new = before.get(fact), after.get(fact)
        if old != new:
            answered = fact == "gives" and after["executor"] == "human"
            kind: Kind = "contract" if answered else "other"
            if fact == "expires_seconds" and (silence_answers(before) or silence_answers(after)):
                kind = "boundary"
            yield from (Change(kind, name, words, breaking=answered) for words in words_for(fact, old, new))
    # Whatever else a step says is about who may do it and how far a machine may go: four eyes, silence, autonomy.
    for fact in sorted({*before, *after} - _TOLD):
        if before.get(fact) != after.get(fact):
            for words in words_for(fact, before.get(fact), after.get(fact)):
                yield Change("boundary", name, words)


def _learning(before: Definition, after: Definition) -> Iterator[Change]:
    if before["owner"] != after["owner"]:
        yield Change("boundary", "learning", f"{after['owner']} owns the unit, not {before['owner']} any more")
    for name in sorted({*before, *after} - {"owner", "segment_rule"}):
        if before.get(name) != after.get(name):
            yield Change("other", "learning", f"{label(name)} {became(before.get(name), after.get(name), name)}")


def _segment(before: Definition, after: Definition) -> Iterator[Change]:
    old, new = (definition["learning"].get("segment_rule") for definition in (before, after))
    if old != new:
        moves = "segments" in boundary(before) or "segments" in boundary(after)
        yield from (
            Change("boundary" if moves else "other", "learning", w) for w in words_for("segment_rule", old, new)
        )


def _performer(step: Definition) -> str:
    who = _WHO.get(step["executor"]) or str(step["executor"])
    return who if step["executor"] in _MACHINES else f"{who} ({step['performed_by']})"


def _moved(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str]]:
    return [one for one in before if one not in after], [one for one in after if one not in before]
