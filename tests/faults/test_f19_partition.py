"""F19: the network to the engine is cut, held up, slow, or forgets us; the engine stands still. All heals alone."""

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from observability.ledger.follower import Follower
from observability.ledger.store import Ledger
from tests.faults.durable import CHANGES, CONTRACTS, durable
from tests.faults.package import PACKAGE
from tests.faults.proxy import Proxy
from workunits.client import Cases, UnknownCaseError
from workunits.core.errors import Refused
from workunits.delivery import UndeliveredError
from workunits.plugin import work_units
from workunits.registry import Catalog

CASES = 5
PER_CASE = 1 + len(CHANGES)
OUTAGE, FROZEN = 4.0, 10.0
"""Seconds."""
KEEPALIVE = 45.0
"""Seconds until the SDK gives up a connection from which nothing comes any more."""
SOON = 30.0
"""Seconds: a connection that is not given up needs a few of them, and more on a busy machine."""


@asynccontextmanager
async def behind_a_proxy(folder):
    """Worker, follower and people, all of whom reach the engine through one proxy only."""
    async with durable(folder) as fleet, Proxy(fleet.engine.address.host) as proxy:
        await fleet.through(proxy.address)
        await asyncio.gather(started(fleet, fleet.worker), started(fleet, fleet.follower))
        yield fleet, proxy


async def started(fleet, begin):
    """Start a process; once more where the engine, which has just begun itself, broke its first connection."""
    try:
        await asyncio.to_thread(begin)
    except AssertionError as error:
        if "no Temporal at" not in str(error):
            raise
        fleet.shell.started[:] = [one for one in fleet.shell.started if one.process.poll() is None]
        await asyncio.to_thread(begin)


async def heals(fleet, outage, within):
    """Go through an outage in the middle of the work: all ends well, without a restart, and soon."""
    errands = asyncio.gather(*(fleet.errand(number) for number in range(CASES)))
    await fleet.until(lambda: fleet.acknowledged >= CASES)
    async with outage:
        before = fleet.acknowledged
    began = time.monotonic()
    await fleet.until(lambda: fleet.acknowledged > before)
    took = time.monotonic() - began
    await errands

    assert took <= within
    assert fleet.acknowledged == CASES * PER_CASE
    await fleet.proven()
    assert [started.process.poll() for started in fleet.shell.started] == [None, None]


@asynccontextmanager
async def lasting(seconds, begin, end):
    """A fault of so many seconds."""
    begin()
    await asyncio.sleep(seconds)
    yield
    end()


@pytest.mark.parametrize("kind", ["cut", "hold", "slow"])
async def test_f19_a_bad_network(tmp_path, kind):
    """Connections are reset, or stand still with all that was sent, or need 0.2 s for everything."""
    async with behind_a_proxy(tmp_path) as (fleet, proxy):
        begin = {"cut": proxy.cut, "hold": proxy.hold, "slow": lambda: proxy.slow(0.2)}[kind]
        await heals(fleet, lasting(OUTAGE, begin, proxy.heal), SOON)


async def test_f19_an_engine_that_stands_still(tmp_path):
    """It is frozen, with all its connections open, and goes on."""
    async with behind_a_proxy(tmp_path) as (fleet, _):
        pid = fleet.engine.pid
        stop, go_on = (lambda number=number: os.kill(pid, number) for number in (signal.SIGSTOP, signal.SIGCONT))
        await heals(fleet, lasting(FROZEN, stop, go_on), SOON)


async def test_f19_forgotten_connections(tmp_path):
    """A gateway has dropped our connections and tells neither side: they are given up, and made anew."""
    async with behind_a_proxy(tmp_path) as (fleet, proxy):
        await heals(fleet, lasting(0, proxy.forget, lambda: None), KEEPALIVE + SOON)


async def test_f19_an_engine_that_does_not_find_its_namespace_says_nothing_of_cases(fleet, tmp_path):
    """As it does for a moment after it stood still: nobody takes that for a case that is not there."""
    case = await fleet.start()
    elsewhere = await Client.connect(
        fleet.client.service_client.config.target_host, namespace="elsewhere", plugins=[work_units(CONTRACTS)]
    )
    cases = Cases(elsewhere, Catalog([PACKAGE]))
    follower = Follower(elsewhere, Ledger(f"sqlite:///{tmp_path / 'unused.sqlite'}"), Catalog([PACKAGE]))
    for said in (cases.show(case), follower._described(case)):
        with pytest.raises(RPCError, match="Namespace elsewhere is not found"):
            await said
    with pytest.raises(UndeliveredError, match="does not answer"):
        await cases.act(f"{case}/confirm", "claim", actor="ann", roles=["clerk"], revision=1, patience=0.5)
    with pytest.raises(Refused, match="no worker answers"):
        await cases.question(f"{case}/confirm", patience=0.5)
    with pytest.raises(UnknownCaseError):
        await fleet.cases.show(f"{case}0")
