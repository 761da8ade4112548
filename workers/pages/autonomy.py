"""Certificates as text: what an executor has shown, what is missing, what is signed and whether it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workers.pages.words import moment, plain

if TYPE_CHECKING:
    from observability.autonomy.certificate import Certificate, Unmet
    from observability.autonomy.demotion import Fall
    from observability.autonomy.granting import Answer
    from observability.autonomy.reading import Executor, Past
    from observability.autonomy.stamping import Sign
    from observability.ledger.autonomy import Grant


@dataclass(frozen=True, slots=True)
class Shown:
    """What one executor has shown."""

    executor: Executor
    past: Past
    signs: Sequence[Sign]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        past, blind = self.past, [one.agrees for one in self.past.reviewed if one.agrees is not None]
        return {
            "version": self.executor.version,
            "executor": self.executor.name,
            "proposals": len(past.seen),
            "automatic": past.automatic,
            "labels": dict(sorted(Counter(label.source for label in past.labels).items())),
            "wrong": sum(label.wrong for label in past.labels),
            "severe": sum(label.severe for label in past.labels),
            "shown": sum(one.shown for one in past.reviewed),
            "overridden": past.overridden,
            "blind": len(blind),
            "blind_disagree": sum(not agrees for agrees in blind),
            "signs": [{"what": one.what, "words": one.words} for one in self.signs],
        }


def report(path: str, shown: Sequence[Shown], held: Sequence[tuple[Grant, Sequence[Fall]]], stopped: str | None) -> str:
    """The whole page on a step."""
    return "\n".join([path, *_stopped(stopped), *_held(held), "", *_shown(shown)])


def report_json(
    path: str, shown: Sequence[Shown], held: Sequence[tuple[Grant, Sequence[Fall]]], stopped: str | None
) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "step": path,
        "stopped": stopped,
        "grants": [grant_json(grant) | {"falls": _reasons(found)} for grant, found in held],
        "executors": [one.as_json() for one in shown],
    }


def grant_json(grant: Grant) -> dict[str, Any]:
    """A signed level, without its curve."""
    names = ("grant_id", "unit", "version", "step", "segment", "executor", "level", "threshold", "signed_by", "role")
    return {name: getattr(grant, name) for name in (*names, "signed_at", "expires_at")}


def answer(path: str, said: Answer) -> str:
    """What came of asking."""
    if said.certificate is None:
        return "\n".join([f"{path}: no certificate yet", *_unmet(said.missing), f"  {'look':<11} {_look(said.look)}"])
    unit = path.partition(".")[0]
    sign = f"The accountable role signs it: workunits autonomy sign {path} {said.seq}"
    return "\n".join([*_certificate(path, said.certificate), "", f"{sign}   (history: workunits learn history {unit})"])


def answer_json(path: str, said: Answer) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "step": path,
        "number": said.seq,
        "look": said.look,
        "certificate": said.certificate,
        "missing": _unmet_json(said.missing),
    }


def counts(path: str, missing: Sequence[Unmet]) -> str:
    """What is missing in numbers, without a look at errors."""
    if not missing:
        return f"{path}: there are labels and days enough; to ask without --dry-run is a look at the errors"
    return "\n".join([f"{path}: not enough yet", *_unmet(missing)])


def counts_json(path: str, missing: Sequence[Unmet]) -> dict[str, Any]:
    """The same for `--json`."""
    return {"step": path, "dry_run": True, "missing": _unmet_json(missing)}


def _unmet(missing: Sequence[Unmet]) -> Iterator[str]:
    return (f"  {one.what:<11} {one.words}" for one in missing)


def _unmet_json(missing: Sequence[Unmet]) -> list[dict[str, str]]:
    return [{"what": one.what, "words": one.words} for one in missing]


def _look(number: int) -> str:
    return f"this was number {number}" if number else "none is spent: no threshold was tried"


def _certificate(path: str, made: Certificate) -> Iterator[str]:
    yield f"{path}, version {plain(made.unit_version)}, level {made.level}, {plain(made.executor)}"
    yield f"  segment      {plain(made.segment) or 'all'}"
    yield (
        f"  bound        at most {made.bound:.2%} wrong at {made.confidence_level:.4g}, target {made.target:.2%}: "
        f"{made.errors:,} of {made.n:,} accepted"
    )
    yield f"  threshold    {made.threshold:g} calibrated, {made.tried} tried; curve {made.calibration.version}"
    yield f"  labels       {made.labels:,} over {made.days} days, {made.unseen_share:.1%} of the proposals, none severe"
    yield f"  calibration  Brier {made.brier:.3f}, expected error {made.calibration_error:.3f}"
    yield f"  valid        {moment(made.issued)} to {moment(made.expires)}, once signed"


def _stopped(stopped: str | None) -> Iterator[str]:
    if stopped is not None:
        yield f"  STOPPED: {plain(stopped)}"


def _held(held: Sequence[tuple[Grant, Sequence[Fall]]]) -> Iterator[str]:
    if not held:
        yield "  nothing is signed"
    for grant, found in held:
        until = f" until {moment(grant.expires_at)}" if grant.expires_at else ""
        yield (
            f"  {grant.grant_id}  level {grant.level}, version {plain(grant.version)}, segment "
            f"{plain(grant.segment) or 'all'}, {plain(grant.executor)}; signed by {plain(grant.signed_by)}{until}"
        )
        yield from (f"    MUST FALL: {one.words}" for one in found)


def _shown(shown: Sequence[Shown]) -> Iterator[str]:
    if not shown:
        yield "No model has proposed here yet."
    for one in shown:
        told = one.as_json()
        labels = ", ".join(f"{count:,} {source}" for source, count in told["labels"].items()) or "none"
        yield f"{plain(told['executor'])}, version {plain(told['version'])}"
        yield f"  proposals  {told['proposals']:,} on routine cases, {told['automatic']:,} decided automatically"
        yield f"  labels     {labels}; {told['wrong']:,} wrong, {told['severe']:,} severe"
        yield f"  shown      {told['shown']:,}, {told['overridden']:,} overridden"
        yield f"  blind      {told['blind']:,}, {told['blind_disagree']:,} differ"
        yield from (f"  RUBBER STAMP? {sign.words}" for sign in one.signs)


def _reasons(found: Sequence[Fall]) -> list[dict[str, str]]:
    return [{"what": one.what, "words": one.words} for one in found]
