"""`workunits inbox`: what it refuses to start with, how it serves as a process, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import stat
from pathlib import Path

import httpx2
import pytest

from inbox.files import FileError
from inbox.store import JournalError
from observability.ledger.store import Ledger, SchemaError
from tests.patience import PATIENCE
from tests.workers.conftest import Shell
from workers.catalog import load_catalog
from workers.console import judge
from workers.engine.address import UnreachableError
from workers.engine.ports import LOOPBACK
from workers.processes.inbox import InboxError, serve
from workers.settings import SettingsError, load_settings

DIRECTORY = (Path(__file__).parents[2] / "workers" / "templates" / "directory.toml").read_text(encoding="utf-8")
LOGIN = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def there(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A folder with a directory of people and a ledger, in which we are."""
    shell.write("workunits.toml", 'directory = "people.toml"\n')
    shell.write("people.toml", DIRECTORY)
    ledger = Ledger(f"sqlite:///{shell.folder / '.workunits' / 'ledger.sqlite'}")
    ledger.migrate()
    ledger.close()
    monkeypatch.chdir(shell.folder)
    return shell


@pytest.fixture
def here(there: Shell, at: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The same, with the way to the engine."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", at["TEMPORAL_ADDRESS"])
    return there


async def start(host: str = LOOPBACK, port: int = 0) -> None:
    """Start an inbox here, in this process: each of these tests has it refuse."""
    await serve(load_settings(), load_catalog(()), host=host, port=port)


def address_in(said: str) -> str:
    """Where it says that it is."""
    found = re.search(r"the inbox is at (http\S+)", said)
    assert found, said
    return found[1]


def test_it_serves_until_it_is_asked_to_stop(there, at):
    """It serves people and machines, ends on SIGTERM with its open streams, and nobody is logged out by that."""
    made = there.run("token", "erp", "--role", "refund approver", "--unit", "refund_request", "--json")
    token, entry = json.loads(made.stdout)["token"], json.loads(made.stdout)["entry"]
    there.write("tokens.toml", entry)
    there.write("workunits.toml", 'directory = "people.toml"\ntokens = "tokens.toml"\ndev_login = true\n')
    process = there.spawn("inbox", "--port", "0", **at)
    url = address_in(process.until("development login"))
    with httpx2.Client(base_url=url, headers=LOGIN, timeout=30) as client:
        good = client.get("/api/v1/tasks", headers={"authorization": f"Bearer {token}"})
        bad = client.get("/api/v1/tasks", headers={"authorization": "Bearer wu_other"})
        assert client.post("/login/dev", data={"name": "ines.officer"}).status_code == 303
        cookie = client.cookies["workunits"]
        page = client.get("/tasks", headers={"accept": "text/html"})
        with client.stream("GET", "/live") as live:
            assert live.status_code == 200
            assert process.stop(signal.SIGTERM) == 0

    assert url.startswith(f"http://{LOOPBACK}:")
    assert (good.status_code, bad.status_code) == (200, 401)
    assert "Inés Ortega" in page.text
    assert "Traceback" not in process.said
    assert "graceful shutdown exceeded" not in process.said  # an open stream is told to end, and not cut
    assert process.said.rstrip().endswith("stopped")
    key = there.folder / ".workunits" / "session.key"
    assert (len(key.read_text()) >= 32, stat.S_IMODE(key.stat().st_mode)) == (True, 0o600)
    for secret in (key.read_text(), token, cookie):
        assert secret not in process.said + entry

    again = there.spawn("inbox", "--port", "0", **at)
    url = address_in(again.until("development login"))
    assert httpx2.get(f"{url}/tasks", headers={"cookie": f"workunits={cookie}"}, timeout=30).status_code == 200
    assert again.stop(signal.SIGINT) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_is_asked_to_stop_while_it_starts(there, at, number):
    """A signal that comes while it connects is not its death: it closes what it opened, and ends as stopped."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await go_on.wait()
        host, port = at["TEMPORAL_ADDRESS"].split(":")
        inside, outside = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, outside), pump(inside, writer), return_exceptions=True)

    async with await asyncio.start_server(through, LOOPBACK, 0) as way, asyncio.timeout(PATIENCE):
        address = f"{LOOPBACK}:{way.sockets[0].getsockname()[1]}"
        process = there.spawn("inbox", "--port", "0", "--json", TEMPORAL_ADDRESS=address)
        await arrived.wait()
        process.process.send_signal(number)
        go_on.set()
        ended = await asyncio.to_thread(process.process.wait, PATIENCE)

    assert ended == 0, process.said
    assert process.said.rstrip().endswith("stopped")
    assert '"listening"' not in process.said


@pytest.mark.parametrize(
    ("host", "variables"),
    [
        ("0.0.0.0", {}),  # noqa: S104 - it is refused
        ("::", {}),
        (LOOPBACK, {"INBOX_URL": "https://inbox.example.com"}),
        (LOOPBACK, {"INBOX_URL": "http://localhost.example.com"}),
        (LOOPBACK, {"INBOX_PROXIES": "127.0.0.1"}),
    ],
)
async def test_the_development_login_is_for_this_machine_alone(here, monkeypatch, host, variables):
    """Wherever others could reach it, it refuses to start."""
    for name, value in ({"DEV_LOGIN": "true"} | variables).items():
        monkeypatch.setenv(f"WORKUNITS_{name}", value)

    with pytest.raises(SettingsError, match="dev_login: anyone who reaches the inbox could be anyone"):
        await start(host)


@pytest.mark.parametrize(
    ("variables", "error", "said"),
    [
        ({"WORKUNITS_DIRECTORY": "none.toml"}, FileError, "none.toml: there is no such directory"),
        ({"WORKUNITS_TOKENS": "none.toml"}, FileError, "none.toml: there is no such token file"),
        ({"WORKUNITS_SESSION_KEY": "short"}, SettingsError, "session_key: should have 32 characters or more"),
        ({"WORKUNITS_OIDC_ISSUER": "http://login.example.com"}, SettingsError, "oidc_issuer: should match"),
        ({"WORKUNITS_OIDC_ISSUER": "https://login.example.com"}, SettingsError, "oidc_client_id: as what does"),
        ({"WORKUNITS_DEV_LOGIN": "maybe"}, SettingsError, "dev_login: should be a valid boolean"),
        ({"WORKUNITS_TRACE_URL": "http://traces"}, SettingsError, "trace_url: should match"),
        ({"WORKUNITS_JOURNAL": "mysql://x"}, JournalError, "the inbox's store can be SQLite in a file, or PostgreSQL"),
        ({"WORKUNITS_LEDGER": "sqlite:///empty.sqlite"}, SchemaError, "has no tables yet"),
        ({"TEMPORAL_ADDRESS": "127.0.0.1:1"}, UnreachableError, "no Temporal at 127.0.0.1:1"),
    ],
)
async def test_it_does_not_start_with_what_is_not_right(here, monkeypatch, variables, error, said):
    """52 to 54: one sentence that names the setting or the file, never the value, and the exit code of its kind."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(error) as caught:
        await start()
    judged = judge(caught.value)
    assert judged is not None
    assert judged.exit_code == {UnreachableError: 3, SchemaError: 1}.get(error, 2)
    assert said in str(judged)
    assert "short" not in str(judged)


