"""An action from the command line, sent as the inbox sends one: written to its journal first, where there is one.

Then nothing is lost when nobody answers: an inbox on the same journal delivers it, and `redeliver` knows it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from inbox.courier import Courier
from inbox.journal import Entry, Journal
from workers.settings import Settings
from workunits.client import Cases
from workunits.core.errors import BadInput, Refused
from workunits.core.lifecycle import Action
from workunits.core.strict_json import parse
from workunits.delivery import UndeliveredError

PATIENCE = 20.0
"""Seconds of repeating while nobody answers."""
_OF_INPUT = ("bad_body", "invalid_field", "too_large")


async def send(settings: Settings, cases: Cases, envelope: dict[str, Any]) -> dict[str, Any]:
    """Send an action, and have the unit's answer; the same action id again has the first answer.

    Args:
        settings: Where the journal is.
        cases: The way to its case.
        envelope: The action, as `workunits.core.lifecycle.Action` has it.

    Raises:
        BadInput, Refused, UnknownCaseError: as the unit says.
        UndeliveredError: nobody answered; says whether it is kept.
        JournalError, JournalUnavailableError: nothing was sent.
    """
    if not settings.has_journal:
        return await cases.send(envelope, patience=PATIENCE)
    parse(Action, json.dumps(envelope).encode())  # the journal keeps nothing that no unit can read
    journal = Journal(settings.journal_url)
    try:
        await asyncio.to_thread(journal.open)
        entry, _ = await asyncio.to_thread(journal.take, envelope)
        if entry.state == "sending":
            entry = await Courier(cases, journal).deliver(entry, PATIENCE)
    finally:
        journal.close()
    return _answer(entry)


def _answer(entry: Entry) -> dict[str, Any]:
    """What came of it.

    Raises:
        BadInput, Refused, UndeliveredError: it took no effect, or none that is known.
    """
    if entry.state == "answered":
        return dict(entry.answer or {})
    said = {name: str(value) for name, value in (entry.answer or {}).items()}
    if entry.state == "undone":
        raise Refused("undone", "the action was undone before it was sent")
    if entry.state != "refused":
        raise UndeliveredError(entry.action_id, "nobody answered; it is saved, and an inbox that runs delivers it")
    if said["code"] in _OF_INPUT:
        field = said["field"]
        raise BadInput(said["detail"].removeprefix(f"{field}: "), field=field, code=said["code"])
    raise Refused(said["code"], said["detail"])
