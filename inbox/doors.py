"""Everything that the inbox needs, put together by whoever runs it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inbox.directory import Directory
from inbox.limits import Limits
from inbox.oidc import Provider
from inbox.sessions import Ended
from inbox.tokens import Tokens
from observability.ledger.store import Ledger
from workunits.client import Cases
from workunits.registry import Catalog

if TYPE_CHECKING:
    from inbox.journal import Journal


def is_loopback(host: str) -> bool:
    """Whether a name or an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Doors:
    """What the pages, the API and the service stand on."""

    cases: Cases
    """The way to cases; its `client` is connected and carries the plugin."""
    catalog: Catalog
    ledger: Ledger
    directory: Directory
    journal: Journal
    url: str
    """Where people find the inbox: scheme, host and port, without a slash at the end."""
    session_key: str = field(repr=False)
    """What signs the session cookies; at least 32 characters."""
    ended: Ended
    """Sessions that were logged out of."""
    tokens: Tokens = field(default_factory=Tokens)
    """Machines that may call the API."""
    provider: Provider | None = None
    """The OpenID provider; None: nobody can log in through one."""
    dev_login: bool = False
    """Anyone who reaches the page may be anyone in the directory. Every page says so."""
    hosts: tuple[str, ...] = ()
    """Further `Host` headers that mean us, beside the one of `url`."""
    limits: Limits = field(default_factory=Limits)
    """How much one may ask for."""
    temporal_ui: str = ""
    """Temporal's page, for links; empty when there is none."""
    traces: str = ""
    """A URL with `{trace_id}`, for links to a trace; empty when there is none."""

    def __post_init__(self) -> None:
        """Refuse the development login under a name by which others could come.

        Raises:
            ValueError.
        """
        if self.dev_login and not is_loopback(urlsplit(self.url).hostname or ""):
            raise ValueError("the development login is for this machine's own loopback alone")

    @property
    def secure(self) -> bool:
        """Whether people reach us by https."""
        return self.url.startswith("https://")

    @property
    def origins(self) -> frozenset[str]:
        """The origins whose pages are ours."""
        scheme = urlsplit(self.url).scheme
        return frozenset({self.url, *(f"{scheme}://{host}" for host in self.hosts)})
