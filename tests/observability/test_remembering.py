"""What hangs on the ledger's memory: a key is used once, and `doctor` warns long before anything can be lost."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import insert

from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import dead_letters, followers
from observability.ledger.memory import LedgerMemory
from observability.ledger.store import Ledger
from observability.ledger.writing import write
from tests.observability.event_log import a_case, put
from tests.observability.invented import case_rows, records
from tests.observability.trials import CATALOG, QUEUE, closes, serving
from workers.checks.finding import Finding
from workers.checks.ledger import SHARE, _retention, refuse_other_schema
from workers.checks.ledger import ledger as look_at
from workers.engine.ports import free_ports
from workers.settings import Settings
from workunits.client import Cases, DuplicateCaseError


@pytest.mark.parametrize("remembers", [True, False], ids=["ledger up", "ledger down"])
async def test_rule_11_a_key_that_the_engine_has_forgotten_is_not_used_again(lab, ledger, remembers, caplog):
    """`start` asks the ledger, which says how and when the case closed; while that is down, nobody waits for it."""
    key = uuid.uuid4().hex[:12]
    record = next(record for record in records(20, unit="trial") if record.close == "achieved")
    record.case = f"trial:{key}"
    with ledger.write() as connection:
        write(connection, [case_rows(record)], Forgetting.load(connection), datetime.now(UTC))
    asked = ledger if remembers else Ledger(f"postgresql://nobody@127.0.0.1:{free_ports(1)[0]}/none")
    body = f'{{"request": "{key}", "mood": ""}}'.encode()
    async with serving(lab) as trials:
        cases = Cases(trials.client, CATALOG, queue=QUEUE, memory=LedgerMemory(asked))
        if remembers:
            with pytest.raises(DuplicateCaseError, match=r"achieved at \d{4}-"):
                await cases.start("trial", body)
            assert closes(ledger, [record.case]) == {record.case: "achieved"}
        else:
            assert (await cases.start("trial", body)).case == record.case
            assert "may be used again" in caplog.text
            await cases.cancel(record.case, actor="test", reason="done")


async def said_of(bench, ledger: Ledger, **row: object) -> Finding:
    """What `doctor` says of the follower whose row is this."""
    with ledger.write() as connection:
        connection.execute(followers.delete())
        if row:
            connection.execute(insert(followers).values(namespace=bench.client.namespace, rows=1, **row))
    found = await look_at(bench.client, settings_of(ledger))
    return next(finding for finding in found if finding.check == "follower")


def settings_of(ledger: Ledger) -> Settings:
    """Settings that name a ledger."""
    return Settings(ledger=SecretStr(ledger.url.render_as_string(hide_password=False)))


async def test_doctor_warns_long_before_the_engine_forgets(bench, ledger):
    """A quarter of the retention behind, it fails; before that, a follower that is gone is a warning."""
    now, minutes = datetime.now(UTC), timedelta(minutes=1)
    retention = await _retention(bench.client)
    behind = retention / SHARE
    told = [
        await said_of(bench, ledger),
        await said_of(bench, ledger, watermark=now, passed_at=now),
        await said_of(bench, ledger, watermark=now - behind, passed_at=now),  # nothing has changed since
        await said_of(bench, ledger, watermark=now - behind + 9 * minutes, passed_at=now - 5 * minutes),
        await said_of(bench, ledger, watermark=now - behind - minutes, passed_at=now - 5 * minutes),
        await said_of(bench, ledger, watermark=now, passed_at=now - minutes / 4, error="disk full", error_at=now),
    ]

    assert [finding.status for finding in told] == ["warn", "ok", "ok", "warn", "fail", "fail"]
    assert "nobody has followed" in told[0].message
    assert "no pass for" in told[3].message
    assert "forgets closed cases after" in told[4].message
    assert "workunits follow; or raise the namespace's retention" in told[4].remedy
    assert "it cannot follow: disk full" in told[5].message


async def test_doctor_says_what_was_refused(bench, ledger):
    """A dead letter is a finding, with where to read why; what the ledger holds is said beside."""
    put(ledger, a_case("1"))
    now = datetime.now(UTC)
    letter = {
        "case_id": "c",
        "run_id": "r",
        "unit": "plain",
        "reason": "odd",
        "payload": "",
        "code": "x",
        "attempts": 1,
    }
    with ledger.write() as connection:
        connection.execute(insert(dead_letters).values(**letter, first_at=now, last_at=now))
    found = await look_at(bench.client, settings_of(ledger))

    assert (found[0].status, found[0].message.partition(" in ")[0]) == ("ok", "0 open and 1 closed case(s)")
    assert (
        found[-1].status,
        found[-1].message,
        found[-1].remedy,
    ) == ("fail", "1 case(s) cannot be stored", "see why: workunits ledger letters")


async def test_a_worker_does_not_wait_for_a_ledger_that_is_down(caplog):
    """It says so and starts: cases go on without it."""
    nowhere = SecretStr(f"postgresql://nobody@127.0.0.1:{free_ports(1)[0]}/none")
    await refuse_other_schema(Settings(ledger=nowhere))

    assert "cases go on without it" in caplog.text
