"""A rehearsal on the real engine: what past cases asked is asked again, compared with what was decided, and no more."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage
from sqlalchemy import select
from temporalio.exceptions import ApplicationError

from observability.ledger.autonomy import Grant, end, sign
from observability.ledger.follower import Follower
from observability.ledger.keeping import audit
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from tests.boundary import rehearsed_performers
from tests.boundary.contracts import Claim, Receipt, Suspicious, Verdict
from tests.boundary.rehearsed import Hail
from tests.boundary.rehearsed_performers import PACKAGE, louder
from tests.boundary.test_hybrid import Fixed
from tests.observability.following import followed
from workers.pages.rehearse import as_json, page
from workers.rehearsing.metered import Meter, MeteredModel
from workers.rehearsing.rehearsing import Rehearsal, rehearsable, rehearse
from workunits.ai import Model
from workunits.core.proposal import Standing
from workunits.core.spec import Step
from workunits.performs import Performer, collect, match
from workunits.proposing import Proposal
from workunits.registry import Catalog
from workunits.testing import Answer, Lab, Proposed

pytestmark = pytest.mark.asyncio(loop_scope="session")

CATALOG = Catalog([PACKAGE])
PAY, REFUSE = Verdict(verdict="pay", amount=100), Verdict(verdict="refuse")
POINTS = [(0.0, 0.0), (1.0, 1.0)]
AUTO = Standing(level="A5", threshold=0.5, points=POINTS)
SHADOW = Standing(level="A1")
PASTS: dict[str, tuple[Proposed, Standing | None, int]] = {
    # What the old model said, what a person decided, what held, and the claim's amount.
    "accepted": (Proposed(Proposal(PAY, 0.9, model="old", prompt="1"), Answer(PAY)), None, 100),
    "overridden": (Proposed(Proposal(PAY, 0.9, model="old", prompt="1"), Answer(REFUSE)), None, 200),
    "blind": (Proposed(Proposal(PAY, 0.4, model="old", prompt="1"), Answer(PAY)), SHADOW, 300),
    "auto": (Proposed(Proposal(REFUSE, 0.9, model="old", prompt="1")), AUTO, 400),
    "failed": (Proposed(ApplicationError("no", type="ai_refused", non_retryable=True), Answer(PAY)), None, 500),
    "odd": (Proposed(Suspicious("odd")), None, 600),
}


@dataclass
class There:
    """Past cases, in an engine and in a ledger."""

    lab: Lab
    ledger: Ledger
    cases: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def there(court: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[There]:
    """One case of each kind, closed and followed."""
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('rehearse') / 'ledger.sqlite'}")
    ledger.migrate()
    ids = {}
    for name, (proposed, standing, amount) in PASTS.items():
        claim = Claim(number=f"{name}-{uuid.uuid4().hex[:6]}", amount=amount, story=name)
        answers: dict[Step[Any, Any], Any] = {
            Hail.SORT: Receipt(number=claim.number, paid=1),
            Hail.DECIDE: proposed,
            Hail.INSPECT: Answer(REFUSE, after=timedelta(hours=1)),
        }
        view = await court.run(Hail, claim, answers, standings=None if standing is None else Fixed(standing))
        assert view.close == "achieved", (name, view.record and view.record.why)
        ids[name] = view.case
    await followed(Follower(court.client, ledger, CATALOG), ledger, *ids.values())
    yield There(court, ledger, ids)
    ledger.close()


Says = Callable[[dict[str, Any]], tuple[Verdict, float] | None]


def scripted(says: Says, *, priced: bool = True) -> FunctionModel:
    """A model that answers by what it is told; None: out of shape."""

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        text = str(messages[0].parts[-1].content)  # type: ignore[union-attr]
        said = says(json.loads(text.removeprefix("<data>").removesuffix("</data>")))
        given = {"number": "1", "paid": 1} if "paid" in str(info.output_tools[0].parameters_json_schema) else None
        if given is None:
            given = {"nonsense": 1} if said is None else {"output": said[0].model_dump(), "confidence": said[1]}
        usage = RequestUsage(input_tokens=1000, output_tokens=100)
        return ModelResponse(
            parts=[ToolCallPart(info.output_tools[0].name, given)], usage=usage, provider_name="openai"
        )

    return FunctionModel(answer, model_name="gpt-4o-mini" if priced else "nobody-knows-it")


def careful(claim: dict[str, Any]) -> tuple[Verdict, float]:
    """Pays what is small, and is sure where it pays."""
    return (PAY, 0.95) if claim["amount"] in (100, 300, 500) else (REFUSE, 0.6)


async def go(there: There, says: Says = careful, *, path: str = "hail.decide", **more: Any) -> Rehearsal:
    """Rehearse in this process."""
    priced, budget, limit = more.pop("priced", True), more.pop("budget", None), more.pop("limit", 100)
    version = more.pop("version", "")
    unit, step = rehearsable(CATALOG, path)
    model = MeteredModel("new", client=scripted(says, priced=priced), meter=Meter(budget), **more)

    def performer(model: MeteredModel) -> Performer:
        return match([step], collect([rehearsed_performers], {Model: model}))[0]

    client = there.lab.client
    return await rehearse(
        client, there.ledger, (unit, step), performer, model, actor="ana", limit=limit, version=version
    )


def trials(found: Rehearsal, there: There) -> dict[str, Any]:
    """By the names of the past cases."""
    names = {case: name for name, case in there.cases.items()}
    return {names[one.case]: one for one in found.trials}


async def test_it_is_set_beside_what_people_and_the_old_executor_decided(there: There) -> None:
    """Agreement with people in the material fields, with the old executor, and which of these people were not led."""
    found = await go(there)
    by_name = trials(found, there)
    assert {name: one.agrees for name, one in by_name.items()} == {
        "accepted": True,
        "overridden": True,
        "blind": True,
        "auto": None,
        "failed": True,
        "odd": None,
    }
    assert {name: one.old_agrees for name, one in by_name.items()} == {
        "accepted": True,
        "overridden": False,
        "blind": True,
        "auto": None,
        "failed": None,
        "odd": None,
    }
    assert {name: one.same_as_old for name, one in by_name.items()} == {
        "accepted": True,
        "overridden": False,
        "blind": True,
        "auto": True,
        "failed": None,
        "odd": True,
    }
    assert [name for name, one in by_name.items() if one.independent] == ["failed", "blind"]
    assert (found.executor, dict(found.executors)) == ("new|2|", {"old|1|": 4})
    figures = found.figures
    assert figures is not None
    assert figures.with_people is not None
    assert figures.with_people.new.count == figures.with_people.new.n == 4
    assert (figures.with_people.gained, figures.with_people.lost) == (1, 0)


async def test_the_route_is_predicted_as_things_stand_and_if_it_were_signed(there: There) -> None:
    """Today a new executor decides nothing; with the grant in force what it is sure of, without people's time."""
    nothing = (await go(there)).figures
    assert nothing is not None
    assert nothing.auto is not None
    assert (nothing.auto.count, nothing.cycle) == (0, None)
    granted = Grant(
        unit="hail",
        version="1",
        step="decide",
        executor="old|1|",
        level="A5",
        signed_by="ana",
        role="head of claims",
        threshold=0.9,
        points=POINTS,
    )
    signed = sign(there.ledger, granted)
    found = await go(there)
    end(there.ledger, signed.grant_id, actor="ana", why="the test is over")
    figures = found.figures
    assert figures is not None
    assert figures.auto_today is not None
    assert figures.auto is not None
    assert (figures.auto_today.count, figures.auto.count, figures.auto.n) == (0, 3, 6)
    assert figures.routes == {"confident": 3, "below_threshold": 2}
    assert figures.auto_wrong is not None
    assert (figures.auto_wrong.count, figures.auto_wrong.n) == (0, 3)
    cycle = figures.cycle
    assert cycle is not None
    assert cycle.affected == 3
    assert cycle.predicted_mean[0] <= cycle.predicted_mean[1] <= cycle.mean
    said = page(found)
    assert "PREDICTED, if signed for it" in said
    assert "50.0% of 6" in said
    assert "to people: 2 below_threshold" in said


