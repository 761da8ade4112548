"""How a changed fact of a definition is said: what a step states, how far its model may go, and rules by digests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from workers.pages.words import span

SECONDS = "_seconds"
RULE = "_rule"
_RULES: Mapping[str, str] = {
    "achieved_rule": "what counts as achieved",
    "case_key_rule": "the key of the other unit's case",
    "decoy_rule": "making a wrong proposal out of a right one",
    "grants_rule": "which answers grant something",
    "of_result_rule": "how it is read off the result",
    "on_rule": "what of an answer counts as the vote",
    "payload_rule": "what of its input must be what was decided",
    "risk_rule": "the risk class",
    "segment_rule": "the segment of a case",
    "shown_rule": "what of the decision's input is to be done",
    "stands_rule": "whether an achieved outcome still stands",
}


def words_for(name: str, old: Any, new: Any) -> Iterator[str]:
    """Say that a fact is not as it was; None is one that is not stated."""
    if name == "autonomy" and not (old and new):
        yield f"how far its model may go: {value_of(new)}" if new else "its model may go nowhere any more"
    elif name == "autonomy":
        for part in (part for part in {**old, **new} if old.get(part) != new.get(part)):
            yield from words_for(part, old.get(part), new.get(part))
    elif name == "excludes":
        yield from _excludes(old or [], new or [])
    elif name.endswith(RULE):
        yield _rule(name, old, new)
    elif name in _SAID:
        yield _SAID[name](old, new)
    else:
        yield f"{label(name)} {became(old, new, name)}"


def _excludes(old: list[str], new: list[str]) -> Iterator[str]:
    if gone := [one for one in old if one not in new]:
        yield f"whoever performed {' or '.join(gone)} may now perform this one, too: no four eyes there any more"
    if come := [one for one in new if one not in old]:
        yield f"whoever performed {' or '.join(come)} may not perform this one (four eyes)"


def _rule(name: str, old: Any, new: Any) -> str:
    about = _RULES.get(name, label(name))
    if old is None or new is None:
        return f"it has a rule for {about} now" if old is None else f"it has no rule for {about} any more"
    return f"its rule for {about} changed"


def _votes(old: Any, new: Any) -> str:
    if old and new and (old["of"], old["quorum"]) == (new["of"], new["quorum"]):
        return _rule("on_rule", old.get("on_rule"), new.get("on_rule"))
    was, now = (f"{one['quorum']} equal answers of {one['of']}" if one else "one answer" for one in (old, new))
    return f"{now} decide, not {was} any more" if new else f"{now} decides, not {was} any more"


def _approved_by(old: Any, new: Any) -> str:
    if new is None:
        return f"it acts without what {old} decided"
    return f"it acts only on what {new} decided{'' if old is None else f', not {old} any more'}"


def _by_default(old: Any, new: Any) -> str:
    if new is None:
        return f"silence is no answer any more (was: {value_of(old)})"
    return f"silence is now the answer {value_of(new)}{'' if old is None else f', and not {value_of(old)}'}"


def _expires(old: Any, new: Any) -> str:
    if old is None or new is None:
        return "it does not expire" if new is None else f"it expires after {value_of(new, 'expires_seconds')}"
    return f"expires {became(old, new, 'expires_seconds')}"


def _if_skipped(old: Any, new: Any) -> str:
    if new is None:
        return f"it may not be skipped any more (gave: {value_of(old)})"
    may = "it may be skipped now, and gives" if old is None else "skipped, it gives"
    return f"{may} {value_of(new)}{'' if old is None else f', not {value_of(old)} any more'}"


def _instead(old: Any, new: Any) -> str:
    if new is None:
        return f"unanswered, {old} does not take over any more"
    return f"unanswered, {new} takes over{'' if old is None else f', not {old} any more'}"


def _silence(_: Any, new: Any) -> str:
    if new is None:
        return "nobody's word stands any more for silence that approves"
    return f"silence approves, on the word of {new['governance']}; undone by: {new['undone_by']}"


def _forwardable(_: Any, new: Any) -> str:
    return "its owner may not pass it on any more" if new is False else "its owner may pass it on now"


def _undo(_: Any, new: Any) -> str:
    return "an answer cannot be taken back any more" if new is False else "an answer can be taken back at once now"


_SAID: Mapping[str, Callable[[Any, Any], str]] = {
    "approved_by": _approved_by,
    "by_default": _by_default,
    "expires_seconds": _expires,
    "forwardable": _forwardable,
    "if_skipped": _if_skipped,
    "instead": _instead,
    "silence_approves": _silence,
    "undo": _undo,
    "votes": _votes,
}


def label(name: str) -> str:
    """The name of a fact, as people read it."""
    return name.removesuffix(SECONDS).replace("_", " ")


def became(before: Any, after: Any, name: str = "") -> str:
    """What a fact was, and what it is."""
    return f"{value_of(before, name)} became {value_of(after, name)}"


def value_of(value: Any, name: str = "") -> str:
    """A value, as people read it."""
    if value in (None, [], ""):
        return "nothing"
    if name.endswith(SECONDS):
        return span(timedelta(seconds=value))
    if isinstance(value, Mapping):
        return ", ".join(f"{label(key)} {value_of(part, key)}" for key, part in value.items())
    if isinstance(value, list):
        return "; ".join(value_of(part) for part in value)
    return str(value)
