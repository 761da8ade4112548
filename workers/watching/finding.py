"""What the watchdog says: one finding, its kinds, and what each is called for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

OfCase = Literal[
    "rung_missing",
    "task_failing",
    "no_worker",
    "out_of_patience",
    "nobody_eligible",
    "held",
    "incident",
    "case_unreadable",
]
"""Kinds that have a unit."""
OfRuntime = Literal["engine_unavailable", "ledger_unavailable", "ledger_behind", "directory_broken"]
"""Kinds that are about what all units stand on."""
Kind = OfCase | OfRuntime
OF_CASES: tuple[OfCase, ...] = get_args(OfCase)
OF_RUNTIME: tuple[OfRuntime, ...] = get_args(OfRuntime)
KINDS: tuple[Kind, ...] = (*OF_CASES, *OF_RUNTIME)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not go on, why, and what to do about it."""

    kind: Kind
    cause: str
    remedy: str
    since: datetime | None = None
    """Since when, in UTC; when the engine does not say it, the moment at which it was seen first."""
    case: str | None = None
    """None where it is about many cases, or about none."""
    unit: str = ""
    about: str = ""
    """What in the case, or beside it: a rung, a step, a task, a queue."""
    rung: str = ""
    """The rung of the clock that has not fired."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same finding from one pass to the next."""
        return self.kind, self.unit, self.case or "", self.about

    @property
    def where(self) -> str:
        """The case, or what else it is about."""
        return self.case or self.about or self.unit

    def as_data(self) -> dict[str, Any]:
        """As a JSON document has it."""
        return {
            "case": self.case,
            "unit": self.unit or None,
            "kind": self.kind,
            "about": self.about or None,
            "since": self.since,
            "cause": self.cause,
            "remedy": self.remedy,
        }


def ago(span: float) -> str:
    """A length of time in words, from seconds: `45 s`, `3 min`, `2.5 h`, `12 d`."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if span >= 2 * size:
            return f"{span / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{max(span, 0):.0f} s"
