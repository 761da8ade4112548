"""The Temporal plugin: one line on the client (workers inherit it) and on the Replayer, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, pydantic_data_converter
from temporalio.converter import (
    CompositePayloadConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
)
from temporalio.plugin import SimplePlugin

from workunits.codec import KeyRing, SealingCodec
from workunits.sandbox import strict_runner

_PLAIN = PydanticJSONPlainPayloadConverter()
"""What is the same for all: it writes, and reads what has no type."""


class _Json(EncodingPayloadConverter):
    """Pydantic's JSON; what a case keeps of it, its adapters for types of its own sandbox, is made when it needs one.

    The SDK makes a converter for every case, and a unit is given raw values only.
    """

    _typed: PydanticJSONPlainPayloadConverter | None = None

    @property
    def encoding(self) -> str:
        """See base class."""
        return _PLAIN.encoding

    def to_payload(self, value: Any) -> Payload | None:
        """See base class."""
        return _PLAIN.to_payload(value)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """See base class."""
        if type_hint is None:
            return _PLAIN.from_payload(payload)
        if self._typed is None:
            self._typed = PydanticJSONPlainPayloadConverter()
        return self._typed.from_payload(payload, type_hint)


class TotalPayloadConverter(CompositePayloadConverter):
    """Hands over raw what nobody gave a type for and nothing can decode, instead of failing the workflow task."""

    def __init__(self) -> None:
        """Read and write JSON as pydantic does, the rest as Temporal does."""
        known = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(_Json() if each.encoding == _PLAIN.encoding else each for each in known))

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Decode, or wrap."""
        try:
            return super().from_payloads(payloads, type_hints)
        except Exception:
            if type_hints is not None:
                raise
            return [RawValue(payload) for payload in payloads]


def work_units(*contracts: str, keys: KeyRing | None = None) -> SimplePlugin:
    """Make the plugin.

    Args:
        contracts: Your own modules of contracts, such as `acme.contracts`.
        keys: Seals all that Temporal keeps of a case, error texts included; in clear when omitted.
    """
    converter = replace(
        pydantic_data_converter,
        payload_converter_class=TotalPayloadConverter,
        payload_codec=SealingCodec(keys) if keys else None,
        # An error's message and place are no payload by themselves, and would stay in clear.
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes if keys else DefaultFailureConverter,
    )
    return SimplePlugin("workunits", data_converter=converter, workflow_runner=strict_runner(*contracts))
