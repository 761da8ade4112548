"""Reviews that begin with a plainly wrong proposal: who notices has decided, who does not is asked again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.boundary.contracts import Verdict
from tests.boundary.test_runs import HEAD, PAY, REFUSE, Office
from workunits.core import hybrid
from workunits.core.errors import Refused
from workunits.core.proposal import noticed
from workunits.testing import Lab

WRONG = Verdict(verdict="pay", amount=877)
HUGE = Verdict(verdict="pay", amount=60_000)


@pytest.fixture(autouse=True)
def always_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every review begins with a decoy; the framework's modules pass through the sandbox."""
    monkeypatch.setattr(hybrid, "_is_seeded", lambda _, __: True)


@pytest.mark.asyncio(loop_scope="session")
async def test_who_notices_a_decoy_has_decided_and_labels_the_model(court: Lab) -> None:
    """They have seen nothing of the real proposal, so what they decide is independent of it."""
    office = Office(court)
    async with office.worker:
        case = await office.start()
        task = await office.task(case)
        question = await office.cases.question(task.id)
        assert question["proposal"]["output"] == WRONG.model_dump(mode="json")
        await office.complete(task, REFUSE, "ana")
        view = await office.until(case, lambda view: not view.is_open)
    assert view.record is not None
    kept = view.record.proposals[0]
    assert (kept.seeded, kept.agrees, kept.decision) == ("caught", False, None)


@pytest.mark.asyncio(loop_scope="session")
async def test_who_takes_a_decoy_over_is_asked_again_and_nothing_wrong_is_done(court: Lab) -> None:
    """The second question shows the real proposal; what is paid is what was decided then."""
    office = Office(court)
    async with office.worker:
        case = await office.start()
        await office.complete(await office.task(case), WRONG, "ana")
        again = await office.task(case, "decide-again")
        question = await office.cases.question(again.id)
        assert question["proposal"]["output"] == PAY.model_dump(mode="json")
        await office.complete(again, PAY, "ana")
        view = await office.until(case, lambda view: not view.is_open)
    assert view.record is not None
    kept = view.record.proposals[0]
    assert (view.close, kept.seeded, kept.decision) == ("achieved", "missed", "accept")
    assert HEAD not in view.record.decided_by


@pytest.mark.asyncio(loop_scope="session")
async def test_whoever_decided_when_asked_again_is_not_the_second_of_two(court: Lab) -> None:
    """Neither who missed the decoy nor who decided after it: what cannot be undone takes another person."""
    office = Office(court)
    async with office.worker:
        case = await office.start()
        await office.complete(await office.task(case), WRONG, "ana")
        await office.complete(await office.task(case, "decide-again"), HUGE, "bo")
        second = await office.task(case, "decide-v2")
        assert second.excluded == ["ana", "bo"]
        with pytest.raises(Refused, match="four eyes"):
            await office.complete(second, HUGE, "bo")
        await office.complete(second, HUGE, "carla")
        view = await office.until(case, lambda view: not view.is_open)
    assert view.record is not None
    assert (view.close, view.record.decided_by) == ("achieved", ["ana", "bo", "carla"])


@pytest.mark.asyncio(loop_scope="session")
async def test_who_changes_something_else_has_not_noticed_the_decoy(court: Lab) -> None:
    """What was planted is still in what they decided: they are asked again, and it is not done."""
    office = Office(court)
    async with office.worker:
        case = await office.start()
        left = Verdict(verdict="refuse", amount=WRONG.amount)
        await office.complete(await office.task(case), left, "ana")
        await office.complete(await office.task(case, "decide-again"), PAY, "ana")
        view = await office.until(case, lambda view: not view.is_open)
    assert view.record is not None
    kept = view.record.proposals[0]
    assert (view.close, kept.seeded, kept.agrees, kept.decision) == ("achieved", "missed", None, "accept")


@pytest.mark.parametrize(
    ("wrong", "decided", "material", "found"),
    [
        ({"sum": 877}, {"sum": 877}, (), "missed"),
        ({"sum": 877}, {"sum": 877, "note": "call first"}, (), "missed"),
        ({"sum": 877}, {"sum": 10, "note": "call first"}, (), "caught"),
        ({"sum": 877}, {"sum": 12}, ("sum",), "caught"),
        ({"sum": 877, "note": "odd"}, {"sum": 10, "note": "odd"}, (), "missed"),
        ({"sum": 877, "note": "odd"}, {"sum": 10, "note": "odd"}, ("sum",), "caught"),
        ({"note": "odd"}, {"sum": 12, "note": "odd"}, ("sum",), "missed"),
        ({"note": "odd"}, {"note": ""}, ("sum",), "caught"),
        ({"to": {"name": "ann", "iban": "X"}}, {"to": {"name": "Ann", "iban": "X"}}, (), "missed"),
        ({"to": {"name": "ann", "iban": "X"}}, {"to": {"name": "Ann", "iban": "A"}}, (), "caught"),
        ({"to": {"name": "ann", "iban": "X"}}, {"to": None}, (), "caught"),
        ({"parts": [1, 9]}, {"parts": [1, 9, 3]}, (), "missed"),
        ({"parts": [1, 9]}, {"parts": [5, 2]}, (), "caught"),
        ({"parts": [1]}, {"parts": [1], "note": "short"}, (), "missed"),
        ({}, {"sum": 12}, (), ""),
    ],
)
def test_a_decoy_is_noticed_where_what_was_planted_is_put_right(
    wrong: dict[str, Any], decided: dict[str, Any], material: tuple[str, ...], found: str
) -> None:
    """Everything planted that counts, however deep inside; where nothing planted counts, all of it does."""
    right = {"sum": 10, "note": "", "to": {"name": "ann", "iban": "A"}, "parts": [1, 2]}
    assert noticed(right, right | wrong, right | wrong | decided, material) == found
