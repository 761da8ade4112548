"""The digest of a rule: what it says counts, how it is laid out does not."""

from __future__ import annotations

import functools
import importlib
import sys
import textwrap
from typing import Any

import pytest

from tests.conftest import ALL
from workers.catalog import OWN
from workunits.registry import describe
from workunits.rule_source import UNKNOWN, digest


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Load some source as a module of its own; its file stays as it was loaded."""
    monkeypatch.syspath_prepend(tmp_path)
    names: list[str] = []

    def load(source):
        name = f"planted_rules_{len(names)}"
        names.append(name)
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield load
    for name in names:
        sys.modules.pop(name)


BASE = """
    LIMIT = 100
    RISKY = frozenset({"cash", "crypto"})

    def is_large(amount):
        return amount > LIMIT

    def rule(case):
        return "over_limit" if is_large(case.amount) or case.kind in RISKY else "routine"
"""


@pytest.mark.parametrize(
    "source",
    [
        BASE,
        BASE.replace(
            "return amount > LIMIT", '"""Say it."""\n        return (amount  >\n            LIMIT)  # in euros'
        ),
        BASE.replace("def rule(case):", "\n\n    def rule(case: object) -> str:"),
        BASE.replace('{"cash", "crypto"}', '{"crypto", "cash"}'),
        BASE + "\n    UNUSED = 7\n",
    ],
    ids=["the same", "layout and comments", "annotations and place", "order of a set", "what it does not name"],
)
def test_what_says_the_same_has_the_same_digest(loaded, source):
    """Nobody signs again for a line that was broken, a comment or a docstring."""
    assert digest(loaded(source).rule) == digest(loaded(BASE).rule) != UNKNOWN


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ('"over_limit" if', '"routine" if'),
        ("amount > LIMIT", "amount >= LIMIT"),
        ("LIMIT = 100", "LIMIT = 100_000"),
        ('"cash", ', ""),
    ],
    ids=["the rule", "what it calls", "a constant of what it calls", "a constant"],
)
def test_what_says_something_else_has_another_digest(loaded, was, now):
    """Also where the rule itself stands as it was, and the limit that it looks at does not."""
    assert was in BASE
    assert digest(loaded(BASE.replace(was, now)).rule) != digest(loaded(BASE).rule)


def test_lambdas_of_one_line_are_told_apart(loaded):
    """By where their code stands, however they are laid out."""
    two = "RULES = (lambda found: found == 0, lambda found: found > 0)"
    apart = "RULES = (\n    lambda found: found == 0,\n    lambda found: (\n        found > 0\n    ),\n)"
    inner = "RULES = (lambda x: (lambda y: x + y), lambda x: (lambda y: x - y))"

    first, second = map(digest, loaded(two).RULES)
    assert first != second
    assert tuple(map(digest, loaded(apart).RULES)) == (first, second)
    made = loaded(inner).RULES
    assert len({*map(digest, made), *(digest(one(1)) for one in made)}) == 4


def test_what_a_rule_was_made_with_counts(loaded):
    """A function that makes rules gives different ones."""
    made = loaded("def above(limit):\n    return lambda case: case.amount > limit\n")

    assert digest(made.above(1)) != digest(made.above(2))
    assert digest(made.above(1)) == digest(made.above(1))


def test_a_rule_that_calls_itself_has_one(loaded):
    """Its text is read once."""
    assert digest(loaded("def rule(n):\n    return n and rule(n - 1)\n").rule) != UNKNOWN


LIMITS = """
    import functools
    import operator

    MAX = 1000

    class Of:
        SMALL = 10

        @classmethod
        def is_small(cls, amount):
            return amount < 5

    def over(amount):
        return amount > MAX

    @functools.cache
    def known(amount):
        return amount == 7

    amount_of = {amount_of}
"""
BY_WAY_OF = {
    "a module": "limits.over(case.amount)",
    "a constant of it": "case.amount > limits.MAX",
    "its whole name": "planted.limits.over(case.amount)",
    "a class": "limits.Of.is_small(case.amount)",
    "a constant of a class": "case.amount > limits.Of.SMALL",
    "something cached": "limits.known(case.amount)",
}


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Load a package anew: the rule, in one module, uses another module."""
    monkeypatch.syspath_prepend(tmp_path)

    def load(rule, limits):
        folder = tmp_path / str(len(list(tmp_path.iterdir()))) / "planted"
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "limits.py").write_text(textwrap.dedent(limits), encoding="utf-8")
        source = f"import planted.limits\nfrom planted import limits\n\ndef rule(case):\n    return {rule}\n"
        (folder / "rules.py").write_text(source, encoding="utf-8")
        for name in [name for name in sys.modules if name.partition(".")[0] == "planted"]:
            sys.modules.pop(name)
        monkeypatch.syspath_prepend(folder.parent)
        importlib.invalidate_caches()
        return importlib.import_module("planted.rules").rule

    yield load
    for name in [name for name in sys.modules if name.partition(".")[0] == "planted"]:
        sys.modules.pop(name)


@pytest.mark.parametrize(
    ("way", "was", "now"),
    [
        ("a module", "amount > MAX", "False"),
        ("a module", "MAX = 1000", "MAX = 10**9"),
        ("a constant of it", "MAX = 1000", "MAX = 10**9"),
        ("its whole name", "amount > MAX", "False"),
        ("a class", "amount < 5", "amount < 6"),
        ("a constant of a class", "SMALL = 10", "SMALL = 11"),
        ("something cached", "amount == 7", "amount == 8"),
    ],
)
def test_what_is_reached_by_way_of_a_module_counts(packed, way, was, now):
    """As does what the rule names itself; and nothing else of that module does."""
    source = LIMITS.format(amount_of=1)
    before = digest(packed(BY_WAY_OF[way], source))

    assert was in source
    assert digest(packed(BY_WAY_OF[way], source.replace(was, now))) != before
    assert digest(packed(BY_WAY_OF[way], source + "\n    UNUSED = 7\n")) == before != UNKNOWN


@pytest.mark.parametrize(
    "made",
    ['operator.attrgetter("amount")', "functools.partial(max, 1)", 'eval("lambda case: case.amount")'],
    ids=["a getter", "a partial call", "no file"],
)
def test_a_rule_that_reaches_what_cannot_be_read_cannot_either(packed, made):
    """Or it would change unseen."""
    assert digest(packed("limits.amount_of(case) > 5", LIMITS.format(amount_of=made))) == UNKNOWN


def test_what_has_no_source_says_so(loaded):
    """Built in, wrapped in an object, or made from text."""
    made: dict[str, Any] = {}
    exec("rule = lambda case: True", made)  # noqa: S102 - a rule without a file

    assert [digest(len), digest(functools.partial(max, 1)), digest(made["rule"])] == [UNKNOWN] * 3


def test_a_process_stands_by_what_it_loaded(loaded):
    """Whoever edits the file of a running process changes nothing that is known of it."""
    module = loaded(BASE)
    before = digest(module.rule)
    with open(module.__file__, "a", encoding="utf-8") as file:  # noqa: PTH123 - as an editor does
        file.write("\n")

    assert digest(module.rule) == before


@pytest.mark.parametrize("unit", [*OWN.units, *ALL], ids=lambda unit: unit.unit_name)
def test_the_rules_of_our_units_are_all_found(unit):
    """None of them could be changed unseen."""
    assert '"?"' not in repr(describe(unit)).replace("'", '"')
