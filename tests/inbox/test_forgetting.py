"""What is forgotten goes from the inbox's store, too: words and names; what is on its way is delivered first."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from inbox.forgetting import forget_in
from inbox.journal import Journal
from inbox.notes import Look
from inbox.notice import Notice
from inbox.notice_tables import metadata as notice_metadata
from inbox.noticeboard import Message, Noticeboard
from inbox.store import metadata
from observability.ledger.erasing import forget
from observability.ledger.forgetting import Forgetting
from observability.ledger.store import Ledger
from tests.observability.conftest import database, postgres

__all__ = ["database", "postgres"]

NOW = datetime.now(UTC)
WORDS = "a word in confidence"


@pytest.fixture
def journal(database: str) -> Iterator[Journal]:
    """An empty store in each of the two databases."""
    opened = Journal(database)
    opened.open()
    Noticeboard(opened.store).open()
    yield opened
    opened.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger that keeps the marks."""
    opened = Ledger(f"sqlite:///{tmp_path / 'marks.sqlite'}")
    opened.migrate()
    yield opened
    opened.close()


def marks(ledger: Ledger) -> Forgetting:
    """All that is forgotten."""
    with ledger.read() as connection:
        return Forgetting.load(connection)


def act(journal: Journal, case: str, actor: str, **more: Any) -> str:
    """An action of someone on a case; its id."""
    id_ = uuid.uuid4().hex
    base = {"action": "complete", "action_id": id_, "task_id": f"{case}/decide", "revision": 1, "actor": actor}
    rest = {"roles": ["clerk"], "acting_for": None, "sent_at": NOW.isoformat(), "body": {"reason": WORDS}}
    journal.take({**base, **rest, **more})
    return id_


def answer(journal: Journal, action_id: str, case: str) -> None:
    """Let the case answer an action."""
    journal.settle(action_id, "answered", {"task_id": f"{case}/decide", "state": "completed", "revision": 2})


def live(journal: Journal, case: str, actor: str) -> None:
    """Leave all that a person leaves behind on a case."""
    answer(journal, act(journal, case, actor), case)
    journal.notes.save_draft(actor, f"{case}/decide", {"reason": WORDS})
    journal.notes.comment(actor, case, WORDS)
    journal.notes.save_view(actor, WORDS, "scope=all")
    journal.notes.note_look(Look(NOW, actor, "page", "192.0.2.7", case, f"{case}/decide", 1, "hash"))
    board = Noticeboard(journal.store)
    what = {"unit": "plain", "key": case.partition(":")[2], "step": "decide", "role": "clerk", "owner": actor}
    notice = Notice(f"{case}/decide", "warn", "owner", (f"person:{actor}",), **what)
    board.add([notice], 10, NOW)
    board.begun([notice.id])
    message = board.open_message(notice.id, f"person:{actor}", timedelta(0), NOW)
    assert isinstance(message, Message)
    board.sent(message, [notice.id], NOW)


def everything(journal: Journal) -> str:
    """All that the store holds, as text."""
    tables = (*metadata.tables.values(), *notice_metadata.tables.values())
    with journal.store.read() as connection:
        return "\n".join(str(row) for table in tables for row in connection.execute(select(table)))


def test_a_forgotten_case_leaves_no_words(journal: Journal, ledger: Ledger):
    """Answers, drafts, comments and notices go, and are not sent again after a restore; who looked at it stays."""
    live(journal, "plain:1", "ann")
    live(journal, "plain:10", "ben")
    forget(ledger, "case", "plain:1", actor="privacy officer")

    assert forget_in(journal.store, marks(ledger)) == 0
    assert [entry.case_id for entry in journal.answered_since(NOW - timedelta(days=1))] == ["plain:10"]
    assert journal.notes.comments("plain:1") == []
    assert journal.notes.draft("ann", "plain:1/decide") is None
    assert journal.notes.draft("ben", "plain:10/decide") is not None
    assert len(journal.notes.looks("plain:1/decide")) == 1
    assert "notice:plain:1/decide" not in everything(journal)
    assert "notice:plain:10/decide" in everything(journal)


