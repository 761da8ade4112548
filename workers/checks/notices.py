"""What `doctor` checks of the notifier."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from inbox.channels import Channels
from inbox.directory import Directory
from inbox.files import FileError
from inbox.notice_status import NoticeStatus, read_status
from inbox.roster_file import load_roster
from inbox.store import JournalError, Store
from workers.checks.finding import Finding
from workers.processes.notifying import open_channels
from workers.settings import Settings

STALE = timedelta(minutes=2)
"""Without a pass for so long, no notifier runs."""
_SHOWN = 5


def notices(settings: Settings) -> Sequence[Finding]:
    """Whether people are told of their tasks; nothing where no file of channels is named."""
    if settings.notices is None:
        return []
    try:
        channels = open_channels(settings)
    except FileError as error:
        return [Finding("channels", "fail", str(error), "mend it; a notifier that runs goes on with what it read")]
    store = Store(settings.journal_url)
    try:
        found = read_status(store)
    except JournalError as error:
        return [*_unreached(settings, channels), Finding("notices", "fail", str(error))]
    finally:
        store.close()
    return [*_unreached(settings, channels), _delivered(found)]


def _unreached(settings: Settings, channels: Channels) -> Sequence[Finding]:
    if settings.directory is None:
        return []
    try:
        directory = Directory(load_roster(settings.directory))
    except FileError:  # said of the directory itself
        return []
    nobody = [one.name for one in directory.everybody if not channels.of(f"person:{one.name}", directory)]
    if not nobody:
        return [Finding("channels", "ok", f"{len(directory.everybody)} people can be told")]
    more = f" and {len(nobody) - _SHOWN} more" if len(nobody) > _SHOWN else ""
    why = f"nothing reaches {', '.join(nobody[:_SHOWN])}{more}"
    return [Finding("channels", "warn", why, "give them a mail address in the directory, or a [[channel]]")]


def _delivered(found: NoticeStatus) -> Finding:
    if found.incidents:
        dead = ", ".join(one.recipient for one in found.incidents[:_SHOWN])
        why = f"{len(found.incidents)} dead channel(s): {dead}"
        return Finding("notices", "fail", why, "workunits notify --status says why; mend the channel or its URL")
    if found.error:
        return Finding("notices", "fail", f"the notifier's last pass failed: {found.error}")
    if found.passed_at is None or datetime.now(UTC) - found.passed_at > STALE:
        return Finding("notices", "warn", "no notifier runs: nobody is told of tasks", "start one: workunits notify")
    return Finding("notices", "ok", f"{found.deliveries.get('sent', 0)} delivered")
