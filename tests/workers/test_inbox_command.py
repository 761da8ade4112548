"""`workunits inbox` as a process: what it refuses to start with, how it serves, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import stat
from pathlib import Path

import httpx2
import pytest

from observability.ledger.store import Ledger
from tests.workers.conftest import Shell
from workers.ports import LOOPBACK

DIRECTORY = (Path(__file__).parents[2] / "workers" / "templates" / "directory.toml").read_text(encoding="utf-8")
LOGIN = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def there(shell: Shell) -> Shell:
    """A folder with a directory of people, and a ledger."""
    shell.write("workunits.toml", 'directory = "people.toml"\n')
    shell.write("people.toml", DIRECTORY)
    ledger = Ledger(f"sqlite:///{shell.folder / '.workunits' / 'ledger.sqlite'}")
    ledger.migrate()
    ledger.close()
    return shell


def address_in(said: str) -> str:
    """Where it says that it is."""
    found = re.search(r"the inbox is at (http\S+)", said)
    assert found, said
    return found[1]


def test_it_serves_until_it_is_asked_to_stop(there, at):
    """It says where it is and who may log in, serves pages and logins, and ends by itself on SIGTERM, with 0."""
    process = there.spawn("inbox", "--port", "0", **at, WORKUNITS_DEV_LOGIN="true")
    url = address_in(process.until("development login"))
    with httpx2.Client(base_url=url, headers=LOGIN) as client:
        assert client.get("/health").text == "ok"
        assert client.post("/login/dev", data={"name": "ines.officer"}).status_code == 303
        page = client.get("/tasks", headers={"accept": "text/html"})
        with client.stream("GET", "/live") as live:
            assert live.status_code == 200
            assert process.stop(signal.SIGTERM) == 0

    assert "Inés Ortega" in page.text
    assert url.startswith(f"http://{LOOPBACK}:")
    assert "Traceback" not in process.said
    assert process.said.rstrip().endswith("stopped")
    key = there.folder / ".workunits" / "session.key"
    assert (len(key.read_text()) >= 32, stat.S_IMODE(key.stat().st_mode)) == (True, 0o600)
    assert key.read_text() not in process.said


def test_a_session_outlives_a_restart(there, at):
    """The key of the cookies is kept, so that nobody has to log in again after an upgrade."""
    first = there.spawn("inbox", "--port", "0", **at, WORKUNITS_DEV_LOGIN="true")
    with httpx2.Client(base_url=address_in(first.until("development login")), headers=LOGIN) as client:
        client.post("/login/dev", data={"name": "ines.officer"})
        cookie = client.cookies["workunits"]
    assert first.stop(signal.SIGINT) == 0
    second = there.spawn("inbox", "--port", "0", **at, WORKUNITS_DEV_LOGIN="true")
    url = address_in(second.until("development login"))

    assert httpx2.get(f"{url}/tasks", headers={"cookie": f"workunits={cookie}"}).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--host", "0.0.0.0"], {}),  # noqa: S104 - it is refused
        (["--host", "::"], {}),
        ([], {"WORKUNITS_INBOX_URL": "https://inbox.example.com"}),
        ([], {"WORKUNITS_INBOX_PROXIES": "127.0.0.1"}),
    ],
)
def test_the_development_login_is_for_this_machine_alone(there, at, arguments, variables):
    """Wherever others could reach it, it refuses to start."""
    done = there.run("inbox", "--port", "0", *arguments, **at, **variables, WORKUNITS_DEV_LOGIN="true")

    assert done.returncode == 2
    assert "dev_login: anyone who reaches the inbox could be anyone" in done.stderr


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [
        ({"WORKUNITS_DIRECTORY": "none.toml"}, 2, "none.toml: there is no such directory"),
        ({"WORKUNITS_TOKENS": "none.toml"}, 2, "none.toml: there is no such token file"),
        ({"WORKUNITS_SESSION_KEY": "short"}, 2, "session_key: should have 32 characters or more"),
        ({"WORKUNITS_OIDC_ISSUER": "http://login.example.com"}, 2, "oidc_issuer: "),
        ({"WORKUNITS_OIDC_ISSUER": "https://login.example.com"}, 2, "oidc_client_id: as what does the provider know"),
        ({"WORKUNITS_DEV_LOGIN": "maybe"}, 2, "dev_login: should be a valid boolean"),
        ({"WORKUNITS_JOURNAL": "mysql://x"}, 2, "WORKUNITS_JOURNAL"),
        ({"TEMPORAL_ADDRESS": "127.0.0.1:1"}, 3, "no Temporal at 127.0.0.1:1"),
    ],
)
def test_it_does_not_start_with_what_is_not_right(there, at, variables, code, said):
    """52 to 54: one sentence that names the setting or the file, and the exit code; a value is not repeated."""
    done = there.run("inbox", "--port", "0", **{**at, **variables})

    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.startswith("workunits: ") or done.stderr.count("\n") == 1
    assert "short" not in done.stderr


def test_it_needs_a_directory_and_a_free_port(there, at):
    """Without people there is nobody to serve; a port that is taken is named."""
    process = there.spawn("inbox", "--port", "0", **at)
    port = address_in(process.until("nobody can log in")).rpartition(":")[2]
    taken = there.run("inbox", "--port", port, **at)
    there.write("workunits.toml", "")
    nobody = there.run("inbox", "--port", "0", **at)

    assert (taken.returncode, nobody.returncode) == (1, 2)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in taken.stderr
    assert "Name their file in WORKUNITS_DIRECTORY" in nobody.stderr


def test_an_accountable_role_that_is_nobodys_keeps_it_from_starting(there, at):
    """36: who answers for a decision of the catalog is known before anyone decides."""
    there.write("people.toml", DIRECTORY.replace('role = "head of compliance"', 'role = "head of complaints"'))
    done = there.run("inbox", "--port", "0", **at)

    assert done.returncode == 2
    assert "the role head of compliance answers for decisions here, and nobody holds it" in done.stderr


def test_the_doctor_reads_the_directory_and_the_tokens(there, at):
    """A file that an inbox could not start with is a finding, and a token that is about to expire a warning."""
    there.write("people.toml", DIRECTORY.replace('person = "karim.head"', 'person = "karin.head"', 1))
    old = there.run("token", "erp", "--role", "refund approver", "--unit", "refund_request", "--days", "1", "--json")
    there.write("tokens.toml", json.loads(old.stdout)["entry"])
    said = there.run("doctor", "--json", **at, WORKUNITS_TOKENS="tokens.toml")
    found = {finding["check"]: finding for finding in json.loads(said.stdout)["findings"]}

    assert found["directory"]["status"] == "fail"
    assert "there is no such person; did you mean karim.head?" in found["directory"]["message"]
    assert (found["tokens"]["status"], "erp" in found["tokens"]["message"]) == ("warn", True)

    there.write("people.toml", DIRECTORY)
    said = there.run("doctor", "--json", **at, WORKUNITS_TOKENS="people.toml")
    found = {finding["check"]: finding for finding in json.loads(said.stdout)["findings"]}
    assert (found["directory"]["status"], found["tokens"]["status"]) == ("ok", "fail")


def test_a_token_is_shown_once_and_its_entry_opens_the_api(there, at):
    """The command prints the token and the entry; an inbox with that entry takes the token."""
    made = there.run("token", "erp", "--role", "refund approver", "--unit", "refund_request", "--json")
    document = json.loads(made.stdout)
    there.write("tokens.toml", document["entry"])
    process = there.spawn("inbox", "--port", "0", **at, WORKUNITS_TOKENS="tokens.toml")
    url = address_in(process.until("nobody can log in"))
    good = httpx2.get(f"{url}/api/v1/tasks", headers={"authorization": f"Bearer {document['token']}"})
    bad = httpx2.get(f"{url}/api/v1/tasks", headers={"authorization": "Bearer wu_other"})

    assert (good.status_code, bad.status_code) == (200, 401)
    assert document["token"] not in document["entry"] + process.said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ERP", "--role", "a", "--unit", "refund_request"], "name: 1 to 40 small letters"),
        (["erp", "--role", "system", "--unit", "refund_request"], "the role system is the runtime's own"),
        (["erp", "--role", "a", "--unit", "refund"], "did you mean refund_request"),
        (["erp", "--role", "a"], "--unit"),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(shell, arguments, said):
    """A name, role or unit that the token file would refuse is refused before there is a token."""
    done = shell.run("token", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
