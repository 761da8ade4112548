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


class Carry(BaseModel):
    """What a case takes into its next run."""

    case: str
    done: dict[str, Said]
    tasks: dict[str, Task]
    answers: dict[str, Said] = Field(default_factory=dict)
    """Votes that were given while their set is undecided."""
    record: Record
    pinned: list[Pinned] = Field(default_factory=list, exclude_if=lambda pinned: not pinned)
    """The calendars of its promises."""
    ending: Ending | None = None
    """How it will close, when it is undoing what it did."""

    def check(self) -> None:
        """Make sure that a new run could start with it.

        Raises:
            Ended: it is too large.
        """
        if len(self.model_dump_json().encode()) > CARRY_LIMIT:
            raise Ended("failed", "too_large", f"the case carries over {CARRY_LIMIT} bytes; pass data by reference")

    def go_on(self, attributes: Sequence[SearchAttributeUpdate[Any]]) -> NoReturn:
        """End this run and begin the next."""
        pairs = [SearchAttributePair(u.key, u.value) for u in attributes if u.value is not None]
        # An upserted memo does not travel by itself; raw, because an outsider's part of it may not be readable.
        memo = {key: RawValue(payload) for key, payload in workflow.info().raw_memo.items()}
        workflow.continue_as_new(self, memo=memo, search_attributes=TypedSearchAttributes(pairs))
