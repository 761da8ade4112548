"""The Temporal plugin: one line on the client (workers inherit it) and on the Replayer, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.converter import DefaultFailureConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.plugin import SimplePlugin

from workunits.codec import KeyRing, SealingCodec
from workunits.sandbox import strict_runner


class TotalPayloadConverter(PydanticPayloadConverter):
    """Hands over raw what nobody gave a type for and nothing can decode, instead of failing the workflow task."""

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
