"""The part of the HTTP API that is about cases and units, and its description."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import httpx2
import pytest_asyncio

from tests.inbox.calls import API, GRANT, opened, post, problem, until
from tests.inbox.conftest import Enter


@pytest_asyncio.fixture
async def ann(enter: Enter) -> AsyncIterator[httpx2.AsyncClient]:
    """A clerk."""
    yield await enter("ann", accept="application/json")


@pytest_asyncio.fixture
async def ben(enter: Enter) -> AsyncIterator[httpx2.AsyncClient]:
    """Another."""
    yield await enter("ben", accept="application/json")


async def test_cases_are_started_shown_listed_and_cancelled(bench, ann, ben, enter):
    """A key is used once; the same input is the same case."""
    key = uuid.uuid4().hex[:12]
    first = await ann.post(f"{API}/units/plain/cases", json={"request": key})
    again = await ann.post(f"{API}/units/plain/cases", json={"request": key})
    other = await ann.post(f"{API}/units/plain/cases", json={"request": key, "amount": 2})
    case = f"plain:{key}"

    assert (first.status_code, first.json()) == (201, {"case": case, "existing": False})
    assert (again.status_code, again.json()["existing"]) == (200, True)
    assert problem(other, 409, "duplicate_case")["case"] == case
    problem(await ann.post(f"{API}/units/plain/cases", json={"request": 1}), 422, "invalid_field")
    await bench.task(case, "decide")
    shown = (await ann.get(first.headers["location"])).json()
    assert (shown["state"], shown["may_cancel"], len(shown["tasks"])) == ("waiting", True, 1)
    problem(await ben.post(f"{API}/cases/{case}/cancel", json={"reason": "no"}), 403, "not_allowed")
    assert (await ann.post(f"{API}/cases/{case}/cancel", json={"reason": "a mistake"})).status_code == 202
    await bench.closed(case)
    problem(await ann.post(f"{API}/cases/{case}/cancel", json={"reason": "again"}), 409, "closed")
    problem(await (await enter("zoe")).get(f"{API}/cases/{case}", headers={"accept": "*/*"}), 404, "not_found")

    params = {"unit": "plain", "state": "cancelled", "limit": "200"}
    await until(lambda: ann.get(f"{API}/cases", params=params), lambda answer: case in answer.text)


async def test_evidence_is_told_of_a_closed_case(bench, ann):
    """Of a measure that the unit declares; what it does not declare is refused by name."""
    task = await opened(bench)
    case = task.id.rpartition("/")[0]
    body = {"measure": "complaint", "value": 1, "source": "letter 7"}
    problem(await ann.post(f"{API}/cases/{case}/evidence", json=body), 409, "open")
    await post(ann, task.id, "complete", GRANT)
    await bench.closed(case)
    where = f"{API}/cases/{case}/evidence"
    answer = await until(lambda: ann.post(where, json=body), lambda answer: answer.status_code != 503)

    said = problem(answer, 422, "invalid_field")
    assert (said["field"], "declares no quality measure" in said["detail"]) == ("measure", True)


async def test_the_description_has_the_units_own_models(ann, enter):
    """For whoever has a part in them; the document names every operation once."""
    document = (await ann.get(f"{API}/openapi.json")).json()
    complete = document["paths"]["/api/v1/tasks/{case_id}/{step}/complete"]["post"]
    (answers,) = [complete["requestBody"]["content"]["application/json"]["schema"]["anyOf"]]
    schemas = document["components"]["schemas"]
    names = [option["$ref"].rpartition("/")[2] for option in answers]
    operations = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]

    assert any(set(schemas[name]["properties"]) == {"decision", "reason"} for name in names)
    assert len(operations) == len(set(operations))
    assert {"claim_task", "delegate_task", "start_case", "note_evidence"} <= set(operations)
    assert "Hand" in schemas
    zoe = await enter("zoe", accept="application/json")
    none = (await zoe.get(f"{API}/openapi.json")).json()
    assert "Decision" not in none["components"]["schemas"]
    assert (await zoe.get(f"{API}/units")).json() == {"units": []}


async def test_who_is_not_known_is_told_so(enter):
    """401, whatever they ask for."""
    nobody = await enter(accept="application/json")
    for path in ("tasks", "cases", "units", "openapi.json", "tasks/plain:1/decide"):
        problem(await nobody.get(f"{API}/{path}"), 401, "login_required")
