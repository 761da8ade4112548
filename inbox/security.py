"""How a refusal is said: RFC 9457 documents and pages, for every error that a request can meet."""

from __future__ import annotations

import http
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from temporalio.service import RPCError, RPCStatusCode

from inbox.store import JournalUnavailableError
from observability.ledger.store import LedgerUnavailableError
from workunits.client import UnknownCaseError
from workunits.core.errors import BadInput, Refused, WorkUnitsError
from workunits.registry import UnknownUnitError

API = "/api/"
"""Where every answer is for machines."""
NOT_YOURS = "there is no such thing, or it is not yours to see"
"""Said in both cases alike, so that nobody learns which one it is."""
_OF_CODE = {
    "action_id_reused": 409,
    "bad_body": 400,
    "closed": 409,
    "excluded": 403,
    "expired": 409,
    "invalid_field": 422,
    "no_worker": 503,
    "not_allowed": 403,
    "not_candidate": 403,
    "not_owner": 403,
    "sign_off": 403,
    "stale_proposal": 409,
    "stale_revision": 412,
    "stopped": 409,
    "too_large": 413,
    "unknown_action": 404,
    "unknown_task": 404,
    "wrong_state": 409,
}
_GONE = (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT)
log = logging.getLogger("workunits.inbox")


class Problem(Exception):
    """A refusal, as `application/problem+json` or as a page, whichever is asked for."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str = "",
        errors: Sequence[Mapping[str, str]] = (),
        **more: Any,
    ) -> None:
        """Say what is wrong and what to do; never a value that came from outside.

        Args:
            status: The HTTP status.
            code: For machines, in snake_case.
            detail: For people, one sentence.
            field: Which field it is about.
            errors: Each misfit, as `field` and `detail`.
            more: Further members of the document, such as `revision` or `retry_after` (seconds; also a header).
        """
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.errors = tuple(errors)
        self.more = more
        super().__init__(detail)

    @property
    def title(self) -> str:
        """What the status means."""
        return http.HTTPStatus(self.status).phrase

    @property
    def document(self) -> dict[str, Any]:
        """The document of RFC 9457."""
        said: dict[str, Any] = {
            "type": f"urn:workunits:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.field:
            said["field"] = self.field
        if self.errors:
            said["errors"] = [dict(error) for error in self.errors]
        return said | self.more

    @property
    def headers(self) -> dict[str, str]:
        """The headers that belong to it."""
        found = {"Retry-After": str(self.more["retry_after"])} if "retry_after" in self.more else {}
        if self.status == http.HTTPStatus.UNAUTHORIZED:
            found["WWW-Authenticate"] = 'Bearer realm="workunits"'
        return found


def not_yours() -> Problem:
    """What is said of something that is not there, and of something that is not the actor's to see."""
    return Problem(404, "not_found", NOT_YOURS)


def problem_of(error: WorkUnitsError | RPCError) -> Problem:
    """What an error of the library means for whoever sent the request."""
    match error:
        case UnknownCaseError():
            problem = not_yours()
        case UnknownUnitError():
            problem = Problem(404, "unknown_unit", str(error))
        case BadInput():
            problem = Problem(_OF_CODE.get(error.code, 422), error.code, str(error), field=error.field)
        case Refused():
            unknown = error.code == "unknown_task"
            problem = not_yours() if unknown else Problem(_OF_CODE.get(error.code, 409), error.code, str(error))
        case LedgerUnavailableError():
            problem = Problem(503, "ledger_unavailable", "the ledger does not answer now; try again", retry_after=5)
        case JournalUnavailableError():
            detail = "the inbox's own store does not answer now: nothing was accepted; try again"
            problem = Problem(503, "journal_unavailable", detail, retry_after=5)
        case RPCError() if error.status in _GONE:
            problem = not_yours()
        case RPCError():
            problem = Problem(503, "engine_unavailable", "the engine does not answer now; try again", retry_after=5)
        case _:
            problem = Problem(500, "unexpected", "this should not happen; the log says more")
    return problem


def wants_page(request: Request) -> bool:
    """Whether a person in a browser asks."""
    return not request.url.path.startswith(API) and "text/html" in request.headers.get("accept", "")


def respond(request: Request, problem: Problem) -> Response:
    """Say it: as a page to a browser, as a document to everybody else; who is not logged in is led to the login."""
    if not wants_page(request):
        headers = problem.headers
        return JSONResponse(problem.document, problem.status, headers, media_type="application/problem+json")
    if problem.code == "login_required":
        return _to_login(request)
    response: Response = request.app.state.problem_page(request, problem)
    response.headers.update(problem.headers)
    return response


def _to_login(request: Request) -> Response:
    """Lead to the login, and from there back to the page on which someone is; the login takes only paths of ours."""
    part = request.headers.get("hx-request") == "true"
    if part or request.method != "GET":
        page = request.headers.get("hx-current-url" if part else "referer", "")
        here = "/" + page.partition("://")[2].partition("/")[2]
    else:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = f"/login?next={quote(here, safe='')}"
    return Response(status_code=401, headers={"HX-Redirect": target}) if part else RedirectResponse(target, 303)


def install(app: FastAPI) -> None:
    """Replace FastAPI's own handlers, which repeat what was sent."""
    for kind, handler in (
        (Problem, _said),
        (RequestValidationError, _misfit),
        (HTTPException, _plain),
        (WorkUnitsError, _of_library),
        (RPCError, _of_library),
    ):
        app.add_exception_handler(kind, handler)


async def _said(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for it
    return respond(request, error)


async def _misfit(request: Request, error: Exception) -> Response:
    """What was sent does not fit: where, and what was expected."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return respond(request, Problem(400, "bad_body", "not JSON (UTF-8, at most 32 levels deep)"))
    errors = [{"field": _path(fault["loc"]), "detail": _expected(fault)} for fault in faults[:20]]
    first = errors[0]
    detail = f"{first['field']}: {first['detail']}" + (f"; and {len(faults) - 1} more" if len(faults) > 1 else "")
    return respond(request, Problem(422, "invalid_field", detail, field=first["field"], errors=errors))


async def _plain(request: Request, error: Exception) -> Response:
    """No such path, no such method, and what else the framework refuses."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    status = error.status_code
    said = {
        404: ("not_found", NOT_YOURS),
        405: ("method_not_allowed", "that is not done here; see /api/v1/openapi.json"),
    }
    code, detail = said.get(status, ("refused", f"{http.HTTPStatus(status).phrase.lower()}"))
    response = respond(request, Problem(status, code, detail))
    response.headers.update(error.headers or {})
    return response


async def _of_library(request: Request, error: Exception) -> Response:
    assert isinstance(error, WorkUnitsError | RPCError)  # noqa: S101 - registered for them
    problem = problem_of(error)
    if problem.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s %s: %s", request.method, request.url.path[:200], type(error).__name__)
    return respond(request, problem)


def _path(loc: Sequence[int | str]) -> str:
    """The field's path, without the part that says where it was looked for; keys of the sender are cut."""
    return ".".join(str(part)[:60] for part in loc[1:]) or str(loc[0] if loc else "body")


def _expected(fault: Mapping[str, Any]) -> str:
    """What was expected, in pydantic's words; those that would repeat the value are replaced."""
    if fault["type"] in ("union_tag_invalid", "value_error", "assertion_error"):
        return "it does not fit; see the schema in /api/v1/openapi.json"
    message: str = fault["msg"]
    return message
