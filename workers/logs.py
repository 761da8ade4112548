"""The log of a process: one line per event on stderr, also for an exception; tracebacks with WORKUNITS_DEBUG=1.

With WORKUNITS_LOG=json each line is a JSON object. A line that is about a case names it, in both: case, unit, step,
attempt, and the trace.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from contextlib import suppress
from functools import cache
from typing import Any

from temporalio import activity, workflow
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from observability.about import FACTS, what_about
from workers.console import debugging
from workunits.core.errors import WorkUnitsError

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


class JsonLines(OneLine):
    """One JSON object a line: `time`, `level`, `logger`, `message`, what it is about, and `error` with its `place`."""

    def format(self, record: logging.LogRecord) -> str:
        """Say it as JSON."""
        said = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            said |= {"error": type(error).__name__, "error_message": str(error), "error_place": _where(error)}
            if debugging():
                said["traceback"] = logging.Formatter.formatException(self, record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def _about(record: logging.LogRecord) -> str:
    """What an entry is about, in place of all that the SDK knows of it."""
    return "".join(f" {name}={value}" for name, value in _facts(record).items())


def _facts(record: logging.LogRecord) -> dict[str, str]:
    """What an entry is about: what it says itself, what the SDK knows, and what goes on where it was written."""
    activitys: dict[str, Any] = getattr(record, "temporal_activity", None) or {}
    workflows: dict[str, Any] = getattr(record, "temporal_workflow", None) or {}
    info = activitys or workflows
    found: dict[str, Any] = dict(what_about())
    named = {"case": "workflow_id", "step": "activity_id", "attempt": "attempt"}
    found |= {name: info[key] for name, key in named.items() if key in info}
    if "workflow_type" in info:
        found["unit"] = info["workflow_type"]
    found |= {name: value for name in FACTS if (value := getattr(record, name, None))}
    if "trace" not in found and (trace := _trace_id()):
        found["trace"] = trace
    return {name: str(found[name]) for name in FACTS if name in found}


def _trace_id() -> str:
    """The trace that goes on here, if any."""
    tracing = sys.modules.get("opentelemetry.trace")
    here = tracing.get_current_span().get_span_context() if tracing else None
    return f"{here.trace_id:032x}" if here and here.is_valid else ""


class LogFormError(WorkUnitsError):
    """The form of the log is not one that there is."""


def set_up_logs(level: int = logging.INFO) -> None:
    """Log to stderr; other people's libraries from warnings upwards.

    Raises:
        LogFormError: WORKUNITS_LOG names no form that there is.
    """
    forms = {"": OneLine, "text": OneLine, "json": JsonLines}
    wanted = os.environ.get("WORKUNITS_LOG", "")
    if wanted not in forms:
        raise LogFormError("environment variable WORKUNITS_LOG: should be text or json")
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False
    handler = logging.StreamHandler()
    handler.setFormatter(forms[wanted]())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("workunits").setLevel(level)


@cache
def quiet_core() -> None:
    """Silence Temporal's core in this process: by itself it writes to stdout, where JSON documents go."""
    _core("OFF", None)


_core_is_set: list[bool] = []


def core_to_log(metrics: PrometheusConfig | None = None) -> None:
    """Have Temporal's core write its warnings into the log, once; for processes that stay up.

    Args:
        metrics: Where it serves its metrics; nowhere when omitted.

    Raises:
        RuntimeError: it cannot serve them there.
    """
    if not _core_is_set:
        _core_is_set.append(True)
        _core("WARN", LogForwardingConfig(logging.getLogger(CORE), append_target_to_name=False), metrics)


def _core(level: str, forwarding: LogForwardingConfig | None, metrics: PrometheusConfig | None = None) -> None:
    config = LoggingConfig(TelemetryFilter(core_level=level, other_level="OFF"), forwarding)
    runtime = Runtime(telemetry=TelemetryConfig(logging=config, metrics=metrics))
    with suppress(RuntimeError):  # set already, by us or by the program that we are part of
        Runtime.set_default(runtime)


def _place(error: BaseException) -> str:
    where = _where(error)
    return f" (at {where})" if where else ""


def _where(error: BaseException) -> str:
    """Where it began: a performer's own line, and not that of ours which passes its error on."""
    while error.__cause__ is not None:
        error = error.__cause__
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
