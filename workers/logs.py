"""The log of a process: one line per event on stderr, also for an exception; tracebacks with WORKUNITS_DEBUG=1."""

from __future__ import annotations

import logging
import time
import traceback
from contextlib import suppress
from functools import cache
from typing import Any

from temporalio import activity, workflow
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from workers.console import debugging

log = logging.getLogger("workunits")
CORE = "temporal"
"""The logger of Temporal's Rust core, which would otherwise write to the terminal by itself."""


class OneLine(logging.Formatter):
    """Time in UTC, level, logger, message; an exception as its type, text and place."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        """Lay out the line."""
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")

    def formatException(self, ei: Any) -> str:  # noqa: N802, the name that logging calls
        """Put an exception into one line, unless someone is debugging."""
        if debugging():
            return super().formatException(ei)
        _, error, _ = ei
        return f"error={type(error).__name__}: {error}{_place(error)}"

    def format(self, record: logging.LogRecord) -> str:
        """Keep the line whole: a line break in a message would forge another line."""
        text = super().format(record) + _about(record)
        record.exc_text = None
        return text if debugging() else " ".join(text.split("\n"))


def _about(record: logging.LogRecord) -> str:
    """Which case and step an entry of the SDK is about, in place of all that it knows of them."""
    info: dict[str, Any] = (
        getattr(record, "temporal_activity", None) or getattr(record, "temporal_workflow", None) or {}
    )
    named = {"case": "workflow_id", "step": "activity_id", "attempt": "attempt"}
    return "".join(f" {name}={info[key]}" for name, key in named.items() if key in info)


def set_up_logs(level: int = logging.INFO) -> None:
    """Log to stderr; other people's libraries from warnings upwards."""
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("workunits").setLevel(level)


@cache
def quiet_core() -> None:
    """Silence Temporal's core in this process: by itself it writes to stdout, where JSON documents go."""
    _core("OFF", None)


@cache
def core_to_log() -> None:
    """Have Temporal's core write its warnings into the log; for processes that stay up."""
    _core("WARN", LogForwardingConfig(logging.getLogger(CORE), append_target_to_name=False))


def _core(level: str, forwarding: LogForwardingConfig | None) -> None:
    config = LoggingConfig(TelemetryFilter(core_level=level, other_level="OFF"), forwarding)
    with suppress(RuntimeError):  # set already, by us or by the program that we are part of
        Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=config)))


def _place(error: BaseException) -> str:
    """Where it began: a performer's own line, and not that of ours which passes its error on."""
    while error.__cause__ is not None:
        error = error.__cause__
    frames = traceback.extract_tb(error.__traceback__)
    return f" (at {frames[-1].filename}:{frames[-1].lineno})" if frames else ""
