"""What changed between two definitions of a unit: in words, with what breaks its users and what moves its boundary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from workers.schema_changes import Flow, differences
from workers.words import span

Kind = Literal["boundary", "contract", "other"]
Definition = Mapping[str, Any]
"""As `workunits.registry.describe` gives it, and as the ledger keeps it."""

_WHO = {"human": "a person", "automated": "code", "ai": "an AI model", "hybrid": "an AI model, approved by a person"}
_SECONDS = "_seconds"
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
)


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
    """All changes between two definitions of a unit; none when they say the same."""
    return [
        *_top(before, after),
        *_outcome(before["outcome"], after["outcome"]),
        *_schema(before["logic"]["input"], after["logic"]["input"], "input", "in"),
        *_rules(before["logic"]["rules"], after["logic"]["rules"]),
        *_steps(before["structure"]["steps"], after["structure"]["steps"]),
        *_learning(before["learning"], after["learning"]),
    ]


def _top(before: Definition, after: Definition) -> Iterator[Change]:
    if before["key"] != after["key"]:
        yield Change("contract", "key", _became(before["key"], after["key"]), breaking=True)
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
    for name in sorted({*before, *after} - {"accountable", "statement", "result"}):
        if before.get(name) != after.get(name):
            old, new = before.get(name), after.get(name)
            longer = name == "within_seconds" and isinstance(old, float) and isinstance(new, float) and new > old
            weaker = longer or (name.startswith(("within", "target ")) and new is None)
            yield Change("contract", "outcome", f"{_label(name)} {_became(old, new, name)}", breaking=weaker)


def _schema(before: Definition, after: Definition, where: str, flow: Flow) -> Iterator[Change]:
    for found in differences(before, after, flow):
        yield Change("contract", where, f"{found.path or 'the whole'} {found.words}", breaking=found.breaking)


def _rules(before: Sequence[Definition], after: Sequence[Definition]) -> Iterator[Change]:
    old, new = ({(rule["step"], rule["on"]): rule["then"] for rule in rules} for rules in (before, after))
    for key in sorted({*old, *new}):
        where = f"{key[1]} in {key[0]}"
        if key not in new:
            yield Change("other", where, f"the rule is gone (was: {old[key]})")
        elif key not in old:
            yield Change("other", where, f"a new rule: {new[key]}")
        elif old[key] != new[key]:
            yield Change("other", where, _became(old[key], new[key]))


def _steps(before: Sequence[Definition], after: Sequence[Definition]) -> Iterator[Change]:
    old, new = ({step["name"]: step for step in steps} for steps in (before, after))
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            yield Change("boundary", name, f"the step is gone; {_performer(old[name])} performed it")
        elif name not in old:
            decides = ", and it decides" if new[name]["decides"] else ""
            yield Change("boundary", name, f"a new step, performed by {_performer(new[name])}{decides}")
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
    if before["executor"] == after["executor"] != "human" and before["performed_by"] != after["performed_by"]:
        yield Change("other", name, f"its performer {_became(before['performed_by'], after['performed_by'])}")
    for fact in _STEP_FACTS:
        old, new = before.get(fact), after.get(fact)
        if old != new:
            answered = fact == "gives" and after["executor"] == "human"
            kind: Kind = "contract" if answered else "other"
            yield Change(kind, name, f"{_label(fact)} {_became(old, new, fact)}", breaking=answered)


def _learning(before: Definition, after: Definition) -> Iterator[Change]:
    if before["owner"] != after["owner"]:
        yield Change("boundary", "learning", f"{after['owner']} owns the unit, not {before['owner']} any more")
    for name in sorted({*before, *after} - {"owner"}):
        if before.get(name) != after.get(name):
            yield Change("other", "learning", f"{_label(name)} {_became(before.get(name), after.get(name), name)}")


def _performer(step: Definition) -> str:
    who = _WHO.get(step["executor"]) or str(step["executor"])
    return f"{who} ({step['performed_by']})" if step["executor"] == "human" else who


def _moved(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str]]:
    return [one for one in before if one not in after], [one for one in after if one not in before]


def _label(name: str) -> str:
    return name.removesuffix(_SECONDS).replace("_", " ")


def _became(before: Any, after: Any, name: str = "") -> str:
    return f"{_value(before, name)} became {_value(after, name)}"


def _value(value: Any, name: str) -> str:
    if value is None or value == []:
        return "nothing"
    if name.endswith(_SECONDS):
        return span(timedelta(seconds=value))
    if isinstance(value, Mapping):
        return ", ".join(f"{_label(key)} {_value(part, key)}" for key, part in value.items())
    if isinstance(value, list):
        return "; ".join(_value(part, "") for part in value)
    return str(value)
