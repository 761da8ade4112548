"""The codec server: what it opens for Temporal's page, and for whom it does not."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import WorkflowSerializationContext

from tests.patience import PATIENCE
from tests.workers.conftest import Shell, clean_environment
from workers.commands.codec import _is_loopback
from workers.engine.ports import free_ports
from workers.key_file import load_ring
from workers.processes.codec_server import BODY_LIMIT, codec_app
from workunits.codec import Key, KeyRing, SealingCodec

RING = KeyRing([Key("k1", datetime(2026, 1, 1, tzinfo=UTC), b"k" * 32)])
PAGE = "http://localhost:8233"
SHIBBOLETH = "t0ken"
PAYLOAD = Payload(metadata={"encoding": b"json/plain"}, data=b'{"name": "Ada"}')
SIGNALLED = """
import os, signal, sys
import uvicorn
from workers.cli import main
number, run = signal.Signals[sys.argv.pop(1)], uvicorn.Server.run
def run_after_it(*args, **more):
    os.kill(os.getpid(), number)
    run(*args, **more)
uvicorn.Server.run = run_after_it
main()
"""
"""The command line, with a signal that comes just before uvicorn begins."""


def codec(ring: KeyRing = RING, namespace: str = "default", case: str = "refund:1") -> SealingCodec:
    """The codec of a case."""
    return SealingCodec(ring).with_context(WorkflowSerializationContext(namespace, case))


def body(*payloads: Payload) -> dict[str, Any]:
    """Payloads as Temporal's page sends them."""
    return MessageToDict(Payloads(payloads=payloads))


async def ask(
    path: str, said: Any, *, token: str | None = None, host: str = "127.0.0.1:8234", **headers: str
) -> httpx.Response:
    """Ask a server of our own."""
    app = codec_app(RING, origins=[PAGE], token=token)
    named = {"Content-Type": "application/json", "X-Namespace": "default"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    content = said if isinstance(said, bytes) else json.dumps(said).encode()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}") as client:
        return await client.post(path, content=content, headers={k: v for k, v in named.items() if v})


def payloads(answer: httpx.Response) -> list[Payload]:
    """What was answered."""
    assert answer.status_code == 200, answer.text
    return list(ParseDict(answer.json(), Payloads()).payloads)


@pytest.mark.parametrize("path", ["/decode", "/default/decode", "/a/b/default/decode"])
async def test_sealed_payloads_are_opened_in_order(path):
    """Payloads of several cases are opened, whatever comes before the path's last part; others come back unchanged."""
    other = codec(case="refund:2").seal(PAYLOAD)
    lost = codec(KeyRing([Key("lost", datetime(2026, 1, 1, tzinfo=UTC), b"l" * 32)])).seal(PAYLOAD)
    answer = await ask(path, body(codec().seal(PAYLOAD), PAYLOAD, other, lost))

    assert payloads(answer) == [PAYLOAD, PAYLOAD, PAYLOAD, lost]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_namespace_is_not_opened_for_another():
    """The namespace is part of the seal: a page of another one gets nothing readable."""
    sealed = codec().seal(PAYLOAD)

    assert payloads(await ask("/decode", body(sealed), X_Namespace="other")) == [sealed]
    assert payloads(await ask("/default/decode", body(sealed), X_Namespace="")) == [PAYLOAD]
    assert (await ask("/decode", body(sealed), X_Namespace="")).json()["error"]["code"] == "namespace"


async def test_sealing_needs_a_case():
    """What is sealed here opens in the case that was named; Temporal's page names none, and is told."""
    [sealed] = payloads(await ask("/encode", body(PAYLOAD), X_Workflow_Id="refund:1"))
    refused = await ask("/encode", body(PAYLOAD))

    assert codec().open(sealed) == PAYLOAD
    assert codec(case="refund:2").open(sealed) != PAYLOAD
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "case")


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"Origin": "https://evil.example"}, 403, "foreign_origin"),
        ({"Origin": "null"}, 403, "foreign_origin"),
        ({"Origin": "http://localhost:82330"}, 403, "foreign_origin"),
        ({"host": "evil.example:8234"}, 403, "foreign_host"),
        ({"Content_Type": "text/plain"}, 415, "content_type"),
        ({"Content_Type": ""}, 415, "content_type"),
    ],
)
async def test_foreign_pages_are_refused(more, status, code):
    """No foreign page, no name that leads to this machine, and nothing that a form could send."""
    refused = await ask("/decode", body(codec().seal(PAYLOAD)), **more)

    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert "Ada" not in refused.text


