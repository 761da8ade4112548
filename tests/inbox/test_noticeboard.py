"""The notice board, and the file of channels: what is not right in it is named, and its passwords are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbox.channels import load_routes
from inbox.files import FileError
from inbox.notice import Notice
from inbox.notice_status import read_status
from inbox.noticeboard import LEASE, Message, Noticeboard
from inbox.store import Store
from tests.inbox.town import (
    store,
)
from tests.observability.conftest import database, postgres

__all__ = ["database", "postgres", "store"]


def _notice(number: int, rung: str = "assignment") -> Notice:
    what = {"unit": "four_eyes", "key": str(number), "step": "prepare", "role": "clerk"}
    return Notice(f"four_eyes:{number}/prepare", rung, "candidates", ("person:ann",), **what)


def test_the_message_of_a_killed_sender_is_the_same_again(store: Store):
    """Nobody knows whether it arrived: it is sent again with the same reference, and what came since goes apart."""
    board, now, pause = Noticeboard(store), datetime.now(UTC), timedelta(seconds=1)
    first, second, third = (_notice(number) for number in (1, 2, 3))
    assert board.add([first, second], 10, now) == 2
    message = board.open_message(first.id, "person:ann", pause, now)
    assert isinstance(message, Message)
    assert board.add([first, third], 10, now) == 1

    assert board.open_message(second.id, "person:ann", pause, now) == "sending"
    again = board.open_message(first.id, "person:ann", pause, now)
    later = board.open_message(second.id, "person:ann", pause, now + LEASE)
    assert isinstance(again, Message)
    assert isinstance(later, Message)
    assert message.reference == again.reference == later.reference
    assert {notice.id for notice in later.notices} == {first.id, second.id}
    fresh = board.open_message(third.id, "person:ann", pause, now)
    assert isinstance(fresh, Message)
    assert [notice.id for notice in fresh.notices] == [third.id]
    board.sent(later, [first.id, second.id], now)
    assert board.open_message(first.id, "person:ann", pause, now) == "sent"


def test_a_channel_that_failed_is_left_alone_for_a_while(store: Store):
    """Not each of many notices tries it; after its patience the oldest is given up, and told with the next."""
    board, now, pause = Noticeboard(store), datetime.now(UTC), timedelta(seconds=30)
    first, second = _notice(1), _notice(2)
    board.add([first], 10, now)
    message = board.open_message(first.id, "person:ann", pause, now)
    assert isinstance(message, Message)
    assert board.undelivered(message, "nothing listens there", timedelta(minutes=1), now) == "waiting"
    board.add([second], 10, now)
    assert board.open_message(second.id, "person:ann", pause, now + pause / 2) == "waiting"
    late = now + timedelta(minutes=2)
    message = board.open_message(first.id, "person:ann", pause, late)
    assert isinstance(message, Message)
    assert board.undelivered(message, "nothing listens there", timedelta(minutes=1), late) == "failed"
    (incident,) = read_status(store).incidents
    assert (incident.given_up, incident.waiting, incident.since) == (1, 1, now)

    message = board.open_message(second.id, "person:ann", pause, late + pause)
    assert isinstance(message, Message)
    assert {notice.id for notice in message.notices} == {first.id, second.id}
    board.sent(message, [first.id, second.id], late + pause)
    assert read_status(store).incidents == ()


def test_old_notices_are_forgotten_unless_their_task_is_open(store: Store):
    """What is forgotten could be told again; of an open task nothing is."""
    board, now = Noticeboard(store), datetime.now(UTC)
    board.add([_notice(1), _notice(2)], 10, now)
    assert board.prune(now, set()) == 0
    assert board.prune(now + timedelta(seconds=1), {_notice(2).task_id}) == 1
    assert board.add([_notice(2)], 10, now) == 0
    board.passed(now, now)
    board.passed(now - timedelta(hours=1), now)
    assert board.mark() == now


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("window = -1", "window: a number from 0 to 3600"),
        ("cap = true", "cap: a number from 1 to 100"),
        ('mail = "nothing"', "mail: not a URL that apprise knows"),
        ("channels = 1", "there is no such key"),
        ('[[channel]]\nurl = "json://localhost"', "whose channel is it?"),
        ('[[channel]]\nperson = "a"\nrole = "b"\nurl = "json://localhost"', "whose channel is it?"),
        ('[[channel]]\nperson = "a"\nurl = "tops3cret://x"', "url: not a URL that apprise knows"),
        ('[[channel]]\nperson = "a"', "url: it is missing"),
        ('[[channel]]\nrole = "a"\nurl = "json://h"\n[[channel]]\nrole = "a"\nurl = "json://h"', "there twice"),
    ],
)
def test_what_is_not_right_in_the_file_is_named_with_its_line(tmp_path: Path, text: str, why: str):
    """And never a URL, which holds passwords."""
    path = tmp_path / "channels.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(FileError) as refused:
        load_routes(path)
    assert why in str(refused.value)
    assert f"{path}:" in str(refused.value)
    assert "tops3cret" not in str(refused.value)


def test_a_file_of_passwords_that_anyone_may_read_is_refused(tmp_path: Path):
    """With what to do."""
    path = tmp_path / "channels.toml"
    path.write_text("")
    path.chmod(0o644)
    with pytest.raises(FileError, match="chmod o-r"):
        load_routes(path)
