"""The search attributes that every case sets: a case whose attribute is missing, or of another type, is stuck."""

from __future__ import annotations

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workers.engine.address import UnreachableError
from workunits.core.record import SEARCH_ATTRIBUTES

_CLOSED = (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED)


class AttributesError(UnreachableError):
    """The namespace's search attributes do not fit."""


async def register_attributes(client: Client) -> list[str]:
    """Register what is missing, and check the types of what is there.

    Returns:
        The names that were registered now.

    Raises:
        AttributesError: one is there with another type, or we may not register what is missing.
    """
    there = await registered(client)
    if there is None:
        return []
    wrong = misfits(there)
    if wrong:
        raise AttributesError(f"namespace {client.namespace}: {'; '.join(wrong)}. {remedy(client.namespace)}")
    missing = {name: kind for name, kind in wanted().items() if name not in there}
    if missing:
        request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        try:
            await client.operator_service.add_search_attributes(request)
        except RPCError as error:
            if error.status != RPCStatusCode.ALREADY_EXISTS:  # another worker was faster
                why = f"namespace {client.namespace} lacks {', '.join(missing)}, and we may not add them"
                raise AttributesError(f"{why}: {error.message[:120]}. {remedy(client.namespace)}") from None
    return list(missing)


async def registered(client: Client) -> dict[str, IndexedValueType.ValueType] | None:
    """The namespace's own search attributes; None where the server does not tell (Temporal Cloud)."""
    try:
        said = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status in _CLOSED:
            return None
        raise
    return dict(said.custom_attributes)


def wanted() -> dict[str, IndexedValueType.ValueType]:
    """Name and type of each attribute that cases set."""
    return {key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}


def misfits(there: dict[str, IndexedValueType.ValueType]) -> list[str]:
    """What is there with another type, in words."""
    return [
        f"search attribute {name} is of type {type_name(there[name])}, should be {type_name(kind)}"
        for name, kind in wanted().items()
        if name in there and there[name] != kind
    ]


def type_name(kind: IndexedValueType.ValueType) -> str:
    """A type as the `temporal` command writes it, such as `Datetime`."""
    return (
        IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").title().replace("_", "").replace("list", "List")
    )


def remedy(namespace: str) -> str:
    """What an operator types to mend the namespace."""
    kinds = ", ".join(f"{name} {type_name(kind)}" for name, kind in wanted().items())
    return (
        f"Needed are {kinds}: temporal operator search-attribute create --namespace {namespace} --name NAME "
        "--type TYPE (a wrong type: use another namespace, or remove the attribute first)"
    )
