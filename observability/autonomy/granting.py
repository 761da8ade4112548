"""Certificates in the ledger: asked for, signed, revoked, and fallen. Each is an entry of the learning ledger.

What was asked for is written down with its figures before anybody may sign it, and only what was written down can be
signed: nobody can say what was shown. Asking is a look at the errors once thresholds are tried, and looks are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import Connection

from observability.autonomy.certificate import Ask, Certificate, Subject, Unmet, asked_about, propose, tried, uncounted
from observability.autonomy.demotion import Fall, Since, falls
from observability.autonomy.labels import Label, data_of
from observability.autonomy.reading import Executor, Past, past_of, representative
from observability.learning.baseline import Baseline, NoBaselineError, baselines_of
from observability.learning.changes import Entry, LearningError, add, entries_of
from observability.learning.drift import charts
from observability.ledger.autonomy import Grant, end, sign
from observability.ledger.store import Ledger
from workunits.core.lifecycle import SYSTEM
from workunits.core.spec import Step
from workunits.registry import Catalog

ASKED, GRANTED, ENDED = "asked", "granted", "ended"
"""What the learning ledger calls them."""
GUARDRAILS: dict[str, Literal["above", "below"]] = {
    "exception_rate": "above",
    "rework_rate": "above",
    "override_rate": "above",
    "sla_attainment": "below",
}
"""Measures of the unit, and on which side of their mean they are worse."""
SIGNED_WITHIN = timedelta(days=7)
"""How long the figures of what was asked for may wait for a signature."""
_RULES = ("target", "confidence_level", "looks", "grid")
"""What is decided with the first look at errors, and stays."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking."""

    seq: int
    """Of the entry in the learning ledger, by which it is signed."""
    look: int
    """Its number; 0 when no threshold was tried, which spends none."""
    certificate: Certificate | None
    missing: Sequence[Unmet]


def ask_for(ledger: Ledger, executor: Executor, wanted: Ask, actor: str) -> Answer:
    """Propose a certificate from what the ledger has, and write down what came of it.

    Args:
        ledger: Where.
        executor: Whose.
        wanted: What is asked for; proposals and guardrails are filled in here.
        actor: Who asks.

    Raises:
        LearningError: the rules are not those of the first look, or all looks are spent.
        LedgerUnavailableError: nothing was written.
    """
    with ledger.write() as connection:
        labels, ask = _labels(connection, executor, wanted)
        data = data_of(labels)
        since = min((label.at for label in labels), default=ask.now)
        ask = ask.model_copy(update={"worse": _worse(connection, ask.unit, since, ask.now)})
        made = propose(labels, ask)
        certificate = made if isinstance(made, Certificate) else None
        missing = [] if isinstance(made, Certificate) else made
        # Refused before anybody is told what came of it, so a look too many shows nothing.
        look = _look(connection, ask, data) if tried(missing) else 0
        entry = add(
            connection,
            ask.unit,
            ASKED,
            actor,
            ask.now,
            to_version=ask.unit_version,
            reason=f"{ask.step} at {ask.level}: {'a certificate' if certificate else 'not yet'}",
            detail={
                **_subject(ask),
                **{name: ask.model_dump(mode="json")[name] for name in _RULES},
                "look": look,
                "labels": len(labels),
                "data": data,
                "certificate": certificate.model_dump(mode="json") if certificate else None,
                "missing": [{"what": one.what, "words": one.words} for one in missing],
            },
        )
    return Answer(entry.seq, look, certificate, missing)


def not_enough(ledger: Ledger, executor: Executor, wanted: Ask) -> list[Unmet]:
    """What is missing in numbers of labels and days: it spends no look, for no error is looked at.

    Raises:
        LedgerUnavailableError.
    """
    with ledger.read() as connection:
        return uncounted(*_labels(connection, executor, wanted))


