"""Inputs of closed cases, for units that keep them: read from the history once, at the close."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, delete
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import inputs
from observability.ledger.writing import upsert


async def input_of(client: Client, case: str, run: str) -> Any:
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
            given: list[RawValue] = await client.data_converter.decode(payloads, [RawValue] * len(payloads))
            return from_json(given[0].payload.data) if given else None
    except ValueError:
        return None
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
    return None


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
