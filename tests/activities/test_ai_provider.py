"""Asking a model through the real OpenAI client, against a server on loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import BaseModel, Field
from temporalio.exceptions import ApplicationError

from workunits.ai import BYTES, REQUESTS, TOKENS, Model

APPLICANT = "Maria Garcia"


class Case(BaseModel, frozen=True):
    """What a case says."""

    text: str


class Verdict(BaseModel, frozen=True):
    """What the model answers."""

    category: str
    confidence: float = Field(ge=0, le=1)


async def _ask(model: Model) -> Verdict:
    return await model.ask("Classify.", Case(text=APPLICANT), Verdict)


async def _refused(model: Model) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised:
        await _ask(model)
    assert APPLICANT not in str(raised.value)
    assert raised.value.__cause__ is None
    return raised.value


@dataclass
class Provider:
    """A server that speaks OpenAI's protocol and answers as scripted."""

    url: str = ""
    answers: list[tuple[int, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def fails(self, status: int, code: str = "some_code", **headers: str) -> None:
        """Answer the next request with an error whose text repeats the case."""
        error = {"error": {"message": f"no good: {APPLICANT}", "type": "t", "code": code}}
        self.answers.append((status, error, {name.replace("_", "-"): value for name, value in headers.items()}))

    def says(self, arguments: str, tokens: int = 40) -> None:
        """Answer the next request with a call of the output tool."""
        call = {"id": "c1", "type": "function", "function": {"name": "final_result", "arguments": arguments}}
        self.answers.append(
            (
                200,
                {
                    "id": "x",
                    "object": "chat.completion",
                    "created": 1,
                    "model": "some-model",
                    "choices": [
                        {
                            "index": 0,
                            "finish_reason": "tool_calls",
                            "message": {"role": "assistant", "content": None, "tool_calls": [call]},
                        }
                    ],
                    "usage": {"prompt_tokens": 1200, "completion_tokens": tokens, "total_tokens": 1200 + tokens},
                },
                {},
            )
        )


@contextmanager
def _serving(provider: Provider) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            provider.asked.append((self.path, body))
            status, answer, headers = provider.answers.pop(0)
            data = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider on loopback, and the key its client wants."""
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    made = Provider()
    with _serving(made):
        yield made


def _openai(provider: Provider) -> Model:
    return Model("openai:some-model", base_url=provider.url)


async def test_a_provider_that_is_busy_is_asked_again_by_temporal(provider: Provider) -> None:
    """The real client gets 429 once, does not repeat it itself, and the next attempt answers."""
    provider.fails(429, retry_after="7")
    provider.says('{"category": "invoice", "confidence": 0.93}')
    model = _openai(provider)
    error = await _refused(model)
    assert (error.type, error.non_retryable) == ("ai_unavailable", False)
    assert error.next_retry_delay == timedelta(seconds=7)
    assert "HTTP 429 (some_code)" in str(error)
    assert len(provider.asked) == 1
    assert await _ask(model) == Verdict(category="invoice", confidence=0.93)
    path, body = provider.asked[1]
    assert path == "/v1/chat/completions"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_request_that_is_refused_is_final(status: int, provider: Provider) -> None:
    """What no repeat can mend is not repeated."""
    provider.fails(status)
    error = await _refused(_openai(provider))
    assert (error.type, error.non_retryable) == ("ai_refused", True)
    assert f"HTTP {status}" in str(error)
    assert len(provider.asked) == 1


async def test_a_used_up_quota_is_final(provider: Provider) -> None:
    """A 429 for want of credit is no 429 for want of patience."""
    provider.fails(429, "insufficient_quota")
    assert (await _refused(_openai(provider))).non_retryable


@pytest.mark.parametrize("status", [500, 502, 503, 529])
async def test_a_broken_provider_is_tried_again(status: int, provider: Provider) -> None:
    """5xx is a technical failure that a later attempt may not see."""
    provider.fails(status)
    error = await _refused(_openai(provider))
    assert (error.type, error.non_retryable) == ("ai_unavailable", False)
    assert len(provider.asked) == 1


async def test_a_provider_that_asks_for_a_day_is_asked_sooner(provider: Provider) -> None:
    """A pause that the provider names is kept within bounds."""
    provider.fails(429, retry_after="86400")
    assert (await _refused(_openai(provider))).next_retry_delay == timedelta(minutes=10)


async def test_a_provider_that_is_not_there_is_tried_again() -> None:
    """No connection is a technical failure; OpenAI-compatible servers need no key."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and nobody listens there
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        error = await _refused(Model("ollama:some-model", base_url=url))
    assert (error.type, error.non_retryable) == ("ai_unavailable", False)


@pytest.mark.parametrize("arguments", ['{"category": "a", "confidence": 7}', "{not json", "null", "[]"])
async def test_a_real_answer_that_never_fits_is_final(arguments: str, provider: Provider) -> None:
    """The real client's misfits end as `ai_output_invalid` too."""
    for _ in range(REQUESTS):
        provider.says(arguments)
    error = await _refused(_openai(provider))
    assert (error.type, error.non_retryable) == ("ai_output_invalid", True)
    assert len(provider.asked) == REQUESTS


async def test_an_answer_that_costs_too_much_is_stopped(provider: Provider) -> None:
    """The limit of tokens ends the attempt for good."""
    provider.says('{"category": "a", "confidence": 7}', tokens=30_000)
    error = await _refused(_openai(provider))
    assert (error.type, error.non_retryable) == ("ai_limit_exceeded", True)


async def test_a_question_that_cannot_fit_is_not_asked(provider: Provider) -> None:
    """The client counts tokens when they are paid for; what is far too long is never sent."""
    with pytest.raises(ApplicationError) as raised:
        await _openai(provider).ask("Classify.", Case(text="word " * (TOKENS * BYTES // 5)), Verdict)
    assert (raised.value.type, raised.value.non_retryable) == ("ai_limit_exceeded", True)
    assert provider.asked == []