def sign_asked(ledger: Ledger, step: Step[Any, Any], seq: int, actor: str, now: datetime) -> Grant:
    """Sign what was asked for; from the next proposal on it holds.

    Raises:
        LearningError: nothing was shown, it is too old, something newer was asked, or it would fall at once by what
            was found since.
        LedgerUnavailableError: nothing was signed.
    """
    with ledger.read() as connection:
        certificate = _signable(connection, step, seq, now)
        executor = Executor(step, certificate.unit_version, certificate.executor)
        if found := falls(certificate, _since(connection, executor, certificate, now)):
            raise LearningError(f"it would fall at once: {_words(found)}. That came since it was asked for: ask again")
    grant = sign(
        ledger,
        Grant(
            unit=certificate.unit,
            version=certificate.unit_version,
            step=certificate.step,
            segment=certificate.segment,
            executor=certificate.executor,
            level=certificate.level,
            threshold=certificate.threshold,
            points=certificate.calibration.points,
            calibration=certificate.calibration.version,
            certificate=certificate.model_dump(mode="json"),
            signed_by=actor,
            role=step.accountable,
            expires_at=certificate.expires,
        ),
    )
    _note(ledger, GRANTED, grant, f"{grant.step} at {grant.level}, signed as {grant.role}", actor=actor, now=now)
    return grant


def end_grant(ledger: Ledger, grant: Grant, actor: str, why: str, now: datetime) -> bool:
    """End a signed level, revoked by a person or fallen; whether it was live.

    Raises:
        LedgerUnavailableError.
    """
    ended = end(ledger, grant.grant_id, actor=actor, why=why)
    if ended:
        _note(ledger, ENDED, grant, f"{grant.step} no longer at {grant.level}: {why}", actor=actor, now=now)
    return ended


def end_if_due(ledger: Ledger, catalog: Catalog, grant: Grant, now: datetime) -> list[Fall]:
    """End a signed level that must fall now; why, or empty. One whose certificate cannot be read is left to its expiry.

    Raises:
        LedgerUnavailableError.
    """
    with ledger.read() as connection:
        found = why_now(connection, catalog, grant, now)
    return found if found and end_grant(ledger, grant, SYSTEM, _words(found), now) else []


def why_now(connection: Connection, catalog: Catalog, grant: Grant, now: datetime) -> list[Fall]:
    """Why a signed level must fall now; empty when it stands."""
    if grant.expires_at is not None and grant.expires_at <= now:
        return [Fall("expired", f"it was valid until {grant.expires_at:%Y-%m-%d}")]
    step = step_of(catalog, grant.unit, grant.step)
    try:
        certificate = Certificate.model_validate(grant.certificate)
    except ValidationError:
        return []
    if step is None:
        return []
    executor = Executor(step, grant.version, grant.executor)
    return falls(certificate, _since(connection, executor, certificate, now))


def step_of(catalog: Catalog, unit: str, step: str) -> Step[Any, Any] | None:
    """A step by its name; None when the catalog does not have it."""
    found = next((one for one in catalog if one.unit_name == unit), None)
    return next((one for one in found.steps if one.name == step), None) if found else None


def asked_of(connection: Connection, subject: Subject) -> list[Entry]:
    """All that was asked of the same subject at any level, oldest first."""
    # Errors are the same at either level: to ask for the other one is no new question.
    about = {name: value for name, value in _subject(subject).items() if name != "level"}
    return [
        entry
        for entry in entries_of(connection, subject.unit)
        if entry.entry == ASKED and all(entry.detail.get(name) == value for name, value in about.items())
    ]


def _labels(connection: Connection, executor: Executor, wanted: Ask) -> tuple[list[Label], Ask]:
    """The labels of whoever is asked about, and the question with the number of proposals that they are of."""
    past = past_of(connection, executor, segment=wanted.segment)
    labels = asked_about(representative(past.labels, executor.autonomy), wanted)
    return labels, wanted.model_copy(update={"proposals": len(past.seen)})


