"""A person's task in full: what is asked, what led here, and what the answer takes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from observability.learning.proposed import made_by
from workers.answers import Schema, fields
from workers.deadlines import deadline
from workers.pages.tables import Cell, line, pairs
from workers.pages.words import distance, moment
from workunits.cases import CaseView
from workunits.core.lifecycle import MOVES, Task
from workunits.registry import Catalog

_INDENT = 2


def show(view: CaseView, task: Task, said: Mapping[str, Any], catalog: Catalog, now: datetime) -> None:
    """Print it.

    Args:
        view: The task's case.
        task: The task.
        said: What the unit says of it, see `Cases.question`.
        catalog: Has the unit.
        now: The present.
    """
    line(f"{task.id} is {task.state.replace('_', ' ')}", style="bold")
    line()
    sla = deadline(view, catalog, now).words()
    words, style = sla if isinstance(sla, tuple) else (sla, "")
    rows: list[tuple[str, Cell]] = [
        ("Role", " or ".join((task.role, *task.also))),
        ("Accountable", task.accountable),
        ("Owner", task.owner or ""),
        ("On behalf of", f"{task.delegator}, who signs it off" if task.delegator else ""),
        ("Passed on to", ", ".join(task.people)),
        ("Excluded", ", ".join(f"{name} (four eyes)" for name in task.excluded)),
        ("Passed on by", ", ".join(task.barred)),
        ("Escalated", f"{task.level} time{'s' if task.level > 1 else ''}" if task.level else ""),
        ("Waits for", f"{task.waits_for}{_until(task, now)}" if task.waits_for else ""),
        ("Suspended", f"goes back to {task.before.replace('_', ' ')}" if task.before else ""),
        ("Vote", _vote(view, task, catalog)),
        ("Because of", task.because or ""),
        ("Ready", f"{moment(task.ready)}, {distance(task.ready, now)}"),
        ("Expires", f"{moment(task.expires)}, {distance(task.expires, now)}" if task.expires else ""),
        ("Case due", (f"{moment(view.due)}, {words}" if view.due else "", style)),
        ("Revision", str(task.revision)),
    ]
    pairs(rows)
    _section("ASKED", said["asked"])
    if said["evidence"] is not None:
        _section("FOUND BEFORE", said["evidence"])
    if said.get("proposal") is not None:
        _proposal(view, task, said["proposal"], now)
    schema: Schema = said["answer_schema"]
    line()
    line("ANSWER", style="bold")
    pairs(fields(schema), indent=_INDENT)
    line()
    required = " ".join(f"--set {shlex.quote(name)}=..." for name in schema.get("required", ())) or "--input FILE"
    for action, takes in (*_on_proposal(said), ("complete", required), *_more(said)):
        if task.state in MOVES[action].sources:
            line(f"workunits tasks {action} {shlex.quote(task.id)} {takes}".rstrip())


def _proposal(view: CaseView, task: Task, shown: Mapping[str, Any], now: datetime) -> None:
    """What a model proposes: what it is worth first, then what it rests on."""
    key = task.id.rpartition("/")[2]
    proposed = view.record.proposal(key) if view.record else None
    counts = ""
    if proposed is not None and proposed.route == "auto" and task.expires:
        counts = f"unless someone decides otherwise, {distance(task.expires, now)}: {moment(task.expires)}"
    sure = shown["confidence"]
    line()
    line("PROPOSED BY A MODEL", style="bold")
    pairs(_flat(shown["output"]), indent=_INDENT)
    line()
    rows: list[tuple[str, Cell]] = [
        ("Right", "not calibrated: nothing has measured it" if sure is None else f"{sure:.0%} of such, as measured"),
        ("Counts", counts or "only when a person decides so"),
        *(("Rests on", text) for text in shown["evidence"]),
        *(("Or", ", ".join(f"{name}={_said(value)}" for name, value in one.items())) for one in shown["alternatives"]),
        ("By", made_by(shown["executor"])),
        ("Hash", shown["hash"]),
    ]
    pairs(rows, indent=_INDENT)


def _on_proposal(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How a proposal is accepted or rejected."""
    shown = said.get("proposal")
    if shown is not None:
        yield "complete", "--accepts"
        reason = f" --review-reason {_one_of(shown['reasons'])}" if shown["reasons"] else ""
        yield "complete", f"--rejects{reason} --set ..."


def _more(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What may be done beside an answer, and what the unit takes there."""
    yield "resume", ""
    if said["waits"]:
        yield "wait", f"--reason {_one_of(said['waits'])}"
    if said["exceptions"]:
        yield "fail", f"--code {_one_of(said['exceptions'])}"
    if said["skippable"]:
        yield "skip", "--reason ..."


def _one_of(known: Sequence[str]) -> str:
    return "|".join(shlex.quote(name) for name in known)


def _until(task: Task, now: datetime) -> str:
    return f", until {moment(task.until)}, {distance(task.until, now)}" if task.until else ""


def _vote(view: CaseView, task: Task, catalog: Catalog) -> str:
    """Which part the task has in a set of votes."""
    votes = next((step.votes for step in catalog.get(view.unit).steps if step.name == task.step), None)
    if task.vote is None or votes is None:
        return ""
    works = view.record.steps if view.record else []
    given = sum(work.end == "done" and work.key.rpartition("-v")[0] == task.vote for work in works)
    number = task.id.rpartition("-v")[2]
    return f"{number} of {votes.of}, {given} given; {votes.quorum} that agree decide"


def _section(title: str, value: Any) -> None:
    line()
    line(title, style="bold")
    pairs(_flat(value), indent=_INDENT)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Cell]]:
    """Each value with its path, so that a nested object reads from top to bottom."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for number, inner in enumerate(value, 1):
            yield from _flat(inner, f"{path}.{number}" if path else str(number))
    else:
        yield path or "value", _said(value)


def _said(value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_said(item) for item in value)
    return str(value)