async def test_what_it_costs_is_counted_and_a_budget_ends_it(there: There) -> None:
    """To the request: the next one is not made when it might cost more than is left."""
    found = await go(there)
    assert found.figures is not None
    assert found.figures.cost_usd is not None
    each = found.figures.cost_usd / found.requests
    assert found.requests == 5  # the odd one is never asked about
    short = await go(there, budget=each * 2.5)
    assert (short.requests, short.ended) == (2, "the budget is spent")
    assert short.spent_usd is not None
    assert short.spent_usd <= each * 2.5
    nothing = await go(there, budget=0.0, path="hail.sort")
    assert (nothing.requests, nothing.figures, nothing.ended) == (0, None, "the budget is spent")
    assert "ENDED EARLY, with 6 past cases left" in page(nothing)
    unpriced = await go(there, priced=False, budget=1.0)
    assert (unpriced.requests, unpriced.spent_usd) == (1, None)
    assert "use --limit" in unpriced.ended
    assert "ENDED EARLY, with" in page(unpriced)


async def test_what_fails_is_a_figure_and_not_the_end(there: There) -> None:
    """Answers out of shape are failures by code, with which people would decide."""
    found = await go(there, lambda claim: None if claim["amount"] == 100 else careful(claim))
    assert found.figures is not None
    assert found.figures.failures == {"ai_output_invalid": 1}
    assert "failures: 1 of 6 past cases; people would decide there: ai_output_invalid 1" in page(found)


