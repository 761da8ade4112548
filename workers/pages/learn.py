"""The learning ledger of a unit as text: its changes, how it drifts, and what its owner has to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from workers.pages.words import moment, plain, span

if TYPE_CHECKING:
    from observability.learning.changes import Change, Entry
    from observability.learning.drift import Chart
    from observability.learning.standing import Standing

_NAME = 24
_SHOWN = 3
_AUTONOMY = {"asked": "autonomy asked for", "granted": "autonomy granted", "ended": "autonomy ended"}
_WORDS = {"adopt": "adopted", "drop": "dropped", "keep": "kept running"}


def page(stands: Standing, entries: Sequence[Entry], changes: Sequence[Change], drift: Mapping[str, Chart]) -> str:
    """The whole page."""
    lines = [*_head(stands), "", *_changes(changes), *_others(entries), "", *_drift(drift, stands.baseline)]
    return "\n".join(line.rstrip() for line in lines)


def line(entry: Entry) -> str:
    """One entry on one line."""
    who = f"{moment(entry.at)}  {plain(entry.actor)}"
    about = f"{entry.unit}, change {entry.change}" if entry.change else entry.unit
    return f"{who}  {about}: {_said(entry)}"


def _head(stands: Standing) -> Iterator[str]:
    due = f"next review due {stands.review_due_at:%Y-%m-%d}" if stands.review_due_at else "no case yet"
    yield f"{stands.unit}  owner: {plain(stands.owner)}; {due}"
    yield f"Baseline  {plain(stands.baseline) if stands.baseline else 'none: workunits baseline freeze ' + stands.unit}"
    yield from (f"warning: {plain(warning)}" for warning in stands.warnings)


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        yield "No change was proposed yet."
    for change in changes:
        said = change.proposed
        versions = f"{plain(said.from_version)} to {plain(said.to_version)}"
        yield f"Change {change.number}: version {versions}, by {said.measure}"
        yield f"  because   {plain(said.hypothesis)}"
        yield f"  expected  {plain(said.expected)}"
        yield f"  proposed  {moment(said.at)} by {plain(said.actor)}"
        for entry in (*change.decided, *change.baselines):
            yield f"  {entry.entry:<9} {moment(entry.at)} by {plain(entry.actor)}: {_said(entry)}"
        if not change.decided:
            yield "  never judged"


def _others(entries: Sequence[Entry]) -> Iterator[str]:
    yield from (line(entry) for entry in entries if entry.change is None)


def _said(entry: Entry) -> str:
    if entry.entry == "proposed":
        return f"proposed version {plain(entry.to_version)}, judged by {entry.measure}"
    if entry.entry == "decided":
        done = _WORDS.get(entry.decision or "", "")
        return f"the verdict is {(entry.verdict or '').replace('_', ' ')}; {done}: {plain(entry.reason)}"
    if entry.entry == "baseline":
        because = {"first": "the first", "better": "its verdict is better", "drift": "the unit had drifted"}
        return f"baseline {plain(entry.baseline)} frozen, {because.get(str(entry.detail.get('because')), '')}"
    return f"{_AUTONOMY.get(entry.entry, entry.entry)}: {plain(entry.reason)}"


def _drift(drift: Mapping[str, Chart], baseline: str | None) -> Iterator[str]:
    made = (
        f"the weeks of the baseline {plain(baseline)}; what came since is held against them"
        if baseline
        else "all weeks"
    )
    yield f"Mean and limits are of {made}."
    yield f"{'DRIFT, BY WEEK':{_NAME}}{'WEEKS':>6}  {'LAST':<14}{'MEAN':<14}{'LIMITS':<28}SIGNALS"
    for measure, chart in drift.items():
        last = _value(measure, chart.points[-1].value) if chart.points else "-"
        name = f"{measure}, median" if measure == "cycle_time" else measure
        if chart.mean is None or chart.low is None or chart.high is None:
            yield f"{name:{_NAME}}{len(chart.points):>6}  {last:<14}too few weeks for limits"
            continue
        most = chart.high if measure == "cycle_time" else min(1, chart.high)
        limits = f"{_value(measure, max(0, chart.low))} to {_value(measure, most)}"
        yield (
            f"{name:{_NAME}}{len(chart.points):>6}  {last:<14}{_value(measure, chart.mean):<14}{limits:<28}"
            f"{_signals(chart)}"
        )


def _signals(chart: Chart) -> str:
    told = [f"{point.week:%Y-%m-%d} {point.signal} ({point.side})" for point in chart.signals[-_SHOWN:]]
    more = len(chart.signals) - len(told)
    return ", ".join(told) + (f" and {more} before" if more else "") if told else "none"


def _value(measure: str, value: float) -> str:
    return span(timedelta(seconds=value)) if measure == "cycle_time" else f"{value:.1%}"
