"""What no request gets past: size, type, place, site and number; and what a refusal never says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

import pytest
from fastapi import Depends, Request
from pydantic import BaseModel, Field, field_validator
from starlette.responses import StreamingResponse

from inbox.app import make_app
from inbox.identity import Actor, current_actor
from inbox.limits import Limits, Rate
from tests.inbox.conftest import PLENTY, URL, client_of, log_in
from workunits.core.strict_json import BODY_LIMIT

CANARY = "canary-7f3a9e"
JSON = {"content-type": "application/json"}
PATH = "/api/v1/taken"


class Taken(BaseModel):
    """What the tests send."""

    number: int = 0
    kind: Annotated[str, Field(max_length=10)] = ""
    more: Any = None
    word: str = ""

    @field_validator("word")
    @classmethod
    def _refuse(cls, given: str) -> str:
        raise ValueError(f"{given} is no word")


@pytest.fixture
def app(doors):
    """The inbox, and handlers that take, break and tell."""
    made = make_app(doors)

    async def take(taken: Taken) -> dict[str, Any]:
        return {"taken": taken.model_dump()}

    async def take_form(request: Request) -> dict[str, Any]:
        return {"taken": dict(await request.form())}

    async def fall(request: Request) -> None:
        raise RuntimeError(f"{CANARY} {await request.body()!r}")

    async def break_off() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError(CANARY)

        return StreamingResponse(parts())

    async def who(actor: Annotated[Actor, Depends(current_actor)]) -> dict[str, Any]:
        return {"name": actor.name}

    made.add_api_route(PATH, take, methods=["POST"])
    made.add_api_route("/form", take_form, methods=["POST"])
    made.add_api_route("/fall", fall, methods=["GET", "POST"])
    made.add_api_route("/broken", break_off)
    made.add_api_route("/api/v1/who", who, methods=["GET", "POST"])
    return made


@pytest.fixture
async def client(app):
    """A browser on one of our pages, as nobody."""
    async with client_of(app) as opened:
        yield opened


def problem(answer, status: int, code: str) -> dict[str, Any]:
    """The document of a refusal, once it is the expected one."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    said: dict[str, Any] = answer.json()
    assert (said["status"], said["code"], said["type"]) == (status, code, f"urn:workunits:problem:{code}")
    assert said["title"]
    assert said["detail"]
    return said


@pytest.mark.parametrize("path", ["/health", "/login", "/nowhere", "/fall", "/api/v1/who", "/static/none.css"])
async def test_every_answer_forbids_what_browsers_would_do(client, path):
    """Pages, refusals and crashes alike carry the headers; nothing inline may run, nobody may frame it."""
    headers = (await client.get(path)).headers

    policy = headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
    assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store")
    assert "strict-transport-security" not in headers
    assert headers["x-request-id"]


async def test_behind_https_browsers_are_told_to_stay_there(doors):
    """Only where people come by https."""
    async with client_of(
        make_app(replace(doors, url="https://inbox.test", dev_login=False)), "https://inbox.test"
    ) as c:
        assert "max-age" in (await c.get("/health")).headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": URL}, False),
        ({"sec-fetch-site": ""}, False),
        ({"origin": URL}, True),
        ({"origin": "http://localhost:81"}, False),
        ({"origin": "https://localhost:8080"}, False),
        ({"origin": "http://localhost:8080.evil.example"}, False),
        ({"origin": "null"}, False),
        ({}, False),
        ({"authorization": "Bearer x", "sec-fetch-site": "cross-site"}, True),
        ({"authorization": "Basic x"}, False),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_43_what_another_site_sends_is_refused(client, headers, let_in, method):
    """43: a request that changes something has to come from one of our pages, or with a token."""
    del client.headers["sec-fetch-site"]
    answer = await client.request(method, PATH, json={}, headers=headers)

    if let_in:
        assert answer.status_code == (200 if method == "POST" else 405)
    else:
        problem(answer, 403, "cross_site")


async def test_a_token_that_is_none_does_not_open_with_the_cookie(app, client):
    """Whoever says that it is a program gets nothing out of the browser's session."""
    await log_in(client, "ann")

    assert (await client.post("/api/v1/who")).json() == {"name": "ann"}
    problem(await client.post("/api/v1/who", headers={"authorization": "Bearer x"}), 401, "login_required")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "bad_body"),
        (b'{"number": 1,}', "bad_body"),
        (b"\xff\xfe", "bad_body"),
        (b"\x00", "bad_body"),
        (b'{"more": NaN}', "bad_body"),
        (b'{"more": -Infinity}', "bad_body"),
        (b'{"more": 1e400}', "invalid_field"),
        (b'{"more": 92233720368547758080}', "invalid_field"),
        (b'{"more": "\\ud800"}', "invalid_field"),
        (b'{"more": "\\u0000"}', "invalid_field"),
        (b'{"more": {"\\u0007": 1}}', "invalid_field"),
        (b'{"number": 1, "number": 2}', "bad_body"),
        (b'{"more": ' + b"[" * 33 + b"]" * 33 + b"}", "bad_body"),
        (b"[" * 20_000, "bad_body"),
    ],
)
async def test_4_8_9_10_11_what_readers_differ_about_is_refused_before_anyone_reads_it(client, body, code):
    """4, 8 to 11: not JSON, not a number, too long a number, half a character, too deep: 400, never 500."""
    problem(await client.post(PATH, content=body, headers=JSON), 400, code)
    assert (await client.post(PATH, content=b'{"more": [1.5, "\\ud83d\\ude00"]}', headers=JSON)).status_code == 200


