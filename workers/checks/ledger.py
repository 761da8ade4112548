"""What `doctor` checks of the ledger, and what a worker refuses to start with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from observability.ledger.status import Followed, read_status
from observability.ledger.store import Ledger, LedgerUnavailableError, SchemaError
from workers.checks.finding import Finding
from workers.logs import log
from workers.settings import Settings
from workunits.core.errors import WorkUnitsError

QUIET = 60.0
"""Seconds without a whole pass after which a follower counts as gone."""
SHARE = 4
"""Behind by more than this part of the engine's retention, closed cases are about to be lost."""
_START = "start one: workunits follow"


async def refuse_other_schema(settings: Settings) -> None:
    """Stop a worker whose ledger has another schema; one that does not answer stops nobody.

    Raises:
        SchemaError: it is older or newer; says what to do.
    """
    if not settings.has_ledger:
        return
    ledger = Ledger(settings.ledger_url)
    try:
        await asyncio.to_thread(ledger.check)
    except LedgerUnavailableError as error:
        log.warning("%s; cases go on without it", error)
    finally:
        ledger.close()


async def ledger(client: Client, settings: Settings) -> Sequence[Finding]:
    """Whether the ledger is there, follows, and will have followed before the engine forgets."""
    if not settings.has_ledger:
        why = "there is no ledger: closed cases are forgotten after the engine's retention"
        return [Finding("ledger", "warn", why, "workunits ledger migrate, then workunits follow")]
    store = Ledger(settings.ledger_url)
    try:
        await asyncio.to_thread(store.check)
        status = await asyncio.to_thread(read_status, store)
    except SchemaError as error:
        return [Finding("ledger", "fail", str(error), "workunits ledger migrate, with the newest program")]
    except WorkUnitsError as error:
        return [Finding("ledger", "fail", str(error), "cases go on; the follower catches up when it answers")]
    finally:
        store.close()
    found = [Finding("ledger", "ok", f"{status.open} open and {status.closed} closed case(s) in {status.ledger}")]
    mine = next((one for one in status.followers if one.namespace == client.namespace), None)
    found.append(await _follower(client, mine))
    if status.letters:
        why = f"{status.letters} case(s) cannot be stored"
        found.append(Finding("ledger", "fail", why, "see why: workunits ledger letters"))
    return found


async def _follower(client: Client, mine: Followed | None) -> Finding:
    if mine is None:
        return Finding("follower", "warn", f"nobody has followed namespace {client.namespace} yet", _START)
    retention = await _retention(client)
    behind = datetime.now(UTC) - mine.watermark if mine.behind_seconds > QUIET else timedelta(0)
    if retention and behind > retention / SHARE:
        why = f"the ledger is {_days(behind)} behind, and the engine forgets closed cases after {_days(retention)}"
        return Finding("follower", "fail", why, f"at once: {_START}; or raise the namespace's retention")
    if mine.error:
        return Finding("follower", "fail", f"it cannot follow: {mine.error}", "mend that; it catches up by itself")
    if mine.behind_seconds > QUIET:
        return Finding("follower", "warn", f"no pass for {mine.behind_seconds:.0f} s", _START)
    lag = "" if mine.lag_seconds is None else f", close to row within {mine.lag_seconds:.1f} s"
    return Finding("follower", "ok", f"last pass {mine.behind_seconds:.0f} s ago{lag}")


async def _retention(client: Client) -> timedelta:
    request = DescribeNamespaceRequest(namespace=client.namespace)
    said = await client.workflow_service.describe_namespace(request, retry=True)
    return said.config.workflow_execution_retention_ttl.ToTimedelta()


def _days(span: timedelta) -> str:
    days = span / timedelta(days=1)
    return f"{days:.1f} day(s)" if days >= 1 else f"{span / timedelta(hours=1):.1f} h"
