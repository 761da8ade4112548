"""Commands on how far models may go: what was shown, signing and revoking it, audits, and the kill switch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.commands.cases import As
from workers.console import Exit, Json, emit, fail, note, open_cases, run, setup

if TYPE_CHECKING:
    from observability.ledger.store import Ledger
    from workunits.core.spec import Step

StepPath = Annotated[str, typer.Argument(metavar="UNIT.STEP", help="The hybrid step: `fraud_review.triage`.")]
ModelPath = Annotated[str, typer.Argument(metavar="UNIT.STEP", help="The step with a model, hybrid or `ai`.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it stays on the record of every case it reaches.")]

app = typer.Typer(
    help="How far models may go: what is signed, what is stopped, and what people make of proposals.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command("stop")
def stop(ctx: typer.Context, step: ModelPath, *, reason: Reason, actor: As = "", json: Json = False) -> None:
    """Stop a step's model at once: from now on people decide there, in all open cases too."""
    from temporalio.service import RPCError

    from workers.engine.address import UnreachableError
    from workers.stopping import stop_for_all, stoppable_step, tell_open_cases

    found = stoppable_step(setup(ctx).catalog, step)
    who = _actor(ctx, actor, _answers(ctx, found))
    # First where workers read it: no model goes on because the engine cannot be reached.
    reach = stop_for_all(setup(ctx).settings, found, actor=who, reason=reason)

    async def tell() -> None:
        async with open_cases(ctx) as cases:
            await tell_open_cases(cases, found, reach, actor=who, reason=reason)

    if not reach.alone:
        try:
            run(tell())
        except (UnreachableError, RPCError) as error:
            holds = f"{reach.first} Open cases were not told: repeat the command when the engine can be reached"
            fail(f"{holds} ({error})", code="open_cases_not_told", exit_code=Exit.UNREACHABLE)
    if json:
        emit(reach.as_json())
    else:
        note(str(reach))
    if reach.missed:
        raise typer.Exit(Exit.PARTLY)


@app.command("lift")
def lift(ctx: typer.Context, step: ModelPath, *, reason: Reason, actor: As = "", json: Json = False) -> None:
    """Let a stopped step's model go on in new cases; what was signed holds again."""
    from workers.stopping import lift_step, stoppable_step

    found = stoppable_step(setup(ctx).catalog, step)
    who = _signer(ctx, actor, _answers(ctx, found))
    lifted = lift_step(setup(ctx).settings, found, actor=who, reason=reason)
    if json:
        emit({"step": step, "lifted": lifted})
    else:
        # Of a hybrid step, cases that were told stay with people; of one that is a model's alone none was.
        where = " in new cases" if found.kind == "hybrid" else " from its next performance on"
        note(f"{step}: its model may go on{where}." if lifted else f"{step} was not stopped.")


@app.command("report")
def report(ctx: typer.Context, step: StepPath, *, json: Json = False) -> None:
    """Show what each model has shown at a step, what is signed, and whether it still stands."""
    from datetime import UTC, datetime

    from observability.autonomy.granting import why_now
    from observability.autonomy.reading import executors_of, past_of
    from observability.autonomy.stamping import signs
    from observability.ledger.autonomy import stopped, unended
    from workers.pages import autonomy as autonomy_page
    from workers.stopping import hybrid_step

    catalog, now = setup(ctx).catalog, datetime.now(UTC)
    found = hybrid_step(catalog, step)
    with _ledger(ctx).read() as connection:
        pasts = [(one, past_of(connection, one)) for one in executors_of(connection, found)]
        shown = [autonomy_page.Shown(one, past, signs(past.reviewed)) for one, past in pasts]
        grants = [one for one in unended(connection, found.unit) if one.step == found.name]
        held = [(one, why_now(connection, catalog, one, now)) for one in grants]
        why = next((one.reason for one in stopped(connection, found.unit) if one.step == found.name), None)
    if json:
        emit(autonomy_page.report_json(step, shown, held, why))
    else:
        typer.echo(autonomy_page.report(step, shown, held, why))


