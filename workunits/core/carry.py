"""What a case takes into its next run, and the way there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel, Field
from temporalio import workflow
from temporalio.common import RawValue, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from .compensation import Ending
from .ended import Ended
from .lifecycle import Task
from .machine import Said
from .record import Record
from .working import Pinned

if TYPE_CHECKING:
    from collections.abc import Sequence

CARRY_LIMIT = 256 * 1024
"""Bytes of state through continue-as-new."""
LAST_MESSAGES, LAST_EVENTS, LAST_BYTES = 1900, 45_000, 45_000_000
"""What a run may have at most: the server takes no update after 2,000, and ends it at 51,200 events or 50 MB."""


class Carry(BaseModel):
    """What a case takes into its next run."""

    case: str
    done: dict[str, Said]
    tasks: dict[str, Task]
    answers: dict[str, Said] = Field(default_factory=dict)
    """Votes that were given while their set is undecided."""
    record: Record
    aside: dict[str, Said] = Field(default_factory=dict, exclude_if=lambda aside: not aside)
    """What came of parts of a performance: proposals, and the votes of a dual review."""
    pinned: list[Pinned] = Field(default_factory=list, exclude_if=lambda pinned: not pinned)
    """The calendars of its promises."""
    ending: Ending | None = None
    """How it will close, when it is undoing what it did."""
    branches: dict[str, str] = Field(default_factory=dict, exclude_if=lambda branches: not branches)
    """For performances that branches called, the digest of the input."""
    undone: list[list[str]] = Field(default_factory=list, exclude_if=lambda undone: not undone)
    """The performances that each compensation was of."""

    def fits(self, taken: int) -> bool:
        """Whether a new run can start with it; one that carries too much stays in its run for as long as that can be.

        Args:
            taken: The messages of the run.

        Raises:
            Ended: it is too large, and the run at its end.
        """
        fits = len(self.model_dump_json().encode()) <= CARRY_LIMIT
        if not fits and is_full(taken, LAST_MESSAGES, stays=True):
            raise Ended("failed", "too_large", f"the case carries over {CARRY_LIMIT} bytes; pass data by reference")
        return fits

    def go_on(self, attributes: Sequence[SearchAttributeUpdate[Any]]) -> NoReturn:
        """End this run and begin the next."""
        pairs = [SearchAttributePair(u.key, u.value) for u in attributes if u.value is not None]
        # An upserted memo does not travel by itself; raw, because an outsider's part of it may not be readable.
        memo = {key: RawValue(payload) for key, payload in workflow.info().raw_memo.items()}
        workflow.continue_as_new(self, memo=memo, search_attributes=TypedSearchAttributes(pairs))


def is_full(taken: int, most: int, *, stays: bool) -> bool:
    """Whether a run is so long that the case goes on as a new one.

    Args:
        taken: The messages of the run.
        most: How many it may have.
        stays: The case carries too much for a new one: only where the server is about to end this one.
    """
    info = workflow.info()
    if not stays:
        return taken >= most or info.is_continue_as_new_suggested()
    long = info.get_current_history_length() >= LAST_EVENTS or info.get_current_history_size() >= LAST_BYTES
    return long or taken >= LAST_MESSAGES
