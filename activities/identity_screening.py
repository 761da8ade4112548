"""Who performs the steps of an identity and sanctions screening."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from rapidfuzz import fuzz

from activities import screening
from workunits.catalog.identity_screening import IdentityScreening as Unit
from workunits.contracts.identity_screening import Doubtful as Evidence
from workunits.contracts.identity_screening import (
    Identification,
    Identity,
    IdentityDoubtful,
    SanctionsHit,
    Screening,
    Subject,
)
from workunits.contracts.lending import Paper
from workunits.performs import performs

LEGIBLE = 0.6
"""A page that the scan reader is less sure of (0 to 1) proves nothing."""
ADULT = 18
ALIKE = 90.0
"""From this likeness on (0 to 100) the name in the document is the applicant's: one letter may be misread."""
WEIGHTS = (7, 3, 1)
"""Of the check digits in a machine-readable zone (ICAO Doc 9303, part 3)."""
_ZONE = re.compile(
    r"P[A-Z<][A-Z<]{3}([A-Z<]{39})\s+([A-Z0-9<]{9})([0-9])[A-Z<]{3}([0-9]{6})([0-9])[MFX<]([0-9]{6})([0-9])"
)


@dataclass(frozen=True)
class Zone:
    """What the machine-readable zone of a passport says."""

    name: str
    born: str
    """As `YYMMDD`."""
    expires: str
    holds: bool
    """Its check digits are right."""


@performs(Unit.CHECK_DOCUMENT)
def check_document(case: Identification) -> Identity:
    """Check that an identity document is whole, valid and the applicant's.

    Raises:
        IdentityDoubtful: it is not, or there is none; an officer speaks with the applicant.
    """
    points: list[str] = []
    for paper in case.papers:
        found = list(_faults(paper, case))
        if not found:
            reason = "The document is valid, holds up to its check digits, and has the applicant's name and birthday."
            if paper.kind == "identity_card":
                reason = "The identity card is legible and valid."
            kind: Literal["passport", "identity_card"] = "passport" if paper.kind == "passport" else "identity_card"
            return Identity(verdict="verified", document=kind, reason=reason)
        points += found
    raise IdentityDoubtful(evidence=Evidence(points=tuple(points[:10]) or ("there is no identity document",)))


def _faults(paper: Paper, case: Identification) -> Iterator[str]:
    day = case.received_on
    if paper.readability < LEGIBLE:
        yield f"{paper.kind} cannot be read"
        return
    if paper.issued_on > day:
        yield f"{paper.kind} is dated after it arrived"
    if paper.expires_on is None or paper.expires_on < day:
        yield f"{paper.kind} is not valid on the day it arrived"
    if _years(case.born_on, day) < ADULT:
        yield "the applicant is not of age"
    if paper.kind == "passport":
        yield from _misfits(zone_of(paper.text), paper, case)


def _misfits(zone: Zone | None, paper: Paper, case: Identification) -> Iterator[str]:
    if zone is None:
        yield "the passport's machine-readable zone is missing"
        return
    if not zone.holds:
        yield "a check digit of the passport is wrong"
    if zone.born != f"{case.born_on:%y%m%d}":
        yield "the birthday in the passport is another one"
    if paper.expires_on is not None and zone.expires != f"{paper.expires_on:%y%m%d}":
        yield "the passport's last day differs from that in its zone"
    if fuzz.token_sort_ratio(zone.name, screening.normal(case.full_name)) < ALIKE:
        yield "the name in the passport is another one"


def zone_of(text: str) -> Zone | None:
    """Read the machine-readable zone of a passport: two lines of 44 characters; None where there is none."""
    found = _ZONE.search(text)
    if found is None:
        return None
    name, number, of_number, born, of_born, expires, of_expires = found.groups()
    checks = ((number, of_number), (born, of_born), (expires, of_expires))
    return Zone(
        name=" ".join(name.replace("<", " ").lower().split()),
        born=born,
        expires=expires,
        holds=all(check_digit(field) == int(digit) for field, digit in checks),
    )


def check_digit(field: str) -> int:
    """The check digit of a field: digits count as themselves, A to Z as 10 to 35, the filler as 0."""
    values = (0 if sign == "<" else int(sign, 36) for sign in field)
    return sum(value * WEIGHTS[place % 3] for place, value in enumerate(values)) % 10


def _years(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


@performs(Unit.SCREEN)
def screen(subject: Subject) -> Screening:
    """Compare the applicant's name with the sanctions list.

    Raises:
        SanctionsHit: it comes close to an entry, or cannot be compared; a second person must look.
    """
    hits = screening.compare(subject.full_name)
    if hits is not None:
        raise SanctionsHit(evidence=hits)
    compared = len(screening.entries())
    reason = f"None of {compared} entries of the sanctions list is {screening.THRESHOLD:g} % like the name or more."
    return Screening(verdict="no_match", reason=reason)
