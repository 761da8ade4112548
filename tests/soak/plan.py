"""What one soak is to be: everything that is drawn at random follows from the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """One soak."""

    cases: int = 500
    kills: int = 40
    """Kills and freezes together."""
    seed: int = 1
    seconds: float = 200.0
    """Over which kills and cases are spread; what they set off may take longer."""
    patience: float = 300.0
    """Seconds after the storm until a case that is still open counts as stuck."""

    def rng(self, what: object) -> random.Random:
        """Numbers of their own for each part, whatever the others have drawn."""
        return random.Random(f"{self.seed}-{what}")  # noqa: S311, no secret
