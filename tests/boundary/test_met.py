"""Who is asked to decide on a proposal and meets a business exception instead: that is a decision on it, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from observability.autonomy.reading import Executor, past_of
from observability.learning.report import figures_of
from observability.learning.selection import Asked, closed_cases
from observability.ledger import totals
from observability.ledger.intake import Intake
from observability.ledger.store import Ledger
from tests.boundary.contracts import Verdict
from tests.boundary.test_runs import PAY, REFUSE, ROLE, Office
from tests.boundary.units import Damage
from tests.observability.proposed import CATALOG
from workunits.cases import CaseView
from workunits.core import hybrid
from workunits.core.autonomy import Routing
from workunits.core.lifecycle import Task
from workunits.core.proposal import Proposed
from workunits.testing import Lab

pytestmark = pytest.mark.asyncio(loop_scope="session")
WRONG = Verdict(verdict="pay", amount=877)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every proposal is drawn for the blind sample; the framework's modules pass through the sandbox."""
    monkeypatch.setattr(hybrid, "route", lambda _: Routing("human_only", "blind_sample", "blind"))


@pytest.fixture
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every review begins with a decoy."""
    monkeypatch.setattr(hybrid, "_is_seeded", lambda _, __: True)


async def meet(office: Office, task: Task, by: str = "ana") -> None:
    """Fail a task with the exception that its step declares."""
    await office.cases.act(task.id, "claim", actor=by, roles=[ROLE])
    await office.cases.act(task.id, "fail", actor=by, roles=[ROLE], body={"code": "suspicious"})


async def inspected(office: Office, case: str) -> CaseView:
    """The case, once the inspector to whom the exception leads has closed it."""
    await office.complete(await office.task(case, "inspect"), REFUSE, "ines", role="inspector")
    return await office.until(case, lambda view: not view.is_open)


def proposal_of(view: CaseView) -> Proposed:
    """What the record has of it."""
    assert view.record is not None
    return view.record.proposals[0]


async def test_who_saw_the_proposal_has_rejected_it(court: Lab) -> None:
    """It was not what they did: an override."""
    office = Office(court)
    async with office.worker:
        case = await office.start()
        await meet(office, await office.task(case))
        kept = proposal_of(await inspected(office, case))
    assert (kept.decision, kept.overridden, kept.material, kept.agrees) == ("reject", True, True, None)
    assert kept.decided is not None


async def test_who_did_not_see_it_disagrees(court: Lab, blind: None) -> None:
    """A label of the model, as any other answer of theirs would be."""
    office = Office(court)
    async with office.worker:
        case = await office.start()
        await meet(office, await office.task(case))
        kept = proposal_of(await inspected(office, case))
    assert (kept.sampled, kept.agrees, kept.material, kept.decision) == ("blind", False, True, None)


async def test_who_was_shown_a_decoy_has_not_taken_it_over(court: Lab, seeded: None) -> None:
    """They have seen nothing of the real proposal, and are not asked again."""
    office = Office(court)
    async with office.worker:
        case = await office.start()
        await meet(office, await office.task(case))
        kept = proposal_of(await inspected(office, case))
    assert (kept.seeded, kept.agrees, kept.decision) == ("caught", False, None)


async def test_who_is_asked_again_has_rejected_the_real_one(court: Lab, seeded: None) -> None:
    """The miss is kept beside it."""
    office = Office(court)
    async with office.worker:
        case = await office.start()
        await office.complete(await office.task(case), WRONG, "ana")
        await meet(office, await office.task(case, "decide-again"), "bo")
        kept = proposal_of(await inspected(office, case))
    assert (kept.seeded, kept.agrees, kept.decision) == ("missed", None, "reject")


async def test_of_two_who_decide_the_last_one_counts(court: Lab) -> None:
    """The first took it over, the second met an exception."""
    office = Office(court)
    async with office.worker:
        case = await office.start(amount=20_000)
        await office.complete(await office.task(case, "decide-v1"), PAY, "ana")
        await meet(office, await office.task(case, "decide-v2"), "bo")
        kept = proposal_of(await inspected(office, case))
    assert (kept.route, kept.decision, kept.overridden) == ("dual_review", "reject", True)


async def test_a_second_person_judges_what_the_first_one_decided(court: Lab) -> None:
    """The proposal was routine, and edited into what takes two: it was decided on by the first."""
    office = Office(court)
    async with office.worker:
        case = await office.start()
        await office.complete(await office.task(case), Verdict(verdict="pay", amount=60_000), "ana")
        await meet(office, await office.task(case, "decide-v2"), "bo")
        kept = proposal_of(await inspected(office, case))
    assert (kept.decision, kept.fields) == ("edit", ["amount"])


async def test_the_ledger_counts_it(court: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody saw it as a label that is wrong, where somebody did as an override: in reports and metrics, too."""
    office, cases = Office(court), []
    async with office.worker:
        for routing in (Routing("human_only", "blind_sample", "blind"), Routing("review", "suggest", shown=True)):
            monkeypatch.setattr(hybrid, "route", lambda _, routing=routing: routing)
            cases.append(await office.start())
            await meet(office, await office.task(cases[-1]))
            await inspected(office, cases[-1])
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    described = [await court.client.get_workflow_handle(case).describe() for case in cases]
    await Intake(court.client, ledger, CATALOG).take(described)
    with ledger.read() as connection:
        past = past_of(connection, Executor(Damage.DECIDE, "1", "test|1|"))
        asked = Asked("damage")
        overrides = figures_of(connection, asked, closed_cases(connection, asked)).override_rate
        counted = {
            name.removeprefix("workunit_"): amount
            for (name, labels, _), amount, _ in totals.read(connection)
            if labels == ("damage", "1", "decide")
        }
    ledger.close()

    assert [(label.source, label.wrong) for label in past.labels] == [("blind", True)]
    assert past.overridden == 1
    assert sorted((one.decision, one.shown, one.agrees) for one in past.reviewed) == [
        ("reject", True, None),
        ("replace", False, False),
    ]
    assert overrides is not None
    assert (overrides.count, overrides.n) == (1, 1)
    assert {
        "proposal_overrides_total": 1,
        "blind_total": 1,
        "blind_disagreements_total": 1,
    }.items() <= counted.items()