def test_a_forgotten_person_is_named_nowhere(journal: Journal, ledger: Ledger):
    """Their words go; where only the name stands, an alias does; what is another's stays."""
    live(journal, "plain:1", "ann")
    live(journal, "plain:2", "ben")
    other = act(journal, "plain:3", "cleo", acting_for="ann")
    answer(journal, other, "plain:3")
    forget(ledger, "subject", "ann", actor="privacy officer")

    assert forget_in(journal.store, marks(ledger)) == 0
    left = everything(journal)
    assert "'ann'" not in left
    assert "person:ann" not in left
    assert marks(ledger).alias("ann") in left
    assert "'ben'" in left
    assert left.count("192.0.2.7") == 1


def test_a_forgotten_person_is_not_named_in_what_others_did(journal: Journal, ledger: Ledger):
    """Neither as who is accountable nor as who was given a task; a repetition is known, other words stay."""
    answered = [
        act(journal, "plain:1", "ben", accountable="ann"),
        act(journal, "plain:2", "ben", action="assign", body={"to": "ann", "reason": WORDS}, accountable="cleo"),
        act(journal, "plain:3", "ben", action="delegate", body={"to": "ann"}, accountable="ann"),
        act(journal, "plain:4", "ben", action="forward", body={"to": "ann", "reason": WORDS}),
        act(journal, "plain:5", "ben", body={"to": "cleo", "parts": [1, 2]}),
    ]
    odd = act(journal, "plain:6", "ben", action="assign", body={"to": 7})
    asked = [journal.find(action_id) for action_id in answered]
    for entry in asked:
        assert entry is not None
        answer(journal, entry.action_id, entry.case_id)
    journal.settle(odd, "refused", {"code": "invalid_field", "detail": "to: a name", "field": "body.to"})
    forget(ledger, "subject", "ann", actor="privacy officer")

    assert forget_in(journal.store, marks(ledger)) == 0
    assert forget_in(journal.store, marks(ledger)) == 0
    alias = marks(ledger).alias("ann")
    left = everything(journal)
    assert "'ann'" not in left
    assert left.count(alias) == 5
    assert "'cleo'" in left
    for entry in asked:
        assert entry is not None
        again, new = journal.take(entry.envelope)
        assert (again.state, new) == ("answered", False)


def test_what_names_a_forgotten_person_and_is_on_its_way_goes_the_next_time(journal: Journal, ledger: Ledger):
    """It is delivered as it was meant, and counted among what is left."""
    pending = act(journal, "plain:1", "ben", action="assign", body={"to": "ann"})
    forget(ledger, "subject", "ann", actor="privacy officer")

    assert forget_in(journal.store, marks(ledger)) == 1
    (entry,) = journal.sending()
    assert entry.envelope["body"] == {"to": "ann"}
    answer(journal, pending, "plain:1")
    assert forget_in(journal.store, marks(ledger)) == 0
    assert "'ann'" not in everything(journal)


def test_what_is_on_its_way_is_delivered_first(journal: Journal, ledger: Ledger):
    """A decision that nobody has answered yet is not lost by being forgotten; it goes the next time."""
    pending = act(journal, "plain:1", "ann")
    forget(ledger, "case", "plain:1", actor="privacy officer")

    assert forget_in(journal.store, marks(ledger)) == 1
    assert [entry.action_id for entry in journal.sending()] == [pending]
    answer(journal, pending, "plain:1")
    assert forget_in(journal.store, marks(ledger)) == 0
    assert WORDS not in everything(journal)


def test_nothing_of_it_is_left_in_the_files(ledger: Ledger, tmp_path: Path):
    """SQLite overwrites what was deleted, in its file and in its log."""
    journal = Journal(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    journal.open()
    Noticeboard(journal.store).open()
    live(journal, "plain:1", "ann")
    assert any(WORDS.encode() in file.read_bytes() for file in tmp_path.glob("journal.sqlite*"))
    forget(ledger, "case", "plain:1", actor="privacy officer")
    forget(ledger, "subject", "ann", actor="privacy officer")
    forget_in(journal.store, marks(ledger))

    assert not any(WORDS.encode() in file.read_bytes() for file in tmp_path.glob("journal.sqlite*"))
    journal.close()
