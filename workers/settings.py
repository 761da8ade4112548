"""The runtime's settings, read once and handed down.

From the environment (`WORKUNITS_QUEUE=...`), else from a TOML file (`workunits.toml` in the current folder, or the
one that `--config` names), else the default. How to reach Temporal is not among them: that is Temporal's own
configuration, see `workers.engine.address`.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, SecretStr, TypeAdapter, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from workers.secret_files import END, SecretFileError, from_files
from workunits.core.errors import WorkUnitsError

FILE = Path("workunits.toml")
PREFIX = "WORKUNITS_"
LEDGER_FILE, JOURNAL_FILE = "ledger.sqlite", "journal.sqlite"
"""The files in the state folder, unless `WORKUNITS_LEDGER` and `WORKUNITS_JOURNAL` name other places."""
SHORTEST_KEY = 32
"""Characters of the key that signs session cookies."""
_OTHERS = ("WORKUNITS_CONFIG", "WORKUNITS_DEBUG", "WORKUNITS_LOG")
"""Variables with our prefix that the command line reads by itself."""

Machine = Literal["automated", "ai"]
"""The executor kinds that a worker can serve."""
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
_Queue = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$")]
_Origin = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.\[\]:-]{1,253}$")]
_Issuer = Annotated[str, Field(pattern=r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])[^\s?#]{1,400}$")]
_Module = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]


class SettingsError(WorkUnitsError):
    """The settings are not right."""

    def __init__(self, message: str, *, field: str = "") -> None:
        """Say where and what; `field` is the setting's name."""
        self.field = field
        super().__init__(message)