async def test_5_6_7_a_misfit_is_named_and_not_repeated(client):
    """7: what was sent is not in the answer, only where and what was expected."""
    answer = await client.post(PATH, json={"number": CANARY, "kind": CANARY, "more": CANARY, "word": CANARY})

    said = problem(answer, 422, "invalid_field")
    assert [error["field"] for error in said["errors"]] == ["number", "kind", "word"]
    assert said["field"] == "number"
    assert "valid integer" in said["errors"][0]["detail"]
    assert CANARY not in answer.text


@pytest.mark.parametrize("announced", [True, False])
async def test_12_13_a_large_body_is_refused_while_it_is_read(client, announced):
    """12, 13: of 10 MB no more than the limit is read, and nothing when the length is announced."""
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(2560):
            read += 4096
            yield b" " * 4096

    headers = {**JSON, **({"content-length": str(10 * 2**20)} if announced else {})}
    answer = await client.post(PATH, content=body(), headers=headers)

    problem(answer, 413, "too_large")
    assert read <= (0 if announced else BODY_LIMIT + 2 * 4096)


async def test_12_the_limit_itself_is_taken(client):
    """12: the last byte that fits passes, one more does not."""
    body = b'{"number": 1}'.ljust(BODY_LIMIT)

    assert (await client.post(PATH, content=body, headers=JSON)).status_code == 200
    problem(await client.post(PATH, content=body + b" ", headers=JSON), 413, "too_large")


