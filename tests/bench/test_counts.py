"""What a case costs in counts. Unlike times they do not move, so that a test may hold them exactly."""

from pathlib import Path

import pytest

from bench.budget import BUDGET
from bench.driver import measure
from bench.server import serving
from bench.variants import INLINE, PLAIN, PRODUCT


@pytest.fixture(scope="module")
def server():
    """One server for all variants: each starts its own worker and driver."""
    with serving() as running:
        yield running


@pytest.mark.parametrize(
    ("variant", "events", "workflow_tasks"),
    [(PLAIN, 23, 4), (PRODUCT, 28, 4), (INLINE, 18, 2)],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_case_costs_no_more_history_than_the_budget_allows(server, tmp_path: Path, variant, events, workflow_tasks):
    """The approval case, driven as in the benchmark, stays at its events, workflow tasks and bytes."""
    counted = measure("counts", variant, server, "t", tmp_path, 1)

    assert (counted["events"], counted["workflow_tasks"]) == (events, workflow_tasks)
    assert counted["bytes"] <= BUDGET["history bytes per case"].must
