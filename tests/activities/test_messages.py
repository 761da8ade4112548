"""Messages: into files, and to a real mail server on loopback."""

from __future__ import annotations

import email
import email.policy
import smtplib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from temporalio.exceptions import ApplicationError

from workunits.messages import FileOutbox, SmtpTransport, Transport, compose

TO = "ana@example.com"
HIDDEN = "hidden"
BAD_ADDRESSES = (
    "", "ana", "a@b@c", "a@b.c, d@e.f", "a@b.c;d@e.f", "a b@c.d", "Ana <a@b.c>", "a@b.c\r\nBcc: d@e.f", "a@b.c\n",
    "a\x00@b.c", "a@b.c\u2028", "group:a@b.c;",
)  # fmt: skip


def _read(path: Path) -> EmailMessage:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_the_outbox_writes_a_message_that_mail_programs_read(tmp_path: Path) -> None:
    """One file, with everything in it, in whatever script."""
    outbox: Transport = FileOutbox(tmp_path / "outbox")
    sent = outbox.send(TO, "Grüße, 王さん", "Zeile 1\nZeile 2: 5,00 €", "case/step")
    (file,) = (tmp_path / "outbox").iterdir()
    message = _read(file)
    assert message["To"] == TO
    assert message["Subject"] == "Grüße, 王さん"
    assert message["Message-ID"] == sent
    assert message.get_content() == "Zeile 1\nZeile 2: 5,00 €\n"


def test_the_same_key_is_sent_once(tmp_path: Path) -> None:
    """A second attempt leaves the first message as it is; another key is another message."""
    first = FileOutbox(tmp_path).send(TO, "One", "one", "case/step")
    again = FileOutbox(tmp_path).send(TO, "Two", "two", "case/step")
    assert first == again
    assert [_read(file)["Subject"] for file in tmp_path.iterdir()] == ["One"]
    assert FileOutbox(tmp_path).send(TO, "One", "one", "case/other") != first
    assert len(list(tmp_path.iterdir())) == 2


def test_rivals_with_one_key_leave_one_whole_message(tmp_path: Path) -> None:
    """Twenty threads leave one file and no half one."""
    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(lambda _: FileOutbox(tmp_path).send(TO, "S", "b" * 10_000, "k"), range(20)))
    assert len(ids) == 1
    (file,) = tmp_path.iterdir()
    assert _read(file).get_content().strip() == "b" * 10_000


