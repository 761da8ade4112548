"""What a rule is, and the file that Prometheus reads it from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["page", "ticket", "info"]
"""`page`: somebody is called now. `ticket`: somebody looks at it today. `info`: to be seen; nobody is told."""
RUNBOOKS = "docs/runbooks"
"""The folder of the runbooks, as `runbook_url` has it: relative to the repository, or to where its docs are served."""
_SIZES = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


@dataclass(frozen=True, slots=True)
class Terms:
    """What rules are made for: an installation's own figures."""

    retention: float = 259_200.0
    """Seconds for which the engine keeps closed cases; Temporal's default is three days."""
    enough: int = 10
    """Clocks that a window must have seen before a ratio of them says anything."""
    pace: float = 1.0
    """Every duration is multiplied by it. For tests, which cannot wait for hours; 1 everywhere else."""

    def span(self, seconds: float) -> str:
        """A duration as PromQL has it."""
        millis = max(1, round(seconds * self.pace * 1000))
        unit, size = next((unit, size) for unit, size in _SIZES if millis % size == 0)
        return f"{millis // size}{unit}"

    def seconds(self, seconds: float) -> str:
        """A duration as a number to compare with."""
        return f"{seconds * self.pace:g}"


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that is computed once, and asked for often."""

    name: str
    expr: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody has to know; its runbook has its name."""

    name: str
    expr: str
    severity: Severity
    summary: str
    """One sentence, with the labels of the alert in it."""
    wait: float = 0.0
    """Seconds for which it must hold."""

    @property
    def runbook(self) -> str:
        """The page that says what to do."""
        return f"{RUNBOOKS}/{self.name}.md"


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other."""

    name: str
    rules: Sequence[Recording | Alert]


def lately(counter: str, terms: Terms) -> str:
    """By how much a total grew in the last quarter of an hour, as one of several exporters tells it.

    Against what it was before, up to a day ago, where the exporter or the ledger was away for longer than that: what is
    counted while nobody looks is news when somebody looks again. `increase` stands in for a series that is new.
    """
    quarter, day = terms.span(900.0), terms.span(86_400.0)
    before = f"last_over_time({counter}[{day}] offset {quarter})"
    return f"max without (instance) (clamp_min({counter} - {before}, 0) or increase({counter}[{quarter}]))"


def text_of(groups: Iterable[Group], terms: Terms) -> str:
    """The file, in YAML."""
    return "\n".join(_lines(groups, terms)) + "\n"


def _lines(groups: Iterable[Group], terms: Terms) -> Iterator[str]:
    yield "# Made by `workunits metrics rules`; do not edit."
    yield "groups:"
    for group in groups:
        yield f"  - name: {json.dumps(group.name)}"
        yield "    rules:"
        for rule in group.rules:
            if isinstance(rule, Recording):
                yield f"      - record: {json.dumps(rule.name)}"
                yield from _expression(rule.expr)
            else:
                yield f"      - alert: {rule.name}"
                yield from _expression(rule.expr)
                if rule.wait:
                    yield f"        for: {terms.span(rule.wait)}"
                yield f"        labels: {{severity: {rule.severity}}}"
                yield "        annotations:"
                yield f"          summary: {json.dumps(rule.summary, ensure_ascii=False)}"
                yield f"          runbook_url: {rule.runbook}"


def _expression(expr: str) -> Iterator[str]:
    yield "        expr: |-"
    yield from (f"          {line}" for line in expr.splitlines())
