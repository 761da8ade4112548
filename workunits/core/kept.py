"""What an open case keeps in memory, for days."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_GIVEN: set[str] = set()


class Kept(BaseModel):
    """A model that shares with all others the set of the fields that it was given.

    Nobody asks for it, and it is up to half of a small model; an open case would keep several kB.
    """

    def model_post_init(self, _: Any) -> None:
        """Let go of its own."""
        object.__setattr__(self, "__pydantic_fields_set__", _GIVEN)
