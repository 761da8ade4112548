"""The inbox under a hundred thousand open tasks: a page from the ledger, and the same over HTTP.

The rows are made; ledger, journal, server and client are real. The server is a process of its own, and asks no engine.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from sqlalchemy import insert
from temporalio.client import Client

from inbox.app import make_app
from inbox.directory import Directory
from inbox.doors import Doors
from inbox.journal import Journal
from inbox.limits import Limits, Rate
from inbox.listing import Listing
from inbox.rights import roles_in
from inbox.sessions import Ended
from inbox.wanted import SCOPES, Viewer, Wanted
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, tasks
from workers.engine.ports import LOOPBACK, free_ports
from workunits.client import Cases
from workunits.plugin import work_units
from workunits.registry import Catalog, Package
from workunits.units import UNITS

MANY, SOME = 100_000, 2_000
ME = "ann"
OWNED = 40
"""Tasks of one person; nobody has more at a time for long."""
REPEATS = 60
_CATALOG = Catalog([Package("workunits", UNITS, ("workunits.contracts",), ())])
_ROLES = sorted({role for unit in _CATALOG for role in roles_in(unit)})
_PLENTY = Rate(1e9, 1e9)


def inbox_figures() -> dict[str, float]:
    """Milliseconds: a page by query, by HTTP, and a list by HTTP."""
    with tempfile.TemporaryDirectory(prefix="workunits-bench-") as folder:
        many, some = (_ledger(Path(folder, str(count)), count) for count in (MANY, SOME))
        queries = _queries(many)
        print({scope: round(p50, 2) for scope, p50 in queries.items()}, "ms by query, p50", flush=True)
        with _served(Path(folder, str(MANY))) as ask:
            pages = {scope: _times(lambda scope=scope: ask(scope), REPEATS) for scope in SCOPES}  # type: ignore[misc]
        with _served(Path(folder, str(SOME))) as ask:
            lists = [taken for scope in SCOPES for taken in _times(lambda scope=scope: ask(scope), REPEATS)]  # type: ignore[misc]
        http = {scope: statistics.median(taken) for scope, taken in pages.items()}
        print({scope: round(p50, 2) for scope, p50 in http.items()}, "ms by HTTP, p50", flush=True)
        for ledger in (many, some):
            ledger.close()
    return {
        "inbox page, 50 of 100,000, query, ms": max(queries.values()),
        "inbox page, 50 of 100,000, HTTP p50, ms": max(http.values()),
        "inbox list, 2,000 open, HTTP p95, ms": statistics.quantiles(lists, n=20)[-1],
    }


def _queries(ledger: Ledger) -> dict[str, float]:
    """The worst of a first page and one in the middle, by scope."""
    listing = Listing(ledger, _CATALOG)
    viewer = Viewer((ME,), frozenset(_ROLES), frozenset(unit.unit_name for unit in _CATALOG))
    found: dict[str, float] = {}
    for scope in SCOPES:
        first = listing.page(Wanted(scope=scope), viewer, datetime.now(UTC))
        deep = Wanted(scope=scope, cursor=first.next or "")
        worst = 0.0
        for wanted in (Wanted(scope=scope), deep):
            taken = _times(lambda wanted=wanted: listing.page(wanted, viewer, datetime.now(UTC)), REPEATS)  # type: ignore[misc]
            worst = max(worst, statistics.median(taken))
        found[scope] = worst
    return found


def _times(what: Callable[[], object], repeats: int) -> list[float]:
    taken = []
    for _ in range(repeats + 5):
        began = time.perf_counter()
        what()
        taken.append((time.perf_counter() - began) * 1000)
    return taken[5:]  # the first ones warm caches


def _ledger(folder: Path, count: int) -> Ledger:
    """A ledger with so many open tasks, of all human steps of the catalog."""
    folder.mkdir()
    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    ledger.migrate()
    dice = random.Random(count)  # noqa: S311 - the same tasks each time
    steps = [(unit.unit_name, step) for unit in _CATALOG for step in unit.steps if step.kind == "human"]
    now = datetime.now(UTC)
    with ledger.write() as connection:
        for start in range(0, count, 10_000):
            numbers = range(start, min(count, start + 10_000))
            made = [_rows(number, *dice.choice(steps), now, dice) for number in numbers]
            connection.execute(insert(cases), [case for case, _ in made])
            connection.execute(insert(tasks), [task for _, task in made])
    return ledger


def _rows(
    number: int, unit: str, step: Any, now: datetime, dice: random.Random
) -> tuple[dict[str, Any], dict[str, Any]]:
    key = f"{number:06d}"
    case: dict[str, Any] = {
        "case_id": f"{unit}:{key}",
        "unit": unit,
        "version": "1",
        "business_key": key,
        "run_id": "r",
    }
    case |= dict.fromkeys(("run_started_at", "changed_at", "written_at", "started_at"), now)
    owner = ME if number < OWNED else dice.choice((None, "ben", "cleo"))
    task = {name: case[name] for name in ("case_id", "unit", "business_key")} | {
        "task_id": f"{unit}:{key}/{step.name}",
        "step": step.name,
        "role": step.role,
        "state": "claimed" if owner else "ready",
        "open": True,
        "revision": 1,
        "owner": owner,
        "accountable": step.accountable,
        "excluded": [],
        "ready_at": now,
        "due_at": now + timedelta(minutes=dice.randrange(-2_000, 20_000)),
    }
    return case | {"state": "waiting", "record_hash": ""}, task


@contextmanager
def _served(folder: Path) -> Iterator[Callable[[str], object]]:
    """The inbox as a process; what it gives asks for a page of a scope, and reads all of it."""
    (port,) = free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(folder, url), daemon=True)
    process.start()
    try:
        with httpx2.Client(base_url=url, headers={"sec-fetch-site": "same-origin"}) as client:
            _until_up(client)
            client.post("/login/dev", data={"name": ME})

            def ask(scope: str) -> object:
                answer = client.get("/api/v1/tasks", params={"scope": scope})
                answer.raise_for_status()
                said = answer.json()
                assert said["tasks"], scope  # noqa: S101 - an empty page is fast
                return said

            yield ask
    finally:
        process.terminate()
        process.join(10)


def _until_up(client: httpx2.Client) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            client.get("/health")
        except httpx2.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _serve(folder: Path, url: str) -> None:
    asyncio.run(_serving(folder, url))


async def _serving(folder: Path, url: str) -> None:
    people = folder / "directory.toml"
    roles = ", ".join(f'"{role}"' for role in _ROLES)
    people.write_text(f'[groups]\nall = [{roles}]\n\n[[person]]\nname = "{ME}"\ndisplay = "Ann"\ngroups = ["all"]\n')
    journal = Journal(f"sqlite:///{folder / 'journal.sqlite'}")
    journal.open()
    client = await Client.connect(f"{LOOPBACK}:1", lazy=True, plugins=[work_units(*_CATALOG.contracts)])
    doors = Doors(
        cases=Cases(client, _CATALOG),
        catalog=_CATALOG,
        ledger=Ledger(f"sqlite:///{folder / 'ledger.sqlite'}"),
        directory=Directory.watch(people),
        journal=journal,
        url=url,
        session_key="a key for benchmarks, and nothing else",
        ended=Ended(),
        dev_login=True,
        limits=Limits(_PLENTY, _PLENTY, _PLENTY, _PLENTY),
    )
    port = int(url.rpartition(":")[2])
    await uvicorn.Server(uvicorn.Config(make_app(doors), host=LOOPBACK, port=port, log_level="error")).serve()
