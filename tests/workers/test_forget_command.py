"""`workunits forget` reaches the inbox's store as well as the ledger, and says what it could not erase yet."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from inbox.journal import Journal
from observability.ledger.store import Ledger
from tests.workers.conftest import Shell

CASE = "refund_request:RR-1"


@pytest.fixture
def there(shell: Shell) -> Shell:
    """A folder with a ledger and no inbox."""
    ledger = Ledger(f"sqlite:///{shell.folder / '.workunits' / 'ledger.sqlite'}")
    ledger.migrate()
    ledger.close()
    return shell


def envelope(name: str) -> dict[str, object]:
    """An action on the case."""
    what = {"action": "complete", "action_id": name, "task_id": f"{CASE}/decide", "revision": 1, "actor": "marta"}
    when = datetime.now(UTC).isoformat()
    return {**what, "roles": [], "acting_for": None, "sent_at": when, "body": {"verdict": "pay"}}


def test_a_case_is_forgotten_in_both(there: Shell):
    """Without an inbox's store none is made; with one, what was answered goes, and what is on its way is counted."""
    path = there.folder / ".workunits" / "journal.sqlite"
    assert there.run("forget", "--case", CASE).returncode == 0
    assert not path.exists()
    journal = Journal(f"sqlite:///{path}")
    journal.open()
    for name in ("done", "pending"):
        journal.take(envelope(name))
    journal.settle("done", "answered", {"task_id": f"{CASE}/decide", "state": "completed", "revision": 2})

    first = there.run("forget", "--case", CASE, "--json")
    told = there.run("forget", "--case", CASE)
    marks = there.run("forget", "--export", "marks.json")
    journal.settle("pending", "answered", {"task_id": f"{CASE}/decide", "state": "completed", "revision": 2})
    again = there.run("forget", "--import", "marks.json", "--json")

    assert (first.returncode, json.loads(first.stdout)["on_its_way"]) == (0, 1)
    assert "1 action(s) are still on their way" in told.stderr
    assert (marks.returncode, again.returncode, json.loads(again.stdout)["on_its_way"]) == (0, 0, 0)
    assert (journal.find("done"), journal.find("pending")) == (None, None)
    journal.close()
