"""What every command shares: its settings and catalog, the way to cases, its output, and its exit codes.

A command lets errors pass: `workers.cli.main` turns each into one sentence, or into a JSON object with `--json`,
and an exit code. Everything heavy is imported inside the functions, so that `--help` answers at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from workers.settings import Settings
    from workunits.client import Cases, Memory
    from workunits.registry import Catalog

T = TypeVar("T")

OnUp = Callable[[Mapping[str, Any]], None]
"""What a command that stays up tells, once it is."""
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; errors as JSON on stderr.")]
"""The option that every command takes: `def list_(ctx: typer.Context, json: Json = False)`."""


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    """Done."""
    FINDING = 1
    """A check found something, or something failed."""
    USAGE = 2
    """Usage, settings or input are not right; nothing was done."""
    UNREACHABLE = 3
    """The engine, or the ledger's database, cannot be reached."""
    CONFLICT = 4
    """Refused as things stand: duplicate, closed, stale, not allowed."""
    PARTLY = 5
    """Some of a batch failed; the rest was done."""
    UNKNOWN = 6
    """Nobody answered: whether it took effect is not known. Repeat it with the same action id."""


EXIT_CODES = (
    "Exit codes: 0 done; 1 a check found something, or something failed; 2 usage, settings or input are not right; "
    "3 the engine or the ledger cannot be reached; 4 refused as things stand (duplicate, closed, stale, not allowed); "
    "5 some of a batch failed; 6 nobody answered, the outcome is not known. WORKUNITS_DEBUG=1 shows tracebacks."
)


class CommandError(Exception):
    """A command ends here, with a sentence and an exit code; see `fail`."""

    def __init__(self, message: str, *, code: str, exit_code: Exit, field: str = "") -> None:
        """Carry what `main` prints."""
        self.code = code
        self.exit_code = exit_code
        self.field = field
        super().__init__(message)


@dataclass(frozen=True)
class Setup:
    """What the options before the command say, and what follows from them; read at the first use."""

    config: Path | None = None
    """A settings file instead of `workunits.toml`."""
    modules: tuple[str, ...] = ()
    """Modules with a `PACKAGE` of the user's own, beside those of the settings."""

    @cached_property
    def settings(self) -> Settings:
        """The settings, read once.

        Raises:
            SettingsError: something in them is not right; names file, line or field, and the remedy.
        """
        from workers.settings import load_settings

        return load_settings(self.config, modules=self.modules)

    @cached_property
    def catalog(self) -> Catalog:
        """The units that are known here.

        Raises:
            CatalogError, DefinitionError, SettingsError.
        """
        from workers.catalog import load_catalog

        return load_catalog(self.settings.modules, self.settings.packages)


def setup(ctx: typer.Context) -> Setup:
    """The setup of the running command; plain defaults when there is none."""
    found = ctx.find_object(Setup)
    return found if found is not None else Setup()


def filled(ctx: typer.Context, param: typer.CallbackParam, value: str | None) -> str | None:
    """The callback of an option that says who acts, or which act it is: an empty one is refused.

    `--as "$WHO"` in a script where WHO is not set would else act as the user of this computer, on the record for good.

    Raises:
        CommandError: it was given and is empty.
    """
    source = ctx.get_parameter_source(param.name or "")
    if value is not None and not value.strip() and source is not None and source.name == "COMMANDLINE":
        fail(
            f"{param.opts[0]}: it is empty; leave it out, or say what it is", code="invalid_field", field=param.opts[0]
        )
    return value


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and give its result."""
    return asyncio.run(work)


@asynccontextmanager
async def open_cases(ctx: typer.Context) -> AsyncIterator[Cases]:
    """Connect, and give the way to cases, for an `async with`.

    Raises:
        SettingsError, CatalogError, UnreachableError.
    """
    from workers.engine.connect import connect
    from workers.governing.governed import Gate
    from workunits.client import Cases

    there = setup(ctx)
    client = await connect(there.settings, there.catalog)
    yield Cases(
        client,
        there.catalog,
        queue=there.settings.queue,
        deployment=there.settings.deployment,
        memory=_memory(there.settings),
        admits=Gate(client, there.settings, there.catalog, warn=lambda said: note(f"warning: {said}")),
    )


def _memory(settings: Settings) -> Memory | None:
    """The ledger, where there is one: whoever starts a case asks it for keys that the engine has forgotten."""
    if not settings.has_ledger:
        return None
    from observability.ledger.memory import LedgerMemory
    from observability.ledger.store import Ledger

    return LedgerMemory(Ledger(settings.ledger_url))


def emit(data: Any) -> None:
    """Print one JSON document on stdout; times as ISO 8601, pydantic models as objects."""
    from pydantic_core import to_json

    sys.stdout.write(to_json(data, indent=2, inf_nan_mode="constants").decode() + "\n")


def announce(data: Mapping[str, Any]) -> None:
    """Print the one document of a command that stays up, at once: whoever started it reads it and goes on."""
    emit(data)
    sys.stdout.flush()


def note(text: str) -> None:
    """Say something on stderr, where it does not mix with a command's output."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def fail(message: str, *, code: str = "invalid", exit_code: Exit = Exit.USAGE, field: str = "") -> NoReturn:
    """End the command with a sentence on stderr (a JSON object with `--json`) and an exit code.

    Args:
        message: What is wrong and what to do; it never repeats a value that came from outside.
        code: For machines, in snake_case.
        exit_code: See `Exit`.
        field: Which field it is about.
    """
    raise CommandError(message, code=code, exit_code=exit_code, field=field)


