"""The catalog: what packages offer, what cannot be used, and the contract of a unit as data."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from typing import Any

import pytest

from tests.lab.units import Inline, Plain, Ruled
from workers.catalog import OWN
from workunits import registry
from workunits.core.errors import DefinitionError, WorkUnitsError
from workunits.core.spec import elapsed
from workunits.registry import (
    Catalog,
    CatalogError,
    Package,
    UnknownUnitError,
    definition_hash,
    describe,
    discover,
)

GOOD: dict[str, Any] = {
    "name": "shop",
    "units": (Plain,),
    "contracts": ("tests.lab.contracts",),
    "performers": ("tests.lab.performers",),
}


@pytest.fixture
def offer(monkeypatch):
    """Make a module that offers a package, and give its name."""

    def make(package: Any, name: str = "offered_package") -> str:
        module = types.ModuleType(name)
        vars(module)["PACKAGE"] = package
        monkeypatch.setitem(sys.modules, name, module)
        return name

    return make


def found(*modules: str) -> Catalog:
    """The catalog of ours and these modules."""
    return discover([OWN], modules, installed=False)


def test_a_named_module_joins_the_catalog(offer):
    """Its units stand beside ours, and its modules are those that the worker imports."""
    catalog = found(offer(Package(**GOOD)))

    assert [unit.unit_name for unit in catalog] == [*(unit.unit_name for unit in OWN.units), "plain"]
    assert catalog.get("plain") is Plain
    assert catalog.contracts == ("workunits.contracts", "tests.lab.contracts")
    assert catalog.performers == ("activities", "tests.lab.performers")
    assert len(catalog) == len(OWN.units) + 1


def test_a_package_that_is_named_twice_counts_once(offer):
    """It may be installed and named on the command line."""
    name = offer(Package(**GOOD))

    assert len(found(name, name)) == len(OWN.units) + 1


def test_two_packages_of_one_name_are_refused(offer):
    """Otherwise the units of one of them would silently be missing."""
    first = offer(Package(**GOOD), "first_offer")
    second = offer(Package(**GOOD | {"units": (Inline,)}), "second_offer")

    with pytest.raises(CatalogError, match="two packages are named 'shop': that of --module first_offer and that of"):
        found(first, second)
    with pytest.raises(CatalogError, match="that of this repository"):
        found(offer(Package(**GOOD | {"name": "workunits"})))


def test_two_units_of_one_name_are_refused(offer):
    """A unit's name is that of its workflows; both places are named."""
    first = offer(Package(**GOOD), "first_offer")
    second = offer(Package(**GOOD | {"name": "other"}), "second_offer")

    with pytest.raises(CatalogError, match=r"'plain': tests\.lab\.units\.Plain and tests\.lab\.units\.Plain"):
        found(first, second)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": ""}, "PACKAGE.name: it has no name"),
        ({"name": None}, "PACKAGE.name: it has no name"),
        ({"units": Plain}, r"PACKAGE.units: type is no tuple; a tuple of one has a comma: \(it,\)"),
        ({"units": ("plain",)}, "PACKAGE.units: a member is no class that derives from WorkUnit"),
        ({"units": (int,)}, "PACKAGE.units: a member is no class that derives from WorkUnit"),
        ({"contracts": "tests.lab.contracts"}, "PACKAGE.contracts: str is no tuple"),
        ({"contracts": (types,)}, 'PACKAGE.contracts: a member is no name of a module; write it in quotes, such as "a'),
        ({"performers": "tests.lab.performers"}, "PACKAGE.performers: str is no tuple"),
        ({"performers": ("",)}, "PACKAGE.performers: a member is no name"),
        ({"contracts": ("tests.lab.units",)}, r"PACKAGE.contracts: tests\.lab\.units holds a unit"),
        ({"contracts": ("tests.lab.contrats",)}, r"PACKAGE.contracts: there is no module tests\.lab\.contrats"),
        ({"contracts": ("tests",)}, "holds a unit; name only modules of pydantic models"),
    ],
)
def test_a_package_that_cannot_be_used(offer, changed, why):
    """The field is named, with what to write; a lost comma is the usual slip."""
    with pytest.raises(CatalogError, match=why):
        found(offer(Package(**GOOD | changed)))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "--module odd_package: there is no module odd_package"),
        (
            "import nowhere_to_be_found",
            "odd_package.py:1: ModuleNotFoundError: No module named 'nowhere_to_be_found'; mend that line",
        ),
        ("1 +", r"importing odd_package fails at .*odd_package\.py:1: SyntaxError: invalid syntax"),
        ("raise ValueError('no')", r"importing odd_package fails at .*odd_package\.py:1: ValueError: no"),
        ("PACKAGE = 5", r"odd_package has no PACKAGE = Package\(...\)"),
        ("", r"odd_package has no PACKAGE = Package\(...\)"),
    ],
)
def test_a_module_that_offers_nothing(tmp_path, monkeypatch, text, why):
    """Whatever goes wrong while it is imported is one sentence that names it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_package", raising=False)
    if text is not None:
        (tmp_path / "odd_package.py").write_text(text, encoding="utf-8")

    with pytest.raises(CatalogError, match=why):
        found("odd_package")


def test_a_unit_with_open_design_decisions_keeps_its_own_error(tmp_path, monkeypatch):
    """The problems of a unit are not wrapped into an error of the catalog."""
    monkeypatch.syspath_prepend(tmp_path)
    text = "from workunits.core.unit import WorkUnit\nclass Bare(WorkUnit, name='bare'): pass\n"
    (tmp_path / "bare_package.py").write_text(text, encoding="utf-8")

    with pytest.raises(DefinitionError) as refused:
        found("bare_package")
    assert {problem.element for problem in refused.value.problems} == {"outcome", "logic", "structure", "learning"}


def test_input_40_an_unknown_unit_names_the_near_ones():
    """A mistyped name is met with the one that was meant."""
    with pytest.raises(UnknownUnitError, match="did you mean refund_request"):
        found().get("refund_reqest")
    with pytest.raises(WorkUnitsError) as refused:
        found().get("x" * 5000)
    assert len(str(refused.value)) < 300


def test_the_contract_of_a_unit_as_data():
    """Those who use a unit read its four elements without its code."""
    said = describe(Ruled)

    assert said["outcome"]["within_seconds"] == 86_400
    assert [step["executor"] for step in said["structure"]["steps"]] == ["automated", "human", "human", "ai", "human"]
    assert [rule["then"] for rule in said["logic"]["rules"]] == [
        "look_by_hand takes over",
        "mend mends the input, then again, at most 1 time(s)",
        "the case closes as not achieved",
        "advise_by_hand takes over",
    ]
    assert said["learning"]["measures"] == [
        {"measure": "cycle_time p85 at most 4 h", "baseline": "the first 100 cases"}
    ]


def test_the_hash_of_a_definition_changes_with_its_contract(monkeypatch):
    """Two versions of a unit are told apart by it; the same definition has the same one in every process."""
    before = definition_hash(Plain)
    assert before == definition_hash(Plain)
    assert len(before) == 12

    monkeypatch.setattr(Plain, "outcome", replace(Plain.outcome, within=elapsed(hours=12)))
    assert definition_hash(Plain) != before


def test_of_installed_packages_only_those_that_are_allowed_are_imported(monkeypatch):
    """Whatever else somebody installed beside them runs none of its code here."""
    from importlib.metadata import EntryPoint

    imported = []

    def load(where, _):
        imported.append(where)
        return OWN

    monkeypatch.setattr(registry, "_load", load)
    points = [EntryPoint(name, f"{name}.package:PACKAGE", registry.ENTRY_POINTS) for name in ("acme", "stray")]
    monkeypatch.setattr(registry, "entry_points", lambda *, group: points if group == registry.ENTRY_POINTS else ())

    registry.discover([OWN], allowed=["acme"])
    assert imported == ["entry point 'acme'"]
    registry.discover([OWN], allowed=[])
    assert imported == ["entry point 'acme'"]
    registry.discover([OWN])
    assert len(imported) == 3
