"""Where a step that gave no output leads: an exception and a failure to their rules, silence to the expiry policy."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from tests.conftest import Bench
from tests.lab.contracts import Decision, Facts, OfferExpired
from tests.lab.lapses import Lapsed
from workunits.cases import CaseView
from workunits.performs import Performer
from workunits.registry import Catalog, Package
from workunits.testing import Lab

FOUND = Facts(risk="low")
SIGNED = Decision(decision="grant")
FAILURE = ApplicationError("no", type="expired", non_retryable=True)


async def run(lab: Lab, *, look: Any = FOUND, sign: Any = SIGNED) -> CaseView:
    """A case of its own, in which everybody who takes over does so."""
    by_hand = {Lapsed.BY_HAND: FOUND, Lapsed.REPAIR: FOUND, Lapsed.LATE: SIGNED, Lapsed.OTHER: SIGNED}
    said = {Lapsed.LOOK: look, Lapsed.SIGN: sign}
    answers = {step: answer for step, answer in (by_hand | said).items() if answer is not None}
    return await lab.run(Lapsed, Lapsed.case_type(request=uuid.uuid4().hex), answers)


@pytest.mark.parametrize(
    ("said", "route"),
    [
        ({"look": OfferExpired()}, ("expired", True, "by_hand")),
        ({"look": FAILURE}, ("expired", False, "repair")),
        ({"sign": None}, ("expired", False, "late")),
    ],
    ids=["an exception", "a failure", "silence"],
)
async def test_what_is_called_expired_goes_its_own_way(
    lab: Lab, said: dict[str, Any], route: tuple[str, bool, str]
) -> None:
    """By the unit's rules when a performer says it, by the expiry policy when nobody answered a task."""
    view = await run(lab, **said)

    assert view.record
    assert view.close == "achieved"
    assert [(r.code, r.business, r.to) for r in view.record.routes] == [route]


async def test_a_person_meets_an_exception_that_is_called_expired(lab: Lab) -> None:
    """The task has an expiry policy, too; the exception's rule is another one."""
    queue = f"lapsed-{uuid.uuid4().hex[:8]}"
    bench = Bench(lab, Catalog([Package("lapsed", (Lapsed,), ("tests.lab.contracts",), ())]), queue)
    looks = Performer(Lapsed.LOOK, lambda _: FOUND, "here").as_activity()
    async with Worker(lab.client, task_queue=queue, workflows=[Lapsed], activities=[looks]):
        started = await bench.start(Lapsed)
        task = await bench.task(started.case, "sign")
        await bench.cases.act(task.id, "claim", actor="ann", roles=["clerk"])
        await bench.cases.act(task.id, "fail", actor="ann", roles=["clerk"], body={"code": "expired"})
        await bench.answer(await bench.task(started.case, "other"), {"decision": "grant"}, by="eve")
        view = await bench.closed(started.case)

    assert view.record
    assert [(r.code, r.business, r.to) for r in view.record.routes] == [("expired", True, "other")]
