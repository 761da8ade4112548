"""The client's journal: what was sent, and what was answered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Story:
    """One case, as those outside saw it."""

    case: str
    started: bool = False
    """Its start was acknowledged."""
    sent: set[str] = field(default_factory=set)
    """The ids of all actions."""
    accepted: dict[str, tuple[str, int]] = field(default_factory=dict)
    """State and revision, by action id, as the case answered."""
    refused: dict[str, str] = field(default_factory=dict)
    """The code, by action id."""
    heard: set[str] = field(default_factory=set)
    """Ids of actions whose Signal was acknowledged: it is kept, whatever comes of it."""
    cancelled: bool = False
    """A cancel was asked for, acknowledged or not."""
    contradictions: list[str] = field(default_factory=list)
    """Repetitions that had another answer than the first."""

    def accept(self, action_id: str, said: dict[str, Any]) -> None:
        """Note an answer."""
        answer = said["state"], said["revision"]
        if self.accepted.setdefault(action_id, answer) != answer:
            self.contradictions.append(f"{action_id} was answered {self.accepted[action_id]}, then {answer}")
        if action_id in self.refused:
            self.contradictions.append(f"{action_id} was refused as {self.refused[action_id]}, then accepted")

    def refuse(self, action_id: str, code: str) -> None:
        """Note a refusal."""
        if action_id in self.accepted:
            self.contradictions.append(f"{action_id} was accepted, then refused as {code}")
        self.refused[action_id] = code


@dataclass
class Journal:
    """All of them."""

    stories: dict[str, Story] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    """What people did, and what came of it."""
    errors: Counter[str] = field(default_factory=Counter)
    """What kept them from it for a moment."""

    def story(self, case: str) -> Story:
        """The story of a case."""
        return self.stories.setdefault(case, Story(case))
