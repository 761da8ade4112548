"""What models proposed in a case, in words: who decided, by which route and why, and what the decision differs in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workunits.core.autonomy import STOPPED
from workunits.core.hybrid import AI
from workunits.core.proposal import Proposed
from workunits.core.record import Record, Work

ROUTES = {
    "auto": "the model decides",
    "review": "a person decides on it",
    "dual_review": "two people decide on it",
    "human_only": "a person decides without it",
}
WHY = {
    "suggest": "the step's level is to suggest",
    "approve": "the step's level is to be approved",
    "ceiling": "what would be done is not routine",
    "no_confidence": "nothing says how far it can be trusted",
    "below_threshold": "it is less sure than the certificate asks for",
    "no_veto_window": "the step has no time in which people may object",
    "confident": "it is as sure as the certificate asks for",
    "shadow": "the model is only tried out",
    "no_ai": "no model is used there now",
    "blind_sample": "a sample of cases is decided without seeing it",
    "autonomy_unknown": "nobody could say how far the model may go",
    STOPPED: "the step's autonomy was stopped",
}
"""Why a proposal went its route; what is missing here is the code of a model's failure."""
DECISIONS = {"accept": "accepted", "edit": "changed", "replace": "replaced", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class Told:
    """One proposal, and what became of it."""

    proposed: Proposed
    by: tuple[str, ...]
    """The people who decided, or raised an exception instead; empty: nobody did."""
    ended: str | None
    """How the decision ended; None: it never began, or did not end before its case did."""

    @property
    def key(self) -> str:
        """The performance that it is for."""
        return self.proposed.key

    @property
    def route(self) -> str:
        """Who was to decide, in words."""
        return ROUTES[self.proposed.route]

    @property
    def why(self) -> str:
        """Why the route is what it is, in words."""
        proposed = self.proposed
        said = WHY.get(proposed.why) or f"the model gave none: {_words(proposed.why)}"
        return f"{said}: {_words(proposed.risk)}" if proposed.why == "ceiling" else said

    @property
    def is_models(self) -> bool:
        """Whether what the model decided counts."""
        return self.proposed.route == "auto" and not self.by and self.ended in ("done", "expired")

    @property
    def decision(self) -> str:
        """What came of it, in words, without who did it."""
        proposed = self.proposed
        if self.is_models:
            return "decided: nobody objected in time" if self.ended == "expired" else "decided by itself"
        if self.ended is None:
            return "not decided"
        # A case of before there were such has no such field.
        seeded = getattr(proposed, "seeded", "")
        if self.ended == "done" and getattr(proposed, "withdrawn", None) is not None:
            return "decided; since the stop it was not shown any more"
        if proposed.decision:
            differs = f" in {_named(proposed.fields)}" if proposed.fields else ""
            differs = " for an exception" if self.ended == "exception" else differs
            reason = f": {_words(proposed.reason)}" if proposed.reason else ""
            first = "took over one that was wrong on purpose, and was asked again: " if seeded == "missed" else ""
            return f"{first}{DECISIONS[proposed.decision]}{differs}{reason}"
        if proposed.agrees is not None:
            other = (
                "met an exception" if self.ended == "exception" else f"decided otherwise in {_named(proposed.fields)}"
            )
            same = "came to the same" if proposed.agrees else other
            return f"{same}, {'shown one that was wrong on purpose' if seeded else 'without seeing it'}"
        return "decided" if self.ended == "done" else _words(self.ended)

    def line(self, name: Any = str) -> str:
        """All of it in one line.

        Args:
            name: How people call someone.
        """
        who = ", ".join(name(one) for one in self.by)
        model = "the model" if self.is_models else ""
        return f"{self.route}, because {self.why}; {who or model}{' ' if who or model else ''}{self.decision}"

    def as_json(self) -> dict[str, Any]:
        """What follows from the record."""
        return {"key": self.key, "route": self.route, "why": self.why, "by": self.by, "decision": self.decision}


def made_by(executor: str) -> str:
    """Who proposed, in words: `gpt-5, prompt 3, tools 1`; empty when nobody did."""
    parts = zip(("", "prompt ", "tools "), executor.split("|"), strict=False)
    return ", ".join(f"{name}{part}" for name, part in parts if part)


def told(record: Record) -> Iterator[Told]:
    """The proposals of a case that are decided, in their order."""
    for proposed in without_undecided(record).proposals:
        works = _works(record, proposed)
        people = (work.by for work in works if work.by and work.end in ("done", "exception", "skipped"))
        yield Told(proposed, tuple(dict.fromkeys(people)), _ended(record, proposed, works))


def without_undecided(record: Record) -> Record:
    """The record as people may read it: of a proposal it says nothing until it is decided.

    Some are to be decided without seeing them, or by two people who do not know of each other. What was said of the
    others alone would tell which ones these are.
    """
    kept = [proposed for proposed in record.proposals if not _is_open(record, proposed)]
    return record if len(kept) == len(record.proposals) else record.model_copy(update={"proposals": kept})


def _is_open(record: Record, proposed: Proposed) -> bool:
    if record.close is not None:
        return False
    works = _works(record, proposed)
    return any(work.end is None for work in works) if works else proposed.route != "auto"


def _works(record: Record, proposed: Proposed) -> list[Work]:
    """The decisions on a proposal: one, or those of several people, or of one who was asked again."""
    return [work for work in record.steps if proposed.is_decided_by(work.key)]


def _ended(record: Record, proposed: Proposed, works: list[Work]) -> str | None:
    if works:
        return works[-1].end
    made = next((work for work in record.steps if work.key == f"{proposed.key}{AI}"), None)
    return made.end if made is not None and proposed.route == "auto" else None


def _named(fields: list[str]) -> str:
    return ", ".join(_words(name) for name in fields) or "nothing"


def _words(name: str) -> str:
    return name.replace("_", " ")
