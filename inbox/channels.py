"""How people are reached: the file of channels, each an apprise URL, read again when it changes; see docs/notices.md.

It is a file of its own beside the directory's: the URLs hold passwords, which whoever keeps the people need not know.

::

    window = 60
    mail = "mailtos://user:password@smtp.example.com?from=inbox@example.com"

    [[channel]]
    role = "refund approver"
    url = "slack://token-a/token-b/token-c/#refunds"
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from temporalio.exceptions import ApplicationError

from inbox.directory import Directory
from inbox.files import LOOK_EVERY, Entry, FileError, Watched, read
from workunits.messages import FileOutbox

_OUTBOX = "outbox"
"""The scheme of a folder in which mail is left; ours, not apprise's."""
_KEYS = ("window", "patience", "pause", "cap", "mail")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, and for how long."""

    window: timedelta = timedelta(minutes=1)
    """What comes within it goes to a person in one message."""
    patience: timedelta = timedelta(hours=4)
    """For how long a dead channel is tried."""
    pause: timedelta = timedelta(seconds=30)
    """For how long a channel that failed is left alone."""
    cap: int = 10
    """How many notices of assignments and escalations one task has."""


@dataclass(frozen=True, slots=True)
class Routes:
    """One version of the file of channels."""

    pace: Pace = field(default_factory=Pace)
    mail: str = ""
    """The channel of everybody who has a mail address and no channel."""
    urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By recipient."""


class Channels:
    """Where a notice goes; every answer is as of the file's last good version."""

    def __init__(self, routes: Routes | None = None) -> None:
        """Say it once and for all; see `watch` for a file."""
        self._routes = routes if routes is not None else Routes()
        self._watched: Watched[Routes] | None = None

    @classmethod
    def watch(cls, path: Path, *, mail: str = "", every: float = LOOK_EVERY) -> Channels:
        """Read a file, and read it again when it changes.

        Args:
            path: The file.
            mail: The mail channel where the file names none.
            every: Seconds between looks at the file.

        Raises:
            FileError: it is not right; a later version that is not right is told in the log and not taken.
        """
        made = cls()
        made._watched = Watched(path, lambda there: load_routes(there, mail), every)
        return made

    @property
    def routes(self) -> Routes:
        """The version in force."""
        return self._watched.now if self._watched else self._routes

    def has_role(self, role: str) -> bool:
        """Whether a role has a channel of its own."""
        return f"role:{role}" in self.routes.urls

    def of(self, recipient: str, directory: Directory) -> str:
        """The URL that reaches someone; empty when none does."""
        routes = self.routes
        if recipient in routes.urls:
            return routes.urls[recipient]
        person = directory.person(recipient.removeprefix("person:"))
        if not recipient.startswith("person:") or person is None or not (person.email and routes.mail):
            return ""
        return f"{routes.mail}{'&' if '?' in routes.mail else '?'}to={quote(person.email, safe='')}"


def load_routes(path: Path, mail: str = "") -> Routes:
    """Read a file of channels.

    Args:
        path: The file.
        mail: The mail channel where the file names none.

    Raises:
        FileError: whatever is not right, with its line; never a URL: it holds passwords.
    """
    source = read(path, "file of channels")
    if path.stat().st_mode & stat.S_IROTH:
        raise FileError(path, "anyone may read this file of channels, which holds passwords: chmod o-r it")
    top = source.top()
    top.refuse_unknown((*_KEYS, "channel"))
    pace = Pace(
        timedelta(seconds=_number(top, "window", 60, 0, 3600)),
        timedelta(seconds=_number(top, "patience", 14_400, 1, 604_800)),
        timedelta(seconds=_number(top, "pause", 30, 0.1, 3600)),
        int(_number(top, "cap", 10, 1, 100)),
    )
    urls: dict[str, str] = {}
    for entry in source.entries("channel"):
        entry.refuse_unknown(("person", "role", "url"))
        whose = [what for what in ("person", "role") if what in entry.data]
        if len(whose) != 1:
            raise entry.error("person", "whose channel is it? Name one person, or one role")
        recipient = f"{whose[0]}:{entry.text(whose[0])}"
        if recipient in urls:
            raise entry.error(whose[0], "the channel is there twice; keep one")
        urls[recipient] = _url(entry, "url")
    return Routes(pace, _url(top, "mail") if "mail" in top.data else mail, urls)


