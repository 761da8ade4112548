"""A baseline as text: what the old process was like, and what its log does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workers.pages.words import micro, moment, plain

if TYPE_CHECKING:
    from observability.learning.baseline import Baseline

_ABSENT = "the log does not say"
_UNDECLARED = "the map does not say what it is"
_WIDTH, _MEDIAN, _CELL = 24, 46, 15
_LISTED = 6
_REMARKS = {
    "traces_out_of_order": "trace(s) had events out of order; they were sorted by time",
    "traces_with_two_ends": "trace(s) have more than one declared end; the last one counts",
    "traces_without_segment_value": "trace(s) have no number where the segment is read; their segment is unknown",
    "traces_without_events": "trace(s) have no event, so no time; they are not counted",
    "events_outside_traces": "event(s) stand outside of any trace; they were left out",
    "repeated_hour": "time(s) without a zone fall into an hour that the zone repeats; the first run was taken",
}
_UNPAIRED = {
    "completed_without_start": "completed without a start",
    "started_without_end": "started without an end",
    "scheduled_only": "scheduled and never performed",
}
_HANDOFFS = {"hh": "human-human", "hm": "human-machine", "mh": "machine-human", "mm": "machine-machine"}


def page(baseline: Baseline) -> str:
    """Everything that a person wants to see first."""
    return "\n".join(
        line.rstrip() for line in (*_head(baseline), *_times(baseline), *_ends(baseline), *_work(baseline))
    )


def _head(baseline: Baseline) -> Iterator[str]:
    yield f"Baseline {plain(baseline.name)} of {baseline.unit}, from {plain(baseline.source)}"
    yield f"  {moment(baseline.window_from)} to {moment(baseline.window_to)}"
    yield f"  n = {baseline.n:,} cases, {baseline.n_open:,} of them open; metric definitions {baseline.metrics}"
    remarks = baseline.figures["remarks"]
    yield from (f"  {remarks[name]:,} {text}" for name, text in _REMARKS.items() if remarks.get(name))
    absent = remarks["not_in_the_log"]
    if absent:
        named = ", ".join(plain(name) for name in absent[:_LISTED])
        yield f"  The map names what the log does not have: {named}{' and more' if len(absent) > _LISTED else ''}"


def _times(baseline: Baseline) -> Iterator[str]:
    figures = baseline.figures
    yield ""
    yield f"{'':{_WIDTH}}{'n':>8}  {'median (interval of 95 %)':<{_MEDIAN}}{'p85':<{_CELL}}p95"
    yield _spread("cycle time, all", figures["cycle_time_us"])
    yield _spread("  open ones censored", figures["cycle_time_censored_us"])
    for close, spread in figures["cycle_time_by_close_us"].items():
        yield _spread(f"  {close.replace('_', ' ')}", spread)
    yield _spread("queue, per piece", figures["queue_us"])
    yield _spread("touch of people", figures["touch_human_us"])
    yield _spread("touch of machines", figures["touch_machine_us"])
    yield _spread("active span", figures["active_us"])
    yield _spread("flow efficiency", figures["flow_efficiency"], _share)


def _ends(baseline: Baseline) -> Iterator[str]:
    figures = baseline.figures
    yield ""
    closes = ", ".join(f"{count:,} {close.replace('_', ' ')}" for close, count in figures["closes"].items())
    reasons = ", ".join(f"{count:,} {plain(reason)}" for reason, count in figures["reasons"].items())
    yield _pair("closes", closes + (f" ({reasons})" if reasons else ""))
    yield _pair("outcome attainment", _rate(figures["attainment"], "no case has ended"))
    exceptions = figures["exceptions"]
    yield _pair("exception rate", _rate(exceptions["any"] if exceptions else None))
    if exceptions:
        yield from (_pair(f"  {code}", _rate(rate)) for code, rate in exceptions["by_code"].items())
    yield _pair("rework rate", _rate(figures["rework"]))
    yield _pair("first-pass yield", _rate(figures["first_pass_yield"]))
    yield _pair("straight-through rate", _rate(figures["straight_through"], _ABSENT))
    yield _pair("handoffs", _handoffs(figures["handoffs"]))
    if figures["sla"]:  # of a version's own cases
        yield _pair("SLA attainment", _rate(figures["sla"]))
    else:
        yield _pair("SLA, quality, cost", _ABSENT)
    if baseline.mapping.get("segment"):
        mix = ", ".join(f"{plain(name)}: {_share(share)}" for name, share in baseline.segments.items())
        yield _pair("segments", mix)


def _work(baseline: Baseline) -> Iterator[str]:
    figures = baseline.figures
    yield ""
    heads = "".join(f"{head:<{_CELL}}" for head in ("queue median", "p85", "touch median", "p85"))
    yield f"{'step':{_WIDTH}}{'pieces':>8}{'traces':>8}  {heads}"
    for name, step in figures["steps"].items():
        queue, touch = (_two(step[of]) for of in ("queue_us", "touch_us"))
        counts = f"{name:{_WIDTH}}{step['pieces']:>8,}{step['traces']:>8,}"
        yield f"{counts}  {queue[0]:<{_CELL}}{queue[1]:<{_CELL}}{touch[0]:<{_CELL}}{touch[1]}"
        kinds = step["by_kind"]
        lacks = [f"{step[what]:,} {words}" for what, words in _UNPAIRED.items() if step[what]]
        performed = [f"{kind} {there['pieces']:,}" for kind, there in kinds.items()] if len(kinds) > 1 else []
        if performed or lacks:
            yield f"  {'; '.join((*performed, *lacks))}"
    if figures["touch_left_out"]:
        yield f"Touch leaves out {figures['touch_left_out']:,} case(s) in which a start or an end is missing."
    if figures["touch_overlapping"]:
        share = _share(figures["touch_overlapping"])
        yield f"{share} of people's touch counts twice: the same person had another piece in hand."


def _spread(name: str, spread: Mapping[str, Any] | None, say: Any = micro) -> str:
    if spread is None:
        return f"{name:{_WIDTH}}{'':>8}  {_ABSENT}"
    p85, p95 = (_value(spread[quantile], say) for quantile in ("p85", "p95"))
    return f"{name:{_WIDTH}}{spread['n']:>8,}  {_estimate(spread['median'], say):<{_MEDIAN}}{p85:<{_CELL}}{p95}"


def _estimate(estimate: Mapping[str, Any], say: Any) -> str:
    low, high = (say(bound) if bound is not None else "?" for bound in (estimate["low"], estimate["high"]))
    return f"{_value(estimate, say)} ({low} to {high})"


def _value(estimate: Mapping[str, Any], say: Any) -> str:
    return "not reached" if estimate["value"] is None else say(estimate["value"])


def _two(spread: Mapping[str, Any] | None) -> Sequence[str]:
    return ("-", "-") if spread is None else [micro(spread[quantile]["value"]) for quantile in ("median", "p85")]


def _rate(rate: Mapping[str, Any] | None, absent: str = _UNDECLARED) -> str:
    if rate is None:
        return absent
    return (
        f"{_share(rate['share'])} ({_share(rate['low'])} to {_share(rate['high'])}), {rate['count']:,} of {rate['n']:,}"
    )


def _handoffs(counted: Mapping[str, Any] | None) -> str:
    if counted is None:
        return _ABSENT
    kinds = ", ".join(f"{counted[kind]:,} {words}" for kind, words in _HANDOFFS.items() if counted[kind])
    unknown = f"; of {counted['unknown']:,} more nobody can say" if counted["unknown"] else ""
    return f"{counted['per_case']:.2f} a case{' (' + kinds + ')' if kinds else ''}{unknown}"


def _share(share: float) -> str:
    return f"{share:.1%}"


def _pair(name: str, value: str) -> str:
    return f"{name:{_WIDTH}}{value}"
