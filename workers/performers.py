"""The performers of a worker: found in the catalog's modules, built from the settings, matched with the steps."""

from __future__ import annotations

import importlib
import pkgutil
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from workers.settings import Settings
from workunits.ai import Model
from workunits.broken_import import is_missing, why_not
from workunits.core.errors import WorkUnitsError
from workunits.core.spec import Step
from workunits.messages import FileOutbox, SmtpTransport, Transport
from workunits.performs import Performer, PerformersError, collect, match

SMTP, SUBMISSION = 25, 587


def load_performers(
    settings: Settings, steps: Iterable[Step[Any, Any]], modules: Iterable[str], *, model: Model | None = None
) -> list[Performer]:
    """Find the performer of every machine step.

    Args:
        settings: What performers are built from.
        steps: The steps that this process serves.
        modules: Where the performers are; of a package, all its modules.
        model: The AI model; that of the settings when omitted.

    Raises:
        PerformersError: a step has none or two, a module cannot be imported, or a class asks for what is not there.
        ModelNameError: the settings name an AI model that is not known.
    """
    return match(steps, collect(_modules(modules), resources(settings, model)))


def resources(settings: Settings, model: Model | None = None) -> dict[type, object]:
    """What a class of performers may ask for in its constructor, by type."""
    return {
        Model: model or Model(settings.ai_model, settings.ai_base_url),
        Transport: transport(settings),
        Path: settings.data,
    }


def transport(settings: Settings) -> Transport:
    """Where messages to people outside go: a mail server, or a folder of files."""
    if settings.mail is None:
        return FileOutbox(settings.data / "outbox", settings.mail_from)
    url = urlsplit(settings.mail.get_secret_value())
    secure = url.scheme == "smtp+tls"
    return SmtpTransport(
        host=url.hostname or "",
        port=url.port or (SUBMISSION if secure else SMTP),
        sender=settings.mail_from,
        starttls=secure,
        username=unquote(url.username or ""),
        password=unquote(url.password or ""),
    )


def _modules(names: Iterable[str]) -> Iterator[types.ModuleType]:
    """Import modules, and of a package all its modules."""
    for name in names:
        module = _import(name)
        yield module
        for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
            if not found.name.rpartition(".")[2].startswith("test_"):
                yield _import(found.name)


def _import(name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except WorkUnitsError:
        raise
    except (Exception, SystemExit) as error:  # a module may do anything
        remedy = "mend its name in PACKAGE.performers" if is_missing(name, error) else "mend that line"
        raise PerformersError(f"performers: {why_not(name, error)}; {remedy}") from error