def test_a_crash_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not written whole was not sent, and the next attempt sends it."""

    def crash(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", crash)
        with pytest.raises(OSError, match="disk full"):
            FileOutbox(tmp_path).send(TO, "S", "b", "k")
    assert list(tmp_path.iterdir()) == []
    FileOutbox(tmp_path).send(TO, "S", "b", "k")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("key", ["../../etc/passwd", "a/b", "", "\ud800", "x" * 10_000, "k\r\nBcc: d@e.f"])
def test_a_hostile_key_stays_in_the_folder_and_in_its_header(key: str, tmp_path: Path) -> None:
    """A key names a message through its hash only."""
    FileOutbox(tmp_path / "outbox").send(TO, "S", "b", key)
    (file,) = (tmp_path / "outbox").iterdir()
    assert file.stem.isalnum()
    assert _read(file)["Bcc"] is None


@pytest.mark.parametrize("to", BAD_ADDRESSES)
def test_anything_but_one_address_is_refused(to: str, tmp_path: Path) -> None:
    """Lists, names, groups and line breaks reach nobody, and the refusal repeats no address."""
    with pytest.raises(ApplicationError, match="not one e-mail address") as raised:
        FileOutbox(tmp_path).send(to, "S", "b", "k")
    assert (raised.value.type, raised.value.non_retryable) == ("message_refused", True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x00", "\x0b", "\x85", "\u2028", "\u2029"])
def test_a_line_break_in_the_subject_is_refused(end: str, tmp_path: Path) -> None:
    """No subject smuggles a header in."""
    with pytest.raises(ApplicationError, match="subject has a line break"):
        FileOutbox(tmp_path).send(TO, f"Hello{end}Bcc: eve@example.com", "b", "k")


def test_a_body_cannot_end_the_message(tmp_path: Path) -> None:
    """Headers and end marks in a body are text."""
    FileOutbox(tmp_path).send(TO, "S", "a\n\nBcc: eve@example.com\n.\nQUIT\n", "k")
    message = _read(next(tmp_path.iterdir()))
    assert message["Bcc"] is None
    assert ".\nQUIT" in message.get_content()


class Handler:
    """Keeps what it is sent; refuses by local part."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], EmailMessage]] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse who is called so."""
        if address.startswith("nobody"):
            return f"550 5.1.1 {address} is not here"
        if address.startswith("later"):
            return f"451 4.3.0 {address} is busy"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Keep it."""
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append((envelope.rcpt_tos, message))
        return "250 OK"


@pytest.fixture
def server() -> Iterator[tuple[Handler, int]]:
    """A mail server on a free port."""
    handler, bound = Handler(), socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]

    class Bound(Controller):
        """Its port is never free, so that no other process takes it meanwhile."""

        def _create_server(self) -> Any:
            return self.loop.create_server(self._factory_invoker, sock=bound)

    controller: Any = Bound(handler, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    try:
        yield handler, port
    finally:
        controller.stop()


def test_a_mail_server_gets_the_message(server: tuple[Handler, int]) -> None:
    """The real client hands it over, and a repeat has the same Message-ID."""
    handler, port = server
    transport: Transport = SmtpTransport("127.0.0.1", port, sender="care@example.com")
    sent = [transport.send(TO, "Grüße", "5,00 €\n.\nlast", "case/step") for _ in range(2)]
    (to, message), (_, again) = handler.got
    assert to == [TO]
    assert message["From"] == "care@example.com"
    assert message["Subject"] == "Grüße"
    assert message.get_content().splitlines() == ["5,00 €", ".", "last"]
    assert sent[0] == sent[1] == message["Message-ID"] == again["Message-ID"]


def test_an_address_that_the_server_refuses_is_final(server: tuple[Handler, int]) -> None:
    """A 550 is not asked again, and no text repeats the address."""
    with pytest.raises(ApplicationError, match="550") as raised:
        SmtpTransport("127.0.0.1", server[1]).send("nobody@example.com", "S", "b", "k")
    assert (raised.value.type, raised.value.non_retryable) == ("message_refused", True)
    assert "nobody" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_server_that_is_busy_is_asked_again(server: tuple[Handler, int]) -> None:
    """A 451 is a technical failure that Temporal repeats."""
    with pytest.raises(ApplicationError, match="451") as raised:
        SmtpTransport("127.0.0.1", server[1]).send("later@example.com", "S", "b", "k")
    assert not raised.value.non_retryable


def test_a_server_that_is_not_there_is_asked_again() -> None:
    """No connection is no refusal: the platform repeats whatever is not marked final."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and nobody listens there
        with pytest.raises(OSError, match="refused"):
            SmtpTransport("127.0.0.1", free.getsockname()[1]).send(TO, "S", "b", "k")


def test_no_password_without_tls(server: tuple[Handler, int]) -> None:
    """A password is neither sent in clear nor shown."""
    with pytest.raises(ValueError, match="set starttls"):
        SmtpTransport("127.0.0.1", username="u", password=HIDDEN)
    assert HIDDEN not in repr(SmtpTransport("h", username="u", password=HIDDEN, starttls=True))
    with pytest.raises(ApplicationError, match="refuses it"):
        SmtpTransport("127.0.0.1", server[1], starttls=True).send(TO, "S", "b", "k")
    assert server[0].got == []


def test_a_connection_that_breaks_off_is_no_refusal(
    server: tuple[Handler, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server did not answer is repeated by the platform."""

    def broken(*_: object) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(smtplib.SMTP, "send_message", broken)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        SmtpTransport("127.0.0.1", server[1]).send(TO, "S", "b", "k")


def test_the_message_says_that_a_machine_sent_it() -> None:
    """Out-of-office replies stay away."""
    assert compose("a@b.c", TO, "S", "b", "k")["Auto-Submitted"] == "auto-generated"
