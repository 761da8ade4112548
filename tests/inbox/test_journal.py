"""The journal: an action is written before it is sent, has one answer, and outlives whatever stops its sender."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from inbox.journal import Journal, fingerprint
from inbox.store import JournalError, JournalUnavailableError, schema
from tests.observability.conftest import database, postgres
from workunits.core.errors import BadInput, Refused

__all__ = ["database", "postgres"]


@pytest.fixture
def journal(database: str) -> Iterator[Journal]:
    """An empty journal in each of the two databases."""
    opened = Journal(database)
    opened.open()
    yield opened
    opened.close()


def envelope(**more: Any) -> dict[str, Any]:
    """An action."""
    made = {
        "action": "complete",
        "action_id": uuid.uuid4().hex,
        "task_id": "plain:1/decide",
        "revision": 1,
        "actor": "ann",
        "roles": ["clerk"],
        "acting_for": None,
        "sent_at": datetime.now(UTC).isoformat(),
        "body": {"decision": "grant", "reason": "ja, grün"},
    }
    return made | more


def test_an_action_is_kept_as_it_was_sent(journal: Journal):
    """Its envelope, its time and its state, in the order in which they came."""
    first, second = envelope(), envelope(action="claim", body={})
    entry, new = journal.take(first)
    journal.take(second)

    assert new
    assert (entry.state, entry.envelope, entry.case_id) == ("sending", first, "plain:1")
    assert entry.sent_at.isoformat() == first["sent_at"]
    assert [e.action for e in journal.sending()] == ["complete", "claim"]


def test_the_same_action_again_is_the_same_entry(journal: Journal):
    """What the door adds may differ; what the sender asked for may not."""
    first = envelope()
    journal.take(first)
    again, new = journal.take(first | {"sent_at": datetime.now(UTC).isoformat(), "roles": [], "revision": 9})

    assert (new, again.envelope) == (False, first)
    changes: list[dict[str, Any]] = [{"body": {}}, {"actor": "ben"}, {"action": "claim"}, {"task_id": "plain:2/decide"}]
    for change in changes:
        with pytest.raises(Refused) as refused:
            journal.take(first | change)
        assert refused.value.code == "action_id_reused"


def test_what_was_answered_first_stays(journal: Journal):
    """A second answer, of a delivery that came late, changes nothing."""
    first = envelope()
    journal.take(first)
    journal.tried(first["action_id"])
    journal.settle(first["action_id"], "answered", {"state": "completed", "revision": 2})
    again = journal.settle(first["action_id"], "refused", {"code": "closed"})

    assert (again.state, again.answer, again.attempts) == ("answered", {"state": "completed", "revision": 2}, 2)
    assert again.settled_at is not None
    assert journal.sending() == []


def test_undo_holds_an_action_back_for_its_sender_alone(journal: Journal):
    """It can be undone until it is let go, and by nobody else."""
    now = datetime.now(UTC)
    one, two = envelope(), envelope()
    for action in (one, two):
        journal.take(action, held_until=now + timedelta(seconds=5))

    assert journal.sending() == []
    assert not journal.undo(one["action_id"], "ben")
    assert journal.undo(one["action_id"], "ann")
    assert not journal.undo(one["action_id"], "ann")
    assert journal.release(now) == 0
    assert journal.release(now + timedelta(seconds=5)) == 1
    assert not journal.undo(two["action_id"], "ann")
    assert [e.action_id for e in journal.sending()] == [two["action_id"]]


def test_it_is_a_store_of_its_own_that_survives_a_restart(journal: Journal, database: str):
    """What one process wrote, another reads; opening it twice changes nothing."""
    action = envelope()
    journal.take(action)
    journal.close()
    other = Journal(database)
    other.open()
    found = other.find(action["action_id"])
    other.close()

    assert found is not None
    assert found.envelope == action


def test_a_newer_store_is_left_alone(journal: Journal, database: str):
    """An older program refuses it, and says what to do."""
    with journal.store.write() as connection:
        connection.execute(update(schema).values(version=99))

    older = Journal(database)
    with pytest.raises(JournalError, match="newer than this program: upgrade"):
        older.open()
    older.close()


def test_power_may_fail_after_an_action_was_accepted(tmp_path: Path):
    """SQLite writes through to the disk before it says so."""
    journal = Journal(f"sqlite:///{tmp_path / 'j.sqlite'}")
    journal.open()
    with journal.store.read() as connection:
        kept = connection.scalar(text("PRAGMA synchronous")), connection.scalar(text("PRAGMA journal_mode"))
    journal.close()

    assert kept == (2, "wal")
    assert (tmp_path / "j.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("url", "why"), [("mysql://x/y", "can be SQLite in a file"), ("sqlite://", "in a file"), ("?", "no database URL")]
)
def test_an_address_that_cannot_be_used_is_refused(url: str, why: str):
    """With what to write instead."""
    with pytest.raises(JournalError, match=why):
        Journal(url)


def test_a_store_that_cannot_be_reached_says_so(tmp_path: Path):
    """Nothing was accepted."""
    (tmp_path / "file").write_text("")
    journal = Journal(f"sqlite:///{tmp_path / 'file' / 'j.sqlite'}")

    with pytest.raises(JournalUnavailableError, match="check its folder"):
        journal.take(envelope())
    journal.close()


def test_drafts_are_one_persons_own(journal: Journal):
    """The last one counts, until it is dropped."""
    notes = journal.notes
    notes.save_draft("ann", "plain:1/decide", {"reason": "first"})
    notes.save_draft("ann", "plain:1/decide", {"reason": "second"})
    kept = notes.draft("ann", "plain:1/decide")

    assert kept is not None
    assert kept.body == {"reason": "second"}
    assert notes.draft("ben", "plain:1/decide") is None
    notes.drop_draft("ann", "plain:1/decide")
    assert notes.draft("ann", "plain:1/decide") is None
    for wrong, code in (({"x": float("nan")}, "bad_body"), ({"x": "y" * 70_000}, "too_large")):
        with pytest.raises(BadInput) as error:
            notes.save_draft("ann", "plain:1/decide", wrong)
        assert error.value.code == code


def test_comments_are_kept_in_order(journal: Journal):
    """With who and when; none without a text."""
    notes = journal.notes
    notes.comment("ann", "plain:1", "  first\r\nline ", "plain:1/decide")
    notes.comment("ben", "plain:1", "second")
    notes.comment("ben", "plain:2", "elsewhere")

    assert [(c.actor, c.text, c.task_id) for c in notes.comments("plain:1")] == [
        ("ann", "first\nline", "plain:1/decide"),
        ("ben", "second", None),
    ]
    for wrong in ("", "  ", "\0", "x" * 4001):
        with pytest.raises(BadInput, match="1 to 4000 characters"):
            notes.comment("ann", "plain:1", wrong)


def test_saved_views_are_kept_by_name(journal: Journal):
    """The last filters of a name count; there is an end to how many."""
    notes = journal.notes
    notes.save_view("ann", "late", "late=overdue")
    notes.save_view("ann", " late ", "late=at_risk")

    assert notes.views("ann") == {"late": "late=at_risk"}
    assert notes.views("ben") == {}
    for number in range(49):
        notes.save_view("ann", f"n{number}", "")
    notes.save_view("ann", "late", "again")
    with pytest.raises(BadInput, match="delete one first"):
        notes.save_view("ann", "one too many", "")
    assert notes.drop_view("ann", "late")
    assert not notes.drop_view("ann", "late")


def test_a_fingerprint_is_of_what_was_asked():
    """The order of keys means nothing."""
    one = envelope(action_id="1", body={"a": 1, "b": 2})

    assert fingerprint(one) == fingerprint(one | {"body": {"b": 2, "a": 1}, "action_id": "2"})
    assert fingerprint(one) != fingerprint(one | {"acting_for": "ben"})