def mail_url(smtp: str, sender: str) -> str:
    """The apprise URL of a server as `WORKUNITS_MAIL` names it: `smtp://` or `smtp+tls://[user:password@]host[:port]`.

    Args:
        smtp: The server.
        sender: The sender's address.
    """
    there = urlsplit(smtp)
    tls = there.scheme.endswith("+tls")
    login = ""
    if there.username:
        login = f"{_again(there.username)}:{_again(there.password or '')}@"
    port = there.port or (587 if tls else 25)
    host = there.hostname or ""
    mode = "&mode=starttls" if tls else ""
    scheme = "mailtos" if tls else "mailto"
    return f"{scheme}://{login}{host}:{port}?smtp={host}&from={quote(sender, safe='')}{mode}"


def outbox_url(folder: Path, sender: str) -> str:
    """The channel that leaves mail in a folder instead of handing it to a server: to try things out.

    Args:
        folder: Where each message becomes a file.
        sender: The sender's address.
    """
    return f"{_OUTBOX}{folder.absolute().as_uri().removeprefix('file')}?{urlencode({'from': sender})}"


def deliver(url: str, title: str, body: str, reference: str) -> str:
    """Send one message, and wait for its end; gives why it failed, empty when it did not.

    Args:
        url: An apprise URL, or one of `outbox_url` with a `to`.
        title: Its subject.
        body: Its text.
        reference: Travels as the header `X-Workunits-Message` where the channel has headers; the same when the same
            is sent again.
    """
    if url.startswith(f"{_OUTBOX}:"):
        return _leave(url, title, body, reference)
    import apprise

    _hush()
    said: list[str] = []
    _said.set(said)
    service = _service(url)
    if service is None:
        return "the channel's URL is not understood; see docs/notices.md"
    headers = getattr(service, "headers", None)
    if isinstance(headers, dict):
        headers["X-Workunits-Message"] = reference
    outlet = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    outlet.add(service)
    if outlet.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT):
        return ""
    return " ".join(said)[:300] or "the channel did not take it"


def _leave(url: str, title: str, body: str, reference: str) -> str:
    """Leave one message in a folder; why that failed, empty when it did not."""
    there = urlsplit(url)
    said = parse_qs(there.query)
    try:
        FileOutbox(Path(unquote(there.path)), said["from"][0]).send(said["to"][0], title, body, reference)
    except OSError as error:
        return f"the folder of messages: {error.strerror}"
    except ApplicationError as error:
        return error.message
    return ""


class _Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        said = _said.get()
        if said is not None and record.levelno >= logging.WARNING:
            said.append(" ".join(record.getMessage().split()))


_said: ContextVar[list[str] | None] = ContextVar("said", default=None)
"""What apprise said of one message, in whichever of its threads: it gives its reasons to its log alone."""


def _hush() -> None:
    """Keep apprise's words to ourselves: they may hold the URL."""
    logger = logging.getLogger("apprise")
    if not any(isinstance(handler, _Listener) for handler in logger.handlers):
        logger.addHandler(_Listener())
        logger.propagate = False


def _service(url: str) -> Any:
    import apprise

    return apprise.Apprise.instantiate(url, asset=apprise.AppriseAsset(async_mode=False), suppress_exceptions=True)


def _url(entry: Entry, key: str) -> str:
    url = entry.text(key, longest=2000)
    _hush()
    probe = f"{url}{'&' if '?' in url else '?'}to=someone%40example.com" if key == "mail" else url
    if _service(probe) is None:
        raise entry.error(key, "not a URL that apprise knows, such as mailtos://, slack:// or jsons://")
    return url


def _number(entry: Entry, key: str, default: float, least: float, most: float) -> float:
    value = entry.data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise entry.error(key, f"a number from {least:g} to {most:g}")
    return float(value)


def _again(part: str) -> str:
    return quote(unquote(part), safe="")
