"""Commands on incidents: which cases wait for an operator, and what is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from workers.commands.actions import ActionId
from workers.commands.cases import As, CaseName, Limit, OfUnit
from workers.console import Json, emit, fail, note, open_cases, run, setup

if TYPE_CHECKING:
    from workers.incidents import Decision, Retried
    from workunits.core.errors import BadInput
    from workunits.operating import Trouble

StepName = Annotated[str | None, typer.Argument(metavar="[STEP]", help="The step, when the case has several.")]
OfCode = Annotated[str | None, typer.Option(metavar="CODE", help="Only those of this cause.")]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        help="A role of whoever decides; may be repeated. Default: all that the directory gives them; without a "
        "directory, the one that answers for the unit.",
    ),
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it stays on the record.")]
_LONGEST_WAIT = timedelta(days=1)

app = typer.Typer(
    help="What waits for an operator: machine steps that have failed for good. List it, retry it, settle it.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command("ls")
def ls(ctx: typer.Context, *, unit: OfUnit = None, code: OfCode = None, limit: Limit = 50, json: Json = False) -> None:
    """List the open incidents, the oldest first."""
    from workers.incidents import as_json, show_list
    from workers.pages.tables import line

    found = run(_ls(ctx, unit, code))
    more, found, now = len(found) > limit, found[:limit], datetime.now(UTC)
    if json:
        emit({"incidents": [as_json(trouble) for trouble in found], "more": more})
    elif not found:
        note("No open incident" + (" with that unit or code." if unit or code else "."))
    else:
        show_list(found, now)
        if more:
            line()
            line(f"These are the {limit} oldest; for others: --limit, --unit, --code")


@app.command("show")
def show(ctx: typer.Context, case: CaseName, *, json: Json = False) -> None:
    """Show all incidents of a case: what failed, how often, who decided what and why."""
    from workers.incidents import as_json, show_case
    from workers.names import find_case
    from workunits.operating import troubles_of

    async def look() -> list[Trouble]:
        async with open_cases(ctx) as cases:
            return troubles_of(await find_case(cases, case))

    found = run(look())
    if json:
        emit({"incidents": [as_json(trouble) for trouble in found]})
    elif not found:
        note("That case has had no incident.")
    else:
        show_case(found, datetime.now(UTC))


@app.command("retry")
def retry(
    ctx: typer.Context,
    case: Annotated[str | None, typer.Argument(metavar="[CASE]", help="unit:key, or the key alone.")] = None,
    step: StepName = None,
    *,
    code: Annotated[
        str | None, typer.Option(metavar="CODE", help="Instead of a case: all open ones of this cause.")
    ] = None,
    unit: OfUnit = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it stays on the record.")] = None,
    wait: Annotated[str, typer.Option(metavar="SPAN", help="How long to wait for what comes of it.")] = "60s",
    actor: As = "",
    role: Roles = None,
    action_id: ActionId = "",
    json: Json = False,
) -> None:
    """Have a step tried again, and wait until it has succeeded or failed again.

    It ends with 0 when the step has succeeded, 1 when it failed again, 5 when some of several succeeded, 6 when it is
    still being tried.
    """
    from workers.incidents import EXITS, exit_of
    from workers.pages.words import read_span

    if (case is None) == (code is None):
        fail("name a case, or the cause of all that are to be retried: --code", field="case")
    if code is None and unit is not None:
        fail("--unit goes with --code; a case has its unit in its name", field="--unit")
    if code is not None and action_id:
        fail("--action-id names one decision; leave it out with --code", field="--action-id")
    said = _said(ctx, actor, role, {"reason": reason} if reason is not None else {}, action_id=action_id)
    said = replace(said, patience=read_span(wait, field="--wait", at_most=_LONGEST_WAIT).total_seconds())
    if code is not None:
        results = run(_retry_all(ctx, said, code, unit))
        _tell_all(results, json=json)
        exit_code = exit_of(results)
    else:
        result = run(_retry(ctx, case or "", step, said))
        _tell(result, json=json)
        exit_code = EXITS[result.end or "unknown"]
    if exit_code:
        raise typer.Exit(int(exit_code))


@app.command("resolve")
def resolve(
    ctx: typer.Context,
    case: CaseName,
    step: StepName = None,
    *,
    file: Annotated[str, typer.Option("--result", metavar="FILE|-", help="What the step gives, as JSON; - is stdin.")],
    reason: Reason,
    actor: As = "",
    role: Roles = None,
    action_id: ActionId = "",
    json: Json = False,
) -> None:
    """Give a step's result by hand; it is checked against what the step declares."""
    from workers.intake import opened, read_body

    with opened(file, field="--result") as source:
        result = run(read_body(source))
    said = _said(ctx, actor, role, {"result": result, "reason": reason}, action_id=action_id)
    _tell_decided(run(_decide(ctx, "resolve", case, step, said)), said, json=json)


