"""What units promise, as figures: the budget of each target, and the share of clocks that is to be met."""

from __future__ import annotations

from collections.abc import Iterator

from observability.metrics.standing import Point
from workunits.core.spec import Elapsed
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog, definition_hash

OBJECTIVE = 0.95
"""The share of clocks that is to be met, of a unit that declares none."""
_MEASURES = ("sla_attainment", "on_time")


def objective(unit: type[WorkUnit]) -> float:
    """The declared share: of `sla_attainment`, else of `on_time`, else `OBJECTIVE`."""
    declared = {measure.name: measure.at_least for measure in unit.learning.measures}
    for name in _MEASURES:
        share = declared.get(name)
        if isinstance(share, int | float):
            return float(share)
    return OBJECTIVE


def promises(catalog: Catalog) -> Iterator[Point]:
    """The gauges that follow from the catalog alone."""
    for unit in catalog:
        yield Point("workunit_build_info", (unit.unit_name, unit.version, definition_hash(unit)), 1)
        for one in unit.promised:
            yield Point("workunit_sla_objective_ratio", (unit.unit_name, one.name), objective(unit))
            within = one.target.within
            if isinstance(within, Elapsed):
                labels = (unit.unit_name, unit.version, one.name)
                yield Point("workunit_sla_budget_seconds", labels, within.span.total_seconds())
