"""The class of a unit, as the SDK sees it: a workflow whose definition is found once per process."""

from __future__ import annotations

import uuid
from typing import Any

from temporalio.client import WorkflowFailureError

from tests.lab.people import Council
from tests.lab.units import Plain
from workunits.core import unit
from workunits.sandbox import StrictRunner, strict_runner


def test_the_sdk_keeps_its_definition_where_we_look():
    """An SDK that keeps it elsewhere would have every case inspected again, or not run at all."""
    made = getattr(Plain, unit._DEFINITION)

    assert (Plain, "plain") == (made.cls, made.name)
    assert unit._workflows[Plain.__module__, Plain.__qualname__] is made
    assert {None} == set(made.updates) == set(made.signals)


def test_a_definition_with_handlers_of_the_units_own_is_not_kept():
    """They must be those of the guarded file, not those that this process imported."""
    from tests.lab.chatty import Chatty

    assert "mood" in getattr(Chatty, unit._DEFINITION).queries
    assert (Chatty.__module__, Chatty.__qualname__) not in unit._workflows


async def test_cases_run_on_the_kept_definition(bench, monkeypatch):
    """In the sandbox the SDK's own inspection is not made again: this one would end the case's task."""

    def forbidden(*_args: object, **_named: object) -> None:
        raise AssertionError("inspected again")

    monkeypatch.setattr("temporalio.workflow._definition._Definition._apply_to_class", staticmethod(forbidden))
    key = uuid.uuid4().hex
    handle = await bench.client.start_workflow("plain", {"request": key}, id=f"plain:{key}", task_queue=bench.queue)
    task = await bench.task(handle.id, "decide")
    await bench.answer(task, {"decision": "grant"})
    try:
        said = await handle.result()
    except WorkflowFailureError as error:
        raise AssertionError(error.cause) from error

    assert said["close"] == "achieved"


async def test_a_case_holds_its_units_own_facts_and_the_functions_of_its_guarded_file(monkeypatch):
    """Made anew for each case, they would be kept for as long as it is open; a function must stay behind the guard."""
    cases: list[Any] = []
    make = StrictRunner.create_instance

    def remembered(runner, det):
        cases.append(make(runner, det))
        return cases[-1]

    monkeypatch.setattr(StrictRunner, "create_instance", remembered)
    strict_runner("tests.lab.contracts").prepare_workflow(getattr(Council, unit._DEFINITION))

    made = cases[0]._inside._defn.cls
    assert made is not Council
    assert made.CHAIR is Council.CHAIR
    assert made.learning is Council.learning
    assert made.VOTE is not Council.VOTE  # it says how votes are counted
    assert made.outcome.achieved is not Council.outcome.achieved
