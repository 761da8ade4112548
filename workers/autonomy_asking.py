"""What `workunits autonomy propose` asks for, from what was typed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from observability.autonomy.certificate import Ask
from observability.autonomy.reading import Executor, executors_of
from workunits.core.errors import BadInput
from workunits.core.spec import Step


def executor_named(connection: Connection, step: Step[Any, Any], version: str, name: str = "") -> Executor:
    """The executor of a version that was named; the latest when none was.

    Raises:
        BadInput: the ledger has no proposals of it.
    """
    there = [one for one in executors_of(connection, step) if one.version == version]
    found = [one for one in there if name in ("", one.name)]
    if not found:
        known = ", ".join(one.name for one in there) or "none"
        raise BadInput(f"the ledger has no proposals of it in version {version}; it has {known}", field="executor")
    return found[-1]


def asked(executor: Executor, *, target: float, level: str, segment: str, looks: int) -> Ask:
    """What is asked for.

    Raises:
        BadInput: it makes no sense, or the step cannot have that level.
    """
    if level == "A4" and executor.autonomy.veto is None:
        raise BadInput("the step declares no veto window, without which A4 decides nothing", field="level")
    said: dict[str, Any] = {"target": target, "level": level, "segment": segment, "looks": looks}
    try:
        return Ask(
            unit=executor.step.unit,
            unit_version=executor.version,
            step=executor.step.name,
            executor=executor.name,
            proposals=0,
            now=datetime.now(UTC),
            **said,
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise BadInput(first["msg"], field=str(first["loc"][0]) if first["loc"] else "") from None
