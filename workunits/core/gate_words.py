"""How the four-element test reads an outcome's statement: a result with a time bound, or an activity?

Heuristics, so what they find are warnings; `worded_on_purpose` says why a statement stands all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from .gate_facts import is_role, is_text
from .spec import Elapsed, Outcome, Target

_KEEP = 'or keep it and say why: worded_on_purpose="..."'
_ACTIVITY = re.compile(
    r"""(?ix)
    ^(to\s+)?(approve|assess|call|check|collect|create|deal\s+with|do|ensure|execute|handle|make|manage|notify|perform
    |prepare|process|review|run|send|start|support|update|verify|work\s+on)\b
    | ^(we|i|they|staff|the\s+team|someone)\b
    | ^(?!(any|every|no|some)thing\b)\w+ing\b(?!\s+(is|are|was|has|have)\b)
    | \b(is|are|gets?|has\s+been)\s+(being\s+)?(dealt\s+with|handled|looked\s+(at|into)|managed|processed|worked\s+on)\b
    """
)
_TIME_BOUND = re.compile(
    r"""(?ix)
    \b(after|before|by|in|no\s+later\s+than|on|same|until|within)\b.*
    (\d|second|minute|hour|day|week|month|quarter|year|noon|midnight|tomorrow)
    """
)
_WORKING = re.compile(r"(?i)\b(working|business)\s+(hour|day|week)s?\b")
_GROUP = re.compile(r"(?i)^(?!.*\bof\b).*\b(board|committee|department|everybody|everyone|staff|team)$")
_TWO = re.compile(r"(?i)[,;/]|\band\s+(the\s+)?(chief|director|head|lead|manager|owner)\b")
_PERSON = re.compile(r"(?i)^(mr|mrs|ms|miss|dr|prof)\b")
_FIGURE = re.compile(r"(?i)\bwithin\s+((\d+(?:\.\d+)?|an?|one|two|three|four|five|ten)\s+(minute|hour|day|week)s?)\b")
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}


def statement_doubts(outcome: Outcome[Any]) -> Iterator[tuple[str, str]]:
    """What a statement leaves in doubt: each as (what, remedy)."""
    if is_text(outcome.worded_on_purpose):
        return
    statement = outcome.statement.strip()
    if _ACTIVITY.search(statement):
        yield (
            "it describes an activity, not a result",
            f'Say what is true when it is done ("The claim is settled within 5 days."), {_KEEP}',
        )
    promised = outcome.within.within if isinstance(outcome.within, Target) else outcome.within
    yield from _working_time(statement, promised)
    within = promised if isinstance(promised, Elapsed) and isinstance(promised.span, timedelta) else None
    if not _TIME_BOUND.search(statement):
        yield "it has no time bound", f'Say by when ("... within {within or "2 days"}"), {_KEEP}'
    figures = list(_FIGURE.finditer(statement))
    if within and len(figures) == 1 and _span(figures[0][2], figures[0][3]) != within.span:
        yield f"it promises {figures[0][1]}, and the SLA is {within}", f"Let both say the same, {_KEEP}"


def _working_time(statement: str, promised: object) -> Iterator[tuple[str, str]]:
    """Whether nights and weekends count is said twice: in words, and by the type of the budget."""
    said = _WORKING.search(statement)
    if said and isinstance(promised, Elapsed):
        remedy = f'Write within=Target(working_days(...), calendar="..."), {_KEEP}'
        yield f"it promises {said[0].lower()}, and the SLA counts nights and weekends", remedy


def role_doubt(name: object) -> tuple[str, str] | None:
    """What is odd about the name of a role: what, and the remedy; None where nothing is."""
    said = name.strip() if isinstance(name, str) and is_role(name) else ""
    if _GROUP.search(said):
        return f"{said!r} is a group, in which nobody has to answer", "Name the role of one person, such as its head"
    if _TWO.search(said):
        return f"{said!r} is more than one role", "Name the one that answers"
    if _PERSON.search(said):
        return f"{said!r} is a person, who may be away or leave", "Name the role; the directory says who has it"
    return None


def _span(number: str, unit: str) -> timedelta:
    count = _NUMBERS.get(number.lower()) or float(number[:9])
    return timedelta(**{f"{unit.lower()}s": count})