def _look(connection: Connection, ask: Ask, data: str) -> int:
    """The number of this look; a second one at the same data is the same."""
    signed = _signed_last(connection, ask)
    before = [entry for entry in asked_of(connection, ask) if entry.detail.get("look") != 0 and entry.seq > signed]
    told = ask.model_dump(mode="json")
    if any(entry.detail.get(name) != told[name] for entry in before[:1] for name in _RULES):
        raise LearningError(
            "target, confidence, looks and grid were declared with the first look at its errors, for both levels, and "
            "stay; a new version of the unit or of the executor begins anew"
        )
    # Entries from before data were named have the number of labels, which is the name of none.
    looks = list(dict.fromkeys(entry.detail.get("data", entry.detail.get("labels")) for entry in before))
    if data in looks:
        return looks.index(data) + 1
    if len(looks) >= ask.looks:
        raise LearningError(
            f"all looks that were declared are spent ({ask.looks}): asking until it passes proves nothing; a new "
            "version of the unit or of the executor begins anew"
        )
    return len(looks) + 1


def _signed_last(connection: Connection, subject: Subject) -> int:
    """The entry with which the last level was signed for a subject: renewing it is asked anew. 0: none was."""
    about = {name: getattr(subject, name) for name in ("step", "segment", "executor")}
    return max(
        (
            entry.seq
            for entry in entries_of(connection, subject.unit)
            if entry.entry == GRANTED
            and entry.to_version == subject.unit_version
            and all(entry.detail.get(name) == value for name, value in about.items())
        ),
        default=0,
    )


def _signable(connection: Connection, step: Step[Any, Any], seq: int, now: datetime) -> Certificate:
    entry = next((one for one in entries_of(connection, step.unit) if one.seq == seq), None)
    if entry is None or entry.entry != ASKED or entry.detail.get("step") != step.name:
        raise LearningError(f"nothing was asked for under that number: workunits learn history {step.unit}")
    if not entry.detail.get("certificate"):
        raise LearningError("there is nothing to sign: what was asked for is not met yet")
    certificate = Certificate.model_validate(entry.detail["certificate"])
    if asked_of(connection, certificate)[-1].seq != seq:
        raise LearningError("it was asked for again since; sign what came of that")
    if now > certificate.issued + SIGNED_WITHIN:
        raise LearningError(f"its figures are older than {SIGNED_WITHIN.days} days; ask for it again")
    return certificate


def _since(connection: Connection, executor: Executor, certificate: Certificate, now: datetime) -> Since:
    past: Past = past_of(connection, executor, segment=certificate.segment, since=certificate.issued)
    return Since(labels=past.labels, proposals=past.seen, now=now)


def _worse(connection: Connection, unit: str, since: datetime, now: datetime) -> tuple[str, ...]:
    """The guardrails that have shifted to their worse side since the labels began, by a baseline that held since."""
    found: set[str] = set()
    for baseline in _held(connection, unit, since) or (None,):
        made = charts(connection, unit, now, baseline=baseline)
        found |= {name for name, side in GUARDRAILS.items() if name in made and made[name].shifted_since(since, side)}
    return tuple(name for name in GUARDRAILS if name in found)


def _held(connection: Connection, unit: str, since: datetime) -> Sequence[Baseline]:
    """The baselines of a unit that held since a moment: the last one from before it, too."""
    try:
        there = baselines_of(connection, unit)
    except NoBaselineError:
        return []
    later = [one for one in there if one.frozen_at > since]
    return there[: len(later) + 1]


def _subject(subject: Subject) -> dict[str, Any]:
    return {name: getattr(subject, name) for name in Subject.model_fields}


def _words(found: Sequence[Fall]) -> str:
    return "; ".join(one.words for one in found)


def _note(ledger: Ledger, entry: str, grant: Grant, reason: str, *, actor: str, now: datetime) -> None:
    detail = {"grant": grant.grant_id, "step": grant.step, "segment": grant.segment, "executor": grant.executor}
    with ledger.write() as connection:
        said = {"to_version": grant.version, "owner": grant.role, "reason": reason}
        add(connection, grant.unit, entry, actor, now, detail={**detail, "level": grant.level}, **said)
