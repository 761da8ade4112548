"""Who someone is: the development login, a real OpenID provider, sessions, and where a login leads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, replace
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import Depends, FastAPI

from inbox.app import Doors, make_app
from inbox.identity import Actor, current_actor
from inbox.login import local
from inbox.oidc import Provider
from inbox.sessions import Ended, present
from tests.inbox.conftest import PEOPLE, URL, client_of, log_in
from workers.ports import free_ports, is_free

WHO = "/api/v1/who"
USERS: list[dict[str, Any]] = [
    {"sub": "ann", "groups": ["clerks", "chess-club"], "name": "Ann of the provider", "email": "a@provider.example"},
    {"sub": "guest", "groups": "members", "name": "A Guest", "email": "guest@provider.example"},
    {"sub": "odd", "groups": {"clerks": True}},
    {"sub": "token:erp", "groups": ["clerks"]},
    {"sub": "evil\nline", "groups": ["clerks"]},
    {"sub": "mail", "email": "hana", "email_verified": False},
    {"sub": "opsy", "groups": ["operations"]},
]


def telling(doors: Doors) -> FastAPI:
    """The inbox, which also tells who one is."""
    app = make_app(doors)

    async def who(actor: Annotated[Actor, Depends(current_actor)]) -> dict[str, Any]:
        return asdict(actor)

    app.add_api_route(WHO, who)
    app.add_api_route("/who", who)
    return app


@pytest.fixture
async def client(doors: Doors) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser, as nobody, before an inbox with the development login."""
    async with client_of(telling(doors)) as opened:
        yield opened


async def who(client: httpx2.AsyncClient, cookie: str | None = None) -> dict[str, Any] | None:
    """Who the inbox takes someone for, by the browser's cookie or by another one."""
    answer = await client.get(WHO, headers={} if cookie is None else {"cookie": f"workunits={cookie}"})
    assert answer.status_code in (200, 401), answer.text
    found: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
    return found


# --- the development login


async def test_the_development_login_offers_everybody_and_every_page_says_what_it_is(client):
    """The login lists the people of the directory; it, the lists and the refusals all carry the warning."""
    page = await client.get("/login?next=/tasks")
    await log_in(client, "ann")
    for shown in (page, await client.get("/tasks"), await client.get("/catalog"), await client.get("/nowhere")):
        assert "Development login" in shown.text
    assert "Ann Alvarez" in page.text
    assert 'value="/tasks"' in page.text


async def test_someone_of_the_directory_has_its_roles_now(client, people):
    """Roles follow the directory at once, the accountable ones included; origin says through which door."""
    await log_in(client, "ann")
    found = await who(client)
    assert found is not None
    assert (found["name"], found["display"], found["zone"]) == ("ann", "Ann Alvarez", "Europe/Madrid")
    assert (found["roles"], found["admin"], found["units"]) == (["clerk"], False, None)
    assert (found["origin"], (await client.get("/who")).json()["origin"]) == ("api", "inbox")

    people.write_text(PEOPLE.replace('person = "hana"', 'person = "ann"'), encoding="utf-8")
    found = await who(client)
    assert found is not None
    assert found["roles"] == ["clerk", "head of tests"]


async def test_who_is_no_longer_in_the_directory_is_nobody(client, people):
    """A session of someone who has left opens nothing."""
    await log_in(client, "zoe")
    assert await who(client)

    people.write_text(PEOPLE.replace('name = "zoe"', 'name = "zora"'), encoding="utf-8")
    assert await who(client) is None


async def test_a_stand_in_is_told_for_whom(client, people):
    """While someone is away, the substitute stands in for them."""
    away = '[[absence]]\nperson = "ann"\nfrom = 2020-01-01\nuntil = 2200-01-01\nsubstitute = "ben"\n'
    people.write_text(PEOPLE + away, encoding="utf-8")
    await log_in(client, "ben")

    found = await who(client)
    assert found is not None
    assert found["stands_in_for"] == ["ann"]


async def test_nobody_else_is_let_in(client):
    """A name that the directory does not have is refused, without repeating it."""
    answer = await client.post("/login/dev", data={"name": "mallory"})

    assert (answer.status_code, await who(client)) == (403, None)
    assert "mallory" not in answer.text


async def test_where_it_is_off_there_is_none_and_its_old_cookies_open_nothing(client, doors):
    """A cookie of yesterday's development login is worth nothing once it is switched off."""
    await log_in(client, "ann")
    copy = client.cookies["workunits"]
    async with client_of(telling(replace(doors, dev_login=False))) as other, client_of(telling(doors)) as same:
        assert await who(same, copy)
        assert await who(other, copy) is None
        assert "Development login" not in (await other.get("/nowhere")).text
        assert (await other.post("/login/dev", data={"name": "ann"})).status_code == 404
        assert "Nobody can log in" in (await other.get("/login")).text