class Settings(BaseSettings):
    """Everything that an operator may set, except where Temporal is."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    ai_model: str = "test"
    """`test`, `openai:<model>`, `anthropic:<model>` or `ollama:<model>`."""
    ai_base_url: str | None = Field(default=None, pattern=r"^https?://")
    """Another address that speaks the provider's protocol."""
    ledger: SecretStr | None = None
    """`sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`; a SQLite file in `state` when omitted."""
    codec_keys: Path | None = None
    """The key file with which all that Temporal keeps of a case is sealed; in clear when omitted."""
    codec_origins: Annotated[tuple[_Origin, ...], NoDecode] = ("http://localhost:8233", "http://127.0.0.1:8233")
    """Where Temporal's page is served from, exactly: the pages that may ask the codec server."""
    codec_token: SecretStr | None = None
    """What the codec server wants to be shown; needed where others than this machine reach it."""
    mail: SecretStr | None = None
    """`smtp://[user:password@]host[:port]`, with `smtp+tls://` for STARTTLS; a folder of files when omitted."""
    mail_from: str = "workunits@localhost"
    directory: Path | None = None
    """The file of people, their roles, and who answers for what."""
    tokens: Path | None = None
    """The file of the API tokens of machines; none may call when omitted."""
    notices: Path | None = None
    """The file of the channels by which people are told of their tasks; by `mail` alone when omitted."""
    journal: SecretStr | None = None
    """The inbox's own store, never the ledger's: a URL like the ledger's; a SQLite file in `state` when omitted."""
    inbox_url: _Origin | None = None
    """Where people find the inbox, when that is not where it listens."""
    inbox_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses of proxies that say truly from where a request came; in the environment separated by commas."""
    session_key: SecretStr | None = None
    """What signs session cookies; when omitted, a file in `state`, which is made with a new one."""
    dev_login: bool = False
    """Anyone may be anyone of the directory; refused unless the inbox is on this machine's loopback."""
    oidc_issuer: _Issuer | None = None
    """The OpenID provider through which people log in."""
    oidc_client_id: str | None = Field(default=None, min_length=1)
    oidc_client_secret: SecretStr | None = None
    oidc_scopes: str = "openid profile email"
    oidc_name_claim: str = "sub"
    """The claim that stands on records; one that people change themselves would let them act as others."""
    oidc_groups_claim: str = "groups"
    temporal_ui: _Origin | None = None
    """Temporal's page, for links to a case's history."""
    trace_url: Annotated[str, Field(pattern=r"^https?://[^\s{}]+\{trace_id\}[^\s{}]*$")] | None = None
    """For links to a case's trace, with `{trace_id}` in it."""
    unpublished: Literal["embedded", "anywhere"] = "embedded"
    """Where definitions that nobody has signed may run: on the embedded engine alone, or on any, for development."""
    calendars: Path = Path("calendars")
    """The folder of the organisation's published calendars, beside those that packages bring."""
    data: Path = Path(".workunits/data")
    """What performers keep: the shop's and the bank's tables, the outbox."""
    state: Path = Path(".workunits")
    """What the embedded engine keeps."""
    queue: _Queue = "workunits"
    """The task queue of all cases, and of every executor kind without a queue of its own."""
    queues: Annotated[Mapping[Machine, _Queue], NoDecode] = Field(default_factory=dict)
    """Executor kinds with a queue of their own; in the environment as `ai=workunits-ai,automated=...`."""
    build_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")] | None = None
    """The worker's build; by default it follows from the code of the units."""
    deployment: _Name = "workunits"
    """The name of the Temporal worker deployment."""
    modules: Annotated[tuple[_Module, ...], NoDecode] = ()
    """Modules with a `PACKAGE`, beside the installed ones; in the environment separated by commas."""
    packages: Annotated[tuple[str, ...] | None, NoDecode] = None
    """Entry points of `workunits.packages` that may be loaded, by name; all that are installed when omitted."""
    max_cached_cases: int = Field(default=2000, ge=0, le=100_000)
    """Open cases that a worker keeps in memory (about 107 KiB each); others are replayed when something happens."""
    max_activities: int = Field(default=100, ge=1, le=10_000)
    """Machine steps that a worker performs at a time, per queue."""
    grace_seconds: float = Field(default=10, ge=0, le=3600)
    """How long running steps may take to end when the worker is asked to stop."""
    watchdog_grace_seconds: float = Field(default=60, ge=0, le=86_400)
    """By how much a rung or a step may be late before the watchdog says so."""
    watchdog_every_seconds: float = Field(default=15, ge=0.1, le=3600)
    """From the begin of one of its looks to that of the next."""
    watchdog_port: int = Field(default=9471, ge=0, le=65_535)
    """Of its metrics; 0 for a free one."""
    metrics_port: int = Field(default=9470, ge=0, le=65_535)
    """Of the unit-level metrics; 0 for a free one."""
    worker_metrics_port: int = Field(default=9473, ge=0, le=65_535)
    """Of a worker's metrics; 0 for a free one."""
    metrics_host: str = Field(default="127.0.0.1", pattern=r"^[A-Za-z0-9.:-]{1,253}$")
    """The address on which metrics are served: this machine's loopback, or 0.0.0.0 inside a container's network."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose content is passed to the constructor."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @field_validator("modules", "packages", "codec_origins", "inbox_proxies", mode="before")
    @classmethod
    def _split_list(cls, given: Any) -> Any:
        return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given

    @field_validator("queues", mode="before")
    @classmethod
    def _split_queues(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        pairs = [part.partition("=") for part in given.split(",") if part.strip()]
        return {kind.strip(): queue.strip() for kind, _, queue in pairs}

    @field_validator("session_key")
    @classmethod
    def _check_session_key(cls, given: SecretStr | None) -> SecretStr | None:
        if given and len(given.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"should have {SHORTEST_KEY} characters or more, drawn by chance")
        return given

    @field_validator("mail")
    @classmethod
    def _check_mail(cls, given: SecretStr | None) -> SecretStr | None:
        if given and not re.match(r"smtp(\+tls)?://([^@/]+@)?[^@/:]+(:\d{1,5})?/?$", given.get_secret_value()):
            raise ValueError("should be smtp://host:port or smtp+tls://user:password@host:port")
        return given

    @property
    def ledger_url(self) -> str:
        """Where the ledger is; may hold a password."""
        return self.ledger.get_secret_value() if self.ledger else f"sqlite:///{self.state / LEDGER_FILE}"

    @property
    def journal_url(self) -> str:
        """Where the inbox's own store is; may hold a password."""
        return self.journal.get_secret_value() if self.journal else f"sqlite:///{self.state / JOURNAL_FILE}"

    @property
    def has_ledger(self) -> bool:
        """Whether a ledger is configured, or has been made where it is by default."""
        return self.ledger is not None or (self.state / LEDGER_FILE).exists()

    @property
    def has_journal(self) -> bool:
        """Whether the inbox's own store is configured, or has been made where it is by default."""
        return self.journal is not None or (self.state / JOURNAL_FILE).exists()

    @property
    def separate_queues(self) -> dict[str, str]:
        """The executor kinds whose queue is not the cases' own."""
        return {kind: queue for kind, queue in self.queues.items() if queue != self.queue}

    def changed(self, **given: str) -> Settings:
        """Settings with some values from the command line; empty ones change nothing.

        Raises:
            SettingsError: a value does not fit.
        """
        fitting: dict[str, Any] = {}
        for name, value in given.items():
            if value:
                field = type(self).model_fields[name]
                try:
                    fitting[name] = _adapter(field).validate_python(value)
                except ValidationError as error:
                    option = f"--{name.replace('_', '-')}"
                    why = _expected(error.errors(include_input=False)[0]["msg"])
                    raise SettingsError(f"{option}: {why}", field=name) from None
        return self.model_copy(update=fitting)


