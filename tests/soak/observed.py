"""What is there at the end of a soak, as engine, world and ledger have it."""

from __future__ import annotations

from collections import Counter, defaultdict

from sqlalchemy import func, select
from temporalio.client import Client, WorkflowExecutionStatus

from observability.ledger import tables
from observability.ledger.keeping import corrections
from observability.ledger.letters import read_letters
from observability.ledger.reconcile import Reconciler
from observability.ledger.store import Ledger
from tests.soak.checker import Facts, Violation
from tests.soak.package import PACKAGE
from tests.soak.unit import Haul
from tests.soak.world import World
from workunits.cases import view_of
from workunits.registry import Catalog

_GOES_ON = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)


async def observe(client: Client, ledger: Ledger, world: World) -> dict[str, Facts]:
    """Gather the facts of every case that anyone knows of."""
    facts: defaultdict[str, Facts] = defaultdict(Facts)
    async for execution in client.list_workflows(f"WorkflowType = '{Haul.unit_name}'"):
        if execution.status not in _GOES_ON:
            facts[execution.id].ends.append(execution.status.name.lower() if execution.status else "unknown")
            facts[execution.id].record = (await view_of(client, execution)).record
        else:
            facts.setdefault(execution.id, Facts())
    for key, times in world.effects().items():
        case, _, step = key.rpartition("/")
        facts[case].effects[step] = times
    with ledger.read() as connection:
        for row in connection.execute(select(tables.cases)).mappings():
            facts[row["case_id"]].row = dict(row)
        for case, action in connection.execute(select(tables.actions.c.case_id, tables.actions.c.action_id)):
            facts[case].actions[action] += 1
        for case, key in connection.execute(select(tables.steps.c.case_id, tables.steps.c.key)):
            facts[case].steps[key] += 1
        for (case,) in connection.execute(select(tables.tasks.c.case_id).where(tables.tasks.c.open)):
            facts[case].open_tasks += 1
    return dict(facts)


async def differences(client: Client, ledger: Ledger) -> list[Violation]:
    """What reconcile finds, and what the ledger should not have needed: dead letters and corrections."""
    found = await Reconciler(client, ledger, Catalog([PACKAGE])).reconcile()
    wrong = [Violation(one.case, f"reconcile: {one.what} {', '.join(one.columns)}") for one in found.differences]
    if found.engine != found.ledger and not wrong:
        wrong.append(Violation("", f"the engine counts {found.engine}, the ledger {found.ledger}"))
    wrong += [Violation(letter["case_id"], f"a dead letter: {letter['reason']}") for letter in read_letters(ledger)]
    with ledger.read() as connection:
        for row in connection.execute(select(corrections)):
            wrong.append(Violation(row.case_id, f"a correction: {row.kind}, {row.why}"))
    return wrong


def closed_in(ledger: Ledger) -> Counter[str]:
    """How many cases the ledger has, by close."""
    with ledger.read() as connection:
        found = connection.execute(select(tables.cases.c.state, func.count()).group_by(tables.cases.c.state))
        return Counter({row[0]: row[1] for row in found})
