"""Inputs of closed cases, for units that keep them: read from the history once, at the close.

Where the codec is on, they are sealed with its keys here, too: they are what a case has of personal data.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, delete
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError

from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import inputs
from observability.ledger.store import LedgerError
from observability.ledger.writing import upsert
from workunits.cases import is_unknown
from workunits.codec import KeyRing, Place, SealingCodec, key_of, unseal

_LEDGER = "workunits ledger"
"""Stands for a namespace: none has a blank, so nothing of Temporal's opens here, nor the reverse."""
_SEALED = "sealed input"
"""The one key of a sealed input; no field of a contract has a blank."""


async def input_of(client: Client, case: str, run: str | None = None) -> Any:
    """A case's start argument as JSON values; None when the engine has it no more, or it is no JSON.

    Raises:
        RPCError: the engine does not answer.
    """
    handle = client.get_workflow_handle(case, run_id=run)
    try:
        async for event in handle.fetch_history_events(page_size=1):
            attributes = event.workflow_execution_started_event_attributes
            if attributes.continued_execution_run_id:
                return await input_of(client, case, attributes.first_execution_run_id)
            payloads = attributes.input.payloads
            converter = client.data_converter.with_context(WorkflowSerializationContext(client.namespace, case))
            given: list[RawValue] = await converter.decode(payloads, [RawValue] * len(payloads))
            return from_json(given[0].payload.data) if given else None
    except ValueError:
        return None
    except RPCError as error:
        if not is_unknown(error):
            raise
    return None


def seal(keys: KeyRing | None, case: str, given: Any) -> Any:
    """An input as it is kept."""
    if keys is None:
        return given
    sealed = SealingCodec(keys, Place.of(_LEDGER, case)).seal(Payload(data=to_json(given)))
    return {_SEALED: base64.b64encode(sealed.SerializeToString()).decode()}


def unsealed(keys: KeyRing | None, case: str, kept: Any) -> Any:
    """An input as it was given.

    Raises:
        LedgerError: it does not open with these keys.
    """
    if not isinstance(kept, dict) or list(kept) != [_SEALED]:
        return kept
    sealed = Payload.FromString(base64.b64decode(kept[_SEALED]))
    opened = unseal(keys, sealed, Place.of(_LEDGER, case)) if keys else None
    if opened is None:
        remedy = "set WORKUNITS_CODEC_KEYS to a key file that has it"
        raise LedgerError(f"the input of {case} is sealed with the key {key_of(sealed)}: {remedy}")
    return from_json(opened.data)


def keep(connection: Connection, given: Mapping[str, Any], forgetting: Forgetting) -> None:
    """Keep inputs, except those of forgotten cases."""
    forgotten = [case for case in given if forgetting.since("case", case)]
    upsert(
        connection,
        inputs,
        [{"case_id": case, "input": value} for case, value in given.items() if case not in forgotten],
    )
    if forgotten:
        connection.execute(delete(inputs).where(inputs.c.case_id.in_(forgotten)))
