"""Names against the sanctions list."""

from __future__ import annotations

import unicodedata

import pytest

from activities import screening

COMMON = (
    "John Smith", "Maria Garcia", "Anna Müller", "Jean Dupont", "Ivan Petrov", "Wei Chen", "Mohammed Ali",
    "Fatima Zahra", "Olga Ivanova", "Ana Silva", "Peter Jones", "Victor Hugo", "Pavel Novak", "Gustav Klimt",
    "Leopold Bloom", "Dmitri Orlov", "Emeka Obi", "Siobhán O'Brien", "Jan van der Berg", "José María Pérez López",
)  # fmt: skip


def _hit(name: str) -> str | None:
    hits = screening.compare(name)
    return hits.matches[0].entry if hits and hits.matches else None


def _score(name: str) -> float:
    normal = screening.normal(name)
    return max(screening.likeness(normal, known) for entry in screening.entries() for known in entry.spellings)


def test_every_entry_is_found_under_its_own_name_and_aliases() -> None:
    """No entry of the list passes its own screening."""
    assert len(screening.entries()) >= 24
    for entry in screening.entries():
        for spelling in entry.spellings:
            assert _hit(spelling) == entry.number


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("VIKTOR DRAGUNOVSKY", "X-001"),
        ("Dragunovsky, Viktor", "X-001"),
        ("  viktor   dragunovsky ", "X-001"),
        ("Viktor Dragunovskij", "X-001"),
        ("Wiktor Dragunovsky", "X-001"),
        ("Victor Dragunowski", "X-001"),
        ("Krzysztof Zelazogorski", "X-007"),
        ("Oystein Halvmane", "X-006"),
        ("Hakan YILDIRIMOĞULLARI", "X-018"),
        ("Yusuf Al'Marzhan", "X-004"),
        ("Anselm Thade", "X-003"),
        ("Anselm Corvinus Maria Thade", "X-003"),
        ("Ｖｉｋｔｏｒ Ｄｒａｇｕｎｏｖｓｋｙ", "X-001"),  # noqa: RUF001 - full-width letters are the point
        ("Viktor\u200b Dragu\u00adnovsky", "X-001"),
        (unicodedata.normalize("NFD", "Tomáš Krvavec"), "X-024"),
        ("Krvavec Tomáš Krvavec Tomáš Krvavec Tomáš", "X-024"),
    ],
)
def test_spellings_of_a_listed_name_hit(name: str, entry: str) -> None:
    """Case, accents, word order, middle names, width, invisible letters and one slip do not hide a listed name."""
    assert _hit(name) == entry


@pytest.mark.parametrize("name", COMMON)
def test_common_names_pass(name: str) -> None:
    """An unlisted name is clear, by a margin."""
    assert screening.compare(name) is None
    assert _score(name) < 75


def test_one_slip_anywhere_still_hits() -> None:
    """Every listed name with any one letter replaced or lost is found."""
    for entry in screening.entries():
        for at in (i for i, letter in enumerate(entry.name) if letter.isalpha()):
            for put in ("q", ""):
                changed = entry.name[:at] + put + entry.name[at + 1 :]
                assert _hit(changed) == entry.number, changed


def test_the_threshold_itself_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A likeness of exactly the threshold is a hit, and one just below is not."""
    score = _score("Tomaq Krqavec")
    monkeypatch.setattr(screening, "THRESHOLD", score)
    assert _hit("Tomaq Krqavec") == "X-024"
    monkeypatch.setattr(screening, "THRESHOLD", score + 0.01)
    assert screening.compare("Tomaq Krqavec") is None


@pytest.mark.parametrize(
    "name",
    [
        "Вiktor Dragunovsky",  # noqa: RUF001 - a Cyrillic capital among Latin letters
        "Виктор Драгуновский",
        "王小明",
        "Ивaн Пeтров",  # noqa: RUF001 - Latin vowels among Cyrillic letters
        "---",
        "12345",
        "\u202e\u200b",
        "😀 😀",
    ],
)
def test_a_name_that_cannot_be_compared_goes_to_a_person(name: str) -> None:
    """What is not in Latin letters never passes as clear."""
    hits = screening.compare(name)
    assert hits is not None
    assert hits.not_comparable


def test_hostile_names_are_quick_and_harmless() -> None:
    """Long names, patterns and SQL are names like any other."""
    for name in ("a " * 100, "%" * 100 + "a", "'; DROP TABLE accounts; --", "x" * 200, ".*.* (a+)+$", "{0} %s"):
        assert screening.compare(name) is None


def test_the_closest_match_comes_first_with_its_evidence() -> None:
    """A hit says which entry, how close, and the year of birth for the officer to compare."""
    hits = screening.compare("Viktor Dragunowsky")
    assert hits is not None
    assert hits.matches[0].listed_name == "Viktor Dragunovsky"
    assert hits.matches[0].born == 1961
    assert screening.THRESHOLD <= hits.matches[0].score <= 100
