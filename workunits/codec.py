"""The codec of data at rest: what Temporal keeps of a case, sealed with a key that Temporal does not have.

Each payload (start argument, memo, message, what goes in and out of a step, result, error text) becomes one sealed
payload: AES-256-GCM-SIV over the whole of it, its own metadata included, bound to namespace and case. Whoever copies it
into another case has something that nobody opens. See docs/decisions/0005-payload-codec.md.

Opening is total: what cannot be opened is handed on as something that the readers of a unit refuse, because an
exception would keep a case from going on.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from workunits.core.errors import WorkUnitsError
from workunits.core.sealed import SEALED

SECRET_LENGTH = 32
"""Bytes of a key."""
UNREADABLE = b"workunits/unreadable"
"""The encoding of what is handed on instead of a payload that may not be read: empty, so that nobody does."""
KEY, MARK = "key", "case"
"""Metadata of a sealed payload: the id of its key, and the mark of its case."""
OVERHEAD = 256
"""More bytes than a sealed payload is longer than what is in it."""
_NONCE_LENGTH = 12
_MARK_LENGTH = 16
_SCHEME = b"workunits/1"


class KeyRingError(WorkUnitsError):
    """The keys are not right."""


class UnboundError(WorkUnitsError):
    """A payload belongs to no case, so it cannot be sealed: use the converter's `with_context`."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a ring."""

    id: str
    """Stands in clear beside everything that is sealed with it."""
    since: datetime
    """From then on it seals; it opens at any time."""
    secret: bytes = field(repr=False)


class KeyRing:
    """The keys of an installation: the newest one in effect seals, each one opens."""

    def __init__(self, keys: Iterable[Key], *, read_plaintext: bool = False) -> None:
        """Take the keys.

        Args:
            keys: In any order.
            read_plaintext: Whether payloads that nobody sealed are read, too; for the way to the codec.

        Raises:
            KeyRingError: there is none in effect yet, one has another length, or two have the same id.
        """
        self.keys = tuple(sorted(keys, key=lambda key: (key.since, key.id), reverse=True))
        self.read_plaintext = read_plaintext
        twice = {key.id for key in self.keys if [other.id for other in self.keys].count(key.id) > 1}
        if twice:
            raise KeyRingError(f"the key id {min(twice)} is there twice; an id names one key for ever")
        for key in self.keys:
            if len(key.secret) != SECRET_LENGTH:
                raise KeyRingError(
                    f"the key {key.id} has {len(key.secret)} bytes instead of {SECRET_LENGTH}; make one with: "
                    "workunits codec new-key"
                )
        self._ciphers = {key.id: AESGCMSIV(key.secret) for key in self.keys}
        self._sealing = [(key.since.timestamp(), key.id, self._ciphers[key.id]) for key in self.keys]
        if not any(key.since <= datetime.now(UTC) for key in self.keys):
            raise KeyRingError("no key is in effect yet; set the oldest one's `since` to a time that has passed")

    def sealing(self) -> tuple[str, AESGCMSIV]:
        """The key that seals now: its id and its cipher."""
        now = time.time()
        for since, key, cipher in self._sealing:
            if since <= now:
                return key, cipher
        return self._sealing[-1][1:]  # the clock was set back since the ring was made: the oldest one

    def cipher(self, key: str) -> AESGCMSIV | None:
        """The cipher of a key; None for one that is not in the ring."""
        return self._ciphers.get(key)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a payload belongs."""

    namespace: str
    mark: bytes
    """Stands for the case: its id is never in a payload."""

    @classmethod
    def of(cls, namespace: str, case: str) -> Self:
        """The place of a case's payloads."""
        whole = f"{len(namespace)}:{namespace}{case}".encode("utf-8", "surrogatepass")
        return cls(namespace, hashlib.sha256(whole).digest()[:_MARK_LENGTH])

    def bind(self, key: str) -> bytes:
        """What a payload's seal covers beside the payload."""
        return b"\0".join((_SCHEME, key.encode(), self.namespace.encode("utf-8", "surrogatepass"), self.mark))


class SealingCodec(PayloadCodec, WithSerializationContext):
    """Seals and opens the payloads of one case; the one that a client is given belongs to none yet."""

    def __init__(self, ring: KeyRing, place: Place | None = None) -> None:
        """Use a ring.

        Args:
            ring: The keys.
            place: Set by `with_context`, which Temporal's SDK calls with the namespace and the workflow id.
        """
        self.ring = ring
        self.place = place

    def with_context(self, context: SerializationContext) -> SealingCodec:
        """The codec of a case: of a workflow, and of the activities that it has performed."""
        namespace = getattr(context, "namespace", None)
        case = getattr(context, "workflow_id", None)
        return SealingCodec(self.ring, Place.of(namespace, case) if namespace and case else None)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal.

        Raises:
            UnboundError: the payloads belong to no case.
        """
        return [self.seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open; never raises."""
        return [self.open(payload) for payload in payloads]

    def seal(self, payload: Payload) -> Payload:
        """Seal one payload with the newest key in effect.

        Raises:
            UnboundError: it belongs to no case.
        """
        if self.place is None:
            raise UnboundError
        key, cipher = self.ring.sealing()
        nonce = os.urandom(_NONCE_LENGTH)
        data = nonce + cipher.encrypt(nonce, payload.SerializeToString(), self.place.bind(key))
        return Payload(metadata={"encoding": SEALED, KEY: key.encode(), MARK: self.place.mark}, data=data)

    def open(self, payload: Payload) -> Payload:
        """Open one payload; what cannot be opened becomes an empty one that says why by its encoding.

        Still `SEALED`: its key is not in the ring. `UNREADABLE`: it was changed, comes from another case, or nobody
        sealed it although the ring asks for that.
        """
        if not is_sealed(payload):
            return payload if self.ring.read_plaintext and not _pretends(payload) else _instead(UNREADABLE)
        key = key_of(payload)
        if self.ring.cipher(key) is None:
            # Empty: its data comes from whoever wrote that key's name on it, and no seal was checked.
            return _instead(SEALED, {KEY: key.encode()})
        return (self.place and unseal(self.ring, payload, self.place)) or _instead(UNREADABLE)


def unseal(ring: KeyRing, payload: Payload, place: Place) -> Payload | None:
    """Open a sealed payload that belongs to a place; None when it does not open there."""
    key = key_of(payload)
    cipher = ring.cipher(key)
    nonce, sealed = payload.data[:_NONCE_LENGTH], payload.data[_NONCE_LENGTH:]
    if cipher is None or len(nonce) < _NONCE_LENGTH:
        return None
    try:
        return Payload.FromString(cipher.decrypt(nonce, sealed, place.bind(key)))
    except (InvalidTag, ValueError, DecodeError):
        return None


def ring_of(client: Client) -> KeyRing | None:
    """The keys that a client was given; None when its codec is off."""
    codec = client.data_converter.payload_codec
    return codec.ring if isinstance(codec, SealingCodec) else None


def is_sealed(payload: Payload) -> bool:
    """Whether a payload is sealed."""
    return payload.metadata.get("encoding") == SEALED


def key_of(payload: Payload) -> str:
    """The id of the key with which a payload says that it is sealed."""
    return payload.metadata.get(KEY, b"").decode("ascii", "replace")


def _pretends(payload: Payload) -> bool:
    """Whether an outsider's payload has an encoding that only the codec hands on."""
    return payload.metadata.get("encoding") == UNREADABLE


def _instead(encoding: bytes, more: Mapping[str, bytes] | None = None) -> Payload:
    return Payload(metadata={"encoding": encoding, **(more or {})})
