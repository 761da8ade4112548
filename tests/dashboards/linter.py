"""The rules of Grafana's dashboard-linter that matter here, and each query with what Grafana would put into it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser

from observability.metrics.contract import SERIES, WORKERS

UNITS = {"s", "short", "percentunit", "currencyUSD"}
OUTSIDE = {"up": {"job", "instance"}}
"""What Prometheus makes itself."""
ALWAYS = {"job", "instance", "le"}
_COUNTERS = re.compile(r"(?:(increase|rate)\()?\b(workunit_\w+_total)\b")
_SPANS = {"$__rate_interval", "$__range"}
_FIXED = ("annotation", "Burn rate")
"""What is new is so against a day, whatever is shown; and the burn rate is the alert's, over its hour."""
_TOLD = re.compile(r"((?:max|min)(?: (?:by|without) \([^)]*\))? ?\()?(?:\w+\()?\b(workunit_\w+)\{")
_OF_WORKERS = {name for metric in WORKERS for name in metric.series}
"""Each worker has its own; of all else two exporters, or two watchdogs, tell the same."""


@dataclass(frozen=True)
class Query:
    """One of a dashboard."""

    where: str
    expr: str

    def filled(self, **spans: str) -> str:
        """As it is sent, with all values of each variable chosen."""
        expr = self.expr
        for name, span in spans.items():
            expr = expr.replace(f"$__{name}", span)
        return re.sub(r"\$\w+", ".+", expr)


def panels(page: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Those that ask something, also of folded rows."""
    for panel in page["panels"]:
        yield from panel.get("panels", ()) if panel["type"] == "row" else (panel,)


def queries(page: Mapping[str, Any]) -> Iterator[Query]:
    """Of its panels and annotations."""
    for panel in panels(page):
        for target in panel["targets"]:
            yield Query(f"{page['uid']}: {panel['title']}", target["expr"])
    for mark in page["annotations"]["list"]:
        yield Query(f"{page['uid']}: annotation {mark['name']}", mark["expr"])


def variables(page: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Of each that asks: its name, the series it asks for and the label."""
    for one in page["templating"]["list"]:
        if one["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", one["query"])
            yield (one["name"], found[1], found[2]) if found else (one["name"], "", "")


def problems(page: Mapping[str, Any]) -> list[str]:
    """All that is not as it should be, in words."""
    return [*_of_page(page), *_of_panels(page), *(said for query in queries(page) for said in _of_query(query))]


def _of_page(page: Mapping[str, Any]) -> Iterator[str]:
    if page.get("editable", True):
        yield "it can be edited"
    if "datasource" not in {one["type"] for one in page["templating"]["list"]}:
        yield "its data source is not a variable"
    for one in page["templating"]["list"]:
        if one["type"] == "query" and one.get("refresh") != 2:
            yield f"{one['name']} is not asked again when the time changes"
    yield from (f"{name} asks in no known way" for name, series, _ in variables(page) if not series)
    twice = Counter(panel["title"] for panel in panels(page))
    yield from (f"{title} is there twice" for title, times in twice.items() if times > 1)


def _of_panels(page: Mapping[str, Any]) -> Iterator[str]:
    used: list[dict[str, int]] = []
    for panel in panels(page):
        title, grid = panel.get("title"), panel["gridPos"]
        if not title or not panel.get("description"):
            yield f"{title} has no title or does not say what to do"
        if panel.get("fieldConfig", {}).get("defaults", {}).get("unit") not in UNITS:
            yield f"{title} has no unit"
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        if any(source["uid"] != "${datasource}" for source in sources):
            yield f"{title} has a data source of its own"
        if any(_overlap(grid, other) for other in used):
            yield f"{title} lies upon another"
        used.append(grid)


def _overlap(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in ("xw", "yh"))


def _of_query(query: Query) -> Iterator[str]:
    try:
        tree = promql_parser.parse(query.filled(rate_interval="1m", range="1h"))
    except ValueError as error:
        yield f"{query.where}: {error}"
        return
    yield from (f"{query.where}: {said}" for said in _of_series(tree))
    if 'job=~"$job"' not in query.expr:
        yield f"{query.where}: takes every job"
    spans = set(re.findall(r"\[([^\]]+)\]", query.expr))
    if not any(fixed in query.where for fixed in _FIXED):
        yield from (f"{query.where}: looks back a fixed {span}" for span in spans - _SPANS)
    yield from (f"{query.where}: {name} as it stands" for how, name in _COUNTERS.findall(query.expr) if not how)
    if "sum" in query.expr:
        twice = (name for larger, name in _TOLD.findall(query.expr) if not larger and name not in _OF_WORKERS)
        yield from (f"{query.where}: two exporters' {name} are added up" for name in twice)


def _of_series(tree: Any) -> Iterator[str]:
    for selector in re.findall(r"([a-z_]\w*)\{([^}]*)\}", str(tree)):
        name, matchers = selector
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        metric = SERIES.get(name)
        known = set(metric.labels) if metric else OUTSIDE.get(name)
        if known is None:
            yield f"no contract has {name}"
        else:
            yield from (f"{name} has no label {label}" for label in sorted(labels - known - ALWAYS))
