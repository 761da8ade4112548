"""Which performance a call of a step is: the same one in every run of a case, whichever branch comes to it first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .proposal import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from .record import Work


class Calls:
    """Gives each call of a step the key of its performance.

    The procedure's own line calls its steps in the same order in every run. Branches that run beside each other do not:
    what was done at once in a later run came one after the other before. So a branch's call is known by its input.
    """

    def __init__(
        self,
        steps: Iterable[Work] = (),
        branches: Mapping[str, str] | None = None,
        past: Mapping[str, int] | None = None,
    ) -> None:
        """Begin a run.

        Args:
            steps: What earlier runs performed.
            branches: For the keys that branches called, the digest of the input.
            past: For each step, up to which number nobody will call it again: the case is undoing what it did.
        """
        self.branches = dict(branches or {})
        # None was noted: there was none, or an earlier program counted their calls, too.
        self._by_turn = not branches
        self._last: dict[str, int] = dict(past or {})
        self._free: dict[str, list[int]] = {}
        for step, number in sorted({(work.step, _number(work.key)) for work in steps}):
            if number > (past or {}).get(step, 0):
                self._free.setdefault(step, []).append(number)
            self._last[step] = max(number, self._last.get(step, 0))
        self._before: dict[str | tuple[str, asyncio.Task[Any]], str] = {}

    @property
    def times(self) -> dict[str, int]:
        """How often each step was called."""
        return dict(self._last)

    def claim(self, step: str, what: BaseModel, branch: asyncio.Task[Any] | None) -> tuple[str, str | None]:
        """The key of a call, and that of the call of the same step before it.

        Args:
            step: Its name.
            what: Its input.
            branch: The task that calls it, when it is not the procedure's own line.
        """
        known = "" if branch is None else digest(what)
        free = self._free.get(step, [])
        number = next((n for n in free if self._by_turn or self.branches.get(_key(step, n), "") == known), None)
        if number is None:
            number = self._last[step] = self._last.get(step, 0) + 1
        else:
            free.remove(number)
        key = _key(step, number)
        if known:
            self.branches[key] = known
        line = step if branch is None else (step, branch)
        before = self._before.get(line)
        self._before[line] = key
        return key, before


def _key(step: str, number: int) -> str:
    """The key of a performance: the step's name, with `-2`, `-3` when it is performed again."""
    return step if number == 1 else f"{step}-{number}"


def _number(key: str) -> int:
    """Which performance of its step a piece of work belongs to: the key may name a part of it, such as `-2-v1`."""
    said = key.split("-")[1:2]
    return int(said[0]) if said and said[0].isdigit() else 1
