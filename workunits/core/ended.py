"""How a case is ended from inside a step."""

from __future__ import annotations

from .spec import Close


class Ended(BaseException):
    """Ends the case with a known close. Not an Exception, so that no `except Exception` in a unit swallows it."""

    def __init__(self, close: Close, reason: str, why: str = "", *, compensate: bool = False) -> None:
        """Carry how and why, and whether what was done is undone first."""
        self.close, self.reason, self.why, self.compensate = close, reason, why, compensate
