"""Where Temporal is: its own variables (`TEMPORAL_*`) and profiles, read by `temporalio.envconfig`, checked by us.

envconfig lets by what an operator surely did not mean: a file that is not there, a key that does not exist,
`TEMPORAL_TLS=maybe`, a certificate that is none. Each is refused here, before anything connects.
"""

from __future__ import annotations

import difflib
import os
import re
import ssl
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.envconfig import ClientConfigProfile, ClientConfigTLS, DataSource

from workers.settings import SettingsError, parse_toml
from workunits.core.errors import WorkUnitsError

DEFAULT = "127.0.0.1:7233"
"""Not `localhost`: that name may mean ::1 first, where the embedded engine does not listen."""
FILE = "TEMPORAL_CONFIG_FILE"
_VARIABLES = (
    "TEMPORAL_ADDRESS",
    "TEMPORAL_API_KEY",
    "TEMPORAL_CODEC_AUTH",
    "TEMPORAL_CODEC_ENDPOINT",
    FILE,
    "TEMPORAL_NAMESPACE",
    "TEMPORAL_PROFILE",
    "TEMPORAL_TLS",
    "TEMPORAL_TLS_CLIENT_CERT_DATA",
    "TEMPORAL_TLS_CLIENT_CERT_PATH",
    "TEMPORAL_TLS_CLIENT_KEY_DATA",
    "TEMPORAL_TLS_CLIENT_KEY_PATH",
    "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION",
    "TEMPORAL_TLS_SERVER_CA_CERT_DATA",
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
    "TEMPORAL_TLS_SERVER_NAME",
)
_META = "TEMPORAL_GRPC_META_"
"""Begins the variables of headers that go with each call."""
_SWITCHES = ("TEMPORAL_TLS", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION")
_PORT = re.compile(r".+:\d{1,5}$")


class UnreachableError(WorkUnitsError):
    """The engine cannot be reached."""


@dataclass(frozen=True)
class Address:
    """Where the engine is, and how to speak to it."""

    host: str
    namespace: str
    options: dict[str, Any]
    """Further arguments of `Client.connect`."""
    source: str
    """Where this was said, for messages."""
    encrypted: bool

    def __str__(self) -> str:
        """Name host, namespace and where it was said."""
        return f"{self.host}, namespace {self.namespace} ({self.source})"


def find_address() -> Address:
    """Read Temporal's configuration.

    Raises:
        SettingsError: a file, line or variable is not right.
        UnreachableError: a certificate or key is missing or is none.
    """
    _check_variables()
    try:
        profile = ClientConfigProfile.load(config_file_strict=True)
    except RuntimeError as error:
        raise _explained(str(error)) from None
    _check_certificates(profile.tls)
    try:
        options: dict[str, Any] = {**profile.to_client_connect_config()}
    except OSError as error:
        raise UnreachableError(f"TLS: {error.filename}: {error.strerror}") from None
    host = options.pop("target_host", DEFAULT)
    if not _PORT.match(host) or "://" in host:
        raise SettingsError(f"{_source()}: the address should be host:port, such as {DEFAULT}", field="address")
    namespace = options.pop("namespace", "default")
    return Address(host, namespace, options, _source(), encrypted=bool(options.get("tls")))


def variables() -> list[str]:
    """The variables that are set here and win over what a profile says."""
    known = {*_VARIABLES} - {FILE}
    return sorted(name for name in os.environ if name in known or name.startswith(_META))


def _source() -> str:
    if os.environ.get("TEMPORAL_ADDRESS"):
        return "from TEMPORAL_ADDRESS"
    if os.environ.get(FILE):
        return f"from {os.environ[FILE]}"
    return "from Temporal's default profile" if os.environ.get("TEMPORAL_PROFILE") else "the default"


def _check_variables() -> None:
    for name, value in os.environ.items():
        if name in _SWITCHES and value.lower() not in ("", "0", "1", "true", "false"):
            raise SettingsError(f"environment variable {name}: should be true or false", field=name)
        if name.startswith("TEMPORAL_") and name not in _VARIABLES:
            near = difflib.get_close_matches(name, _VARIABLES, n=1, cutoff=0.9)
            if near and not name.startswith(_META):
                raise SettingsError(f"environment variable {name}: did you mean {near[0]}?", field=name)
    file = os.environ.get(FILE)
    if not file:
        return
    try:
        text = Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{FILE}: {file}: there is no such file; name one that is there, or unset {FILE}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{FILE}: {file}: not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"{FILE}: {file}: cannot be read: {error.strerror}") from None
    profiles = parse_toml(Path(file), text).get("profile", {})
    wanted = os.environ.get("TEMPORAL_PROFILE")
    if wanted and isinstance(profiles, dict) and wanted not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise SettingsError(f"TEMPORAL_PROFILE: {file} has no such profile; it has {known}", field="TEMPORAL_PROFILE")


def _explained(said: str) -> SettingsError:
    """Put envconfig's several lines into one: file, line, column, what is wrong."""
    file = os.environ.get(FILE) or "Temporal's configuration file"
    found = re.search(r"at line (\d+), column (\d+)", said)
    where = f"{file}:{found[1]}:{found[2]}" if found else file
    lines = [line for line in said.splitlines() if line.strip() and not re.match(r"\s*\d*\s*\|", line)]
    what = lines[-1].removeprefix("Configuration loading error: ")
    return SettingsError(f"{where}: {what}")


def _check_certificates(tls: ClientConfigTLS | None) -> None:
    """Refuse what is no certificate: the SDK would ignore a CA that it cannot read."""
    if tls is None or tls.disabled:
        return
    for what, source in (("CA certificate", tls.server_root_ca_cert), ("client certificate", tls.client_cert)):
        text = _text(what, source)
        if text is None:
            continue
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                context.load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError):
            raise UnreachableError(f"TLS: the {what}{_of(source)} is no PEM certificate") from None
    key = _text("client key", tls.client_private_key)
    if (tls.client_cert is None) != (key is None):
        lacking = "key (TEMPORAL_TLS_CLIENT_KEY_PATH)" if key is None else "certificate (TEMPORAL_TLS_CLIENT_CERT_PATH)"
        raise UnreachableError(f"TLS: the client's {lacking} is missing; give both, or neither")


def _text(what: str, source: DataSource | None) -> str | None:
    try:
        if isinstance(source, Path):
            return source.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise UnreachableError(f"TLS: the {what}{_of(source)} cannot be read: {error.strerror}") from None
    return source.decode("ascii", "replace") if isinstance(source, bytes) else source


def _of(source: DataSource | None) -> str:
    return f" {source}" if isinstance(source, Path) else ""
