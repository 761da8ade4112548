"""What an engine keeps of a case, opened: for those who read histories and failures past the SDK's own decoding.

A client without the codec, or without the key, gets everything as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Header, Payload, SearchAttributes
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from workunits.codec import KeyRing, Place, is_sealed, ring_of, unseal

_IN_CLEAR = (Header, SearchAttributes)
"""What Temporal's SDK hands to no codec."""


async def open_events(client: Client, case: str, events: Sequence[HistoryEvent]) -> Sequence[HistoryEvent]:
    """Open a history in place: as it would be without the codec."""
    ring = ring_of(client)
    if ring is not None:
        for event in events:
            kind = event.WhichOneof("attributes")
            cases = {case, *_others(getattr(event, kind))} if kind else {case}
            _open(ring, [Place.of(client.namespace, one) for one in cases], event)
    return events


async def open_failure(client: Client, case: str, failure: Failure) -> Failure:
    """A failure of a case, with its words and its place in the code."""
    ring = ring_of(client)
    opened = Failure()
    opened.CopyFrom(failure)
    if ring is not None:
        _open(ring, [Place.of(client.namespace, case)], opened)
    return opened


def _others(attributes: Any) -> Iterator[str]:
    """Cases that an event tells of: what is sent to them is bound to them."""
    for named in (attributes, getattr(attributes, "workflow_execution", None)):
        other = getattr(named, "workflow_id", "")
        if other:
            yield other


def _open(ring: KeyRing, places: Iterable[Place], message: Message) -> None:
    places = list(places)
    for payload in payloads_in(message):
        if is_sealed(payload):
            opened = next((o for place in places if (o := unseal(ring, payload, place)) is not None), None)
            if opened is not None:
                payload.CopyFrom(opened)
    for failure in _all_in(message, Failure, ()):
        _restore(failure)


def payloads_in(message: Message) -> Iterator[Payload]:
    """All payloads in a message that a codec has seen."""
    yield from _all_in(message, Payload, _IN_CLEAR)


def _all_in(message: Message, wanted: type[Any], passed_over: tuple[type[Message], ...]) -> Iterator[Any]:
    if isinstance(message, wanted):
        yield message
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE or isinstance(value, passed_over):
            continue
        if isinstance(value, Message):
            yield from _all_in(value, wanted, passed_over)
            continue
        for part in value.values() if hasattr(value, "values") else value:
            if isinstance(part, Message):
                yield from _all_in(part, wanted, passed_over)


def _restore(failure: Failure) -> None:
    """Put a failure's words back where they are without the codec."""
    if not failure.HasField("encoded_attributes"):
        return
    try:
        said = json.loads(failure.encoded_attributes.data)
        message, place = str(said["message"]), str(said["stack_trace"])
    except (ValueError, KeyError, TypeError):
        return  # still sealed
    failure.message, failure.stack_trace = message, place
    failure.ClearField("encoded_attributes")