@pytest.mark.parametrize("url", ["https://inbox.example.com", "http://10.0.0.1:8080", "http://localhost.example.com"])
def test_it_is_refused_where_others_reach_it(doors, url):
    """No application is made with it under a name that is not this machine's own."""
    with pytest.raises(ValueError, match="loopback"):
        replace(doors, url=url)


# --- sessions


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client, doors):
    """HttpOnly and SameSite always; Secure and the host prefix where people come by https."""
    answer = await client.post("/login/dev", data={"name": "ann"})
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("workunits=")
    assert "; httponly" in cookie
    assert "samesite=lax" in cookie
    assert "max-age=36000" in cookie
    assert "secure" not in cookie

    with_tls = replace(doors, url="https://localhost")
    async with client_of(telling(with_tls), "https://localhost") as other:
        cookie = (await other.post("/login/dev", data={"name": "ann"})).headers["set-cookie"].lower()
    assert cookie.startswith("__host-workunits=")
    assert "; secure" in cookie
    assert "path=/;" in cookie
    assert "domain" not in cookie


async def test_a_login_begins_a_new_session(client):
    """Whatever cookie someone had planted before, the login makes another; each login is a session of its own."""
    await log_in(client, "ann")
    first = client.cookies["workunits"]
    await log_in(client, "ben")
    second = client.cookies["workunits"]
    await log_in(client, "ben")

    assert len({first, second, client.cookies["workunits"]}) == 3


async def test_a_login_leaves_nothing_of_what_the_cookie_held(browser):
    """What was asked before the login, by whoever that was, is not in the session that it begins."""
    await come(browser, "ann")
    held = json.loads(b64decode(browser.cookies["workunits"].partition(".")[0]))

    assert set(held) == {"in"}
    assert (held["in"]["name"], held["in"]["groups"]) == ("ann", ["clerks"])


async def test_a_cookie_that_was_not_signed_by_us_is_none(client, doors):
    """A cookie that was changed, and one that another key signed, open nothing."""
    await log_in(client, "ann")
    good = client.cookies["workunits"]
    async with (
        client_of(telling(doors)) as same,
        client_of(telling(replace(doors, session_key="another key of thirty-two letters"))) as other,
    ):
        assert await who(same, good)
        for cookie in (good[:-2] + "xx", "x" + good, "null", ""):
            assert await who(same, cookie) is None
        assert await who(other, good) is None


async def test_a_cookie_of_another_version_of_this_program_is_none():
    """After an upgrade, a session that lacks something is over; nothing breaks."""
    assert present({"in": {"id": "x", "name": "ann"}}) is None
    assert present({"in": "ann"}) is None


async def test_a_session_ends_in_time(client, monkeypatch):
    """After its lifetime one has to log in again, however lively the session was."""
    await log_in(client, "ann")
    assert await who(client)

    monkeypatch.setattr("inbox.sessions.LIFETIME", 0)
    assert await who(client) is None


async def test_after_a_logout_a_copy_of_the_cookie_opens_nothing_also_after_a_restart(doors, tmp_path):
    """The end of a session is kept here: the browser's forgetting alone would leave a stolen copy good."""
    kept = tmp_path / "ended"
    async with client_of(telling(replace(doors, ended=Ended(kept)))) as client:
        await log_in(client, "ann")
        copy = client.cookies["workunits"]
    async with client_of(telling(replace(doors, ended=Ended(kept)))) as client:
        assert await who(client, copy)
        answer = await client.post("/logout", headers={"cookie": f"workunits={copy}"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/logged-out")
        assert "Logged out" in (await client.get("/logged-out")).text
        assert await who(client, copy) is None
    async with client_of(telling(replace(doors, ended=Ended(kept)))) as thief:
        assert await who(thief, copy) is None
        await log_in(thief, "ann")
        assert await who(thief)
    assert copy not in kept.read_text(encoding="ascii")


async def test_a_logout_is_not_for_other_sites(client):
    """A page of another site logs nobody out or in."""
    await log_in(client, "ann")
    forged = {"sec-fetch-site": "cross-site"}
    assert (await client.post("/logout", headers=forged)).status_code == 403
    assert (await client.post("/login/dev", data={"name": "ben"}, headers=forged)).status_code == 403
    assert (await client.get("/logout")).status_code == 405

    found = await who(client)
    assert found is not None
    assert found["name"] == "ann"


# --- where a login leads


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "/\tevil",
        "/a\r\nSet-Cookie: x=y",
        "tasks",
        "",
        "/logout",
        "/login/oidc",
        "/" + "a" * 2001,
    ],
)
async def test_a_login_leads_to_no_other_site(client, target):
    """Only a path of ours is followed; everything else leads to the start."""
    assert local(target) == "/"
    if target.isprintable():
        answer = await client.post("/login/dev", data={"name": "ann", "next": target})
        assert answer.headers["location"] == "/"


