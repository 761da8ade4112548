"""What stands before everything: no request reaches a handler that is too large, forged, or from another site."""

from __future__ import annotations

import asyncio
import logging
import secrets
import traceback
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inbox.security import API, Problem, not_yours, problem_of, respond
from workunits.core.errors import BadInput
from workunits.core.strict_json import BODY_LIMIT, loads

if TYPE_CHECKING:
    from inbox.doors import Doors

HEALTH = "/health"
"""Answers to whoever asks, also by another name than ours: a load balancer does."""
STATIC = "/static/"
PATIENCE = 20.0
"""Seconds for a body to arrive."""
LONGEST_PATH = 1000
LONGEST_QUERY = 4000
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"
_TEXT = "\t\n\r"
"""Control characters that a text of several lines has."""

log = logging.getLogger("workunits.inbox")


class Guard:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        """Stand before an application."""
        self._app = app
        self._doors = doors
        self._hosts = frozenset({urlsplit(doors.url).netloc, *doors.hosts})
        self._headers = _headers(doors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request = Request(scope)
        request.state.id = secrets.token_hex(8)
        answer = _Answer(send, self._headers, request)
        try:
            self._check(request)
            body = b"" if is_safe(request) else await _read(request, receive)
            if body is None:
                return  # whoever sent it has gone
            _check_body(request, body)
            replayed = receive if is_safe(request) else _replay(body, receive)
            await self._app(scope, replayed, answer)
        except Problem as problem:
            await respond(request, problem)(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is to see it
            _log_unexpected(request, error)
            if answer.started:
                raise _Broken from None  # the server cuts the connection: half an answer must not look whole
            said = Problem(500, "unexpected", "this should not happen; the log says more", request_id=request.state.id)
            await respond(request, said)(scope, receive, answer)

    def _check(self, request: Request) -> None:
        """Refuse by address, name, path and origin.

        Raises:
            Problem.
        """
        wait = self._doors.limits.take("address", address_of(request))
        if wait:
            raise too_many(wait)
        if request.headers.get("host", "") not in self._hosts and request.url.path != HEALTH:
            raise Problem(421, "wrong_host", "this is not the name of the inbox; see WORKUNITS_INBOX_URL")
        _check_path(request)
        if not is_safe(request) and not has_token(request):
            self._check_origin(request)

    def _check_origin(self, request: Request) -> None:
        """Refuse what a page of another site sends with this browser's cookies."""
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        ours = site in ("same-origin", "none") if site is not None else origin in self._doors.origins
        if not ours:
            raise Problem(403, "cross_site", "this was not sent by a page of the inbox; programs send a token")


class _Broken(Exception):
    """An answer was cut in the middle; the log has the reason."""


class _Answer:
    """What is sent: every answer gets the headers that tell a browser what it must not do."""

    def __init__(self, send: Send, headers: dict[str, str], request: Request) -> None:
        self._send = send
        self._headers = headers
        self._request = request
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            kept = "no-cache" if self._request.url.path.startswith(STATIC) else "no-store"
            headers.setdefault("Cache-Control", kept)
            headers["X-Request-Id"] = self._request.state.id
        await self._send(message)


def too_many(wait: int) -> Problem:
    """Too much at once."""
    return Problem(429, "too_many_requests", f"that is too much at once; try again in {wait} s", retry_after=wait)


def is_safe(request: Request) -> bool:
    """Whether it only looks."""
    return request.method in _SAFE


def has_token(request: Request) -> bool:
    """Whether it comes with a token: a page of another site cannot send one, and the cookie then counts for nothing."""
    return request.headers.get("authorization", "")[:7].lower() == "bearer "


def address_of(request: Request) -> str:
    """The address that a request came from; that of the proxy, unless it is among the trusted ones."""
    return request.client.host if request.client else "unknown"


def _headers(doors: Doors) -> dict[str, str]:
    forms = "'self'" if doors.provider is None else f"'self' {doors.provider.origin}"  # a logout leads on to it
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        f"form-action {forms}",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
    found = {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # Not `no-referrer`: with it a browser sends `Origin: null` with a form.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    return found | ({"Strict-Transport-Security": "max-age=31536000"} if doors.secure else {})


def _check_path(request: Request) -> None:
    path: str = request.scope["path"]
    query: bytes = request.scope["query_string"]
    if len(path) > LONGEST_PATH:
        raise Problem(422, "bad_path", f"an address has at most {LONGEST_PATH} characters")
    if len(query) > LONGEST_QUERY:
        raise Problem(414, "bad_path", f"a query has at most {LONGEST_QUERY} bytes")
    if not path.isprintable() or not unquote(query.decode("latin-1")).replace("+", " ").isprintable():
        raise Problem(422, "bad_path", "a control character in the address; leave it out")
    if "\\" in path or any(part in (".", "..") for part in path.split("/")):
        raise not_yours()


async def _read(request: Request, receive: Receive) -> bytes | None:
    """The whole body, or None when the sender has gone.

    Raises:
        Problem: 413 as soon as it is too large, 408 when it takes too long.
    """
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said[:20]) > BODY_LIMIT:
        raise _too_large()
    parts = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                parts += message.get("body", b"")
                if len(parts) > BODY_LIMIT:
                    raise _too_large()
                if not message.get("more_body", False):
                    return bytes(parts)
    except TimeoutError:
        raise Problem(408, "too_slow", f"the body did not arrive within {PATIENCE:g} s; send it again") from None


def _too_large() -> Problem:
    return Problem(413, "too_large", f"at most {BODY_LIMIT} bytes are taken; pass larger data by reference")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read once more, then go on with what comes."""
    left = [body]

    async def again() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": False} if left else await receive()

    return again


def _check_body(request: Request, body: bytes) -> None:
    """Refuse a body of another type, and one that the rest of the world would read differently.

    Raises:
        Problem: 415, 400.
    """
    if not body:
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ((_JSON,) if request.url.path.startswith(API) else (_JSON, _FORM)):
        raise Problem(415, "wrong_content_type", f"send {_JSON}")
    if kind == _JSON:
        try:
            loads(body)
        except BadInput as error:
            problem = problem_of(error)
            problem.status = 400
            raise problem from None
    elif not all(_is_text(part) for pair in _pairs(body) for part in pair):
        raise Problem(400, "bad_body", "a control character in the form; leave it out")


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        raise Problem(400, "bad_body", "not an encoded form of at most 1000 fields") from None


def _is_text(value: str) -> bool:
    return not any((ord(sign) < ord(" ") and sign not in _TEXT) or sign == "\x7f" for sign in value)


def _log_unexpected(request: Request, error: Exception) -> None:
    """Where it happened; not what it says, which may repeat what was sent."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "nowhere"
    log.error("request %s: unexpected %s at %s", request.state.id, type(error).__name__, place)
    log.debug("request %s", request.state.id, exc_info=error)
