"""Performers whose effects are counted."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.faults.contracts import Found, Request
from tests.soak.unit import Haul
from tests.soak.world import World
from workunits.performs import effect_key, performs

_LONGEST = 0.3
"""Seconds that a step takes, so that a kill finds some at work."""


class Haulers:
    """Load and deliver."""

    def __init__(self, data: Path) -> None:
        """Open the world."""
        self._world = World(data)

    @performs(Haul.LOAD)
    def load(self, case: Request) -> Found:
        """Load it."""
        self._act()
        return Found(trouble=case.trouble)

    @performs(Haul.DELIVER)
    def deliver(self, found: Found) -> Found:
        """Deliver it."""
        self._act()
        return found

    def _act(self) -> None:
        key = effect_key()
        self._world.call(key)
        time.sleep(random.uniform(0, _LONGEST))  # noqa: S311, no secret
        self._world.have_effect(key)
        time.sleep(random.uniform(0, _LONGEST / 3))  # noqa: S311
