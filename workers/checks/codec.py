"""Which keys the cases of an engine need: what `doctor` looks at, and what a key's retirement waits for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from workers.checks.finding import Finding
from workers.opened import payloads_in
from workunits.codec import KeyRing, is_sealed, key_of, ring_of
from workunits.registry import Catalog

LOOKED_AT = 500
"""Open cases that `doctor` looks at, the newest; `codec rotate-check` looks at all."""
PLAIN = ""
"""Stands for the key of a payload that nobody sealed."""
_AT_ONCE = 20
_SHOWN = 5
_RESTORE = "bring it into the key file and start the process again; the cases wait, and nothing is lost"


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What still needs a key."""

    id: str
    in_ring: bool
    since: datetime | None
    seals: bool
    """It is the one that seals now."""
    open: int
    """Open cases that need it to go on."""
    closed: int
    """Closed cases whose record it opens, for as long as the engine keeps them."""
    removable: bool


@dataclass
class Needs:
    """How many cases need each key; `PLAIN` for what is in clear."""

    open: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)

    def uses(self, ring: KeyRing) -> list[KeyUse]:
        """Each key of the ring, and those that are missing in it."""
        sealing, _ = ring.sealing()
        newest_in_effect = next(key.since for key in ring.keys if key.id == sealing)
        known = {key.id: key.since for key in ring.keys}
        found = []
        for key in [*known, *sorted({*self.open, *self.closed} - {*known, PLAIN})]:
            since, needed = known.get(key), self.open[key] + self.closed[key]
            removable = since is not None and key != sealing and since <= newest_in_effect and not needed
            found.append(KeyUse(key, key in known, since, key == sealing, self.open[key], self.closed[key], removable))
        return found


async def codec(client: Client, catalog: Catalog) -> Sequence[Finding]:
    """Whether this process has the keys of the open cases, by what stands in their memos."""
    ring = ring_of(client)
    needs: Counter[str] = Counter()
    async for execution in client.list_workflows(_query(catalog, is_open=True), limit=LOOKED_AT):
        needs.update(_keys(execution.raw_info.memo.fields.values()))
    plain = needs.pop(PLAIN, 0)
    if ring is None:
        return [_without(needs)]
    found = [
        Finding("codec", "fail", f"{count} open case(s) are sealed with the key {key}, which is not here", _RESTORE)
        for key, count in sorted(needs.items())
        if ring.cipher(key) is None
    ][:_SHOWN]
    if plain and not ring.read_plaintext:
        why = f"{plain} open case(s) have parts in clear, which are not read"
        found.append(Finding("codec", "fail", why, "set read_plaintext = true in the key file until they have closed"))
    elif ring.read_plaintext:
        why = f"payloads that nobody sealed are read; {plain} open case(s) have some"
        found.append(Finding("codec", "warn", why, "end it once this says that nothing needs it: codec rotate-check"))
    sealing, _ = ring.sealing()
    return found or [Finding("codec", "ok", f"on, {len(ring.keys)} key(s), {sealing} seals")]


async def count_needs(client: Client, catalog: Catalog) -> Needs:
    """Look at the history of every open case, and at the memo of every closed one.

    Raises:
        RPCError: the engine does not answer.
    """
    needs = Needs()
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(execution: WorkflowExecution) -> set[str]:
        async with gate:
            return await _keys_of_history(client, execution)

    async for batch in _batches(client, _query(catalog, is_open=True)):
        for keys in await asyncio.gather(*map(one, batch)):
            needs.open.update(keys)
    async for execution in client.list_workflows(_query(catalog, is_open=False)):
        needs.closed.update(_keys(execution.raw_info.memo.fields.values()))
    return needs


async def _batches(client: Client, query: str) -> AsyncIterator[list[WorkflowExecution]]:
    """A listing, so many at a time that its histories fit in memory."""
    batch: list[WorkflowExecution] = []
    async for execution in client.list_workflows(query):
        batch.append(execution)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


async def _keys_of_history(client: Client, execution: WorkflowExecution) -> set[str]:
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    keys = _keys(execution.raw_info.memo.fields.values())
    with suppress(RPCError):  # deleted meanwhile
        async for event in handle.fetch_history_events():
            used = _keys(payloads_in(event))
            # Temporal's core writes its own part of a marker past every codec.
            keys |= used - {PLAIN} if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED else used
    return keys


def _keys(payloads: Iterable[Payload]) -> set[str]:
    return {key_of(payload) if is_sealed(payload) else PLAIN for payload in payloads}


def _query(catalog: Catalog, *, is_open: bool) -> str:
    types = ", ".join(f"'{unit.unit_name}'" for unit in catalog)
    return f"WorkflowType IN ({types}) AND ExecutionStatus {'=' if is_open else '!='} 'Running'"


def _without(needs: Counter[str]) -> Finding:
    """What it means that the codec is off."""
    if not needs:
        return Finding("codec", "ok", "off: what the engine keeps of a case is in clear")
    why = f"{needs.total()} open case(s) are sealed, and here the codec is off"
    return Finding("codec", "fail", why, "set WORKUNITS_CODEC_KEYS to the key file")
