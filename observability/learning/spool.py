"""Rows on their way into the ledger: in a temporary file, so that its writers' lock is held for the writing alone."""

from __future__ import annotations

import errno
import json
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from observability.ledger.store import LedgerUnavailableError

NO_SPACE = "the folder of temporary files is full; free some space, or name another one in TMPDIR"


class Spool:
    """Rows in the order in which they came; gone with its end."""

    def __init__(self) -> None:
        """Open it."""
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115, closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # What could not be written is of no use any more, and closing would try to write it again.
        try:
            self._file.close()
        except OSError:
            if error is None:
                raise

    def put(self, *row: Any) -> None:
        """Keep a row of JSON values.

        Raises:
            LedgerUnavailableError: there is no space.
        """
        try:
            self._file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise _explained(error) from None

    def rows(self) -> Iterator[list[Any]]:
        """All that was put, from the first.

        Raises:
            LedgerUnavailableError: there was no space.
        """
        try:
            self._file.flush()
        except OSError as error:
            raise _explained(error) from None
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)


def _explained(error: OSError) -> Exception:
    return LedgerUnavailableError(NO_SPACE) if error.errno in (errno.ENOSPC, errno.EDQUOT) else error
