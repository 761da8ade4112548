"""The codec server: opens sealed payloads for Temporal's page and for the `temporal` program.

Temporal's remote codec protocol: POST `/encode` and `/decode`, at any depth of the path, `{"payloads": [...]}` both
ways, with the namespace in `X-Namespace` or before that last part. Whoever is answered reads personal data: it listens
on loopback, or asks for a token.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads

from workunits.codec import MARK, KeyRing, Place, SealingCodec, is_sealed, unseal

if TYPE_CHECKING:
    from starlette.types import ASGIApp

PORT = 8234
BODY_LIMIT = 16 * 1024 * 1024
"""Bytes of a request: a page of a history, each payload below Temporal's own 2 MiB."""
COUNT_LIMIT = 10_000
"""Payloads of a request."""
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
CASE = "X-Workflow-Id"
"""Names the case for which `/encode` seals; Temporal's protocol has no place for it."""
_NAMESPACE = "X-Namespace"


class _Refusal(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code = status, code
        super().__init__(message)


def codec_app(ring: KeyRing, *, origins: Collection[str], token: str | None) -> ASGIApp:
    """Make the server.

    Args:
        ring: The keys.
        origins: The pages that may ask, such as `http://localhost:8233`.
        token: What every request has to show as `Authorization: Bearer`; without one the server is for this machine.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["POST"],
        allow_headers=["Authorization", "Content-Type", _NAMESPACE, CASE],
        allow_private_network=True,
    )

    async def decode(request: Request) -> Response:
        """Open payloads; what cannot be opened comes back as it is."""

        def work(payloads: Payloads) -> list[Payload]:
            return [open_stated(ring, payload, _namespace(request)) for payload in payloads.payloads]

        return await _answer(request, work, origins=origins, token=token)

    async def encode(request: Request) -> Response:
        """Seal payloads for one case."""

        def work(payloads: Payloads) -> list[Payload]:
            codec = SealingCodec(ring, Place.of(_namespace(request), _case(request)))
            return [codec.seal(payload) for payload in payloads.payloads]

        return await _answer(request, work, origins=origins, token=token)

    for prefix in ("", "/{prefix:path}"):
        app.add_api_route(f"{prefix}/decode", decode, methods=["POST"], response_model=None)
        app.add_api_route(f"{prefix}/encode", encode, methods=["POST"], response_model=None)
    return app


def open_stated(ring: KeyRing, payload: Payload, namespace: str) -> Payload:
    """Open a payload for reading, wherever in its namespace it says that it belongs.

    Temporal's page does not say whose history it shows, so the payload's own mark is believed here. A unit never does:
    it opens what is bound to its own id.
    """
    if not is_sealed(payload):
        return payload
    return unseal(ring, payload, Place(namespace, payload.metadata.get(MARK, b""))) or payload


async def _answer(
    request: Request, work: Callable[[Payloads], list[Payload]], *, origins: Collection[str], token: str | None
) -> Response:
    try:
        _admit(request, origins, token)
        body = await _read(request)
        text = await asyncio.to_thread(lambda: MessageToJson(Payloads(payloads=work(_parse(body))), indent=None))
    except _Refusal as refusal:
        said = json.dumps({"error": {"code": refusal.code, "message": str(refusal)}})
        headers = {"WWW-Authenticate": "Bearer"} if refusal.code == "not_allowed" else {}
        return Response(said, refusal.status, media_type="application/json", headers=headers)
    # What was opened is in no cache.
    return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})


def _admit(request: Request, origins: Collection[str], token: str | None) -> None:
    """Refuse foreign pages, foreign names for this machine, and whoever has not the token."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in origins:
        raise _Refusal(403, "foreign_origin", "this page may not ask; name its origin in WORKUNITS_CODEC_ORIGINS")
    if token is not None:
        shown = request.headers.get("authorization", "")
        if not secrets.compare_digest(shown.encode("utf-8", "replace"), f"Bearer {token}".encode()):
            raise _Refusal(401, "not_allowed", "show the token: Authorization: Bearer TOKEN")
    elif urlsplit(f"//{request.headers.get('host', '')}").hostname not in LOOPBACK_NAMES:
        # A name that an attacker's page points at 127.0.0.1 would make that page one of ours to the browser.
        raise _Refusal(403, "foreign_host", "without a token it answers to localhost only")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refusal(415, "content_type", "send application/json")


async def _read(request: Request) -> bytes:
    """The body, refused while it is read when it is too large."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            raise _Refusal(413, "too_large", f"at most {BODY_LIMIT} bytes are taken; ask for fewer payloads")
        parts.append(part)
    return b"".join(parts)


def _parse(body: bytes) -> Payloads:
    try:
        if not body.lstrip().startswith(b"{"):  # an empty list would pass for no payloads
            raise ParseError
        payloads = Parse(body, Payloads())
    except (ParseError, ValueError, RecursionError):
        # Named without its message: a parser's message repeats parts of the value.
        raise _Refusal(400, "bad_body", 'expected {"payloads": [{"metadata": {...}, "data": "..."}]}') from None
    if len(payloads.payloads) > COUNT_LIMIT:
        raise _Refusal(413, "too_large", f"at most {COUNT_LIMIT} payloads are taken")
    return payloads


def _namespace(request: Request) -> str:
    named: str = request.headers.get(_NAMESPACE) or request.path_params.get("prefix", "").rpartition("/")[2]
    if not named:
        raise _Refusal(400, "namespace", f"name the namespace in the header {_NAMESPACE}")
    return named


def _case(request: Request) -> str:
    case = request.headers.get(CASE, "")
    if not case:
        # Temporal's page cannot: people decide where their rights are checked.
        raise _Refusal(400, "case", f"a payload is sealed for one case: name it in the header {CASE}")
    return case