_KNOWN: dict[str, tuple[Exit, str]] = {
    # By name along the class's ancestors, so that judging an error imports nothing.
    "BadInput": (Exit.USAGE, "invalid_field"),
    "CalendarError": (Exit.USAGE, "bad_calendar"),
    "CatalogError": (Exit.USAGE, "bad_catalog"),
    "DamagedError": (Exit.USAGE, "damaged_file"),
    "DefinitionError": (Exit.FINDING, "unresolved_design"),
    "DuplicateCaseError": (Exit.CONFLICT, "duplicate"),
    "EngineError": (Exit.FINDING, "engine_failed"),
    "FileError": (Exit.USAGE, "bad_file"),
    "GovernanceError": (Exit.CONFLICT, "not_published"),
    "HorizonError": (Exit.USAGE, "bad_horizon"),
    "InboxError": (Exit.FINDING, "cannot_listen"),
    "JournalError": (Exit.USAGE, "bad_journal"),
    "JournalUnavailableError": (Exit.UNREACHABLE, "journal_unavailable"),
    "LearningError": (Exit.CONFLICT, "not_justified"),
    "LedgerError": (Exit.USAGE, "bad_ledger"),
    "LedgerUnavailableError": (Exit.UNREACHABLE, "ledger_unavailable"),
    "LogFormError": (Exit.USAGE, "bad_settings"),
    "ModelNameError": (Exit.USAGE, "bad_settings"),
    "NotDeployableError": (Exit.CONFLICT, "not_deployable"),
    "NoSuchCaseError": (Exit.USAGE, "unknown_case"),
    "NotClosedError": (Exit.CONFLICT, "not_closed"),
    "OutputExistsError": (Exit.CONFLICT, "exists"),
    "PerformersError": (Exit.FINDING, "performers"),
    "PublishedError": (Exit.CONFLICT, "calendar_published"),
    "RPCError": (Exit.UNREACHABLE, "engine_error"),
    "Refused": (Exit.CONFLICT, "refused"),
    "SchemaError": (Exit.FINDING, "ledger_schema"),
    "SettingsError": (Exit.USAGE, "bad_settings"),
    "UndeliveredError": (Exit.UNKNOWN, "undelivered"),
    "UnknownCalendarError": (Exit.USAGE, "unknown_calendar"),
    "UnknownCaseError": (Exit.USAGE, "unknown_case"),
    "UnknownUnitError": (Exit.USAGE, "unknown_unit"),
    "UnreachableError": (Exit.UNREACHABLE, "unreachable"),
    "WatchdogError": (Exit.FINDING, "cannot_listen"),
    "WorkerError": (Exit.FINDING, "worker_failed"),
    "WorkUnitsError": (Exit.FINDING, "failed"),
}
_OF_REFUSAL = {"no_worker": Exit.UNREACHABLE, "unknown_task": Exit.USAGE}


def judge(error: BaseException) -> CommandError | None:
    """What an error means for whoever typed the command; None for one that nobody foresaw."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        mistyped = isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError)
        said = error.strerror or str(error) or "it took too long"
        return CommandError(f"{said}{where}", code="os_error", exit_code=Exit.USAGE if mistyped else Exit.FINDING)
    for ancestor in type(error).__mro__:
        if ancestor.__name__ in _KNOWN:
            exit_code, code = _KNOWN[ancestor.__name__]
            code = str(getattr(error, "code", "") or code)
            exit_code = _OF_REFUSAL.get(code, exit_code)
            return CommandError(str(error), code=code, exit_code=exit_code, field=str(getattr(error, "field", "")))
    return None


def report(error: CommandError, *, as_json: bool) -> None:
    """Print an error on stderr, as a sentence or as `{"error": {"code", "message", "field"?}}`."""
    if as_json:
        said = {"code": error.code, "message": str(error)} | ({"field": error.field} if error.field else {})
        note(json.dumps({"error": said}, ensure_ascii=False))
    else:
        note(f"workunits: {error}")


def debugging() -> bool:
    """Whether the person at the terminal wants to see tracebacks."""
    return os.environ.get("WORKUNITS_DEBUG", "") not in ("", "0")