def load_settings(config: Path | None = None, *, modules: Iterable[str] = ()) -> Settings:
    """Read the settings.

    Args:
        config: A file that must be there; `workunits.toml` in the current folder may be missing.
        modules: Further modules, from the command line.

    Raises:
        SettingsError: the first thing that is not right, with the file and line or the variable, and the remedy.
    """
    path = config or FILE
    text = _read(path, required=config is not None)
    content = parse_toml(path, text)
    _refuse_unknown_variables()
    try:
        content |= from_files(_secrets(), PREFIX)
    except SecretFileError as error:
        raise SettingsError(str(error), field=error.variable) from None
    try:
        settings = Settings(**content)
    except ValidationError as error:
        raise _explained(error, path, text) from None
    extra = tuple(module for module in modules if module not in settings.modules)
    return settings.model_copy(update={"modules": settings.modules + extra}) if extra else settings


def _secrets() -> list[str]:
    """The settings that hold a secret."""
    return [name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)]


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    wanted: Any = field.annotation
    return TypeAdapter(Annotated[wanted, field])


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can look into, with those above it that are missing."""
    for part in (*reversed(folder.parents), folder):
        if not part.exists():
            part.mkdir(mode=0o700, exist_ok=True)


def parse_toml(path: Path, text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        SettingsError: names file, line and column.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        found = re.search(r"\(at line (\d+), column (\d+)\)", said)
        where = f"{path}:{found[1]}:{found[2]}" if found else f"{path}, at its end"
        if "overwrite" in said or "twice" in said:  # tomllib's words for a key that is there already
            raise SettingsError(f"{where}: the key is there twice; keep one") from None
        raise SettingsError(f"{where}: not TOML: {said.partition(' (at ')[0].lower()}") from None


def line_of(text: str, key: str) -> int | None:
    """The line of a TOML text in which a key is set, counted from 1."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*(\[\s*)?[\"']?{re.escape(key)}[\"']?\s*[=.\]]", line):
            return number
    return None


def _read(path: Path, *, required: bool) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if required:
            raise SettingsError(f"{path}: there is no such settings file; name one that is there") from None
        return ""
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None


def _refuse_unknown_variables() -> None:
    known = [*(PREFIX + name.upper() for name in Settings.model_fields), *_OTHERS]
    known += [f"{PREFIX}{name.upper()}{END}" for name in _secrets()]
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise SettingsError(f"environment variable {name}: {_unknown(name, known)}", field=name)


def _unknown(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"there is no such setting; did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"


def _explained(error: ValidationError, path: Path, text: str) -> SettingsError:
    """Say the first misfit, without the value: it may be a password."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = str(first["loc"][0])
    variable = PREFIX + name.upper()
    variable = next((v for v in (variable, f"{variable}{END}") if v in {key.upper() for key in os.environ}), "")
    if variable:
        where = f"environment variable {variable}"
    else:
        line = line_of(text, name)
        where = f"{path}:{line}" if line else str(path)
    if first["type"] == "extra_forbidden":
        return SettingsError(f"{where}: {name}: {_unknown(name, Settings.model_fields)}", field=name)
    inside = ".".join(str(part) for part in first["loc"])
    return SettingsError(f"{where}: {inside}: {_expected(first['msg'])}", field=inside)


def _expected(said: str) -> str:
    return said.removeprefix("Value error, ").replace("Input should", "should").replace("String should", "should")
