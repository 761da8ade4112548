"""A unit that others call is not retired under them, whichever of their versions it is and whatever code is loaded."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.replay import planted
from tests.test_governance import published
from tests.workers.test_publishing import Desk
from tests.workers.test_publishing import desk as desk  # noqa: PLC0414 - a fixture
from workers.console import judge
from workers.governing import retiring
from workunits.catalog.refund_request import RefundRequest
from workunits.registry import Catalog, describe
from workunits.shelf import Shelf


def calling() -> dict[str, Any]:
    """The planted unit's definition, with another unit that performs its step `file`."""
    definition = copy.deepcopy(describe(planted.Planted))
    definition["structure"]["steps"][-1] |= {"executor": "unit", "performed_by": "refund_request"}
    return definition


@pytest.fixture
def refunds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A shelf on which our own unit for refunds is deprecated, so that it can be retired."""
    refunds = Shelf(desk.folder / "refunds")
    kept = published(describe(RefundRequest), stage="deprecated")
    refunds.write(kept.model_copy(update={"unit": "refund_request"}))
    find = retiring._find

    def there(catalog: Catalog, unit: str) -> Shelf:
        return refunds if unit == "refund_request" else find(catalog, unit)

    monkeypatch.setattr(retiring, "_find", there)
    return refunds


def refused(desk: Desk, *args: str) -> tuple[str, str]:
    """The code and the words of a refusal to retire the unit for refunds."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the code is looked at
        desk.run("retire", "refund_request", "--as", "olga", *args)
    said = judge(raised.value)
    assert said
    return said.code, str(said)


@pytest.mark.usefixtures("refunds")
@pytest.mark.parametrize(
    ("stage", "command"), [("active", "deprecate"), ("deprecated", "retire")], ids=["active", "deprecated"]
)
def test_it_is_the_kept_definition_that_calls(desk: Desk, stage: str, command: str) -> None:
    """Other code of the caller, which does not call and is not published, may be loaded here: that changes nothing."""
    desk.shelf.write(published(calling(), stage=stage))

    code, said = refused(desk)

    assert code == "called"
    assert f"planted version 1 is {stage} and calls refund_request in step file" in said
    assert "publish a version of planted that does not, and retire this one first" in said
    assert said.endswith(f"workunits {command} planted --version 1 --as NAME")


@pytest.mark.usefixtures("refunds")
def test_an_older_version_that_calls_can_be_ended_by_itself(desk: Desk) -> None:
    """Open cases stay on it, so it holds the called unit up; the version that took its place stays as it is."""
    desk.shelf.write(published(calling(), version="0"))
    desk.shelf.write(published())

    code, said = refused(desk)
    turned = json.loads(desk.run("deprecate", "planted", "--version", "0", "--as", "olga", "--json"))["turned"]
    active = desk.refused("--version", "1", "--as", "olga", command="retire")
    none = desk.refused("--version", "9", "--as", "olga", command="retire")

    assert (code, "planted version 0 is active and calls" in said) == ("called", True)
    assert [(one["version"], one["stage"]) for one in turned] == [("0", "deprecated")]
    assert desk.shelf.read("planted", "1") == published()
    assert active[1].startswith("version 1 of planted cannot be retired: version 1 is active; deprecate it first")
    assert active[1].endswith("workunits deprecate planted --version 1 --as NAME")
    assert none[1].startswith("version 9 of planted cannot be retired: nothing of it is published")


def test_a_version_beside_another_that_goes_on_is_retired_whoever_calls(desk: Desk, refunds: Shelf) -> None:
    """The unit is served as before: only its last versions are held up."""
    desk.shelf.write(published(calling()))
    kept = published(describe(RefundRequest), version="2").model_copy(update={"unit": "refund_request"})
    refunds.write(kept)

    code, said = refused(desk, "--version", "1")

    assert code != "called", said
    assert refunds.read("refund_request", "1").stage == "deprecated"  # type: ignore[union-attr]
