"""Audits of what models decided: which are due, and what people found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from observability.ledger.auditing import note_audit
from observability.ledger.autonomy_tables import audits
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import cases, proposals
from workunits.core.spec import Step

_LONGEST = 2_000


class AuditError(LedgerError):
    """The ledger does not take this audit."""


@dataclass(frozen=True, slots=True)
class Due:
    """A decision that was drawn for an audit and has none."""

    case: str
    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """What somebody found who looked at a decision."""

    case: str
    wrong: bool
    severe: bool
    note: str
    key: str = ""
    """The performance; the only one of the step when omitted."""


def due(connection: Connection, step: Step[Any, Any]) -> Sequence[Due]:
    """What is due at a step, oldest first."""
    asked = (
        select(proposals.c.case_id, proposals.c.key, proposals.c.at)
        .join(cases, cases.c.case_id == proposals.c.case_id)
        .outerjoin(audits, (audits.c.case_id == proposals.c.case_id) & (audits.c.key == proposals.c.key))
        .where(cases.c.unit == step.unit, proposals.c.step == step.name)
        .where(proposals.c.sampled == "audit", audits.c.case_id.is_(None))
        .order_by(proposals.c.at)
    )
    return [Due(*row) for row in connection.execute(asked)]


def note_finding(ledger: Ledger, step: Step[Any, Any], found: Finding, auditor: str, now: datetime) -> str:
    """Write down what an audit found, and give the key of what was audited.

    Raises:
        AuditError: there is no such decision, several, it was audited, or the finding contradicts itself.
        LedgerUnavailableError: nothing was written.
    """
    if found.severe and not found.wrong:
        raise AuditError("severe: only what is wrong can be severe")
    if len(found.note) > _LONGEST:
        raise AuditError(f"note: say it in at most {_LONGEST:,} characters")
    with ledger.write() as connection:
        key = _key(connection, step, found)
        row = {"case_id": found.case, "key": key, "at": now, "auditor": auditor, "note": found.note.strip()}
        connection.execute(audits.insert().values(**row, wrong=found.wrong, severe=found.severe))
        told = {"step": step.name, "key": key, "wrong": found.wrong, "severe": found.severe}
        note_audit(connection, auditor, "autonomy audit", now, case=found.case, **told)
    return key


def _key(connection: Connection, step: Step[Any, Any], found: Finding) -> str:
    asked = (
        select(proposals.c.key, audits.c.case_id)
        .outerjoin(audits, (audits.c.case_id == proposals.c.case_id) & (audits.c.key == proposals.c.key))
        .where(proposals.c.case_id == found.case, proposals.c.step == step.name)
        .where(proposals.c.output_hash.is_not(None))
    )
    there = {key: audited for key, audited in connection.execute(asked) if found.key in {"", key}}
    if not there:
        raise AuditError("case: the ledger has no proposal of this step in it; `workunits autonomy audit` lists them")
    if len(there) > 1:
        raise AuditError(f"key: the step was performed several times; name one with --key: {', '.join(sorted(there))}")
    key, audited = next(iter(there.items()))
    if audited is not None:
        raise AuditError("case: this decision was audited already; findings are not overwritten")
    return str(key)
