"""Connecting to the engine, and saying in one sentence why it did not work."""

from __future__ import annotations

import asyncio
import re

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, PayloadLimitsConfig
from temporalio.service import RPCError, RPCStatusCode

from observability.tracing import tracing_plugin
from workers.engine.address import Address, UnreachableError, find_address
from workers.key_file import ring
from workers.logs import quiet_core
from workers.settings import Settings
from workunits.codec import OVERHEAD
from workunits.core.record import MEMO_LIMIT
from workunits.plugin import work_units
from workunits.registry import Catalog

PATIENCE = 10.0
"""Seconds until an address that does not answer counts as unreachable."""
START_ONE = "start one: make run, or workunits up; or set TEMPORAL_ADDRESS"
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")

# What the SDK's Rust core says, and what it means to an operator.
_CAUSES = (
    ("InvalidContentType", "the server speaks no TLS, or another protocol: unset TEMPORAL_TLS or check the port"),
    ("PrivateKeyParseError", "TLS: the client's key cannot be read: check TEMPORAL_TLS_CLIENT_KEY_PATH"),
    ("CertificateRequired", "TLS: the server asks for a client certificate: set TEMPORAL_TLS_CLIENT_CERT_PATH and KEY"),
    ("NotValidForName", "TLS: the certificate is for another name: set TEMPORAL_TLS_SERVER_NAME"),
    ("Expired", "TLS: the server's certificate has expired"),
    ("InvalidCertificate", "TLS: the server's certificate is not trusted: set TEMPORAL_TLS_SERVER_CA_CERT_PATH"),
    ("AlertReceived", "TLS: the server refuses the client's certificate, or its absence"),
    ("dns error", "there is no such host"),
    ("Connection refused", "nothing listens there"),
    ("tcp connect error", "the network does not reach it"),
    ("PermissionDenied", "the server refuses access: check TEMPORAL_API_KEY and the client certificate"),
    ("Unauthenticated", "the server refuses access: check TEMPORAL_API_KEY and the client certificate"),
    ("http2 error", "the server speaks TLS, or another protocol: set TEMPORAL_TLS=true, or check the port"),
    ("transport error", "the connection broke"),
    ("operation was canceled", "the connection broke"),
)
_NO_TLS = "if the server speaks TLS, set TEMPORAL_TLS=true"
_TLS = "the server may ask for a client certificate, or refuse ours: check TEMPORAL_TLS_CLIENT_CERT_PATH and KEY"


async def connect(settings: Settings, catalog: Catalog, *, address: Address | None = None) -> Client:
    """Connect, with the plugins, and make sure that the namespace exists.

    Args:
        settings: Names the service in traces.
        catalog: Its contracts pass through the sandbox.
        address: Another engine than the one in Temporal's configuration.

    Raises:
        SettingsError: Temporal's configuration, or the codec's key file, is not right.
        UnreachableError: says which address was tried, why it failed and what to do.
    """
    where = address or find_address()
    quiet_core()
    plugins = [work_units(*catalog.contracts, keys=ring(settings)), tracing_plugin(settings.deployment)]
    try:
        async with asyncio.timeout(PATIENCE):
            client = await Client.connect(
                where.host,
                namespace=where.namespace,
                plugins=plugins,
                # A case's record lives in its memo: up to this size it is meant to.
                payload_limits=PayloadLimitsConfig(memo_warn_size=MEMO_LIMIT + OVERHEAD),
                **where.options,
            )
            request = DescribeNamespaceRequest(namespace=where.namespace)
            await client.workflow_service.describe_namespace(request, retry=False)
    except TimeoutError:
        why = f"no answer within {PATIENCE:g} s; {_TLS if where.encrypted else _NO_TLS}"
        raise UnreachableError(f"no Temporal at {where}: {why}") from None
    except RPCError as error:
        raise _refused(where, error) from None
    except (RuntimeError, ValueError) as error:
        raise UnreachableError(f"no Temporal at {where}: {_cause(str(error), where)}") from None
    return client


def _refused(where: Address, error: RPCError) -> UnreachableError:
    if error.status == RPCStatusCode.NOT_FOUND:
        remedy = (
            f"create it: temporal operator namespace create --namespace {where.namespace}; or set TEMPORAL_NAMESPACE"
        )
        return UnreachableError(
            f"Temporal at {where.host} has no namespace {where.namespace} ({where.source}): {remedy}"
        )
    cause = next((means for said, means in _CAUSES if said.upper() == error.status.name.replace("_", "")), "")
    return UnreachableError(f"Temporal at {where} does not serve us: {cause or error.message[:200]}")


def _cause(said: str, where: Address) -> str:
    for words, means in _CAUSES:
        if words in said:
            if means == "the connection broke":
                return f"{means}; {_TLS if where.encrypted else _NO_TLS}"
            nobody = words in ("Connection refused", "tcp connect error") and not where.encrypted
            return f"{means}; {START_ONE}" if nobody else means
    return _UNPRINTABLE.sub(" ", said.removeprefix("Failed client connect: "))[:200]
