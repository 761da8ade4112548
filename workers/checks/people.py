"""What `doctor` checks of the files by which people and machines are known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from inbox.files import FileError
from inbox.roster_file import load_roster
from inbox.tokens import load_tokens
from workers.checks.finding import Finding
from workers.people import accountable_roles
from workers.settings import Settings
from workunits.registry import Catalog

SOON = timedelta(days=14)
"""Before a token expires, its successor has to be handed out."""
_KEPT = "mend it; an inbox that runs goes on with what it read before, and would not start again"


def people(settings: Settings, catalog: Catalog) -> Sequence[Finding]:
    """Whether the inbox could read its directory and its tokens now; nothing where it has none."""
    found = []
    if settings.directory:
        try:
            roster = load_roster(settings.directory, accountable_roles(catalog))
        except FileError as error:
            found.append(Finding("directory", "fail", str(error), _KEPT))
        else:
            roles = len(roster.accountable_roles)
            said = f"{len(roster.people)} people; {roles} accountable role(s), each of one person at any time"
            found.append(Finding("directory", "ok", said))
    if settings.tokens:
        found.append(_tokens(settings))
    return found


def _tokens(settings: Settings) -> Finding:
    assert settings.tokens  # noqa: S101 - asked before
    try:
        tokens = load_tokens(settings.tokens)
    except FileError as error:
        return Finding("tokens", "fail", str(error), _KEPT)
    late = [token.name for token in tokens if token.expires <= datetime.now(UTC) + SOON]
    if late:
        why = f"expired, or within {SOON.days} days: {', '.join(late)}"
        return Finding("tokens", "warn", why, "make new ones: workunits token; then remove these")
    return Finding("tokens", "ok", f"{len(tokens)} token(s)")
