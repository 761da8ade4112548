"""`workunits notify`: what it refuses to start with, and how it shows whom it cannot reach."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbox.channels import mail_url
from inbox.notice import Notice
from inbox.noticeboard import Message, Noticeboard
from inbox.store import Store
from tests.workers.conftest import Shell
from workers.checks.notices import notices
from workers.settings import load_settings

DIRECTORY = (Path(__file__).parents[2] / "workers" / "templates" / "directory.toml").read_text(encoding="utf-8")
WHO = "person:ines.officer"


@pytest.fixture
def there(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A folder with people, and channels for those with a mail address; in which we are."""
    shell.write("workunits.toml", 'directory = "people.toml"\nnotices = "channels.toml"\n')
    shell.write("people.toml", DIRECTORY)
    shell.write("channels.toml", 'mail = "mailto://127.0.0.1:1?from=inbox@example.com"\n').chmod(0o600)
    monkeypatch.chdir(shell.folder)
    return shell


@pytest.fixture
def board(there: Shell) -> Noticeboard:
    """The notice board in that folder, with one notice."""
    board = Noticeboard(Store(f"sqlite:///{there.folder / '.workunits' / 'journal.sqlite'}"))
    board.open()
    notice = Notice("plain:1/decide", "assignment", "candidates", (WHO,), "plain", "1", "decide", "clerk")
    board.add([notice], 10, datetime.now(UTC))
    return board


def fail(board: Noticeboard) -> None:
    """Let the delivery fail for good."""
    now = datetime.now(UTC)
    message = board.open_message("notice:plain:1/decide:assignment", WHO, timedelta(0), now)
    assert isinstance(message, Message)
    assert board.undelivered(message, "nothing listens there", timedelta(0), now) == "failed"


def test_it_says_what_is_missing(shell: Shell):
    """Without people, and without a way to reach them, nothing starts."""
    assert "WORKUNITS_DIRECTORY" in shell.run("notify").stderr
    shell.write("people.toml", DIRECTORY)
    ended = shell.run("notify", WORKUNITS_DIRECTORY="people.toml")
    assert (ended.returncode, "WORKUNITS_NOTICES" in ended.stderr) == (2, True)
    ended = shell.run("notify", "--json", WORKUNITS_DIRECTORY="people.toml")
    assert (ended.returncode, json.loads(ended.stderr)["error"]["field"]) == (2, "notices")


def test_a_dead_channel_is_shown(there: Shell, board: Noticeboard):
    """By the status, whose exit code says so, and by the doctor; until something gets through."""
    assert "no notifier has run yet" in there.run("notify", "--status").stdout
    fail(board)
    ended = there.run("notify", "--status", "--json")
    said = json.loads(ended.stdout)
    assert (ended.returncode, said["deliveries"]) == (1, {"failed": 1})
    assert (said["incidents"][0]["recipient"], said["incidents"][0]["error"]) == (WHO, "nothing listens there")
    assert f"DEAD  {WHO}" in there.run("notify", "--status").stdout
    checks = {finding.check: finding for finding in notices(load_settings())}
    assert (checks["channels"].status, checks["notices"].status) == ("ok", "fail")


def test_the_doctor_says_when_nobody_is_told(there: Shell, board: Noticeboard):
    """No notifier, or people whom nothing reaches."""
    assert [finding.status for finding in notices(load_settings())] == ["ok", "warn"]
    board.passed(None, datetime.now(UTC))
    assert [finding.status for finding in notices(load_settings())] == ["ok", "ok"]
    there.write("channels.toml", "")
    unreached, _ = notices(load_settings())
    assert (unreached.status, "ines.officer" in unreached.message) == ("warn", True)
    there.write("channels.toml", "window = 'x'")
    assert [finding.status for finding in notices(load_settings())] == ["fail"]


@pytest.mark.parametrize(
    ("smtp", "url"),
    [
        ("smtp://mail.example.com", "mailto://mail.example.com:25?smtp=mail.example.com&from=a%40example.com"),
        (
            "smtp+tls://me%40x:p%2Fw@mail.example.com:2525",
            "mailtos://me%40x:p%2Fw@mail.example.com:2525?smtp=mail.example.com&from=a%40example.com&mode=starttls",
        ),
    ],
)
def test_the_mail_server_of_the_settings_as_a_channel(smtp: str, url: str):
    """Its login and its encryption are kept."""
    assert mail_url(smtp, "a@example.com") == url
