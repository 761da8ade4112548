"""The dashboards as the files that are committed and that Grafana reads."""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from observability.dashboards.boundary import boundary
from observability.dashboards.budget import budget
from observability.dashboards.one_unit import unit
from observability.dashboards.outcomes import outcomes
from observability.dashboards.people import people
from observability.dashboards.runtime import runtime

PAGES = (outcomes, unit, people, boundary, runtime, budget)
"""In the order in which a reader meets them."""
FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"


def rendered() -> dict[str, str]:
    """Each file's name and text."""
    pages = [page().build() for page in PAGES]
    return {f"{page.uid}.json": JSONEncoder(sort_keys=True, indent=2).encode(page) + "\n" for page in pages}
