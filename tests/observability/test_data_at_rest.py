"""Data at rest: what stands in the files of the engine and of the ledger, with the codec and without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import pytest_asyncio
from sqlalchemy import select
from temporalio.client import Client
from temporalio.worker import Worker

from observability.export.reading import Wanted, read
from observability.ledger.erasing import forget
from observability.ledger.follower import Follower
from observability.ledger.keeping import dead_letters, inputs
from observability.ledger.letters import read_letters
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import cases
from tests.conftest import ALL, PACKAGE, Bench
from tests.lab import performers, trouble_performers
from tests.lab.units import Plain, Ruled, Sequence
from tests.observability.following import followed
from tests.patience import PATIENCE
from workers.checks.codec import PLAIN, codec, count_needs
from workers.engine.connect import connect
from workers.engine.embedded import Engine, Plan
from workers.key_file import add_key
from workers.pages.case import page_of
from workers.replaying.recording import histories_of
from workers.replaying.replay import replay
from workers.settings import Settings
from workunits.codec import Key, KeyRing, ring_of
from workunits.performs import collect, match
from workunits.plugin import work_units
from workunits.registry import Catalog
from workunits.testing import Lab

CATALOG = Catalog([PACKAGE])
QUEUE = "rest"
INPUT, ANSWER, WHO = "canary-of-the-input", "canary-of-the-answer", "canary-of-a-person"
EVIDENCE, ERROR = "a second head", "no such customer"
SECRET = (INPUT, ANSWER, WHO, EVIDENCE, ERROR)
"""What must not be readable in the engine's files; the last two are what performers say in the moods below."""


@dataclass
class Rest:
    """What is left when the work is done."""

    engine: Path
    ledger: Path
    bench: Bench
    ids: tuple[str, ...]
    """The cases: achieved, with an exception, failed, still open."""
    settings: Settings


def contents(folder: Path) -> bytes:
    """All that stands in the files of a folder, journals and logs included."""
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def worker(client: Client) -> Worker:
    """A worker for the tests' units."""
    steps = [step for unit in ALL for step in unit.steps]
    activities = [performer.as_activity() for performer in match(steps, collect([performers, trouble_performers], {}))]
    return Worker(client, task_queue=QUEUE, workflows=list(ALL), activities=activities)


async def work(bench: Bench) -> tuple[str, ...]:
    """Cases in which each secret comes up."""
    achieved = (await bench.start(Sequence, INPUT)).case
    odd = (await bench.start(Ruled, "odd")).case
    failed = (await bench.start(Plain, "refused")).case
    still_open = (await bench.start(Plain, INPUT)).case
    for step in ("first", "last"):
        task = await bench.task(achieved, step)
        await bench.answer(task, {"decision": "grant", "reason": ANSWER}, by=WHO)
    by_hand = await bench.task(odd, "look_by_hand")
    assert (await bench.cases.question(by_hand.id))["evidence"] == {"found": EVIDENCE}
    await bench.answer(by_hand, {"risk": ANSWER}, by=WHO)
    for case in (achieved, odd, failed):
        await bench.closed(case)
    await bench.task(still_open, "decide")
    return achieved, odd, failed, still_open


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["sealed", "in clear"])
async def rest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rest]:
    """A real engine with its state in a file, a worker, a follower and a ledger; with the codec and without."""
    folder = tmp_path_factory.mktemp("rest")
    key_file = None
    if request.param == "sealed":
        key_file = folder / "keys" / "codec.toml"
        add_key(key_file, ahead=timedelta(0))
    settings = Settings(codec_keys=key_file, state=folder / "state")
    # Before the fixture of a test could: the module has one ledger.
    patch = pytest.MonkeyPatch()
    patch.setattr(Sequence, "keep_inputs", True)
    async with Engine(Plan(folder / "engine", usual_ports=False, ui=False)) as engine:
        client = await connect(settings, CATALOG, address=engine.address)
        bench = Bench(cast("Lab", SimpleNamespace(client=client)), CATALOG, queue=QUEUE)
        ledger = Ledger(f"sqlite:///{folder / 'ledger' / 'ledger.sqlite'}")
        ledger.migrate()
        async with worker(client):
            ids = await work(bench)
            await followed(Follower(client, ledger, CATALOG), ledger, *ids[:-1], waiting=ids[-1:])
            yield Rest(folder / "engine", folder / "ledger", bench, ids, settings)
        ledger.close()
    patch.undo()


