"""What the ledger knows of an executor at a step: its proposals, and the labels that came of them.

Cases of other risk classes than routine are left out: a person approves there whatever the level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from observability.autonomy.demotion import Seen
from observability.autonomy.labels import Label, Source
from observability.autonomy.stamping import Reviewed
from observability.ledger.autonomy_tables import audits
from observability.ledger.tables import cases, proposals, steps
from workunits.core.autonomy import Autonomy
from workunits.core.hybrid import AI
from workunits.core.spec import Step

_AUTOMATIC = ("A4", "A5")


@dataclass(frozen=True, slots=True)
class Executor:
    """Who proposes: model, prompt and tools, at a step of a version of a unit."""

    step: Step[Any, Any]
    version: str
    """Of the unit."""
    name: str

    @property
    def autonomy(self) -> Autonomy[Any, Any]:
        """What the step declares."""
        return self.step.autonomy or Autonomy()


@dataclass(frozen=True, slots=True)
class Past:
    """What an executor has done."""

    seen: Sequence[Seen]
    """Every proposal on a routine case."""
    labels: Sequence[Label]
    reviewed: Sequence[Reviewed]
    """Those that a person decided, having seen it or not."""
    automatic: int
    """Proposals that nobody decided on."""
    overridden: int


def executors_of(connection: Connection, step: Step[Any, Any]) -> list[Executor]:
    """All that ever proposed at a step, the latest last."""
    asked = (
        select(cases.c.version, proposals.c.executor)
        .join(cases, cases.c.case_id == proposals.c.case_id)
        .where(cases.c.unit == step.unit, proposals.c.step == step.name, proposals.c.executor.is_not(None))
        .group_by(cases.c.version, proposals.c.executor)
        .order_by(func.max(proposals.c.at))
    )
    return [Executor(step, version, name) for version, name in connection.execute(asked)]


def past_of(connection: Connection, executor: Executor, *, segment: str = "", since: datetime | None = None) -> Past:
    """What an executor has done, from a moment on, in a segment or in all.

    Of what it did before that moment, what somebody has answered or audited since is there too, and severe errors.
    """
    found = (audits.c.wrong, audits.c.severe, audits.c.at.label("audited_at"))
    asked = (
        select(proposals, cases.c.segment, steps.c.begun_at, *found)
        .join(cases, cases.c.case_id == proposals.c.case_id)
        .outerjoin(audits, (audits.c.case_id == proposals.c.case_id) & (audits.c.key == proposals.c.key))
        .outerjoin(steps, (steps.c.case_id == proposals.c.case_id) & (steps.c.key + AI == proposals.c.key))
        .where(cases.c.unit == executor.step.unit, cases.c.version == executor.version)
        .where(proposals.c.step == executor.step.name, proposals.c.executor == executor.name)
        .where(proposals.c.output_hash.is_not(None), proposals.c.risk == "routine")
        # Wholly ordered: by their order chance draws among labels, and the same ones are to be drawn the same way.
        .order_by(proposals.c.at, proposals.c.case_id, proposals.c.key)
    )
    if segment:
        asked = asked.where(cases.c.segment == segment)
    if since is not None:
        moments = (proposals.c.at, proposals.c.decided_at, audits.c.at)
        asked = asked.where(or_(*(moment >= since for moment in moments), audits.c.severe))
    rows = [dict(row) for row in connection.execute(asked).mappings()]
    labelled = [label_of(row, executor.autonomy) for row in rows]
    return Past(
        seen=[Seen(at=row["at"], confidence=row["raw"], segment=row["segment"] or "") for row in rows],
        labels=[label for label in labelled if label is not None],
        reviewed=[one for row in rows for one in _reviewed(row)],
        automatic=sum(row["route"] == "auto" for row in rows),
        overridden=sum(bool(row["overridden"]) for row in rows),
    )


def representative(labels: Sequence[Label], autonomy: Autonomy[Any, Any]) -> list[Label]:
    """Labels that stand for all cases, so that a threshold may be looked for among them; severe ones in any case.

    Where no case is drawn for blind review, audits stand only for what is decided automatically already.
    """
    return [one for one in labels if autonomy.blind > 0 or one.source != "audit" or one.severe]


def label_of(row: Mapping[str, Any], autonomy: Autonomy[Any, Any]) -> Label | None:
    """What a proposal's row says of whether it was right; None when nobody knows independently.

    An audit that nobody drew was chosen for a reason, so it says nothing of the others and counts only when it found a
    severe error. So it never makes right what who decided blind found wrong: auditing just those where people and
    model differ, and seldom the reverse, would make any model look better than it is.
    """
    source = _source(row)
    if source is None:
        return None
    return Label(
        confidence=row["raw"],
        wrong=bool(row["wrong"]) if _audited(row) else not row["agrees"],
        severe=bool(row["severe"]),
        source=source,
        weight=_weight(row, source, autonomy),
        at=row["at"],
        found=row["audited_at"] if source == "audit" else row["decided_at"],
        segment=row["segment"] or "",
        case=row["case_id"],
        key=row["key"],
    )


def _source(row: Mapping[str, Any]) -> Source | None:
    answered = row["agrees"] is not None
    if answered and row["sampled"] == "blind":
        return "blind"
    if answered and row["level"] == "A1":
        return "shadow"
    return "audit" if _audited(row) else None


def _audited(row: Mapping[str, Any]) -> bool:
    """Whether there is an audit that counts: one that was drawn, or found a severe error."""
    return row["wrong"] is not None and (row["sampled"] == "audit" or bool(row["severe"]))


def _weight(row: Mapping[str, Any], source: Source, autonomy: Autonomy[Any, Any]) -> float:
    """One over the probability of a label: what would be decided automatically is drawn for a blind one or an audit."""
    if source == "shadow":
        return 1.0
    probability = autonomy.blind + (autonomy.audit if _automatic(row, autonomy) else 0.0)
    return max(1.0, 1 / probability) if probability > 0 else 1.0


def _automatic(row: Mapping[str, Any], autonomy: Autonomy[Any, Any]) -> bool:
    if row["route"] == "auto":
        return True
    sure = None not in (row["confidence"], row["threshold"]) and row["confidence"] >= row["threshold"]
    return row["level"] in _AUTOMATIC and sure and (row["level"] == "A5" or autonomy.veto is not None)


def _seconds(row: Mapping[str, Any]) -> float | None:
    """From when work on the task began; None where nobody said so."""
    begun, decided = row["begun_at"], row["decided_at"]
    return None if begun is None or decided is None else float((decided - begun).total_seconds())


def _reviewed(row: Mapping[str, Any]) -> Iterator[Reviewed]:
    """The reviews of a proposal: of the decoy that was shown first, and of itself, where somebody decided on it.

    Who caught a decoy decided without the proposal, but not undisturbed: that is a review of the decoy alone.
    """
    if row["seeded"] in ("caught", "missed"):
        yield Reviewed(decision="accept" if row["seeded"] == "missed" else "reject", shown=True, planted=True)
    if row["decision"]:
        yield Reviewed(
            decision=row["decision"], shown=bool(row["shown"]), seconds=_seconds(row), words=row["words"] or 0
        )
    elif row["agrees"] is not None and not row["shown"]:
        yield Reviewed(decision="accept" if row["agrees"] else "replace", shown=False, agrees=row["agrees"])
