"""What the commands of calendars print."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from itertools import groupby
from typing import Any

import typer

from workers.pages.tables import line, table

_RULES = {"dst_gap": "clocks skip {time}", "dst_overlap": "clocks show {time} twice"}


def list_page(found: Iterable[dict[str, Any]]) -> None:
    """Print calendars, one a line."""
    rows = [(one["name"], str(one["version"]), _all(one["versions"]), one["zone"] or one["error"]) for one in found]
    if rows:
        table(["calendar", ">version", "versions", "zone"], rows)
    else:
        typer.echo("no calendars; workunits calendars publish NAME.toml adds one")


def show_page(shown: dict[str, Any], due: dict[str, Any] | None) -> None:
    """Print dates by week, and a due time."""
    line(f"{shown['name']}, version {shown['version']}, {shown['zone']}")
    moved: dict[date, list[str]] = {}
    for edge in shown["edges"]:
        moved.setdefault(edge["date"], []).append(_edge(edge))
    rows = []
    for week, days in groupby(shown["days"], key=lambda day: _week(day["date"])):
        for number, day in enumerate(days):
            hours = ", ".join(day["hours"]) or "-"
            why = "; ".join(part for part in (day["why"], *moved.get(day["date"], [])) if part)
            rows.append((week if number == 0 else "", f"{day['date']:%a %Y-%m-%d}", hours, why))
    table(["week", "date", "hours", ""], rows)
    if due:
        line()
        line(f"{due['in']} from {_moment(due['from'])}: {_moment(due['at'])}{_ruled(due)}")


def check_page(found: dict[str, Any]) -> None:
    """Print what is not right in a file, or that nothing is."""
    if not found["ok"]:
        for one in found["problems"]:
            where = f"{one['file']}:{one['line']}" if one["line"] else one["file"]
            line(": ".join(part for part in (where, one["field"], one["why"]) if part))
        return
    line(f"{found['file']} is right: {found['name']}, version {found['version']}, {found['zone']}")
    for edge in found["edges"]:
        line(f"{edge['date']:%a %Y-%m-%d}: {_edge(edge)}")
    first, last = found["years"]
    if not found["edges"]:
        line(f"No change of clocks from {first} to {last} is near an opening or a closing.")


def _edge(edge: dict[str, Any]) -> str:
    what = "opens" if edge["opens"] else "closes"
    why = _RULES[edge["rule"]].format(time=edge["time"])
    if edge["rule"] == "dst_gap":
        return f"{why}, {what} at {edge['at']:%H:%M}"
    return f"{why}, {what} with the {'first' if edge['opens'] else 'last'} ({_offset(edge['at'])})"


def _ruled(due: dict[str, Any]) -> str:
    if not due["rule"]:
        return ""
    time = f"{due['from']:%H:%M}"
    tail = ", so it is the end of that gap" if due["rule"] == "dst_gap" else ", and it is the first"
    return f" ({_RULES[due['rule']].format(time=time)}{tail})"


def _moment(when: datetime) -> str:
    seconds = ":%S" if when.second else ""
    return f"{when:%a %Y-%m-%d %H:%M{seconds}} {_offset(when)}"


def _offset(when: datetime) -> str:
    said = f"{when:%z}"
    return f"{said[:3]}:{said[3:5]}"


def _week(day: date) -> str:
    return f"{day.isocalendar().week}"


def _all(versions: Iterable[int]) -> str:
    return ", ".join(map(str, versions))
