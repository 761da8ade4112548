"""API tokens of machines: what each may do and until when, and that the token itself is nowhere."""

from __future__ import annotations

import logging
import tomllib
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends

from inbox.app import make_app
from inbox.files import FileError, written
from inbox.identity import Actor, current_actor
from inbox.limits import Limits, Rate
from inbox.tokens import Tokens, hash_of, load_tokens, make_token
from tests.inbox.conftest import PLENTY, client_of

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
GOOD: dict[str, Any] = {"name": "erp", "sha256": "0" * 64, "roles": ["clerk"], "units": ["plain"], "expires": LATER}


def file_of(tmp_path: Path, *entries: dict[str, Any]) -> Path:
    """A token file."""
    path = tmp_path / "tokens.toml"
    path.write_text("\n".join(written("token", entry) for entry in entries), encoding="utf-8")
    return path


def inbox_with(doors, tokens: Tokens, **more: Any):
    """An inbox that machines may call, and that tells who one is."""
    app = make_app(replace(doors, tokens=tokens, **more))

    async def who(actor: Annotated[Actor, Depends(current_actor)]) -> dict[str, Any]:
        return asdict(actor)

    app.add_api_route("/api/v1/who", who, methods=["GET", "POST"])
    return app


def bearer(token: str) -> dict[str, str]:
    """The header of a token, as a program from elsewhere sends it."""
    return {"authorization": f"Bearer {token}", "sec-fetch-site": "cross-site"}


async def test_a_machine_has_the_roles_and_units_of_its_token(doors, tmp_path):
    """It acts under its own name, and only in its roles and units."""
    token, digest = make_token()
    tokens = Tokens.watch(file_of(tmp_path, {**GOOD, "sha256": digest}))
    async with client_of(inbox_with(doors, tokens)) as client:
        found = (await client.post("/api/v1/who", headers=bearer(token))).json()

    assert (found["name"], found["origin"], found["display"]) == ("token:erp", "token:erp", "erp")
    assert (found["roles"], found["units"], found["admin"]) == (["clerk"], ["plain"], False)


async def test_an_expired_or_unknown_token_opens_nothing(doors, tmp_path):
    """A token ends by itself; another one, or none at all, was never one."""
    old, digest = make_token()
    past = datetime.now(UTC) - timedelta(seconds=1)
    tokens = Tokens.watch(file_of(tmp_path, {**GOOD, "sha256": digest, "expires": past}))
    async with client_of(inbox_with(doors, tokens)) as client:
        for shown in (old, make_token()[0], "", "x" * 5000, digest):
            answer = await client.get("/api/v1/who", headers=bearer(shown))
            assert (answer.status_code, answer.json()["code"]) == (401, "login_required")
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_tokens_cannot_be_tried_one_after_the_other(doors, tmp_path):
    """After some that are none, the address has to wait, also with a good one."""
    token, digest = make_token()
    tokens = Tokens.watch(file_of(tmp_path, {**GOOD, "sha256": digest}))
    limits = Limits(PLENTY, PLENTY, PLENTY, failures=Rate(2, 0.01))
    async with client_of(inbox_with(doors, tokens, limits=limits)) as client:
        good = await client.get("/api/v1/who", headers=bearer(token))
        bad = [await client.get("/api/v1/who", headers=bearer("x")) for _ in range(3)]
        late = await client.get("/api/v1/who", headers=bearer(token))

    assert [answer.status_code for answer in (good, *bad, late)] == [200, 401, 401, 429, 429]


async def test_a_token_that_is_taken_from_the_file_ends_at_once(doors, tmp_path, caplog):
    """The file is read again when it changes; a bad version takes nobody's token, and the log never shows one."""
    token, digest = make_token()
    path = file_of(tmp_path, {**GOOD, "sha256": digest})
    async with client_of(inbox_with(doors, Tokens.watch(path, every=0))) as client:
        path.write_text("[[token]]\nname = 1\n", encoding="utf-8")
        with caplog.at_level(logging.INFO, "workunits"):
            assert (await client.get("/api/v1/who", headers=bearer(token))).status_code == 200
        file_of(tmp_path)
        assert (await client.get("/api/v1/who", headers=bearer(token))).status_code == 401

    assert "tokens.toml:2: [[token]] 1: name" in caplog.text
    assert token not in caplog.text
    assert digest not in caplog.text


def test_the_file_keeps_a_hash_only():
    """What the file has does not lead back to the token, and no two tokens are the same."""
    token, digest = make_token()

    assert token.startswith("wu_")
    assert len(token) >= 43
    assert (hash_of(token), len(digest)) == (digest, 64)
    assert token not in written("token", {**GOOD, "sha256": digest})
    assert make_token()[0] != token


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "ERP!"}, "name: 1 to 40 small letters"),
        ({"sha256": "wu_the-token-itself"}, "sha256: 64 hexadecimal digits"),
        ({"roles": []}, "roles: it is missing: a token is for named ones only"),
        ({"units": []}, "units: it is missing: a token is for named ones only"),
        ({"roles": ["system"]}, "roles: the role system is the runtime's own"),
        ({"expires": "2027-01-01"}, "expires: a time with its zone"),
        ({"admin": "true"}, "admin: there is no such key"),
    ],
)
def test_a_token_that_does_not_fit_is_refused_without_what_it_says(tmp_path, change, why):
    """Each misfit by name and line; what stands there may be the token itself."""
    with pytest.raises(FileError) as caught:
        load_tokens(file_of(tmp_path, {**GOOD, **change}))

    assert f"[[token]] 1: {why}" in str(caught.value)
    assert "wu_" not in str(caught.value)


def test_two_tokens_of_one_name_are_refused(tmp_path):
    """Otherwise nobody could say which one acted."""
    with pytest.raises(FileError, match="two tokens have the same name"):
        load_tokens(file_of(tmp_path, GOOD, {**GOOD, "sha256": "1" * 64}))


def test_what_is_written_is_read_back(tmp_path):
    """Names with quotes and other signs stay what they are."""
    said = tomllib.loads(written("token", {"name": 'a "b" \\ ü', "roles": ["x", "ÿ"], "expires": LATER}))

    assert said == {"token": [{"name": 'a "b" \\ ü', "roles": ["x", "ÿ"], "expires": LATER}]}