async def test_many_failures_of_one_kind_end_it(there: There) -> None:
    """The rest would be paid for nothing."""
    found = await go(there, lambda _: None)
    assert found.ended == "5 cases in a row failed with ai_output_invalid"
    assert found.figures is not None
    assert found.figures.failures == {"ai_output_invalid": 5}


async def test_the_newest_come_first_and_the_prompt_may_change(there: There) -> None:
    """As many as are wanted; the changed prompt is another executor."""
    found = await go(there, limit=1, rewrite=louder, rewritten_by="mine:louder")
    assert list(trials(found, there)) == ["odd"]
    more = await go(there, limit=2, rewrite=louder, rewritten_by="mine:louder")
    assert more.executor == "new|2+mine:louder|"


async def test_cases_of_other_versions_are_not_mixed_in_unless_wanted(there: There) -> None:
    """Theirs were other questions, perhaps; how many there are of each is on the page and in the document."""
    older = cases.update().where(cases.c.case_id.in_([there.cases["odd"], there.cases["auto"]]))
    with there.ledger.write() as connection:
        connection.execute(older.values(version="0"))
    today, old, every = await go(there), await go(there, version="0"), await go(there, version="all")
    none = await go(there, version="9")
    with there.ledger.write() as connection:
        connection.execute(older.values(version="1"))

    assert set(trials(today, there)) == {"accepted", "overridden", "blind", "failed"}
    assert (as_json(today)["versions"], as_json(today)["other_versions"]) == ({"1": 4}, {"0": 2})
    assert "  by version: 4 past cases of version 1; today's is version 1\n" in page(today)
    left = "not looked at, for they are of another version: 2 past cases of version 0; take them with --version VERSION"
    assert left in page(today)
    assert set(trials(old, there)) == {"odd", "auto"}
    assert "MIXED" not in page(old)
    assert (as_json(every)["versions"], as_json(every)["other_versions"]) == ({"1": 4, "0": 2}, {})
    assert "today's is version 1; MIXED: figures are over all of them" in page(every)
    assert "There is nothing to rehearse." in page(none)
    assert "2 past cases of version 0, 4 past cases of version 1" in page(none)


