"""Going through open cases a page at a time, so that ten thousand of them cost the engine little in a pass."""

from __future__ import annotations

from temporalio.service import RPCError, RPCStatusCode

from workers.watching.engine import EngineSide, OpenCase


class Round:
    """One way through a listing, which begins again at its end."""

    def __init__(self, size: int, *, optional: bool = False) -> None:
        """Begin at the beginning.

        Args:
            size: Cases in a pass.
            optional: The query is about something that an older engine does not know.
        """
        self._size = size
        self._optional = optional
        self._query = ""
        self._token = b""
        self.turns = 0
        """How often the end was reached."""

    async def next(self, engine: EngineSide, query: str) -> tuple[OpenCase, ...]:
        """The next page.

        Args:
            engine: Whom to ask.
            query: What is looked for; one that changes takes effect when the next turn begins.

        Raises:
            RPCError.
        """
        if not self._token:
            self._query = query
        try:
            page = await engine.page(self._query, self._size, self._token)
        except RPCError as error:
            self._token = b""  # perhaps it was the token that the engine did not like
            if self._optional and error.status == RPCStatusCode.INVALID_ARGUMENT:
                self.turns += 1
                return ()
            raise
        self._token = page.token
        if not page.token:
            self.turns += 1
        return page.cases
