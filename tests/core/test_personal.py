"""Personal data: what a case type marks is found wherever it stands, and left out of a copy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, BaseModel, Field, JsonValue, RootModel, StringConstraints

from tests.lab.contracts import Result
from tests.lab.units import BOSS, LEARNING, OUTCOME
from workunits.contracts.customer_onboarding import Application
from workunits.contracts.refund_request import Request
from workunits.core.errors import DefinitionError
from workunits.core.personal import PERSONAL, personal_fields, without_personal
from workunits.core.spec import human
from workunits.core.unit import WorkUnit

Name = Annotated[str, StringConstraints(max_length=200)]


class Contact(BaseModel):
    """Part of a case."""

    phone: Annotated[str, PERSONAL]
    channel: str = "web"


class Company(BaseModel):
    """Another kind of customer."""

    phone: str
    industry: str


class Letters(RootModel[list[Contact]]):
    """A list with a name of its own."""


class Tree(RootModel["dict[str, Tree | Contact]"]):
    """A model that is a mapping of itself."""


class Case(BaseModel):
    """A case that has personal data in each place where it can stand."""

    number: str
    name: Annotated[Name, PERSONAL] = Field(alias="fullName")
    nickname: Annotated[str, PERSONAL] | None = None
    born: Annotated[date | None, PERSONAL] = Field(None, validation_alias=AliasChoices("bornOn", "birthday"))  # type: ignore[pydantic-alias]
    notes: list[Annotated[str, PERSONAL]] = []
    contact: Contact | None = None
    contacts: tuple[Contact, ...] = ()
    by_place: Mapping[str, Contact] = {}
    lists: dict[str, list[Contact]] = {}
    letters: Letters | None = None
    party: Contact | Company | str = ""
    parent: Case | None = None
    whatever: Any = None
    json_: JsonValue = None
    tree: Tree | None = None


CONTACT = {"phone": "555", "channel": "web"}
LEFT = {"channel": "web"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"number": "1", "name": "Zed", "fullName": "Zed"}, {"number": "1"}),
        ({"nickname": "Z", "born": "1990-01-01", "bornOn": "1990-01-01", "birthday": "1990-01-01"}, {}),
        ({"notes": ["Zed called"]}, {}),
        ({"contact": CONTACT, "contacts": [CONTACT, CONTACT]}, {"contact": LEFT, "contacts": [LEFT, LEFT]}),
        ({"by_place": {"phone": CONTACT, "home": CONTACT}}, {"by_place": {"phone": LEFT, "home": LEFT}}),
        ({"lists": {"a": [CONTACT]}, "letters": [CONTACT]}, {"lists": {"a": [LEFT]}, "letters": [LEFT]}),
        ({"party": {"phone": "555", "industry": "steel"}}, {"party": {"industry": "steel"}}),
        ({"party": "nobody", "contact": None}, {"party": "nobody", "contact": None}),
        ({"parent": {"parent": {"number": "2", "fullName": "Zed"}}}, {"parent": {"parent": {"number": "2"}}}),
        ({"number": "1", "surname": "Zed"}, {"number": "1"}),
        ({"whatever": {"a": [1]}, "contact": [CONTACT]}, {"whatever": {"a": [1]}, "contact": [LEFT]}),
        ({"json_": {"a": [{"b": 1}]}}, {"json_": {"a": [{"b": 1}]}}),
        ({"tree": {"a": {"b": {"phone": "555", "channel": "web"}}}}, {"tree": {"a": {"b": LEFT}}}),
        ("Zed", None),
        (["Zed"], None),
        (None, None),
    ],
)
def test_what_is_marked_is_left_out(given, kept):
    """Under each name, in each container, at each depth; what the case type does not know goes, too."""
    assert without_personal(Case, given) == kept


def test_the_given_case_is_left_alone():
    """The copy is one."""
    given = {"contact": dict(CONTACT)}
    without_personal(Case, given)

    assert given == {"contact": CONTACT}


def test_the_paths_of_marked_fields():
    """Each is named once, by where it stands."""
    assert personal_fields(Case) == {
        *("name", "nickname", "born", "notes"),
        *(f"{place}.phone" for place in ("contact", "contacts", "by_place", "lists", "letters", "party", "tree")),
    }
    assert personal_fields(Company) == frozenset()


def test_the_marks_of_our_own_units():
    """A person's name, birth, address, money and words are marked; what cases are segmented by is not."""
    assert personal_fields(Application) == {
        *("full_name", "born_on", "email", "monthly_income", "source_of_funds"),
        *("documents.items.issued_on", "documents.items.expires_on"),
    }
    assert personal_fields(Request) == {"details", "email"}


@pytest.mark.parametrize(
    ("key", "facts", "said"),
    [
        ("name", (), "definition.key: Case.name is marked as personal, and the key stands in clear"),
        ("number", ("nickname",), "definition.facts: Case.nickname is marked as personal, and facts stand in clear"),
        ("number", ("contact",), "definition.facts: Case.contact is marked as personal, and facts stand in clear"),
    ],
)
def test_nothing_personal_stands_in_clear(key, facts, said):
    """A unit whose key or fact says something of a person is refused, also where a part of the field does."""
    named = facts

    with pytest.raises(DefinitionError) as refused:

        class Telling(WorkUnit, name="telling", version="1", key=key):
            """Tells too much."""

            outcome = OUTCOME
            learning = LEARNING
            facts = named

            ASK = human("ask", Case, Result, role="clerk", accountable=BOSS)

            async def work(self, case: Case) -> Result:
                """Ask."""
                return await self.perform(self.ASK, case)

    assert said in str(refused.value)