@app.command("fail")
def fail_(
    ctx: typer.Context,
    case: CaseName,
    step: StepName = None,
    *,
    reason: Reason,
    actor: As = "",
    role: Roles = None,
    action_id: ActionId = "",
    json: Json = False,
) -> None:
    """Let the case close as failed."""
    said = _said(ctx, actor, role, {"reason": reason}, action_id=action_id)
    _tell_decided(run(_decide(ctx, "fail", case, step, said)), said, json=json)


async def _ls(ctx: typer.Context, unit: str | None, code: str | None) -> list[Trouble]:
    """The oldest first; the engine lists the newest cases first."""
    from workunits.operating import open_troubles

    async with open_cases(ctx) as cases:
        found = [trouble async for trouble in open_troubles(cases, unit, code)]
    return sorted(found, key=lambda trouble: (trouble.since is None, trouble.since, trouble.name))


async def _retry(ctx: typer.Context, case: str, step: str | None, said: Decision) -> Retried:
    from workers.incidents import find_trouble, retry_one

    async with open_cases(ctx) as cases:
        trouble = await find_trouble(cases, case, step, again=bool(said.action_id))
        return await retry_one(cases, trouble, said)


async def _retry_all(ctx: typer.Context, said: Decision, code: str, unit: str | None) -> list[Retried]:
    from workers.incidents import retry_all

    async with open_cases(ctx) as cases:
        return await retry_all(cases, said, code=code, unit=unit)


async def _decide(ctx: typer.Context, action: str, case: str, step: str | None, said: Decision) -> dict[str, Any]:
    from workers.incidents import find_trouble, send
    from workunits.core.errors import BadInput

    async with open_cases(ctx) as cases:
        trouble = await find_trouble(cases, case, step, again=bool(said.action_id))
        try:
            return await send(cases, trouble, action, said)
        except BadInput as error:
            _explain(error)


def _explain(error: BadInput) -> NoReturn:
    """Name the option instead of the field."""
    from workunits.core.strict_json import seen_from

    option = "--result" if error.field.startswith("body.result") else "--reason"
    inside = error.field.removeprefix("body.result").lstrip(".") if option == "--result" else ""
    why = seen_from("body.result", str(error).removeprefix(f"{error.field}: "))
    fail(": ".join(part for part in (option, inside, why) if part), code=error.code, field=option)


def _said(
    ctx: typer.Context, actor: str, roles: list[str] | None, body: Mapping[str, Any], *, action_id: str
) -> Decision:
    from workers.incidents import Decision
    from workers.names import actor as actor_of

    return Decision(setup(ctx).settings, actor_of(actor), tuple(roles or ()), body, action_id)


def _tell_decided(answer: Mapping[str, Any], said: Decision, *, json: bool) -> None:
    if json:
        named = {"incident": answer["task_id"], "state": answer["state"], "revision": answer["revision"]}
        emit({**named, "by": said.actor})
    else:
        typer.echo(f"{answer['task_id']} is {answer['state']}")


def _tell(result: Retried, *, json: bool) -> None:
    if json:
        emit(result.as_json())
    else:
        typer.echo(f"{result.trouble.name}: {_text(result)}")


def _tell_all(results: list[Retried], *, json: bool) -> None:
    from workers.pages.tables import table

    good = sum(result.end == "succeeded" for result in results)
    if json:
        emit({"results": [result.as_json() for result in results], "succeeded": good, "of": len(results)})
    elif not results:
        note("No open incident of that cause.")
    else:
        table(("INCIDENT", "RESULT"), ((result.trouble.name, result.words) for result in results))
        note(f"{good} of {len(results)} succeeded")


def _text(result: Retried) -> str:
    words = result.words
    return words if isinstance(words, str) else words[0]
