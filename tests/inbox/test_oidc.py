"""Logging in through a real OpenID provider: whose word counts for what, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from inbox.oidc import Provider
from tests.inbox.conftest import URL, client_of
from tests.inbox.provider import asked, browser, client, come, issuer, said, telling, who, with_provider

__all__ = ["browser", "client", "issuer", "with_provider"]


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