def is_sealed(rest: Rest) -> bool:
    """Whether the codec is on."""
    return rest.settings.codec_keys is not None


async def test_the_engine_s_files_hold_no_secret(rest: Rest):
    """With the codec, no file has an input, an answer, a name, evidence, error's words; without it, all are found."""
    there = contents(rest.engine)

    assert {secret: secret.encode() in there for secret in SECRET} == dict.fromkeys(SECRET, not is_sealed(rest))
    assert rest.ids[0].encode() in there  # ids stay in clear


async def test_the_ledger_holds_the_record_and_seals_the_input(rest: Rest):
    """The ledger is a projection in clear: who did what. A kept input is sealed where the codec is on."""
    ledger = Ledger(f"sqlite:///{rest.ledger / 'ledger.sqlite'}")
    with ledger.read() as connection:
        rows = {row.case_id: row for row in connection.execute(select(cases))}
        kept = connection.execute(select(inputs.c.input).where(inputs.c.case_id == rest.ids[0])).scalar_one()
    there = contents(rest.ledger)

    assert [rows[case].close for case in rest.ids] == ["achieved", "achieved", "failed", None]
    assert WHO.encode() in there
    assert not any(secret.encode() in there for secret in (ANSWER, EVIDENCE, ERROR))
    assert (INPUT.encode() in there) is not is_sealed(rest)
    assert ("mood" in kept) is not is_sealed(rest)
    ledger.close()


async def test_an_export_opens_the_inputs(rest: Rest):
    """Whoever has the keys exports inputs as they were; without them, a sealed one is an error that says what to do."""
    ledger = Ledger(f"sqlite:///{rest.ledger / 'ledger.sqlite'}")
    found = [file for file in read(ledger, Wanted(), with_input=True, keys=ring_of(rest.bench.client)) if file.input]

    assert [file.input["mood"] for file in found] == [INPUT]
    if is_sealed(rest):
        with pytest.raises(LedgerError, match="WORKUNITS_CODEC_KEYS"):
            list(read(ledger, Wanted(), with_input=True))
    ledger.close()


async def test_replay_reads_what_is_sealed(rest: Rest):
    """The cases of an engine replay, whether they are sealed or not, and what was sealed is compared in clear."""
    names = ", ".join(f"'{unit.unit_name}'" for unit in ALL)
    found = [one async for one in histories_of(rest.bench.client, f"WorkflowType IN ({names})")]
    verdicts = await replay(found, CATALOG)

    assert {verdict.history: verdict.status for verdict in verdicts} == dict.fromkeys(rest.ids, "clean")
    assert any(INPUT.encode() in event.SerializeToString() for one in found for event in one.events)


async def test_an_error_s_words_are_shown_to_who_has_the_key(rest: Rest):
    """`show` says why a step is tried again, in the performer's own words."""
    case = (await rest.bench.start(Plain, "flaky")).case
    async with asyncio.timeout(PATIENCE):
        while True:
            view = await rest.bench.cases.show(case)
            said = (await page_of(rest.bench.client, CATALOG, view, datetime.now(UTC))).under_way
            if any("the last failed" in line for line in said):
                break
            await asyncio.sleep(0.02)

    assert "the network is down" in said[0]


