"""How fast people read at most."""

from __future__ import annotations

WORDS_PER_MINUTE = 475
"""Twice what adults read silently (238 words of prose a minute; Brysbaert 2019): nobody reads faster."""


def reading_floor(words: int) -> float:
    """The seconds under which nobody has read so many words."""
    return words * 60 / WORDS_PER_MINUTE
