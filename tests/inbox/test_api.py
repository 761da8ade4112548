"""The HTTP API: bad inputs by their number in the design, then what good ones come to."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from temporalio.worker import Worker

import workunits.core.course
from inbox.app import make_app
from tests.conftest import Bench
from tests.inbox.calls import API, GRANT, JSON, opened, post, problem, until
from tests.inbox.conftest import Enter, client_of, log_in, serving
from tests.lab.people import PEOPLE, FourEyes
from tests.lab.units import Pair, Plain, Sequence
from workunits.core.lifecycle import Task
from workunits.registry import Catalog, Package


@pytest_asyncio.fixture
async def ann(enter: Enter) -> AsyncIterator[httpx2.AsyncClient]:
    """A clerk."""
    yield await enter("ann", accept="application/json")


@pytest_asyncio.fixture
async def ben(enter: Enter) -> AsyncIterator[httpx2.AsyncClient]:
    """Another."""
    yield await enter("ben", accept="application/json")


VALUE = "s3cret-value"
BODIES = [
    pytest.param(b"", 422, "invalid_field", id="input-1-none"),
    pytest.param(b'{"decision":"grant"}{"a":1}', 400, "bad_body", id="input-2-two"),
    pytest.param(b"null", 400, "bad_body", id="input-3-null"),
    pytest.param(b'"s3cret-value"', 400, "bad_body", id="input-3-scalar"),
    pytest.param(b'["s3cret-value"]', 400, "bad_body", id="input-3-list"),
    pytest.param(b"{s3cret-value", 400, "bad_body", id="input-4-not-json"),
    pytest.param(b"\xff\xfe{}", 400, "bad_body", id="input-4-encoding"),
    pytest.param(b'{"reason":"s3cret-value"}', 422, "invalid_field", id="input-5-missing"),
    pytest.param(b'{"decision":"grant","x":"s3cret-value"}', 422, "invalid_field", id="input-6-unknown"),
    pytest.param(b'{"decision":"grant","reason":7}', 422, "invalid_field", id="input-7-type"),
    pytest.param(b'{"decision":NaN}', 400, "bad_body", id="input-8-nan"),
    pytest.param(b'{"decision":-Infinity}', 400, "bad_body", id="input-8-infinity"),
    pytest.param(b'{"decision":1e400}', 400, "invalid_field", id="input-8-out-of-range"),
    pytest.param(b'{"decision":9223372036854775808}', 400, "invalid_field", id="input-9-65-bits"),
    pytest.param(b'{"decision":"grant","reason":"\\ud800"}', 400, "invalid_field", id="input-10-surrogate"),
    pytest.param(b'{"decision":"grant","reason":"\\u0000"}', 400, "invalid_field", id="input-10-nul"),
    pytest.param(b'{"decision":"grant","reason":"\\u001b"}', 400, "invalid_field", id="input-10-control"),
    pytest.param(b'{"a":' * 40 + b"1" + b"}" * 40, 400, "bad_body", id="input-11-deep"),
    pytest.param(b'{"reason":"' + b"x" * 70_000 + b'"}', 413, "too_large", id="input-12-over-64-kb"),
    pytest.param(b'{"reason":"' + b"x" * 10_000_000 + b'"}', 413, "too_large", id="input-13-10-mb"),
    pytest.param(b'{"decision":"s3cret-value"}', 422, "invalid_field", id="input-25-not-in-the-list"),
    pytest.param(b'{"decision":"refuse"}', 422, "invalid_field", id="input-26-reason-missing"),
    pytest.param(b'{"decision":"grant",}', 400, "bad_body", id="input-38-bad-json"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def task(bench: Bench) -> Task:
    """An open task on which nothing ever succeeds."""
    return await opened(bench)


@pytest.mark.parametrize(("body", "status", "code"), BODIES)
async def test_bad_bodies_are_refused_without_their_value(ann, bench, task, *, body, status, code):
    """Inputs 1 to 13, 25, 26 and 38: the answer names code and field; the case has not heard of it."""
    before = await bench.events(task.id.rpartition("/")[0], "workflow_execution_update_accepted")
    answer = await post(ann, task.id, "complete", body, **JSON)
    said = problem(answer, status, code)

    assert VALUE not in answer.text
    assert len(answer.text) < 2000
    if code == "invalid_field" and status == 422:
        assert said["errors"]
        assert all(error["detail"] for error in said["errors"])
        assert said["field"] == said["errors"][0]["field"]
    assert await bench.events(task.id.rpartition("/")[0], "workflow_execution_update_accepted") == before


async def test_each_misfit_is_named_by_its_field(ann, task):
    """As the form shows them: the path as it was sent."""
    said = problem(await post(ann, task.id, "complete", {"decision": "x", "reason": 1, "y": 2}), 422, "invalid_field")

    assert [error["field"] for error in said["errors"]] == ["decision", "reason", "y"]
    refusal = problem(await post(ann, task.id, "complete", {"decision": "refuse"}), 422, "invalid_field")
    assert refusal["errors"] == [{"field": "reason", "detail": "required when the decision is 'refuse'"}]
    released = await post(ann, task.id, "wait", {"reason": ""})
    assert problem(released, 422, "invalid_field")["errors"][0]["field"] == "reason"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("plain:{key}/nothing/complete", "not_found"),
        ("plain:{key}/decide/explode", "unknown_action"),
        ("plain:other/decide/complete", "not_found"),
        ("pair:{key}/decide/complete", "not_found"),
    ],
    ids=["input-14-unknown-task", "input-15-unknown-action", "input-16-another-case", "input-16-another-unit"],
)
async def test_what_is_not_there(ann, enter, task, path, code):
    """Inputs 14 to 16: 404, in the same words as what is not yours to see."""
    key = task.id.partition(":")[2].partition("/")[0]
    said = problem(await ann.post(f"{API}/tasks/{path.format(key=key)}", content=b"{}", headers=JSON), 404, code)
    zoe = await enter("zoe", accept="application/json")
    theirs = problem(await post(zoe, task.id, "complete", GRANT), 404, "not_found")

    assert code == "unknown_action" or said == theirs


async def test_input_17_a_stale_revision(bench, ann, ben):
    """412: the present revision, and who did what; the draft is kept."""
    task = await opened(bench)
    shown = await ann.get(f"{API}/tasks/{task.id}")
    await ann.put(f"{API}/tasks/{task.id}/draft", json={"reason": "half"})
    assert shown.headers["etag"] == '"1"'
    assert (await post(ben, task.id, "start", None, **{"If-Match": '"1"'})).headers["etag"] == '"2"'
    answer = await post(ann, task.id, "complete", GRANT, **{"If-Match": shown.headers["etag"]})
    said = problem(answer, 412, "not_owner")

    assert said["revision"] == 2
    assert [(one["by"], one["action"]) for one in said["meanwhile"]] == [("ben", "start")]
    assert (await ann.get(f"{API}/tasks/{task.id}/draft")).json()["body"] == {"reason": "half"}
    own = await post(ben, task.id, "complete", GRANT, **{"If-Match": '"1"'})
    assert problem(own, 412, "stale_revision")["revision"] == 2
    assert (await post(ben, task.id, "complete", GRANT, **{"If-Match": '"2"'})).status_code == 200


async def test_input_18_not_a_candidate(bench, enter):
    """403: which rule, and who may."""
    task = await opened(bench)
    hana = await enter("hana", accept="application/json")
    said = problem(await post(hana, task.id, "complete", GRANT), 403, "not_candidate")

    assert said["detail"] == "the task is for the role 'clerk'"
    assert said["may"] == ["ann", "ben", "cleo"]


async def test_input_19_excluded_by_four_eyes(lab, doors):
    """403: whoever prepared may not check."""
    catalog = Catalog([Package("people", PEOPLE, ("tests.lab.contracts",), ())])
    eyes = Bench(lab, catalog, queue=f"eyes-{uuid.uuid4().hex[:8]}")
    app = make_app(replace(doors, cases=eyes.cases, catalog=catalog))
    worker = Worker(lab.client, task_queue=eyes.queue, workflows=list(PEOPLE))
    async with worker, serving(app), client_of(app) as ann, client_of(app) as ben:
        await log_in(ann, "ann")
        await log_in(ben, "ben")
        task = await opened(eyes, FourEyes, "prepare")
        case = task.id.rpartition("/")[0]
        assert (await post(ann, task.id, "complete", {"request": "x"})).status_code == 200
        check = await eyes.task(case, "check")
        for action, body in (("claim", None), ("complete", GRANT)):
            said = problem(await post(ann, check.id, action, body), 403, "excluded")
            assert "four eyes" in said["detail"]
            assert said["may"] == ["ben", "cleo"]
        assert (await post(ben, check.id, "complete", GRANT)).status_code == 200


async def test_input_20_not_the_owner(bench, ann, ben):
    """403: who has it."""
    task = await opened(bench)
    await post(ben, task.id, "claim")
    said = problem(await post(ann, task.id, "stop"), 403, "not_owner")

    assert (said["detail"], said["may"]) == ("ben has claimed the task", ["ben"])


async def test_input_21_after_the_close(bench, ann, ben):
    """409: how, when and by whom; the accepted action again has its answer."""
    task = await opened(bench)
    done = await post(ben, task.id, "complete", GRANT, **{"Idempotency-Key": f"k-{task.id}"[:60]})
    await bench.closed(task.id.rpartition("/")[0])
    said = problem(await post(ann, task.id, "complete", GRANT, **{"If-Match": '"1"'}), 409, "closed")
    again = await post(ben, task.id, "complete", GRANT, **{"Idempotency-Key": f"k-{task.id}"[:60]})

    assert said["detail"].startswith("the case closed as achieved at 20")
    assert said["detail"].endswith("by ben")
    assert [one["by"] for one in said["meanwhile"]] == ["ben"]
    assert (again.status_code, again.json()) == (200, done.json())


async def test_input_22_after_the_expiry(bench, ann):
    """409: the task is over, and says how."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    await bench.skip(started.case, timedelta(hours=37))
    await bench.closed(started.case)
    said = problem(await post(ann, task.id, "complete", GRANT), 409, "closed")

    assert "the case closed as expired at" in said["detail"]
    assert (await ann.get(f"{API}/tasks/{task.id}")).json()["state"] == "expired"


