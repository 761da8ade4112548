"""A contract of which something would not come back from a case's history is refused when the unit loads."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from workunits.core.gate import examine
from workunits.core.gate_contracts import contract_problems
from workunits.core.spec import automated


class Aliased(BaseModel):
    """Read under one name, written under another."""

    yes: bool = Field(alias="approved")


class ByName(BaseModel):
    """Read under both."""

    model_config = ConfigDict(populate_by_name=True)

    yes: bool = Field(alias="approved")


class Camel(BaseModel):
    """As many a web service writes."""

    model_config = ConfigDict(alias_generator=to_camel)

    full_name: str = ""  # type: ignore[pydantic-alias]


class WrittenCamel(Camel):
    """The same, and written so."""

    model_config = ConfigDict(serialize_by_alias=True)


class Choice(BaseModel):
    """Several names, its own among them."""

    yes: bool = Field(validation_alias=AliasChoices("yes", "approved"))  # type: ignore[pydantic-alias]


class Hidden(BaseModel):
    """A field that is not written."""

    yes: bool = Field(exclude=True)


class Secret(BaseModel):
    """A field that is written as stars."""

    word: SecretStr


class Within(BaseModel):
    """Holds another, in a list."""

    parts: list[Aliased | None] = []


MADE: dict[type[BaseModel], dict[str, Any]] = {
    Aliased: {"approved": True},
    ByName: {"yes": True},
    Camel: {"fullName": "Ann"},
    WrittenCamel: {"fullName": "Ann"},
    Choice: {"yes": True},
    Hidden: {"yes": True},
    Secret: {"word": "x"},
    Within: {"parts": [{"approved": True}]},
}


@pytest.mark.parametrize("model", MADE, ids=lambda model: model.__name__)
def test_what_is_found_is_what_would_be_lost(model):
    """Judged by writing an instance and reading it, as a case does."""
    made = model.model_validate(MADE[model])
    try:
        comes_back = model.model_validate_json(made.model_dump_json()) == made
    except ValidationError:
        comes_back = False

    assert (list(contract_problems(model)) == []) == comes_back


def test_it_is_said_with_the_field_and_the_remedy():
    """Of the case and of what goes into a step and comes out, each."""

    class Odd:
        unit_name, version, key, facts = "odd", "1", "", ()
        STEP = automated("step", Within, Hidden)

        async def work(self, case: Camel) -> ByName:
            """Nothing."""
            raise NotImplementedError

    found = [problem for problem in examine(Odd) if "Camel" in problem.what or problem.field.startswith("step.")]

    assert [(problem.element, problem.field, problem.what) for problem in found] == [
        ("definition", "case", "Camel.full_name is written as 'full_name' and read as 'fullName'"),
        ("structure", "step.takes", "Aliased.yes is written as 'yes' and read as 'approved'"),
        ("structure", "step.gives", "Hidden.yes is left out when it is written, and lacks when it is read"),
    ]
    assert found[0].remedy == "Name the field as it is read, or write model_config = ConfigDict(populate_by_name=True)"