async def test_a_login_leads_back(client):
    """A path of ours is followed, with its query."""
    answer = await client.post("/login/dev", data={"name": "ann", "next": "/tasks?scope=all&q=//x"})

    assert answer.headers["location"] == "/tasks?scope=all&q=//x"


async def test_many_failed_logins_have_to_wait(doors):
    """Names cannot be tried one after the other."""
    limits = replace(doors.limits, failures=type(doors.limits.failures)(2, 0.01))
    async with client_of(make_app(replace(doors, limits=limits))) as client:
        answers = [await client.post("/login/dev", data={"name": f"n{number}"}) for number in range(3)]
        good = await client.post("/login/dev", data={"name": "ann"})

    assert [answer.status_code for answer in answers] == [403, 403, 429]
    assert good.status_code == 429


# --- an OpenID provider


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A real provider, as a process of its own: its library warns of things that are not ours."""
    port = free_ports(1)[0]
    users = [part for user in USERS for part in ("--user-claims", json.dumps(user))]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *users]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 20
        while is_free(port) and time.monotonic() < until:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
def with_provider(doors: Doors, issuer: str) -> Doors:
    """An inbox into which people come through the provider alone."""
    return replace(doors, dev_login=False, provider=Provider(issuer, "inbox", "a secret of the inbox"))


@pytest.fixture
async def browser(with_provider: Doors) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser, as nobody, before that inbox."""
    async with client_of(telling(with_provider)) as opened:
        yield opened


async def asked(browser: httpx2.AsyncClient, target: str = "/tasks") -> str:
    """Where the provider asks who it is, once the browser is sent there."""
    answer = await browser.get(f"/login/oidc?next={target}")
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


async def said(question: str, name: str) -> str:
    """What the provider answers when someone says who they are: an address of ours."""
    async with httpx2.AsyncClient() as provider:
        answer = await provider.post(question, data={"sub": name})
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


async def come(browser: httpx2.AsyncClient, name: str) -> httpx2.Response:
    """Log in through the provider."""
    return await browser.get(await said(await asked(browser), name))


async def test_the_groups_of_the_provider_become_roles_by_the_directory(browser):
    """The name is the provider's, the roles are those that the directory gives its groups; unknown groups give none."""
    page = await browser.get("/login?next=/tasks")
    assert (page.status_code, page.headers["location"]) == (303, "/login/oidc?next=%2Ftasks")
    answer = await come(browser, "ann")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tasks")

    found = await who(browser)
    assert found is not None
    assert (found["name"], found["display"], found["zone"]) == ("ann", "Ann Alvarez", "Europe/Madrid")
    assert (found["roles"], found["admin"]) == (["clerk"], False)


async def test_someone_whom_the_directory_does_not_have_comes_with_the_providers_words(browser):
    """A guest of the provider has roles by the group alone."""
    await come(browser, "guest")

    found = await who(browser)
    assert found is not None
    assert (found["name"], found["display"], found["email"]) == ("guest", "A Guest", "guest@provider.example")
    assert found["roles"] == ["member"]


async def test_a_group_of_the_provider_may_make_an_admin(browser):
    """Who sees all tasks is said by groups, too."""
    await come(browser, "opsy")

    found = await who(browser)
    assert found is not None
    assert found["admin"] is True


async def test_the_question_carries_state_nonce_and_a_challenge(browser, issuer):
    """The provider is asked with all that later tells whether its answer is to this browser's question."""
    question = urlsplit(await asked(browser))
    sent = {name: values[0] for name, values in parse_qs(question.query).items()}

    assert f"{question.scheme}://{question.netloc}" == issuer
    assert (sent["redirect_uri"], sent["response_type"]) == (f"{URL}/login/callback", "code")
    assert sent["code_challenge_method"] == "S256"
    assert all(len(sent[name]) >= 20 for name in ("state", "nonce", "code_challenge"))


async def test_an_answer_to_another_browsers_question_is_refused(browser, with_provider):
    """A stolen or planted answer logs nobody in: the state is in the asking browser's cookie alone."""
    answer = await said(await asked(browser), "ann")
    async with client_of(telling(with_provider)) as other:
        for address in (answer, re.sub(r"state=[^&]+", "state=other", answer), answer.partition("?")[0]):
            refused = await other.get(address, headers={"accept": "*/*"})
            assert (refused.status_code, refused.json()["code"]) == (400, "login_failed")
        assert await who(other) is None
        await asked(other)
        assert (await other.get(answer)).status_code == 400
        assert await who(other) is None