async def test_a_step_of_a_models_alone_is_compared_with_the_old_one(there: There) -> None:
    """Nobody decides there, so nothing is said of routes."""
    found = await go(there, path="hail.sort")
    assert found.figures is not None
    assert found.figures.with_people is None
    assert found.figures.auto is None
    assert found.figures.with_old is not None
    assert found.figures.with_old.n == 6
    assert "no person decides at this step" in page(found)


async def test_the_audit_says_who_had_which_model_read_how_many_cases(there: There) -> None:
    """Before the first is asked; nothing else is written, and the cases stay as they are."""
    with there.ledger.read() as connection:
        before = set(connection.execute(select(audit.c.audit_id)).scalars())
    found = await go(there)
    with there.ledger.read() as connection:
        rows = [row for row in connection.execute(select(audit)) if row.audit_id not in before]
    assert [(row.actor, row.what) for row in rows] == [("ana", "rehearse")]
    said = {"unit": "hail", "step": "decide", "model": "new", "cases": 6, "budget": None}
    assert rows[0].detail == said
    assert json.dumps(as_json(found), default=str)


async def test_the_command_says_it_all(there: There) -> None:
    """From a process of its own, with the `test` model, which is said to make its answers up."""
    address = there.lab.client.service_client.config.target_host
    env = os.environ | {
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_NAMESPACE": there.lab.client.namespace,
        "WORKUNITS_LEDGER": f"sqlite:///{there.ledger.url.database}",
    }
    command = [sys.executable, "-m", "workers.cli", "--module", "tests.boundary.rehearsed_performers", "rehearse"]
    said = await asyncio.to_thread(
        subprocess.run,
        [*command, "hail.decide", "--model", "test", "--as", "ana"],
        env=env,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "THE ANSWERS ARE MADE UP" in said.stdout
    assert "6 past cases" in said.stdout
    assert "NOT GUARDED" in said.stdout


async def test_a_performer_that_does_more_than_think_is_stopped(there: There, tmp_path: Path) -> None:
    """Also where it makes nothing of the refusal: such a case counts as failed, and the page says what was refused."""
    unit, step = rehearsable(CATALOG, "hail.decide")

    async def leaves_a_note(claim: Claim) -> Proposal[Verdict]:
        with suppress(OSError):
            (tmp_path / claim.number).write_text(claim.story)
        return Proposal(PAY, 0.9, model="new", prompt="1")

    model = MeteredModel("new", client=scripted(careful))
    performer = Performer(step, leaves_a_note, "here")
    found = await rehearse(
        there.lab.client, there.ledger, (unit, step), lambda _: performer, model, actor="ana", limit=2
    )
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
    assert found.figures is not None
    assert found.figures.failures == {"side_effect_refused": 2}
    assert "refused to the performer: writing a file 2" in page(found)
    assert "THE MODEL WAS NEVER ASKED" in page(found)


async def test_what_the_engine_has_no_more_is_read_from_the_ledger_or_left_out(there: There) -> None:
    """Where the model was asked the start argument itself, by its hash; what is erased is not read."""
    with there.ledger.write() as connection:
        # A run that the engine does not know is what it says of one beyond its retention.
        gone = cases.update().where(cases.c.case_id == there.cases["accepted"])
        connection.execute(gone.values(run_id=str(uuid.uuid4())))
        erased = cases.update().where(cases.c.case_id == there.cases["blind"])
        connection.execute(erased.values(forgotten_at=datetime.now(UTC)))
    found = await go(there)
    assert (len(found.trials), found.gathered.from_ledger) == (5, 1)
    assert dict(found.gathered.left) == {"forgotten": 1}
    assert trials(found, there)["accepted"].agrees is None
    assert "of 1 past case the ledger had the input" in page(found)
    sort = await go(there, path="hail.sort")
    assert dict(sort.gathered.left) == {"history_gone": 1, "forgotten": 1}
    assert "not rehearsed: 1 past case: the engine has their history no more" in page(sort)