async def test_the_page_s_own_origin_is_let_in():
    """The browser asks first, and is told exactly which page, method and headers are meant."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(codec_app(RING, origins=[PAGE], token=SHIBBOLETH)),
        base_url="http://127.0.0.1:8234",
    ) as client:
        wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-namespace"}
        ours = await client.options("/decode", headers={"Origin": PAGE, **wanted})
        foreign = await client.options("/decode", headers={"Origin": "https://evil.example", **wanted})
    answer = await ask("/decode", body(codec().seal(PAYLOAD)), Origin=PAGE)

    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (200, PAGE)
    assert "access-control-allow-origin" not in foreign.headers
    assert (payloads(answer), answer.headers["access-control-allow-origin"]) == ([PAYLOAD], PAGE)


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", "Bearer t0ken0", "bearer t0ken", "t0ken"])
async def test_a_token_is_asked_for(shown):
    """With a token, only who shows exactly it is answered, on any host name."""
    said = body(codec().seal(PAYLOAD))
    refused = await ask("/decode", said, token=SHIBBOLETH, Authorization=shown)
    let_in = await ask("/decode", said, token=SHIBBOLETH, host="codec.example", Authorization=f"Bearer {SHIBBOLETH}")

    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert payloads(let_in) == [PAYLOAD]


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (b"", 400, "bad_body"),
        (b"{", 400, "bad_body"),
        (b"[]", 400, "bad_body"),
        (b'{"payloads": {}}', 400, "bad_body"),
        (b'{"payloads": [{"data": "not base64 !"}]}', 400, "bad_body"),
        (b'{"canary": 1}', 400, "bad_body"),
        (b"\xff\xfe", 400, "bad_body"),
        (b"[" * 100_000, 400, "bad_body"),
        (b" " * (BODY_LIMIT + 1), 413, "too_large"),
        (b'{"payloads": [' + b"{}," * 10_000 + b"{}]}", 413, "too_large"),
    ],
    ids=["empty", "cut", "a list", "no list", "no base64", "another field", "no text", "deep", "large", "many"],
)
async def test_a_bad_body_is_refused_in_words(said, status, code):
    """Whatever is sent, the answer is a code and a sentence that repeats nothing."""
    refused = await ask("/decode", said)

    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert "canary" not in refused.text


async def test_an_empty_list_is_answered_with_one():
    """Nothing in, nothing out."""
    assert payloads(await ask("/decode", body())) == []
    assert (await ask("/other", body())).status_code == 404


def test_the_server_as_a_process(shell: Shell):
    """`codec serve` opens what the key file's keys sealed, says nothing of it in its log, and ends on SIGTERM."""
    assert shell.run("codec", "new-key", "--file", "codec.toml").returncode == 0
    ring = load_ring(shell.folder / "codec.toml")
    [port] = free_ports(1)
    server = shell.spawn("codec", "serve", "--port", str(port), WORKUNITS_CODEC_KEYS="codec.toml")
    server.until("Codec server on")
    answer = httpx.post(
        f"http://127.0.0.1:{port}/decode",
        json=body(codec(ring).seal(PAYLOAD)),
        headers={"X-Namespace": "default"},
    )

    assert payloads(answer) == [PAYLOAD]
    assert server.stop(signal.SIGTERM) == 0
    assert "Ada" not in server.said
    assert base64.b64encode(ring.keys[0].secret).decode() not in server.said


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_between_the_announcement_and_the_serving_ends_it(shell: Shell, name):
    """Whoever was told that it is there may stop it at once: the signal is not swallowed."""
    shell.run("codec", "new-key", "--file", "codec.toml")
    [port] = free_ports(1)
    ended = subprocess.run(
        [sys.executable, "-P", "-c", SIGNALLED, name, "codec", "serve", "--json", "--port", str(port)],
        cwd=shell.folder,
        env=clean_environment(WORKUNITS_CODEC_KEYS="codec.toml"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert (ended.returncode, json.loads(ended.stdout)["codec"]) == (0, f"http://127.0.0.1:{port}")
    assert "Traceback" not in ended.stderr


def test_the_server_refuses_what_would_be_open_to_all(shell: Shell):
    """Another address than loopback needs a token, there are no keys by default, and no page is let in by a pattern."""
    shell.run("codec", "new-key", "--file", "codec.toml")
    on = {"WORKUNITS_CODEC_KEYS": "codec.toml"}
    open_to_all = shell.run("codec", "serve", "--host", "0.0.0.0", **on)  # noqa: S104, that it is refused is the point
    without = shell.run("codec", "serve")
    wrong = shell.run("codec", "serve", **on, WORKUNITS_CODEC_ORIGINS="*")

    assert (open_to_all.returncode, without.returncode, wrong.returncode) == (2, 2, 2)
    assert "WORKUNITS_CODEC_TOKEN" in open_to_all.stderr
    assert "WORKUNITS_CODEC_KEYS" in without.stderr
    assert "codec_origins" in wrong.stderr.lower()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_token(host):
    """Only this machine reaches these."""
    assert _is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "codec.example", "localhost.example", ""])  # noqa: S104
def test_what_is_not_loopback_by_itself_needs_a_token(host):
    """A name may lead anywhere."""
    assert not _is_loopback(host)
