"""What someone is to a task and to its case, and what may be read because of it.

The unit judges every action by itself; this is for reads, and for showing what would be allowed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inbox.directory import Directory
from inbox.identity import Actor
from inbox.wanted import Viewer
from workunits.core.bodies import read_body
from workunits.core.errors import BadInput, Refused
from workunits.core.lifecycle import MOVES, SYSTEM, Action, Task, judge, judge_passing_on
from workunits.core.spec import Step
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog

_HIDDEN = frozenset({"activate"})
"""What no person ever does."""
_DOORS = 100
"""As many roles as an action may name."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who an actor may speak as, now."""

    names: tuple[str, ...]
    """The actor, and those for whom the actor stands in."""
    roles: frozenset[str]
    """Of all of them."""


def authority(actor: Actor, directory: Directory, now: datetime, only_for: str | None = None) -> Authority:
    """Resolve an actor's names and roles.

    Args:
        actor: Who acts or looks.
        directory: Who is who.
        now: As of when.
        only_for: The one person that is stood in for; all of them when omitted.
    """
    absent = actor.stands_in_for if only_for is None else (only_for,)
    roles = {*actor.roles, *(role for name in absent for role in directory.roles_of(name, now))}
    # No door speaks for the runtime, whatever a directory calls its roles.
    return Authority((actor.name, *absent), frozenset(roles - {SYSTEM}))


def vouched(roles: Collection[str]) -> list[str]:
    """Roles as an action names them."""
    return sorted(roles)[:_DOORS]


def admins_of(unit: type[WorkUnit]) -> tuple[str, ...]:
    """The roles that administrate a unit's tasks."""
    return (*unit.admins, unit.outcome.accountable)


def administrated(actor: Actor, catalog: Catalog, directory: Directory) -> list[type[WorkUnit]]:
    """The units whose incidents an actor decides on."""
    roles = authority(actor, directory, datetime.now(UTC)).roles
    mine = [unit for unit in catalog if actor.units is None or unit.unit_name in actor.units]
    return [unit for unit in mine if roles & set(admins_of(unit))]


def roles_in(unit: type[WorkUnit]) -> frozenset[str]:
    """The roles that have a part in a unit: they may read its cases."""
    parts = {role for step in unit.steps for role in (step.role, step.accountable)}
    return frozenset(parts | set(admins_of(unit)) | {unit.learning.owner}) - {""}


def viewer_of(actor: Actor, catalog: Catalog, speaks: Authority) -> Viewer:
    """Whoever looks at lists."""
    reads = (unit.unit_name for unit in catalog if actor.admin or speaks.roles & roles_in(unit))
    within = None if actor.units is None else frozenset(actor.units)
    return Viewer(speaks.names, speaks.roles, frozenset(reads), within)


def may_read_case(actor: Actor, unit: type[WorkUnit], speaks: Authority, *, initiator: str = "") -> bool:
    """Whether a case may be read: by those who have a part in its unit, and by whoever started it."""
    if actor.units is not None and unit.unit_name not in actor.units:
        return False
    return actor.admin or bool(speaks.roles & roles_in(unit)) or (bool(initiator) and initiator == actor.name)


def may_read_task(actor: Actor, unit: type[WorkUnit], speaks: Authority, task: Task, *, initiator: str = "") -> bool:
    """Whether a task may be read: as its case, and by those to whom it came whatever their roles."""
    if actor.units is not None and unit.unit_name not in actor.units:
        return False
    own = {task.owner, task.delegator, *task.people} & set(speaks.names)
    takes = {task.role, *task.also} & speaks.roles
    return bool(own or takes) or may_read_case(actor, unit, speaks, initiator=initiator)


def may_cancel(actor: Actor, unit: type[WorkUnit], speaks: Authority, initiator: str) -> bool:
    """Whether a case may be cancelled: by the unit's admins, and by whoever started it."""
    return bool(speaks.roles & set(admins_of(unit))) or (bool(initiator) and initiator == actor.name)


def allowed(
    task: Task, step: Step[Any, Any], unit: type[WorkUnit], actor: Actor, speaks: Authority, *, initiator: str
) -> dict[str, str]:
    """What the actor may do with a task as it stands, each with the code of why it would be refused; empty when not.

    Args:
        task: The task.
        step: Its step.
        unit: Its unit.
        actor: Who would act.
        speaks: In which roles.
        initiator: Who started the case.
    """
    found: dict[str, str] = {}
    for name in MOVES:
        if name in _HIDDEN:
            continue
        for acting_for in (None, *actor.stands_in_for):
            why = _why_not(task, step, unit, _probe(task, name, actor.name, acting_for, speaks), initiator)
            if why == "" or name not in found:
                found[name] = why
            if why == "":
                break
    return found


def why_we_ask(task: Task, speaks: Authority) -> str:
    """Why this task is shown to someone, in words."""
    if task.owner in speaks.names:
        if task.delegator:
            return f"{task.delegator} delegated it to you, and signs it off"
        return "you have claimed it" if task.owner == speaks.names[0] else f"you stand in for {task.owner}"
    if set(task.people) & set(speaks.names):
        return "it was passed on to you"
    if task.role in speaks.roles:
        return f"you have the role {task.role}"
    if set(task.also) & speaks.roles:
        return "it was escalated to you"
    return "you may read it"


def _why_not(task: Task, step: Step[Any, Any], unit: type[WorkUnit], action: Action, initiator: str) -> str:
    try:
        judge(task, action, datetime.now(UTC), admins=admins_of(unit), initiator=initiator)
        judge_passing_on(task, action, admins=admins_of(unit))
        if action.action == "skip" and step.if_skipped is None:
            return "not_skippable"
        if action.action == "forward" and not step.forwardable:
            return "not_forwardable"
        if action.action == "wait" and not step.waits:
            return "no_waits"
        if action.action == "fail" and not step.raises:
            return "no_exceptions"
    except Refused as error:
        return error.code
    return ""


def _probe(task: Task, name: str, actor: str, acting_for: str | None, speaks: Authority) -> Action:
    return Action(
        action=name,
        action_id="probe",
        task_id=task.id,
        revision=task.revision,
        actor=actor,
        roles=vouched(speaks.roles),
        acting_for=acting_for,
        sent_at=datetime.now(UTC),
    )


def misfit(task: Task, step: Step[Any, Any], action: Action) -> BadInput | Refused | None:
    """What is wrong with a body, before it is sent: the unit would say the same."""
    try:
        read_body(step, task, action)
    except (BadInput, Refused) as error:
        return error
    return None