@app.command("propose")
def propose(
    ctx: typer.Context,
    step: StepPath,
    *,
    target: Annotated[float, typer.Option(min=0, max=1, help="The largest share of errors: `0.02`.")],
    level: Annotated[str, typer.Option(help="A4, with a veto window, or A5.")] = "A4",
    segment: Annotated[str, typer.Option(help="Cases of one segment; all when omitted.")] = "",
    version: Annotated[str, typer.Option(help="Of the unit; the one that the catalog has.")] = "",
    executor: Annotated[str, typer.Option(metavar="MODEL|PROMPT|TOOLS", help="The latest of the version.")] = "",
    looks: Annotated[int, typer.Option(min=1, help="How often in all this may be asked; each look has a price.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count labels and days only: no look at errors.")] = False,
    actor: As = "",
    json: Json = False,
) -> None:
    """Propose a certificate from independent labels, or say with figures what is missing; exits with 1 then."""
    from observability.autonomy.granting import ask_for, not_enough
    from workers.autonomy_asking import asked, executor_named
    from workers.pages import autonomy as autonomy_page
    from workers.stopping import hybrid_step

    found, ledger = hybrid_step(setup(ctx).catalog, step), _ledger(ctx)
    unit = setup(ctx).catalog.get(found.unit)
    who = _asker(ctx, actor, found.accountable, unit.learning.owner)
    with ledger.read() as connection:
        whose = executor_named(connection, found, version or unit.version, executor)
    wanted = asked(whose, target=target, level=level, segment=segment, looks=looks)
    if dry_run:
        lacking = not_enough(ledger, whose, wanted)
        if json:
            emit(autonomy_page.counts_json(step, lacking))
        else:
            typer.echo(autonomy_page.counts(step, lacking))
        raise typer.Exit(Exit.FINDING if lacking else Exit.OK)
    said = ask_for(ledger, whose, wanted, who)
    if json:
        emit(autonomy_page.answer_json(step, said))
    else:
        typer.echo(autonomy_page.answer(step, said))
    if said.certificate is None:
        raise typer.Exit(Exit.FINDING)


@app.command("sign")
def sign(
    ctx: typer.Context,
    step: StepPath,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of what was proposed, as `propose` told it.")],
    *,
    actor: As = "",
    json: Json = False,
) -> None:
    """Sign a proposed certificate, as the role that answers for the step; it holds from the next proposal on."""
    from datetime import UTC, datetime

    from observability.autonomy.granting import sign_asked
    from workers.pages.autonomy import grant_json
    from workers.stopping import hybrid_step

    found = hybrid_step(setup(ctx).catalog, step)
    who = _signer(ctx, actor, found.accountable)
    grant = sign_asked(_ledger(ctx), found, number, who, datetime.now(UTC))
    if json:
        emit(grant_json(grant))
    else:
        until = f" until {grant.expires_at:%Y-%m-%d}" if grant.expires_at else ""
        note(f"{step}: {grant.executor} decides at level {grant.level}{until}; revoke it with {grant.grant_id}.")


@app.command("revoke")
def revoke(
    ctx: typer.Context,
    step: StepPath,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="As `report` names it.")],
    *,
    reason: Reason,
    actor: As = "",
    json: Json = False,
) -> None:
    """Revoke a signed level; from the next proposal on what the unit declares holds again."""
    from datetime import UTC, datetime

    from observability.autonomy.granting import end_grant
    from observability.ledger.autonomy import unended
    from workers.stopping import hybrid_step, require_reason

    require_reason(reason)
    found, ledger = hybrid_step(setup(ctx).catalog, step), _ledger(ctx)
    who = _signer(ctx, actor, found.accountable)
    with ledger.read() as connection:
        there = [one for one in unended(connection, found.unit) if (one.step, one.grant_id) == (found.name, grant)]
    if not there:
        fail("this step has no such signed level; see `report`", code="unknown_grant", field="grant")
    ended = end_grant(ledger, there[0], who, reason, datetime.now(UTC))
    if json:
        emit({"step": step, "grant": grant, "ended": ended})
    else:
        note(f"{step}: {grant} is revoked." if ended else f"{step}: {grant} had ended already.")


