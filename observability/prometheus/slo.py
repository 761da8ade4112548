"""Rules on what a unit promises: how fast the budget of its missed promises is used up, by several windows.

After the SRE workbook, chapter 5, and its two warnings: a ratio of few events says nothing, so each window has to have
seen enough of them, and below that any breach is news; and a threshold of 100 % or more can never be passed, so such
a window is left out, and a fixed ratio stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from observability.metrics.promises import objective
from observability.prometheus.rule import Alert, Group, Recording, Severity, Terms, lately
from workunits.core.unit import WorkUnit

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_SPANS = {"5m": 5 * _MINUTE, "30m": 30 * _MINUTE, "1h": _HOUR, "6h": 6 * _HOUR, "3d": 3 * _DAY}
"""Windows by the names that recorded series have; a test's pace changes their length, never their names."""
_WHO = "{{ $labels.unit }} ({{ $labels.target }})"


@dataclass(frozen=True, slots=True)
class Window:
    """Burning the budget `factor` times too fast, over a long window, and still now, over a short one."""

    alert: str
    factor: float
    long: str
    short: str
    severity: Severity
    speed: str
    went: str


WINDOWS = (
    Window("WorkunitSlaBurnFast", 14.4, "1h", "5m", "page", "14 times too fast", "2 % of a month's went in an hour"),
    Window("WorkunitSlaBurnSlow", 6.0, "6h", "30m", "page", "6 times too fast", "5 % of a month's went in six hours"),
    Window("WorkunitSlaBurnTrend", 1.0, "3d", "6h", "ticket", "too fast", "a tenth of a month's went in three days"),
)


def recordings(terms: Terms) -> Group:
    """Shares of missed promises and numbers of decided clocks, of all units; two exporters count once."""
    rules = []
    for name, seconds in _SPANS.items():
        span = terms.span(seconds)
        missed = _by_target(f'rate(workunit_sla_total{{result="breached"}}[{span}])')
        decided = _by_target(f'rate(workunit_sla_total{{result=~"met|breached"}}[{span}])')
        rules.append(Recording(f"workunit:sla_breach:ratio_rate{name}", f"{missed}\n/\n{decided}"))
    for name in sorted({window.long for window in WINDOWS}):
        span = terms.span(_SPANS[name])
        counted = _by_target(f'increase(workunit_sla_total{{result=~"met|breached"}}[{span}])')
        rules.append(Recording(f"workunit:sla_decided:increase{name}", counted))
    return Group("workunits-sla", rules)


def alerts(unit: type[WorkUnit], terms: Terms) -> Group:
    """The alerts of one unit, by its own objective."""
    rules = [alert for promise in unit.promised for alert in _of_target(unit, promise.name, terms)]
    return Group(f"workunits-sla-{unit.unit_name}", rules)


def _of_target(unit: type[WorkUnit], target: str, terms: Terms) -> Iterator[Alert]:
    share = objective(unit)
    budget = round(1 - share, 6)
    of = f'{{unit="{unit.unit_name}",target="{target}"}}'
    if budget > 0:
        able = [window for window in WINDOWS if window.factor * budget < 1]
        for window in able:
            said = f"{_WHO} uses up its budget of missed promises {window.speed}: {window.went}; objective {share:.4g}"
            yield _ratio(window, of, f"{window.factor * budget:.6g}", said, terms)
        if WINDOWS[0] not in able:
            fixed = (1 + budget) / 2
            said = f"{_WHO} misses most of its promises: over {fixed:.0%} in an hour; objective {share:.4g}"
            most = Window("WorkunitSlaMostMissed", 0.0, "1h", "5m", "page", "", "")
            yield _ratio(most, of, f"{fixed:.6g}", said, terms)
    yield _any_breach(of, terms, always=budget <= 0)


def _ratio(window: Window, of: str, threshold: str, said: str, terms: Terms) -> Alert:
    expr = (
        f"workunit:sla_breach:ratio_rate{window.long}{of} > {threshold}\n"
        f"and workunit:sla_breach:ratio_rate{window.short}{of} > {threshold}\n"
        f"and workunit:sla_decided:increase{window.long}{of} >= {terms.enough}"
    )
    return Alert(window.alert, expr, window.severity, said)


def _any_breach(of: str, terms: Terms, *, always: bool) -> Alert:
    """Where a day's quarter sees too few clocks for a ratio, and where none may be missed."""
    missed = f'{of[:-1]},result="breached"}}'
    expr = f"sum by (unit, target) ({lately(f'workunit_sla_total{missed}', terms)}) > 0.5"
    if not always:
        expr += f"\nand workunit:sla_decided:increase6h{of} < {terms.enough}"
    return Alert("WorkunitSlaBreached", expr, "ticket", f"{_WHO} missed a promise")


def _by_target(expr: str) -> str:
    return f"sum by (unit, target) (max without (instance) ({expr}))"