async def test_a_body_that_does_not_arrive_is_given_up(client, monkeypatch):
    """A sender that waits for ever does not hold a place for ever."""
    monkeypatch.setattr("inbox.guard.PATIENCE", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    problem(await client.post(PATH, content=body(), headers=JSON), 408, "too_slow")


@pytest.mark.parametrize("kind", ["text/plain", "", "application/xml", "application/x-www-form-urlencoded"])
async def test_39_another_content_type_is_refused(client, kind):
    """39: the API takes JSON, and a page of another site cannot send that without asking."""
    problem(await client.post(PATH, content=b"{}", headers={"content-type": kind}), 415, "wrong_content_type")


async def test_39_pages_take_forms_and_no_files(client):
    """39: a form is taken, without control characters; an upload is not."""
    answer = await client.post("/form", data={"reason": "two\r\nlines"}, headers={"accept": "*/*"})
    assert answer.json() == {"taken": {"reason": "two\r\nlines"}}

    headers = {"accept": "*/*"}
    problem(await client.post("/form", files={"file": b"x"}, headers=headers), 415, "wrong_content_type")
    problem(await client.post("/form", data={"reason": "a\x00b"}, headers=headers), 400, "bad_body")
    many = {f"f{number}": "" for number in range(1001)}
    problem(await client.post("/form", data=many, headers=headers), 400, "bad_body")


STRANGE = {
    b"/tasks/a%00b": 422,
    b"/tasks/a%0d%0aSet-Cookie:x=y": 422,
    b"/tasks/a%7f": 422,
    b"/tasks?q=a%00b": 422,
    b"/tasks?q=a%0d%0ab": 422,
    b"/" + b"a" * 1001: 422,
    b"/tasks?q=" + b"a" * 4000: 414,
    b"/static/../inbox.css": 404,
    b"/static/%2e%2e/%2e%2e/etc/passwd": 404,
    b"/static/..%2f..%2fetc/passwd": 404,
    b"/static/..%5c..%5cetc": 404,
    b"/static/%252e%252e/etc/passwd": 404,
    b"/./health": 404,
    b"/api/v1/cases/..": 404,
}
"""Addresses as raw bytes, and the status of their refusal."""


async def test_41_42_paths_that_mean_something_else_elsewhere_are_refused(site):
    """41, 42: control characters, too long an address, and ways out of a folder; by a real server."""
    host, port = site.url.removeprefix("http://").split(":")
    statuses = {}
    for target in STRANGE:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(
            b"GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n" % (target, host.encode(), port.encode())
        )
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        statuses[target] = int(answer.split()[1])
        assert b"Set-Cookie:x" not in answer

    assert statuses == STRANGE


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8080", "localhost:81", "127.0.0.1", ""])
async def test_a_name_that_is_not_ours_is_refused(client, host):
    """A name of another site that leads to this machine reads nothing here; a load balancer may ask how it is."""
    problem(await client.get("/api/v1/who", headers={"host": host}), 421, "wrong_host")
    assert (await client.get("/health", headers={"host": host})).text == "ok"


async def test_a_crash_says_nothing_and_the_log_says_where(client, caplog):
    """The answer has a number that the log has too; what was sent and what the error says is in neither."""
    with caplog.at_level(logging.INFO, "workunits"):
        answer = await client.post(
            "/fall?token=" + CANARY,
            json={"password": CANARY},
            headers={"accept": "*/*", "authorization": f"Bearer {CANARY}", "cookie": f"workunits={CANARY}"},
        )

    said = problem(answer, 500, "unexpected")
    assert said["request_id"] == answer.headers["x-request-id"]
    assert said["request_id"] in caplog.text
    assert "RuntimeError at" in caplog.text
    assert "test_guard.py" in caplog.text
    assert CANARY not in caplog.text + answer.text


async def test_an_answer_that_breaks_in_the_middle_does_not_look_whole(app, site, doors, caplog):
    """Whoever reads it notices: the connection ends before the answer does."""
    from httpx2 import AsyncClient, RemoteProtocolError

    from tests.inbox.conftest import site_of

    async with site_of(doors) as there:
        there.app.router.routes.extend(route for route in app.router.routes if getattr(route, "path", "") == "/broken")
        async with AsyncClient(base_url=there.url) as client:
            with pytest.raises(RemoteProtocolError):
                await client.get("/broken")
    assert "RuntimeError at" in caplog.text
    assert CANARY not in caplog.text


async def test_refusals_are_pages_for_people(client):
    """A browser gets a page, and a program gets a document, from the same address."""
    page = await client.get("/nowhere")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "it is not yours to see" in page.text
    problem(await client.get("/nowhere", headers={"accept": "application/json"}), 404, "not_found")
    problem(await client.get(PATH), 405, "method_not_allowed")


async def test_who_is_not_logged_in_is_led_to_the_login_and_back(client, app):
    """A page leads to the login with the way back, a part of a page takes the whole page there, a program gets 401."""
    app.add_api_route("/mine", app.router.routes[-1].endpoint, methods=["GET", "POST"])

    answer = await client.get("/mine?scope=all")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fmine%3Fscope%3Dall")
    part = await client.get("/mine", headers={"hx-request": "true", "hx-current-url": f"{URL}/tasks?q=1"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login?next=%2Ftasks%3Fq%3D1")
    form = await client.post("/mine", data={"a": "b"}, headers={"referer": f"{URL}/tasks/x"})
    assert (form.status_code, form.headers["location"]) == (303, "/login?next=%2Ftasks%2Fx")
    answer = await client.get("/api/v1/who")
    problem(answer, 401, "login_required")
    assert answer.headers["www-authenticate"] == 'Bearer realm="workunits"'


async def test_too_many_requests_of_one_are_refused_and_others_pass(doors):
    """Each actor has a bucket of reads and one of writes; an empty one says when there is more."""
    limits = Limits(reads=Rate(3, 0.1), writes=Rate(2, 0.1), address=PLENTY, failures=PLENTY)
    app = make_app(replace(doors, limits=limits))

    async def who(actor: Annotated[Actor, Depends(current_actor)]) -> dict[str, Any]:
        return {"name": actor.name}

    app.add_api_route("/api/v1/who", who, methods=["GET", "POST"])
    async with client_of(app) as ann, client_of(app) as ben:
        await log_in(ann, "ann")
        await log_in(ben, "ben")
        reads = [await ann.get("/api/v1/who") for _ in range(4)]
        writes = [await ann.post("/api/v1/who") for _ in range(3)]

        assert [answer.status_code for answer in (*reads, *writes)] == [200, 200, 200, 429, 200, 200, 429]
        assert 1 <= int(reads[-1].headers["retry-after"]) <= 10
        assert problem(reads[-1], 429, "too_many_requests")["retry_after"] == int(reads[-1].headers["retry-after"])
        assert (await ben.get("/api/v1/who")).status_code == 200


async def test_too_many_requests_of_one_address_are_refused_before_anything(doors):
    """An address has a bucket too, whoever it says that it is."""
    app = make_app(replace(doors, limits=Limits(address=Rate(2, 0.01))))
    async with client_of(app) as client:
        answers = [await client.get("/health", headers={"accept": "*/*"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_a_bucket_fills_again():
    """What was taken comes back with time, up to the whole bucket; the buckets of long ago are forgotten."""
    now = [0.0]
    limits = Limits(reads=Rate(2, 0.5), clock=lambda: now[0], remembered=2)

    assert [limits.take("reads", "ann") for _ in range(3)] == [0, 0, 2]
    now[0] = 2.0
    assert [limits.take("reads", "ann") for _ in range(2)] == [0, 2]
    now[0] = 100.0
    assert [limits.take("reads", "ann") for _ in range(3)] == [0, 0, 2]
    assert (limits.empty("reads", "ann"), limits.empty("reads", "ben")) == (2, 0)
    for other in ("ben", "cleo"):
        limits.take("reads", other)
    assert limits.take("reads", "ann") == 0
