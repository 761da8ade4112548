"""What all dashboards share: their frame, panels that say what to do, and links from a figure to its cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import dashboard as models

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
JOB = 'job=~"$job"'
UNIT = f'{JOB},unit=~"$unit"'
VERSION = f'{UNIT},version=~"$version"'
RATE, RANGE = "$__rate_interval", "$__range"
"""A curve takes the first. A figure over all of the time that is shown takes the second: cases are few."""
UNIT_PAGE = "/d/workunits-unit?var-unit=${%s}&var-datasource=${datasource}&${__url_time_range}"
INBOX = "${inbox}"
_SEEN = f"last_over_time(workunit_build_info{{{JOB}}}[1d] offset 1m)"
_NEW = (
    f"max by (unit, version, definition) (workunit_build_info{{{JOB}}}) unless on (unit, version, definition) {_SEEN}"
)
"""Not seen within a day, until a minute ago: a restart of the process that serves it is no new version."""


def ask(expr: str, legend: str = "", *, exemplars: bool = False) -> prometheus.Dataquery:
    """A curve."""
    return prometheus.Dataquery().expr(expr).legend_format(legend).datasource(SOURCE).exemplar(exemplars).range()


def now(expr: str, legend: str = "") -> prometheus.Dataquery:
    """One figure for each series: at the end of the time that is shown."""
    return prometheus.Dataquery().expr(expr).legend_format(legend).datasource(SOURCE).instant()


def curves(title: str, do: str, unit: str, *asked: prometheus.Dataquery, width: int = 12) -> Any:
    """Curves over time."""
    return _finished(timeseries.Panel().unit(unit), title, do, asked, width=width)


def figure(title: str, do: str, unit: str, asked: prometheus.Dataquery, *, width: int = 6) -> Any:
    """One large figure, or one for each series."""
    return _finished(stat.Panel().unit(unit), title, do, (asked,), width=width, height=5)


def rows(title: str, do: str, unit: str, asked: prometheus.Dataquery, *, width: int = 12) -> Any:
    """A table, a series in each row."""
    asked = asked.format(models_format())
    return _finished(table.Panel().unit(unit), title, do, (asked,), width=width)


def spread(title: str, do: str, asked: prometheus.Dataquery, *, width: int = 12) -> Any:
    """How many fell into each bucket, over time."""
    panel = heatmap.Panel().unit("s").y_axis(heatmap.YAxisConfig().unit("s"))
    return _finished(panel, title, do, (asked.format(models_format("heatmap")),), width=width)


def models_format(name: str = "table") -> Any:
    """How Prometheus' answer is laid out."""
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

    return PromQueryFormat(name)


def _finished(
    panel: Any, title: str, do: str, asked: Sequence[prometheus.Dataquery], *, width: int, height: int = 8
) -> Any:
    panel = panel.title(title).description(do).datasource(SOURCE).span(width).height(height)
    for letter, one in zip("ABCDEFGH", asked, strict=False):
        panel = panel.with_target(one.ref_id(letter))
    return panel


def to_unit(panel: Any) -> Any:
    """A figure leads to the page of its unit; a table has the unit in a column and not in labels."""
    unit = "__data.fields.unit" if isinstance(panel, table.Panel) else "__field.labels.unit"
    return panel.data_links([dashboard.DashboardLink("This unit").url(UNIT_PAGE % unit)])


def variable(name: str, label: str, series: str) -> dashboard.QueryVariable:
    """The values of a label, asked again whenever the time changes."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(f"label_values({series}, {name})")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".+")
    )


def frame(uid: str, title: str, about: str) -> dashboard.Dashboard:
    """An empty dashboard with what each has."""
    return (
        dashboard.Dashboard(f"Work units: {title}")
        .uid(uid)
        .description(about)
        .tags(["workunits"])
        .readonly()
        .refresh("30s")
        .time("now-24h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Work units")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["workunits"])
            .keep_time(keep_time=True)
            .include_vars(include_vars=True)
        )
        .link(dashboard.DashboardLink("Cases and tasks").type(models.DashboardLinkType.LINK).url(f"{INBOX}/tasks"))
        .link(dashboard.DashboardLink("Catalog of units").type(models.DashboardLinkType.LINK).url(f"{INBOX}/catalog"))
        .link(dashboard.DashboardLink("Temporal").type(models.DashboardLinkType.LINK).url("${temporal}"))
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus").label("Data source"))
        .with_variable(dashboard.ConstantVariable("inbox").value("http://localhost:8080").label("Inbox"))
        .with_variable(dashboard.ConstantVariable("temporal").value("http://localhost:8233").label("Temporal's page"))
        .with_variable(variable("job", "Job", "up"))
        .annotation(
            dashboard.AnnotationQuery()
            .name("A version is new")
            .datasource(SOURCE)
            .enable(enable=True)
            .icon_color("blue")
            .expr(_NEW)
        )
    )


def of_units(page: dashboard.Dashboard) -> dashboard.Dashboard:
    """With a choice of units."""
    return page.with_variable(variable("unit", "Unit", f"workunit_build_info{{{JOB}}}"))


def of_versions(page: dashboard.Dashboard) -> dashboard.Dashboard:
    """With a choice of a unit's versions."""
    return of_units(page).with_variable(variable("version", "Version", f"workunit_build_info{{{UNIT}}}"))


def once(expr: str) -> str:
    """Of two exporters or two watchdogs, that tell the same, the larger answer and not both."""
    return f"max without (instance) ({expr})"


def grew(name: str, where: str = VERSION, by: str = "unit", span: str = RANGE) -> str:
    """By how much a total grew over the time that is shown."""
    return f"sum by ({by}) ({once(f'increase({name}{{{where}}}[{span}])')})"


def stands(name: str, where: str = UNIT, by: str = "unit") -> str:
    """What there is of something now."""
    return f"sum by ({by}) ({once(f'{name}{{{where}}}')})"


def quantile(share: float, name: str, where: str = VERSION, by: str = "unit", span: str = RATE) -> str:
    """An estimate from a histogram: as exact as its buckets are narrow."""
    rate = once(f"rate({name}_bucket{{{where}}}[{span}])")
    return f"histogram_quantile({share}, sum by (le, {by}) ({rate}))"
