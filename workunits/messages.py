"""Sending a message to a person outside, for performers.

A performer asks for a `Transport` by type; the runtime's settings say which. The key (`effect_key()`) names the
message: sending it again under the same key, as a retried step does, is not a second message.
"""

from __future__ import annotations

import hashlib
import os
import re
import smtplib
import ssl
import tempfile
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from pathlib import Path
from typing import Protocol

from temporalio.exceptions import ApplicationError

SENDER = "workunits@localhost"
TIMEOUT = 10.0
"""Seconds for each answer of a mail server; sending takes a handful of them."""
_LINE_ENDS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_ONE_ADDRESS = re.compile(r"[^@\s,;:<>()\"\[\]\\]+@[^@\s,;:<>()\"\[\]\\]+")
_PERMANENT = 500


class Transport(Protocol):
    """A way to send messages. It blocks, so it belongs into plain functions, not async ones."""

    def send(self, to: str, subject: str, body: str, key: str) -> str:
        """Send one message to one address, at most once per `key` where the medium can promise that.

        Args:
            to: One e-mail address.
            subject: One line.
            body: Plain text.
            key: Names the message; the same over all attempts.

        Returns:
            The message's id, which follows from the key.

        Raises:
            ApplicationError: `message_refused`: another attempt cannot help. Its text names no address.
        """
        ...


@dataclass(frozen=True)
class FileOutbox:
    """Writes each message as a file that mail programs open. One key, one file: nothing is sent twice."""

    folder: Path
    sender: str = SENDER

    def send(self, to: str, subject: str, body: str, key: str) -> str:
        """Write the message, unless its file is there."""
        message = compose(self.sender, to, subject, body, key)
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{_digest(key)}.eml"
        if not target.exists():
            # A reader sees a whole message or none, also after a crash in the middle.
            handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=self.folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(message.as_bytes())
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(target)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        return str(message["Message-ID"])


@dataclass(frozen=True)
class SmtpTransport:
    """Hands messages to a mail server.

    SMTP cannot promise exactly once: a crash between the server's answer and ours repeats the message, under the
    same Message-ID, by which mail systems recognise it.
    """

    host: str
    port: int = 25
    sender: str = SENDER
    starttls: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """With `starttls`; by default the system's certificates are trusted and host names are checked."""

    def __post_init__(self) -> None:
        """Refuse to send a password in clear text."""
        if self.username and not self.starttls:
            raise ValueError("a mail server's password is only sent over TLS: set starttls")

    def send(self, to: str, subject: str, body: str, key: str) -> str:
        """Hand the message over; a server that refuses for good is not asked again."""
        message = compose(self.sender, to, subject, body, key)
        try:
            with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT) as server:
                if self.starttls:
                    server.starttls(context=self.tls or ssl.create_default_context())
                if self.username:
                    server.login(self.username, self.password)
                server.send_message(message)
        except smtplib.SMTPException as error:
            raise _answered(error) from None
        return str(message["Message-ID"])


def compose(sender: str, to: str, subject: str, body: str, key: str) -> EmailMessage:
    """Make the message.

    Raises:
        ApplicationError: `message_refused`: not exactly one address, or a line break in a header.
    """
    if not _ONE_ADDRESS.fullmatch(to) or _LINE_ENDS.search(to):
        raise _refused("the recipient is not one e-mail address")
    if _LINE_ENDS.search(subject):
        raise _refused("the subject has a line break or a control character")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = f"<{_digest(key)}@workunits.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return message


def _answered(error: smtplib.SMTPException) -> Exception:
    """Tell a refusal for good (5xx) from one for now; a server's texts repeat addresses, so they stay out."""
    code = _PERMANENT
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = max((status for status, _ in error.recipients.values()), default=_PERMANENT)
    elif isinstance(error, smtplib.SMTPResponseException):
        code = error.smtp_code
    elif not isinstance(error, smtplib.SMTPNotSupportedError):
        return error
    if code >= _PERMANENT:
        return _refused(f"the mail server refuses it ({code})")
    return ApplicationError(f"The mail server refuses it for now ({code}).", type="message_deferred")


def _refused(why: str) -> ApplicationError:
    return ApplicationError(f"Not sent: {why}.", type="message_refused", non_retryable=True)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
