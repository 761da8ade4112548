"""How people name a case or a task: by its full id, or by as much of it as leaves no doubt."""

from __future__ import annotations

import asyncio
import difflib
import getpass
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from workers.console import Exit, fail
from workunits.cases import CaseView
from workunits.client import Cases, UnknownCaseError
from workunits.core.clock_acts import PREFIX
from workunits.core.lifecycle import Task
from workunits.core.spec import Step

LONGEST = 400
_LONGEST_ACTOR = 200
_LOOKED_AT = 300
"""The newest cases, among which near names are looked for."""
_AGAIN = re.compile(r"(-v?\d+)+$")
"""What stands behind a step's name in a task: `-2` performed again, `-v1` a vote."""


@dataclass(frozen=True)
class TaskName:
    """A task that was named, and what is known of it here."""

    id: str
    view: CaseView
    """Its case."""
    task: Task | None
    """None when it is not open, or there is none."""
    step: Step[Any, Any] | None
    """None when no human step of the unit has that name."""
    accountable: str = ""
    """Of a clock: the role that answers for the outcome."""

    @property
    def role(self) -> str:
        """The role that it is for; empty when nobody knows."""
        return self.task.role if self.task else self.step.role if self.step else self.accountable

    @property
    def revision(self) -> int:
        """The present revision: of the task, or of the clock."""
        if self.task:
            return self.task.revision
        clock = self.id.rpartition("/")[2].removeprefix(PREFIX)
        return self.view.record.revision_of_clock(clock) if self.view.record else 1


async def find_case(cases: Cases, name: str) -> CaseView:
    """Find a case by `unit:key`, or by the key alone.

    Raises:
        CommandError: the name cannot be one, there is no such case, or several have that key.
    """
    _check(name, "case", "`workunits list` names the cases")
    # A key has no colon; a case that others started may have any id.
    ids = [name] if ":" in name else [name, *(f"{unit.unit_name}:{name}" for unit in cases.catalog)]
    looked = await asyncio.gather(*(_look(cases, case) for case in ids))
    found = [view for view in looked if view]
    if len(found) > 1:
        there = " or ".join(view.case for view in found)
        fail(f"several cases have this key: {there}; name one in full", code="ambiguous", field="case")
    if not found:
        fail(f"there is no case {name[:120]!r}{await _near(cases, name)}", code="unknown_case", field="case")
    return found[0]


async def find_task(cases: Cases, name: str, *, action_id: str = "") -> TaskName:
    """Find a task by `unit:key/task`, `key/task`, or by its case alone when that has one open task.

    Args:
        cases: The way to it.
        name: As typed.
        action_id: Of an action that may have been applied before: repeated, it means the same task again.

    Raises:
        CommandError: the name cannot be one, there is no such case, or it has no or several open tasks.
    """
    case, slash, key = name.partition("/")
    if slash:
        _check(key, "task", "`workunits tasks ls` names the tasks")
    view = await find_case(cases, case)
    key = key or _acted_on(view, action_id) or _only_task(view)
    task_id = f"{view.case}/{key}"
    task = next((task for task in view.tasks if task.id == task_id), None)
    step_name = task.step if task else _AGAIN.sub("", key)
    steps = cases.catalog.get(view.unit).steps
    step = next((step for step in steps if step.name == step_name and step.asks_person), None)
    accountable = cases.catalog.get(view.unit).outcome.accountable if key.startswith(PREFIX) else ""
    return TaskName(task_id, view, task, step, accountable)


def actor(given: str) -> str:
    """Who acts: as given, or the user of this computer.

    Raises:
        CommandError: that name cannot be one, or the computer does not know.
    """
    try:
        name = given or getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for its user
        name = ""
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_ACTOR:
        fail(f"say who acts: --as NAME, 1 to {_LONGEST_ACTOR} printable characters", code="invalid_field", field="--as")
    return name


def refuse_task(view: CaseView, why: str) -> NoReturn:
    """End the command: nothing can be done on that task; say what the case has open instead.

    Raises:
        CommandError: `closed` when the case is, `unknown_task` otherwise.
    """
    if not view.is_open:
        said = f"{why}: the case is closed as {view.state}"
        fail(said, code="closed", exit_code=Exit.CONFLICT, field="task")
    there = f"open are {', '.join(task.id for task in view.tasks)}" if view.tasks else "it waits for nobody now"
    fail(f"{why}; {there}", code="unknown_task", field="task")


def known_role(cases: Cases, role: str) -> str:
    """Check that some unit has work for a role: a mistyped one would find nothing, silently.

    Raises:
        CommandError: names the roles that are near.
    """
    roles = sorted({step.role for unit in cases.catalog for step in unit.steps if step.role})
    if role not in roles:
        near = closest(role, roles) or roles
        fail(f"no unit asks anything of that role; there are {', '.join(near)}", code="unknown_role", field="role")
    return role


def closest(name: str, names: Iterable[str]) -> list[str]:
    """Up to three names that are near."""
    return difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)


def _acted_on(view: CaseView, action_id: str) -> str:
    """The task on which an action was applied; empty when it was not."""
    actions = view.record.actions if view.record else []
    return next((acted.task for acted in actions if action_id and acted.id == action_id), "")


def _only_task(view: CaseView) -> str:
    if len(view.tasks) != 1:
        refuse_task(view, f"{view.case} has {len(view.tasks) or 'no'} open tasks")
    return view.tasks[0].id.rpartition("/")[2]


def _check(name: str, field: str, remedy: str) -> None:
    pathlike = not name.strip(".") or any(sign in name for sign in "/\\")
    if pathlike or not name.isprintable() or len(name) > LONGEST:
        fail(
            f"{field}: 1 to {LONGEST} printable characters, and no path; {remedy}",
            code="invalid_field",
            exit_code=Exit.USAGE,
            field=field,
        )


async def _look(cases: Cases, case: str) -> CaseView | None:
    try:
        return await cases.show(case)
    except UnknownCaseError:
        return None


async def _near(cases: Cases, name: str) -> str:
    unit, colon, _ = name.partition(":")
    if colon and unit not in cases.catalog:
        near = closest(unit, (known.unit_name for known in cases.catalog))
        return f", nor a unit of that name; did you mean {near[0]}?" if near else "; see workunits list"
    recent = [view.case async for view in cases.list(unit if colon else None, limit=_LOOKED_AT)]
    # People leave the unit out, so the key is compared by itself.
    keys = {case if colon else case.partition(":")[2]: case for case in recent}
    near = [keys[key] for key in closest(name, keys)]
    return f"; did you mean {' or '.join(near)}?" if near else "; see workunits list"