@pytest.mark.parametrize("rest", ["sealed"], indirect=True)
async def test_a_follower_that_gets_its_keys_takes_up_what_it_refused(rest: Rest, tmp_path: Path):
    """Without the keys, a sealed case is a dead letter that says why; with them, the follower writes its row."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    blind = await client_with(rest, None)
    await Follower(blind, ledger, CATALOG).follow()
    refused = {letter["case_id"]: letter["reason"] for letter in read_letters(ledger)}
    await Follower(rest.bench.client, ledger, CATALOG).follow()
    with ledger.read() as connection:
        written = set(connection.execute(select(cases.c.case_id)).scalars())

    assert set(rest.ids) <= set(refused)
    assert "sealed with a key" in refused[rest.ids[0]]
    assert set(rest.ids) <= written
    assert read_letters(ledger) == []
    ledger.close()


@pytest.mark.parametrize("rest", ["sealed"], indirect=True)
async def test_forgetting_a_person_empties_sealed_letters(rest: Rest, tmp_path: Path):
    """A dead letter that is sealed may name the person, so its copy of the listing goes."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    await Follower(await client_with(rest, None), ledger, CATALOG).follow()
    with ledger.read() as connection:
        before = set(connection.execute(select(dead_letters.c.payload)).scalars())
    forget(ledger, "subject", WHO, actor="ann")
    with ledger.read() as connection:
        after = set(connection.execute(select(dead_letters.c.payload)).scalars())

    assert "" not in before
    assert after == {""}
    ledger.close()


async def client_with(rest: Rest, keys: KeyRing | None) -> Client:
    """Another client of the engine, with other keys."""
    host = rest.bench.client.service_client.config.target_host
    return await Client.connect(host, plugins=[work_units("tests.lab.contracts", keys=keys)])


async def statuses(rest: Rest, keys: KeyRing | None) -> list[tuple[str, str]]:
    """What `doctor` says to who has these keys."""
    client = await client_with(rest, keys)
    return [(finding.status, finding.message) for finding in await codec(client, CATALOG)]


async def test_doctor_knows_which_keys_open_cases_need(rest: Rest):
    """Open cases whose key is not here are a finding, and so are cases in clear that nobody would read."""
    mine = ring_of(rest.bench.client)
    other = Key("other", datetime(2026, 1, 1, tzinfo=UTC), b"o" * 32)
    [(with_mine, _)] = await statuses(rest, mine)
    [(with_other, of_other)] = await statuses(rest, KeyRing([other]))
    [(without, _)] = await statuses(rest, None)
    [(reading, _)] = await statuses(rest, KeyRing([other, *(mine.keys if mine else ())], read_plaintext=True))

    assert (with_mine, with_other, reading) == ("ok", "fail", "warn")
    assert without == ("fail" if is_sealed(rest) else "ok")
    assert ("sealed with the key" if is_sealed(rest) else "in clear") in of_other


async def test_a_key_may_go_when_no_case_needs_it(rest: Rest):
    """What needs a key is counted in whole histories; a key that seals, or that is yet to, stays."""
    needs = await count_needs(rest.bench.client, CATALOG)
    mine = ring_of(rest.bench.client)
    if mine is None:
        assert (needs.open[PLAIN] >= 1, needs.closed[PLAIN] >= 3) == (True, True)
        return
    now = datetime.now(UTC)
    idle = Key("idle", datetime(2026, 1, 1, tzinfo=UTC), b"i" * 32)
    later = Key("later", now + timedelta(days=1), b"l" * 32)
    uses = {use.id: use for use in needs.uses(KeyRing([idle, later, *mine.keys]))}
    missing = {use.id: use for use in needs.uses(KeyRing([idle]))}
    own = mine.keys[0].id

    assert needs.open[PLAIN] == needs.closed[PLAIN] == 0
    assert (uses[own].open >= 1, uses[own].closed >= 3, uses[own].seals) == (True, True, True)
    assert {name: use.removable for name, use in uses.items()} == {own: False, "idle": True, "later": False}
    assert missing[own].in_ring is False
