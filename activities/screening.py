"""Comparing a name with the shipped sanctions list (invented names only)."""

from __future__ import annotations

import csv
import itertools
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rapidfuzz import fuzz

from workunits.contracts.customer_onboarding import Hits, Match

LIST = Path(__file__).parent / "data" / "sanctions.csv"
THRESHOLD = 85.0
"""From this likeness on (0 to 100) a person looks.

Measured on the shipped list: a name with one wrong, missing or doubled letter scores 92 and above, with two 84.6
and above (997 of 1,000 reach the threshold); common names score below 75 against every entry. Higher misses
spellings, lower costs officers' time: `tests/activities` holds both sides to it.
"""
FEW_WORDS = 5
"""Names of up to so many words are compared in every order of them."""
SHOWN = 20
"""Matches that travel with a hit, the closest first."""

# Letters that Unicode does not take apart into a base letter and a mark.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i", "ħ": "h"}
)
_APOSTROPHES = re.compile("['`\u00b4\u02bc\u2018\u2019]")
_BETWEEN = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Entry:
    """One person on the list, under all names."""

    number: str
    name: str
    spellings: tuple[str, ...]
    """Name and aliases as `normal` makes them."""
    born: int | None


def compare(full_name: str) -> Hits | None:
    """Compare a name with every entry.

    Returns:
        The entries that come close, or that the name cannot be compared; None when a machine may clear it.
    """
    name = normal(full_name)
    if not comparable(name):
        return Hits(not_comparable=True)
    scored = [(max(likeness(name, spelling) for spelling in entry.spellings), entry) for entry in entries()]
    close = sorted((pair for pair in scored if pair[0] >= THRESHOLD), key=lambda pair: (-pair[0], pair[1].number))
    matches = tuple(
        Match(entry=entry.number, listed_name=entry.name, score=round(score, 1), born=entry.born)
        for score, entry in close[:SHOWN]
    )
    return Hits(matches=matches) if matches else None


def normal(name: str) -> str:
    """Reduce a name to lower-case words, without accents, marks and invisible characters."""
    text = unicodedata.normalize("NFKD", name.casefold()).translate(_LETTERS)
    text = "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Cf"))
    return " ".join(_BETWEEN.sub(" ", _APOSTROPHES.sub("", text)).split())


def comparable(name: str) -> bool:
    """Whether a normal name is all in Latin letters.

    Another script, or a look-alike letter from one in a Latin name, would pass by every entry unseen.
    """
    return any(c.isalpha() for c in name) and all(c.isascii() for c in name if c.isalpha())


def likeness(a: str, b: str) -> float:
    """How close two normal names are, 0 to 100, in the order of words that brings them closest.

    A middle name that one of them leaves out costs nothing.
    """
    words = a.split()
    # All orders, since sorting alone fails on a misspelt first letter: it moves the word.
    orders = itertools.permutations(words) if len(words) <= FEW_WORDS else (words, sorted(words))
    score = max(fuzz.ratio(" ".join(order), b) for order in orders)
    # One shared word proves nothing: half of all people share a first name with somebody.
    if len(set(words) & set(b.split())) > 1:
        score = max(score, fuzz.token_set_ratio(a, b))
    return score


@cache
def entries() -> tuple[Entry, ...]:
    """Read the list, once per process."""
    with LIST.open(encoding="utf-8", newline="") as file:
        return tuple(
            Entry(
                number=row["entry"],
                name=row["name"],
                spellings=tuple(normal(name) for name in (row["name"], *row["aliases"].split("|")) if name),
                born=int(row["born"]) if row["born"] else None,
            )
            for row in csv.DictReader(file)
        )