async def test_it_needs_people_a_port_and_a_name(here):
    """Without a directory there is nobody to serve; a port that is taken, and an address without a name, are said."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InboxError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            await start(port=port)
    with pytest.raises(SettingsError, match="inbox_url: by which address do people find the inbox"):
        await start("0.0.0.0")  # noqa: S104 - it is refused
    here.write("workunits.toml", "")
    with pytest.raises(SettingsError, match="Name their file in WORKUNITS_DIRECTORY"):
        await start()


async def test_an_accountable_role_that_is_nobodys_keeps_it_from_starting(here):
    """36: who answers for a decision of the catalog is known before anyone decides."""
    here.write("people.toml", DIRECTORY.replace('role = "head of compliance"', 'role = "head of complaints"'))

    with pytest.raises(FileError, match="the role head of compliance answers for decisions here, and nobody holds it"):
        await start()


def test_the_doctor_reads_the_directory_and_the_tokens(there, at):
    """A file that an inbox could not start with is a finding, and a token that is about to expire a warning."""
    there.write("people.toml", DIRECTORY.replace('person = "karim.head"', 'person = "karin.head"', 1))
    old = there.run("token", "erp", "--role", "refund approver", "--unit", "refund_request", "--days", "1", "--json")
    there.write("tokens.toml", json.loads(old.stdout)["entry"])
    said = there.run("doctor", "--json", **at, WORKUNITS_TOKENS="tokens.toml")
    found = {finding["check"]: finding for finding in json.loads(said.stdout)["findings"]}

    assert said.returncode == 1
    assert found["directory"]["status"] == "fail"
    assert "there is no such person; did you mean karim.head?" in found["directory"]["message"]
    assert (found["tokens"]["status"], "erp" in found["tokens"]["message"]) == ("warn", True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ERP", "--role", "a", "--unit", "refund_request"], "name: 1 to 40 small letters"),
        (["erp", "--role", "system", "--unit", "refund_request"], "the role system is the runtime's own"),
        (["erp", "--role", "a", "--unit", "refund"], "did you mean refund_request"),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(shell, arguments, said):
    """A name, role or unit that the token file would refuse is refused before there is a token."""
    done = shell.run("token", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_after_a_restore_what_people_did_since_is_sent_again(there, at):
    """It says how much there was; what is no time is refused by name."""
    none = there.run("redeliver", "2026-01-31T12:00:00Z", **at)
    told = there.run("redeliver", "2026-01-31", "--json", **at)
    bad = there.run("redeliver", "yesterday", "--json")

    assert (none.returncode, none.stdout) == (0, "0 action(s) looked at since 2026-01-31 12:00:00 UTC.\n")
    assert json.loads(told.stdout) == {"redelivered": []}
    assert (bad.returncode, json.loads(bad.stderr)["error"]["field"]) == (2, "since")
