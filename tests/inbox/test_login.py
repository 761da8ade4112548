"""Who someone is: the development login, sessions, and where a login leads."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace

import pytest

from inbox.app import make_app
from inbox.login import local
from inbox.sessions import Ended, present
from tests.inbox.conftest import PEOPLE, client_of, log_in
from tests.inbox.provider import browser, client, come, issuer, telling, who, with_provider

__all__ = ["browser", "client", "issuer", "with_provider"]


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
