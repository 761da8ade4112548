"""What a case does with a payload that its worker cannot open: it waits for the key, and judges nothing.

The codec itself is `workunits.codec`; the core knows no more of it than how such a payload looks.
"""

from __future__ import annotations

from temporalio.common import RawValue

from .errors import WorkUnitsError

SEALED = b"binary/workunits-sealed"
"""The encoding of a sealed payload. Inside a worker it means: the codec is off, or its key is not in the ring."""


class MissingKeyError(WorkUnitsError):
    """A payload is sealed with a key that this process does not have; give it the key ring that has it."""


def holds_sealed(*given: object) -> bool:
    """Whether a value among these is still sealed."""
    return any(isinstance(value, RawValue) and value.payload.metadata.get("encoding") == SEALED for value in given)


def require_open(*given: object) -> None:
    """Stop a workflow task at a value that is still sealed: it is tried again until a worker with the key takes it up.

    Raises:
        MissingKeyError: no Temporal failure, so that no case fails because of a key.
    """
    if holds_sealed(*given):
        raise MissingKeyError
