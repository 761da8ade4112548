"""What differs between the deeds of a history and those of today's code, said so that one can act on it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import Any

from workers.replaying.deeds import INLINE, Deed
from workunits.core.spec import Elapsed

NOTHING = "nothing"
_WORDS = "why"
"""Written for people, in the record: better wording breaks no case."""
_MICROSECONDS = ("length", "due", "at", "ready", "claimed", "done", "since", "closed", "warned", "breached")
"""Numbers, of timers and of a record, that are lengths of time."""
_EXACT = timedelta(minutes=1)
"""Longer times are said to the second."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference."""

    what: str
    recorded: str
    today: str

    def __str__(self) -> str:
        """On one line."""
        return f"{self.what}: recorded {self.recorded}, today {self.today}"


def compare(recorded: Sequence[Deed], today: Sequence[Deed], *, stopped: bool = False) -> list[Finding]:
    """Find what differs, each thing once.

    Args:
        recorded: What the history says.
        today: What today's code commanded when it was replayed.
        stopped: Today's code did not get to the end: that it commanded nothing more then means nothing.
    """
    inline = [*_inline(recorded, today)]
    course = _course([d for d in recorded if not _is_inline(d)], [d for d in today if not _is_inline(d)])
    found = [*inline, *(f for f in course if not (f.today == NOTHING and (stopped or inline)))]
    return list(dict.fromkeys(found))


def _is_inline(deed: Deed) -> bool:
    return deed.kind == INLINE


def _inline(recorded: Sequence[Deed], today: Sequence[Deed]) -> Iterator[Finding]:
    """Compare inline steps by their keys: a history has them in the order in which they ended."""
    there, here = _by_name(recorded), _by_name(today)
    times_there, times_here = (Counter(d.name for d in deeds if _is_inline(d)) for deeds in (recorded, today))
    for name in dict.fromkeys([*there, *here]):
        step = f"{INLINE} {name}"
        if times_there[name] and times_here[name]:
            # Its limits are known only where whoever stored the history noted them.
            known = {key: value for key, value in here[name].facts.items() if key in there[name].facts}
            yield from _facts(step, there[name].facts, known)
        else:
            done, missing = "performed", NOTHING
            yield Finding(step, done if name in there else missing, done if name in here else missing)


def _by_name(deeds: Sequence[Deed]) -> dict[str, Deed]:
    return {deed.name: deed for deed in deeds if _is_inline(deed)}


def _course(recorded: Sequence[Deed], today: Sequence[Deed]) -> Iterator[Finding]:
    """Compare one by one, up to where the two courses part."""
    before = "the start"
    for there, here in zip_longest(recorded, today):
        if there is None or here is None or (there.kind, there.name) != (here.kind, here.name):
            yield Finding(f"after {before}", str(there or NOTHING), str(here or NOTHING))
            return
        yield from _facts(there.subject, there.facts, here.facts)
        if there.kind in ("step", "close"):
            before = str(there)


def _facts(subject: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Finding]:
    for path, was, is_now in _values("", there, here):
        yield Finding(f"{subject}, {path}", _say(path, was), _say(path, is_now))


def _values(path: str, there: Any, here: Any) -> Iterator[tuple[str, Any, Any]]:
    """The paths at which two JSON values differ."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for key in dict.fromkeys([*there, *here]):
            if key != _WORDS:
                yield from _values(f"{path}.{key}".lstrip("."), there.get(key), here.get(key))
    elif isinstance(there, list) and isinstance(here, list):
        for index, (was, is_now) in enumerate(zip_longest(there, here)):
            yield from _values(f"{path}.{index}", was, is_now)
    elif there != here:
        yield path, there, here


def _say(path: str, value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, int) and path.rpartition(".")[2] in _MICROSECONDS:
        length = timedelta(microseconds=value)
        return str(Elapsed(timedelta(seconds=round(length.total_seconds())) if length > _EXACT else length))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