async def test_a_code_of_another_question_is_refused_by_its_nonce(browser, with_provider):
    """A code that was made for another question does not fit, although state and cookie do."""
    async with client_of(telling(with_provider)) as other:
        stolen = parse_qs(urlsplit(await said(await asked(other), "ann")).query)["code"][0]
    state = parse_qs(urlsplit(await asked(browser)).query)["state"][0]
    answer = await browser.get(f"/login/callback?code={stolen}&state={state}")

    assert (answer.status_code, await who(browser)) == (400, None)


async def test_an_answer_counts_once(browser):
    """The same answer again is refused, and the session that it began goes on."""
    answer = await said(await asked(browser), "ann")
    assert (await browser.get(answer)).status_code == 303
    assert (await browser.get(answer)).status_code == 400

    assert await who(browser)


async def test_a_refusal_of_the_provider_is_said_without_its_words(browser):
    """Whatever stands in the answer's address is not shown: anyone could have written it."""
    state = parse_qs(urlsplit(await asked(browser)).query)["state"][0]
    answer = await browser.get(f"/login/callback?error=access_denied&error_description=<b>call+555</b>&state={state}")

    assert answer.status_code == 400
    assert "555" not in answer.text


@pytest.mark.parametrize("name", ["odd", "token:erp", "evil\nline"])
async def test_claims_that_do_not_fit_are_refused(browser, name):
    """Groups that are no list, a name that is a token's, and a name with a line break log nobody in."""
    answer = await come(browser, name)

    assert (answer.status_code, await who(browser)) == (400, None)


async def test_an_address_that_the_provider_has_not_verified_is_nobodys_name(doors, issuer):
    """Otherwise one could write the address of a head into the own profile."""
    provider = Provider(issuer, "inbox", "secret", name_claim="email")
    async with client_of(telling(replace(doors, dev_login=False, provider=provider))) as browser:
        assert (await come(browser, "mail")).status_code == 400
        assert await who(browser) is None


async def test_a_logout_ends_the_providers_session_too(browser, issuer):
    """The browser is sent on to the provider, which sends it back; a copy of the cookie opens nothing."""
    await come(browser, "ann")
    copy = browser.cookies["workunits"]
    assert await who(browser, copy)
    answer = await browser.post("/logout")
    target = urlsplit(answer.headers["location"])

    assert (answer.status_code, f"{target.scheme}://{target.netloc}") == (303, issuer)
    assert parse_qs(target.query)["post_logout_redirect_uri"] == [f"{URL}/logged-out"]
    async with httpx2.AsyncClient() as provider:
        assert (await provider.get(answer.headers["location"])).status_code == 200
    assert await who(browser, copy) is None
    assert f"form-action 'self' {issuer};" in answer.headers["content-security-policy"]


async def test_without_the_provider_nobody_comes_in_and_who_is_in_stays(doors, with_provider, issuer):
    """A provider that is down is said to be; sessions and logouts go on."""
    dead = replace(with_provider, provider=Provider("http://localhost:9", "inbox", "secret"))
    async with client_of(telling(dead)) as browser, client_of(telling(with_provider)) as before:
        answer = await browser.get("/login/oidc", headers={"accept": "*/*"})
        assert (answer.status_code, answer.json()["code"]) == (503, "login_unavailable")
        await come(before, "ann")
        copy = before.cookies["workunits"]
        assert await who(browser, copy)
        left = await browser.post("/logout", headers={"cookie": f"workunits={copy}"})
        assert left.headers["location"] == "/logged-out"


async def test_secrets_of_a_login_are_not_logged(browser, caplog):
    """Neither the code nor the client's secret nor a cookie is in the log, whatever went wrong."""
    with caplog.at_level("INFO", "workunits"), caplog.at_level("INFO", "authlib"):
        answer = await said(await asked(browser), "ann")
        await browser.get(answer)
        await browser.get(answer)
        await browser.get(re.sub(r"state=[^&]+", "state=other", answer))

    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith(("workunits", "authlib", "inbox")))
    code = parse_qs(urlsplit(answer).query)["code"][0]
    assert "a login was refused: MismatchingStateError" in ours
    for secret in (code, "a secret of the inbox", browser.cookies["workunits"]):
        assert secret not in ours


def test_a_provider_tells_no_secret_of_itself(with_provider):
    """What is printed of the parts holds neither the client's secret nor the key of the cookies."""
    assert "a secret of the inbox" not in repr(with_provider)
    assert with_provider.session_key not in repr(with_provider)