async def test_inputs_23_and_24_the_same_action_id(bench, ann, monkeypatch):
    """The same body has the same answer, also after continue-as-new; another one is refused."""
    monkeypatch.setattr(workunits.core.course, "MESSAGES_PER_RUN", 1)
    task = await opened(bench, Sequence, "first")
    key = {"Idempotency-Key": f'"{uuid.uuid4().hex}"'}
    three = await asyncio.gather(*(post(ann, task.id, "complete", GRANT, **key) for _ in range(3)))
    await bench.task(task.id.rpartition("/")[0], "last")
    after = await post(ann, task.id, "complete", GRANT, **key)

    assert [one.status_code for one in three] == [200, 200, 200]
    assert [one.json() for one in three] == [after.json()] * 3
    assert after.json()["action_id"] == key["Idempotency-Key"].strip('"')
    assert (after.status_code, after.json()["task_state"], after.json()["revision"]) == (200, "completed", 2)
    other = await post(ann, task.id, "complete", {"decision": "refuse", "reason": "x"}, **key)
    problem(other, 409, "action_id_reused")
    view = await bench.cases.show(task.id.rpartition("/")[0])
    assert [acted.action for acted in view.record.actions] == ["complete"]


async def test_input_39_another_content_type(ann, task):
    """415, before anything is read."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await ann.post(f"{API}/tasks/{task.id}/complete", content=b"{}", headers={"content-type": kind})
        problem(answer, 415, "wrong_content_type")


async def test_input_40_an_unknown_unit(ann):
    """404, with near names."""
    for answer in (
        await ann.post(f"{API}/units/plane/cases", json={}),
        await ann.get(f"{API}/tasks", params={"unit": "plane"}),
        await ann.get(f"{API}/units/plane"),
    ):
        assert "did you mean plain" in problem(answer, 404, "unknown_unit")["detail"]


@pytest.mark.parametrize(
    "key", ["x" * 401, "a%00", "a%0Ab", "a%2Fb", "x" * 2000], ids=["long", "nul", "line", "slash", "longer"]
)
async def test_input_41_an_id_that_is_none(ann, key):
    """422 for one that is too long or has control characters; a slash makes it another address."""
    answer = await ann.get(f"{API}/cases/{key}")

    assert answer.status_code in ((404,) if "%2F" in key else (422,)), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["..%2F..%2Fetc%2Fpasswd", "%2e%2e/%2e%2e/etc/passwd", "..%5C..%5Cx"])
async def test_input_42_path_traversal(ann, path):
    """404, and nothing is looked up."""
    problem(await ann.get(f"{API}/cases/{path}"), 404, "not_found")


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"If-Match": "1"}, "If-Match"),
        ({"If-Match": 'W/"1"'}, "If-Match"),
        ({"If-Match": '"0"'}, "If-Match"),
        ({"Idempotency-Key": "a b"}, "Idempotency-Key"),
        ({"Idempotency-Key": "x" * 101}, "Idempotency-Key"),
        ({"Idempotency-Key": '""'}, "Idempotency-Key"),
    ],
)
async def test_headers_that_do_not_fit(ann, task, headers, field):
    """Are refused by name."""
    assert problem(await post(ann, task.id, "complete", GRANT, **headers), 422, "invalid_field")["field"] == field


async def test_lists_are_read_page_by_page(bench, ann):
    """Each task once, the most urgent first, and no page is longer than was asked for."""
    made = [await opened(bench, Pair, "left") for _ in range(5)]
    wanted = {task.id for task in made}

    async def walk() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            params = {"scope": "groups", "unit": "pair", "limit": "2", "cursor": cursor}
            page = (await ann.get(f"{API}/tasks", params=params)).json()
            assert len(page["tasks"]) <= 2
            found += page["tasks"]
            if page["next"] is None:
                return found
            cursor = page["next"]

    found = await until(walk, lambda items: wanted <= {item["task_id"] for item in items})

    assert len({item["task_id"] for item in found}) == len(found)
    assert [item["due_at"] for item in found] == sorted(item["due_at"] for item in found)
    problem(await ann.get(f"{API}/tasks", params={"cursor": "nonsense"}), 422, "invalid_field")


async def test_an_action_can_be_held_looked_at_and_undone(bench, ann, ben):
    """202 with where to look; only its sender may."""
    task = await opened(bench)
    answer = await ann.post(f"{API}/tasks/{task.id}/complete", params={"hold": "20"}, json=GRANT)
    where = answer.headers["location"]

    assert (answer.status_code, answer.json()["state"]) == (202, "held")
    assert (await ann.get(where)).json()["state"] == "held"
    problem(await ben.get(where), 404, "not_found")
    problem(await ben.delete(where), 404, "not_found")
    assert (await ann.delete(where)).status_code == 200
    applied = await post(ann, task.id, "complete", GRANT)
    too_late = await ann.delete(f"{API}/actions/{applied.json()['action_id']}")
    problem(too_late, 409, "too_late")


def take_away(file: Path) -> None:
    """Leave something in a database's place that is none."""
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()
    file.mkdir()


async def test_a_store_that_is_down_accepts_nothing_and_says_so(bench, ann, journal):
    """503: whoever sent it sends it again; the list is still there."""
    task = await opened(bench)
    take_away(Path(journal.store.url.database))
    journal.close()
    for answer in (
        await post(ann, task.id, "complete", GRANT),
        await ann.get(f"{API}/tasks/{task.id}"),
    ):
        problem(answer, 503, "journal_unavailable")
    page = (await ann.get(f"{API}/tasks", params={"scope": "all"})).json()

    assert "nothing can be saved or decided" in page["banner"]
    view = await bench.cases.show(task.id.rpartition("/")[0])
    assert view.record.actions == []