@app.command("audit")
def audit(
    ctx: typer.Context,
    step: StepPath,
    case: Annotated[str, typer.Argument(help="The case, as `UNIT:KEY`; without it, all that are due.")] = "",
    *,
    right: Annotated[bool, typer.Option("--right", help="The model's decision was right.")] = False,
    wrong: Annotated[bool, typer.Option("--wrong", help="It was wrong.")] = False,
    severe: Annotated[bool, typer.Option("--severe", help="And badly so; the certificate falls.")] = False,
    key: Annotated[str, typer.Option(help="The performance, where the step was performed several times.")] = "",
    remark: Annotated[str, typer.Option("--note", help="What was found.")] = "",
    actor: As = "",
    json: Json = False,
) -> None:
    """List the automatic decisions that were drawn for an audit, or write down what one found."""
    from datetime import UTC, datetime

    from observability.autonomy.auditing import Finding, due, note_finding
    from workers.stopping import hybrid_step

    found, ledger = hybrid_step(setup(ctx).catalog, step), _ledger(ctx)
    if not case:
        with ledger.read() as connection:
            open_ = due(connection, found)
        if json:
            emit({"step": step, "due": [{"case": one.case, "key": one.key, "at": one.at} for one in open_]})
        else:
            typer.echo("\n".join(f"{one.case}  {one.key}  {one.at:%Y-%m-%d}" for one in open_) or "No audit is due.")
        return
    if right == wrong:
        fail("say what the audit found: --right or --wrong", code="invalid_field", field="--wrong")
    who = _signer(ctx, actor, found.accountable)
    key = note_finding(ledger, found, Finding(case, wrong, severe, remark, key), who, datetime.now(UTC))
    if json:
        emit({"step": step, "case": case, "key": key, "wrong": wrong, "severe": severe})
    else:
        note(f"{case}: audited, {'severely wrong' if severe else 'wrong' if wrong else 'right'}.")


def _asker(ctx: typer.Context, given: str, *roles: str) -> str:
    """Who spends a look: by the directory, where there is one, who answers for the step or owns its unit."""
    from workers.names import actor as actor_of
    from workers.roles import standing

    name = actor_of(given)
    held = standing(setup(ctx).settings, name, (), acting_for=None, task=None, role=roles[0])
    if not set(roles).intersection(held.roles):
        named = " or ".join(repr(role) for role in dict.fromkeys(roles))
        fail(f"--as: {name} may not ask; that is for the role {named}", code="not_allowed", field="--as")
    return name


def _ledger(ctx: typer.Context) -> Ledger:
    from observability.ledger.store import Ledger

    ledger = Ledger(setup(ctx).settings.ledger_url)
    ledger.check()
    return ledger


def _answers(ctx: typer.Context, step: Step[Any, Any]) -> str:
    """The role that answers for a step; for the outcome, where the step decides nothing by itself."""
    return step.accountable or setup(ctx).catalog.get(step.unit).outcome.accountable


def _signer(ctx: typer.Context, given: str, role: str) -> str:
    """Who lets a model go further, or says how good it was: only by a directory is it known who answers for the step.

    Raises:
        GovernanceError: `no_directory`.
    """
    from workers.governing.signing import open_roster

    open_roster(setup(ctx).settings)
    return _actor(ctx, given, role)


def _actor(ctx: typer.Context, given: str, role: str) -> str:
    """Who acts: by the directory, where there is one, someone with the role that answers for the step.

    Where there is none, whoever sees danger may stop a model.
    """
    from workers.names import actor as actor_of
    from workers.roles import standing

    name = actor_of(given)
    held = standing(setup(ctx).settings, name, (), acting_for=None, task=None, role=role)
    if role not in held.roles:
        fail(f"--as: {name} does not answer for this step; that is the role {role!r}", code="not_allowed", field="--as")
    return name
