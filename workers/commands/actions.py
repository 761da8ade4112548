"""The commands that act on a task: one for each action of its life."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from workers.commands.cases import As
from workers.console import Json, fail, filled, run

Body = Mapping[str, Any] | Callable[[Any], Mapping[str, Any]]
"""What an action says; or how to read it, once the task is known."""

TaskArgument = Annotated[
    str, typer.Argument(metavar="TASK", help="unit:key/task, key/task, or the case when it has one open task.")
]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        help="A role of whoever acts; may be repeated. Default: all that the directory gives them; without a "
        "directory, the task's own.",
    ),
]
ActionId = Annotated[
    str,
    typer.Option(metavar="ID", callback=filled, help="The same id again has the same answer, and no further effect."),
]
Revision = Annotated[int | None, typer.Option(min=1, help="Refuse when the task has changed since.")]
ActingFor = Annotated[str | None, typer.Option(metavar="NAME", callback=filled, help="Whom the actor stands in for.")]
_Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it stays on the record.")]
_MayReason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it stays on the record.")]
_To = Annotated[str, typer.Option(metavar="NAME", help="Who gets it.")]

COMMANDS: dict[str, Callable[..., None]] = {}
"""By the name of the action."""


class How(StrEnum):
    """How a task goes up."""

    NOTIFY_UP = "notify_up"
    REASSIGN_UP = "reassign_up"


def acting(
    body: Callable[..., Body],
    action: str,
    *,
    named: Any = TaskArgument,
    task_of: Callable[[str, dict[str, Any]], str] = lambda name, _: name,
) -> Callable[..., None]:
    """Make the command of an action: what they all take, and what this one says.

    Args:
        body: Its options, its help, and the body that follows from them.
        action: The action.
        named: The argument that names what is acted on.
        task_of: The task, from that argument and the options, of which it may take some out.
    """

    def command(
        ctx: typer.Context,
        task: str,
        *,
        actor: As = "",
        role: Roles = None,
        action_id: ActionId = "",
        revision: Revision = None,
        acting_for: ActingFor = None,
        json: Json = False,
        **said: Any,
    ) -> None:
        from workers.acts import Act, Signature, act

        by = Signature(actor, tuple(role or ()), action_id, revision, acting_for)
        act(ctx, Act(action, task_of(task, said), by, body(**said)), json=json)

    context, task, *shared, _ = inspect.signature(command, eval_str=True).parameters.values()
    own = inspect.signature(body, eval_str=True).parameters.values()
    parameters = [context, task.replace(annotation=named), *own, *shared]
    # What typer reads to know the options.
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = body.__doc__
    return command


def _action(body: Callable[..., Body]) -> Callable[..., Body]:
    """Make the command of an action on a task."""
    name = body.__name__.rstrip("_")
    COMMANDS[name] = acting(body, name)
    return body


def _given(**said: Any) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


@_action
def claim() -> Body:
    """Take a task: nobody else may answer it then."""
    return {}


@_action
def start() -> Body:
    """Say that the work on a task begins: its working time counts from now on."""
    return {}


@_action
def stop() -> Body:
    """Say that the work on a task pauses; it stays yours."""
    return {}


@_action
def complete(
    *,
    file: Annotated[
        str | None, typer.Option("--input", metavar="FILE|-", help="The answer as JSON; - is stdin.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field of the answer; may be repeated.")
    ] = None,
    accepts: Annotated[bool, typer.Option("--accepts", help="The answer is what a model proposes, as it is.")] = False,
    rejects: Annotated[
        bool, typer.Option("--rejects", help="What a model proposes was wrong as a whole; the answer counts instead.")
    ] = False,
    review_reason: Annotated[
        str, typer.Option(metavar="CODE", help="Why the proposal is not accepted: a code of the step.")
    ] = "",
    proposal: Annotated[
        str, typer.Option(metavar="HASH", help="Refuse when another proposal stands than the one that was shown.")
    ] = "",
) -> Any:
    """Answer a task."""
    from workers.acts import Reviewed

    if accepts and (file or settings or rejects or review_reason):
        fail("--accepts takes the proposal as it is: leave the rest out", field="--accepts")
    return Reviewed(
        {} if accepts else _answer(file, settings or ()),
        accepts=accepts,
        rejects=rejects,
        reason=review_reason,
        proposal=proposal,
    )


def _answer(file: str | None, given: Sequence[str]) -> Body:
    from workers.answers import read_settings
    from workers.intake import opened, read_body

    if file and given:
        fail("give --input or --set, not both", field="--input")
    if file:
        with opened(file) as source:
            return run(read_body(source))
    # What the step takes decides how a field is read.
    return lambda found: read_settings(given, found.step.gives.model_json_schema() if found.step else {})


@_action
def release(*, reason: _MayReason = None) -> Body:
    """Give a task back, so that another may take it; once work on it has begun, with a reason."""
    return _given(reason=reason)


@_action
def assign(*, to: _To, reason: _MayReason = None) -> Body:
    """Give a task to someone, whoever has it; for admins and the accountable."""
    return _given(to=to, reason=reason)


@_action
def delegate(*, to: _To, reason: _MayReason = None) -> Body:
    """Have another do your task; you sign it off when it comes back."""
    return _given(to=to, reason=reason)


@_action
def resolve(*, reason: _MayReason = None) -> Body:
    """Give a task that was delegated to you back, to be signed off."""
    return _given(reason=reason)


@_action
def forward(
    *,
    to: Annotated[str | None, typer.Option(metavar="NAME", help="The person to whom it goes.")] = None,
    role_to: Annotated[str | None, typer.Option(metavar="ROLE", help="The role to which it goes.")] = None,
    reason: _Reason,
) -> Body:
    """Pass a task on to a person or a role; you may not take it again."""
    return _given(to=to, role=role_to, reason=reason)


@_action
def wait(
    *,
    reason: Annotated[
        str | None, typer.Option(metavar="WHOM", help="For whom: one of those that the unit declares.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="When it goes on by itself: 2026-01-31T14:05:00Z, or 2d from now."),
    ] = None,
) -> Body:
    """Say that the task waits for someone outside."""
    from workers.acts import read_until

    return _given(reason=reason, until=read_until(until, datetime.now(UTC)) if until is not None else None)


@_action
def resume() -> Body:
    """Go on with a task that waits or is suspended."""
    return {}


@_action
def suspend(*, reason: _Reason) -> Body:
    """Hold a task: nobody may act on it until it is resumed, its clocks run on; for admins and the accountable."""
    return _given(reason=reason)


@_action
def escalate(
    *,
    how: Annotated[
        How, typer.Option(help="notify_up: the accountable may take it, too; reassign_up: it is moved to them.")
    ] = How.NOTIFY_UP,
    reason: _Reason,
) -> Body:
    """Take a task up to whoever answers for it."""
    return _given(how=how.value, reason=reason)


@_action
def fail_(
    *,
    code: Annotated[
        str | None, typer.Option(metavar="CODE", help="One of the exceptions that the step declares.")
    ] = None,
    reason: _MayReason = None,
) -> Body:
    """End a task with a business exception; the unit's rules say what follows."""
    return _given(code=code, reason=reason)


@_action
def skip(*, reason: _Reason) -> Body:
    """End a task undone, where the unit says what then counts as its answer."""
    return _given(reason=reason)


@_action
def cancel(*, reason: _Reason) -> Body:
    """End a task and, unless it was one of several votes, its case; for admins."""
    return _given(reason=reason)
