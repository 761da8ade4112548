"""The four-element test: every unresolved design decision at once, each with element, field and remedy."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from temporalio import workflow

from workunits.core import spec
from workunits.core.errors import BusinessException, DefinitionError
from workunits.core.gate import ELEMENTS, Problem, examine
from workunits.core.gate_facts import LONGEST
from workunits.core.spec import (
    MEASURES,
    Elapsed,
    Learning,
    Measure,
    On,
    OnFailure,
    Outcome,
    Rate,
    Step,
    Target,
    Votes,
    ai,
    automated,
    elapsed,
    human,
    working_days,
)
from workunits.core.unit import WorkUnit
from workunits.units import UNITS

loose: Any = spec
"""For what no type allows, and whoever has no type checker may write."""
OK: dict[str, Any] = {"at": "p85", "at_most": elapsed(hours=4), "baseline": "the first 100 cases"}


class Case(BaseModel):
    """What a case begins with."""

    number: str
    product: str = "any"


class Done(BaseModel):
    """What it delivers."""

    yes: bool


class Odd(BusinessException, code="odd"):
    """Something is odd."""


class Late(BusinessException, code="late"):
    """Something is late."""


class AlsoOdd(BusinessException, code="odd"):
    """Has the code of another."""


CHECK = automated("check", Case, Case, raises=(Odd,))
DECIDE = human("decide", Case, Done, role="clerk", accountable="head of clerks")
OUTCOME: dict[str, Any] = {
    "result": Done,
    "statement": "The request is decided within 24 hours.",
    "achieved": lambda result: result.yes,
    "within": elapsed(hours=24),
    "accountable": "head of clerks",
}
LEARNING: dict[str, Any] = {
    "owner": "head of clerks",
    "review": elapsed(days=30),
    "measures": (Measure("cycle_time", **OK),),
}


async def work(self, case: Case) -> Done:
    """Check, then decide."""
    done: Done = await self.perform(self.DECIDE, await self.perform(self.CHECK, case))
    return done


def declare(*, name: Any = "request", version: Any = "1", key: Any = "number", **changes: Any) -> list[Problem]:
    """The problems of a unit that is well declared but for `changes`; a member changed to `...` is left out."""
    members = {
        "outcome": Outcome(**OUTCOME),
        "learning": Learning(**LEARNING),
        "CHECK": CHECK,
        "DECIDE": DECIDE,
        "rules": (On(Odd, CHECK),),
        "work": work,
    }
    body = {n: member for n, member in (members | changes).items() if member is not ...}
    body |= {"__module__": __name__, "__qualname__": "Declared"}
    try:
        made: Any = type("Declared", (WorkUnit,), body, name=name, version=version, key=key)
    except DefinitionError as error:
        return list(error.problems)
    return examine(made)


def outcome(**changes: Any) -> list[Problem]:
    """The problems of a unit with another outcome; a fact changed to `...` is left out."""
    return declare(outcome=Outcome(**{n: fact for n, fact in (OUTCOME | changes).items() if fact is not ...}))


def learning(**changes: Any) -> list[Problem]:
    """The problems of a unit with another learning loop; a fact changed to `...` is left out."""
    return declare(learning=Learning(**{n: fact for n, fact in (LEARNING | changes).items() if fact is not ...}))


def step(changed: Any, *rules: Any) -> list[Problem]:
    """The problems of a unit with another first step."""
    return declare(CHECK=changed, rules=rules)


def fields(problems: list[Problem]) -> list[str]:
    """Where they are."""
    assert all(problem.what and problem.remedy for problem in problems)
    return [f"{problem.element}.{problem.field}" for problem in problems]


def test_a_whole_definition_has_no_problem():
    """What the other tests change is complete; so are the units of the catalog, without a warning."""
    assert declare() == []
    assert [examine(unit) for unit in UNITS] == [[] for _ in UNITS]


def test_input_28_no_outcome():
    """Without an outcome a unit does not load, and the test says what to state."""
    (problem,) = declare(outcome=...)

    assert (problem.element, problem.field, problem.warning) == ("outcome", "outcome", False)
    assert "what done looks like" in problem.remedy


def test_input_29_no_logic():
    """Without a procedure a unit does not load."""
    (problem,) = declare(work=...)

    assert (problem.element, problem.field) == ("logic", "work")
    assert "async def work(self, case: Case) -> Result" in problem.remedy


def test_input_30_no_structure():
    """Without a step nobody knows where the human/machine boundary is."""
    (problem,) = declare(CHECK=..., DECIDE=..., rules=())

    assert (problem.element, problem.field) == ("structure", "steps")
    assert "automated(...), ai(...), human(..., role=...)" in problem.remedy


def test_input_31_no_learning_loop():
    """Without a learning loop a unit cannot get better."""
    (problem,) = declare(learning=...)

    assert (problem.element, problem.field) == ("learning", "learning")
    assert "Learning(owner=" in problem.remedy


def test_inputs_28_to_31_all_at_once():
    """A class that declares nothing hears of all four elements in one go."""
    problems = declare(outcome=..., work=..., CHECK=..., DECIDE=..., rules=..., learning=...)

    assert [problem.element for problem in problems] == list(ELEMENTS)


def test_input_32_two_steps_of_one_name():
    """A name that histories keep for years means one step."""
    assert fields(declare(DECIDE=human("check", Case, Done, role="clerk", accountable="head of clerks"))) == [
        "structure.check.name"
    ]


@pytest.mark.parametrize("kind", ["machine", "Human", "", None, 3, [], "x" * 5000])
def test_input_34_an_executor_that_is_none(kind):
    """An executor that nobody knows is named with those that there are."""
    (problem,) = step(Step("check", Case, Case, kind))

    assert (problem.element, problem.field) == ("structure", "check.kind")
    assert problem.remedy == "Choose the executor: automated, ai, human, hybrid, unit"
    assert len(problem.what) < 100


def test_a_step_without_an_executor():
    """A step that names none loads no more than one that names a wrong one."""
    (problem,) = step(Step("check", Case, Case))

    assert problem.what == "no executor is named"


@pytest.mark.parametrize(
    ("within", "what"),
    [
        (..., "no SLA"),
        (None, "no SLA"),
        (elapsed(), "not positive"),
        (elapsed(hours=-1), "not positive"),
        (timedelta(days=1), "whether nights and weekends count"),
        (elapsed(days=4000), "longer than ten years"),
        (Elapsed(timedelta.max), "longer than ten years"),
        (loose.Elapsed(24), "no time budget"),
        (24, "no time budget"),
        ("24 h", "no time budget"),
    ],
)
def test_input_35_an_sla_that_is_none(within, what):
    """Zero, negative, a bare day: whatever is no budget is named, with what to write."""
    (problem,) = outcome(within=within, worded_on_purpose="the SLA is what is tested")

    assert (problem.element, problem.field) == ("outcome", "within")
    assert what in problem.what
    assert problem.remedy.startswith("Write elapsed(hours=24) or, of working time alone, Target(working_days(2), ")


@pytest.mark.parametrize("accountable", [..., "", "  ", None, 7, "TBD", "?", "nobody", "everyone", "the system", "AI"])
def test_input_36_no_accountable_role(accountable):
    """A placeholder answers for nothing, and neither does a machine."""
    assert fields(outcome(accountable=accountable)) == ["outcome.accountable"]
    if accountable is not ...:
        assert fields(declare(DECIDE=human("decide", Case, Done, role="clerk", accountable=accountable))) == [
            "structure.decide.accountable"
        ]


@pytest.mark.parametrize("name", ["", "a", "Request", "9lives", "a-b", "a b", "ä_b", "a" * 61, "a\n", None, 5, ["a"]])
def test_input_37_a_bad_unit_name(name):
    """The name is kept in histories and shown in metrics, so it has one form."""
    assert fields(declare(name=name)) == ["definition.name"]


def test_a_unit_without_a_name():
    """A class that forgets its name hears of that beside all else."""
    with pytest.raises(DefinitionError) as refused:

        class Nameless(WorkUnit):
            pass

    assert fields(list(refused.value.problems))[:2] == ["definition.name", "outcome.outcome"]


def test_everything_at_once():
    """A definition with a flaw in each part lists them all, in the order of the elements."""
    problems = declare(
        name="Bad Name",
        key="nowhere",
        facts=("unknown",),
        outcome=Outcome(statement="Process the request"),
        CHECK=automated("check", Case, Case, raises=(Odd, Late), attempts=0),
        DECIDE=human("decide", Case, Done),
        rules=(),
        learning=Learning(measures=(Measure("cycle_time"), Measure("speed", at_least=1, baseline="2025"))),
    )

    assert fields([problem for problem in problems if not problem.warning]) == [
        "definition.name",
        "definition.key",
        "definition.facts",
        "outcome.result",
        "outcome.achieved",
        "outcome.within",
        "outcome.accountable",
        "logic.check.raises",
        "logic.check.raises",
        "structure.check.attempts",
        "structure.decide.role",
        "structure.decide.accountable",
        "learning.owner",
        "learning.review",
        "learning.measures.cycle_time",
        "learning.measures.cycle_time",
        "learning.measures.cycle_time",
        "learning.measures",
    ]
    assert fields([problem for problem in problems if problem.warning]) == ["outcome.statement"] * 2


def test_the_error_lists_what_is_open_and_carries_the_warnings():
    """What a worker prints when it refuses are the open decisions; `check` has the warnings, too."""
    with pytest.raises(DefinitionError) as refused:

        class Careless(WorkUnit, name="careless"):
            outcome = Outcome(**OUTCOME | {"statement": "Process it.", "accountable": ""})
            learning = Learning(**LEARNING)
            CHECK = CHECK
            DECIDE = DECIDE
            rules = (On(Odd, CHECK),)
            work = work

    assert str(refused.value).startswith("Careless has 1 unresolved design decision(s):\n  - outcome.accountable: no")
    assert len(refused.value.problems) == 3


# -- outcome


async def always(_result: Done) -> bool:
    """An async predicate: what it gives is always true."""
    return False


def nothing() -> None:
    """Takes no result."""


def compare(result: Done, more: Done) -> bool:
    """Takes more than the result."""
    return result == more


@pytest.mark.parametrize("achieved", [..., None, True, "yes", always, nothing, compare])
def test_a_predicate_that_is_none(achieved):
    """The outcome is judged by a plain function of the result alone."""
    assert fields(outcome(achieved=achieved)) == ["outcome.achieved"]


@pytest.mark.parametrize("warn", [0, 1, 1.5, -0.1, math.nan, None, "0.75", True])
def test_a_warning_point_that_is_no_fraction(warn):
    """A case is at risk somewhere between its start and its due time."""
    assert fields(outcome(warn=warn)) == ["outcome.warn"]


@pytest.mark.parametrize("result", [..., None, dict, "Done", BaseModel, Case(number="1"), list[int]])
def test_a_result_that_is_no_model(result):
    """What a unit delivers has a type."""
    assert fields(outcome(result=result)) == ["outcome.result"]


@pytest.mark.parametrize("statement", [..., "", " ", None, 5])
def test_no_statement(statement):
    """A unit without a statement does not load."""
    (problem,) = outcome(statement=statement)

    assert (problem.field, problem.warning) == ("statement", False)


@pytest.mark.parametrize(
    "statement",
    [
        "Process the claim within 24 hours.",
        "To check the claim within 24 hours.",
        "Handling of the claim within 24 hours.",
        "We settle the claim within 24 hours.",
        "The claim is processed within 24 hours.",
        "The claim has been dealt with within 24 hours.",
    ],
)
def test_a_statement_of_an_activity(statement):
    """What is done is no outcome; a reason lets it stand."""
    (problem,) = outcome(statement=statement)

    assert (problem.field, problem.warning) == ("statement", True)
    assert "activity" in problem.what
    assert outcome(statement=statement, worded_on_purpose="the law words it so") == []
    assert outcome(statement=statement, worded_on_purpose=" ") == [problem]


@pytest.mark.parametrize(
    "statement",
    [
        "The claim is settled within 24 hours.",
        "Everything that was ordered is delivered within 24 hours.",
        "Onboarding is complete within 24 hours.",
        "The account is open by noon.",
        "The customer has an answer on the same day.",
        "The report is with the regulator before the end of the month.",
    ],
)
def test_a_statement_of_a_result(statement):
    """What is true when the work is done, and by when."""
    assert outcome(statement=statement) == []


def test_a_statement_without_a_time():
    """A result without a time bound is half a promise; the remedy proposes the SLA."""
    (problem,) = outcome(statement="The claim is settled.")

    assert problem.warning
    assert 'Say by when ("... within 24 h")' in problem.remedy


@pytest.mark.parametrize(
    ("statement", "agrees"),
    [
        ("The claim is settled within 24 hours.", True),
        ("The claim is settled within a day.", True),
        ("The claim is settled within 2 days.", False),
        ("The claim is seen within 1 hour and settled within 3 days.", True),
    ],
)
def test_a_statement_that_promises_another_time(statement, agrees):
    """Two figures for one promise are a slip; what cannot be compared is left alone."""
    assert [problem.what for problem in outcome(statement=statement)] == (
        [] if agrees else ["it promises 2 days, and the SLA is 24 h"]
    )


@pytest.mark.parametrize("said", ["three working days", "4 business hours"])
def test_a_statement_that_promises_another_kind_of_time(said):
    """Nights and weekends count, or they do not."""
    (problem,) = outcome(statement=f"The claim is settled within {said}.")
    target = Target(working_days(3), calendar="back-office")

    assert problem.warning
    assert problem.what == f"it promises {said.partition(' ')[2]}, and the SLA counts nights and weekends"
    assert outcome(statement=f"The claim is settled within {said}.", within=target) == []


@pytest.mark.parametrize(
    ("role", "what"),
    [
        ("the claims committee", "is a group"),
        ("customer care team", "is a group"),
        ("head of claims and head of repairs", "is more than one role"),
        ("head of claims / controller", "is more than one role"),
        ("Mr Smith", "is a person"),
        ("head of research and development", None),
        ("head of the fraud team", None),
        ("secretary of the board", None),
    ],
)
def test_a_role_that_is_hardly_one(role, what):
    """One role answers, not a group, not two and not a person by name; it is a warning, since words are only words."""
    decide = human("decide", Case, Done, role=role, accountable=role)
    found = [*outcome(accountable=role), *learning(owner=role), *declare(DECIDE=decide)]

    assert [problem.warning for problem in found] == ([True] * 4 if what else [])
    assert all(what in problem.what for problem in found if what)


# -- logic


class Procedures:
    """What is no procedure of a unit with this case and result."""

    async def takes_two(self, case: Case, more: Case) -> Done:
        """Takes one too many."""
        return Done(yes=case == more)

    async def takes_extra(self, case: Case, more) -> Done:
        """Takes one too many, without saying what."""
        return Done(yes=case == more)

    async def gives_nothing(self, case: Case):
        """Does not say what it gives."""

    async def takes_anything(self, case) -> Done:
        """Does not say what it takes."""
        return Done(yes=case is not None)

    async def gives_other(self, case: Case) -> Case:
        """Gives something else than the outcome."""
        return case

    async def unknown_name(self, case: Nowhere) -> Done:  # type: ignore[name-defined]  # noqa: F821
        """Takes something that nobody has defined."""
        return Done(yes=case is not None)

    def not_async(self, case: Case) -> Done:
        """Could not wait for anybody."""
        return Done(yes=case is not None)


@pytest.mark.parametrize(
    "procedure", [*(member for name, member in vars(Procedures).items() if not name.startswith("_")), 5, None]
)
def test_a_procedure_that_is_none(procedure):
    """`work` is async, takes the case and gives the outcome's result, all annotated."""
    assert fields(declare(work=procedure)) == ["logic.work"]


def test_an_exception_without_a_rule():
    """What a step raises is routed by a rule, or the unit does not load; the remedy is the rule to write."""
    (problem,) = declare(rules=())

    assert (problem.element, problem.field) == ("logic", "check.raises")
    assert "On(Odd, CHECK, instead=...), or On(Odd, CHECK) to close the case" in problem.remedy


BY_HAND = human("by_hand", Case, Case, role="clerk", accountable="head of clerks")
MEND = human("mend", Case, Case, role="customer", decides=False)
OTHER = human("other", Case, Done, role="clerk", accountable="head of clerks")
AGAIN = automated("again", Case, Case, raises=(Odd,))


@pytest.mark.parametrize(
    ("rules", "where"),
    [
        ((On(Odd, CHECK, instead=BY_HAND),), []),
        ((On(Odd, CHECK, repair=MEND),), []),
        ((On(Odd, CHECK), OnFailure(CHECK, instead=BY_HAND)), []),
        ([On(Odd, CHECK)], []),
        (On(Odd, CHECK), ["rules", "check.raises"]),
        (5, ["rules", "check.raises"]),
        ((None, On(Odd, CHECK)), ["rules.1"]),
        ((On(Odd, CHECK), CHECK), ["rules.2"]),
        ((loose.On(Odd, None), loose.On(Odd, CHECK)), ["rules.1"]),
        ((On(Odd, CHECK), On(Odd, CHECK)), ["rules.check"]),
        ((On(Odd, CHECK), On(Late, CHECK)), ["rules.check"]),
        ((loose.On(ValueError, CHECK), loose.On(Odd, CHECK)), ["rules.check"]),
        ((loose.On(None, CHECK), loose.On(Odd, CHECK)), ["rules.check"]),
        ((On(Odd, CHECK), On(Odd, DECIDE)), ["rules.decide"]),
        ((On(Odd, CHECK, instead=BY_HAND, repair=MEND),), ["rules.check"]),
        ((loose.On(Odd, CHECK, instead=OTHER),), ["rules.check"]),
        ((loose.On(Odd, CHECK, repair=OTHER),), ["rules.check"]),
        ((On(Odd, CHECK, repair=MEND, times=0),), ["rules.check"]),
        ((loose.On(Odd, CHECK, repair=MEND, times="1"),), ["rules.check"]),
        ((loose.On(Odd, CHECK, instead="by_hand"),), ["rules.check"]),
        ((On(Odd, CHECK, instead=AGAIN),), ["rules.check"]),
        ((On(Odd, CHECK), OnFailure(CHECK)), ["rules.check"]),
        ((On(Odd, CHECK), OnFailure(CHECK, BY_HAND), OnFailure(CHECK, BY_HAND)), ["rules.check"]),
        ((On(Odd, CHECK, instead=CHECK),), ["rules.check"]),
    ],
)
def test_rules(rules, where):
    """Each rule is for something that its step does, leads somewhere that fits, and never in a circle."""
    problems = declare(rules=rules, BY_HAND=BY_HAND, MEND=MEND, OTHER=OTHER)

    assert fields([problem for problem in problems if not problem.warning]) == [f"logic.{name}" for name in where]


def test_rules_that_lead_in_a_circle():
    """Two steps that take over from each other would do so for ever."""
    first, second = automated("first", Case, Case), automated("second", Case, Case)
    rules = (OnFailure(first, instead=second), OnFailure(second, instead=first))

    assert fields(declare(CHECK=first, SECOND=second, rules=rules)) == ["logic.rules.first", "logic.rules.second"]


class Listed(WorkUnit, name="listed", key="number"):
    """Performs two of its three steps, one of them in a helper below."""

    outcome = Outcome(**OUTCOME)
    learning = Learning(**LEARNING)
    CHECK = automated("check", Case, Case)
    FORGOTTEN = automated("forgotten", Case, Case)
    DECIDE = DECIDE

    async def work(self, case: Case) -> Done:
        """Decide."""
        return await self.perform(self.DECIDE, await checked(self, case))


async def checked(unit: Listed, case: Case) -> Case:
    """A helper in the unit's file."""
    return await asyncio.create_task(unit.perform(unit.CHECK, case))


class Looping(WorkUnit, name="looping", key="number"):
    """Performs its steps without naming them."""

    outcome = Outcome(**OUTCOME)
    learning = Learning(**LEARNING)
    FIRST = automated("first", Case, Case)

    async def work(self, case: Case) -> Done:
        """Perform them all."""
        for one in self.steps:
            await self.perform(one, case)
        return Done(yes=True)


def test_a_step_that_nothing_performs_is_a_warning():
    """A step that the unit's file never names is a slip; where code goes through all of them, nothing is said."""
    (problem,) = examine(Listed)

    assert (problem.element, problem.field, problem.warning) == ("logic", "forgotten", True)
    assert examine(Looping) == []


class Expiring(WorkUnit, name="expiring", key="number"):
    """One of its steps is performed only when the other has expired."""

    outcome = Outcome(**OUTCOME)
    learning = Learning(**LEARNING)
    CALL = human("call", Case, Done, role="clerk", accountable="head of clerks")
    WRITE = human("write", Case, Done, role="clerk", accountable="head", expires=elapsed(days=1), instead=CALL)

    async def work(self, case: Case) -> Done:
        """Write."""
        return await self.perform(self.WRITE, case)


def test_a_step_that_takes_over_an_expired_one_is_performed():
    """Nothing else needs to name it."""
    assert examine(Expiring) == []


# -- structure


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        (loose.automated("check", None, Case), "takes"),
        (loose.automated("check", Case, dict), "gives"),
        (automated("Check it", Case, Case), "step.name"),
        (loose.automated(None, Case, Case), "step.name"),
        (loose.automated(["check"], Case, Case), "step.name"),
        (automated("check", Case, Case, attempts=0), "attempts"),
        (automated("check", Case, Case, attempts=10**9), "attempts"),
        (loose.automated("check", Case, Case, attempts="3"), "attempts"),
        (automated("check", Case, Case, attempts=True), "attempts"),
        (automated("check", Case, Case, timeout=timedelta(0)), "timeout"),
        (loose.automated("check", Case, Case, timeout=30), "timeout"),
        (automated("check", Case, Case, timeout=2 * LONGEST), "timeout"),
        (automated("check", Case, Case, inline=True, timeout=timedelta(minutes=1)), "inline"),
        (Step("check", Case, Case, "ai", inline=True), "inline"),
        (automated("check", Case, Case, decides=True), "accountable"),
        (ai("check", Case, Case, decides=True, accountable="the model"), "accountable"),
        (loose.automated("check", Case, Case, raises=Odd), "raises"),
        (loose.automated("check", Case, Case, raises=None), "raises"),
        (loose.automated("check", Case, Case, raises=(ValueError,)), "raises"),
        (loose.automated("check", Case, Case, raises=("odd",)), "raises"),
        (Step("check", Case, Case, "automated", expires=elapsed(days=1)), "expires"),
        (human("check", Case, Case, decides=False), "role"),
        (human("check", Case, Case, role="TODO", decides=False), "role"),
        (loose.human("check", Case, Case, role=7, decides=False), "role"),
        (loose.human("check", Case, Case, role="clerk", decides=False, expires=timedelta(1)), "expires"),
    ],
)
def test_a_step(changed, where):
    """Each fact of a step is judged, whatever stands there."""
    found = [problem for problem in step(changed) if not problem.warning]
    assert fields(found) == [f"structure.{where if '.' in where else f'check.{where}'}"]


HAND_CHECK = human("check_by_hand", Case, Case, role="clerk", decides=False)
SUMMARISE = ai("check", Case, Case)
ONLY_ASKED = human("decide", Case, Done, role="clerk", decides=False)
"""A person who supplies something, and decides nothing."""
AUTO = automated("check_again", Case, Case)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"CHECK": SUMMARISE, "rules": ()}, ["rules"]),
        ({"CHECK": SUMMARISE, "AUTO": AUTO, "rules": (OnFailure(SUMMARISE, instead=AUTO),)}, ["rules"]),
        ({"CHECK": SUMMARISE, "HAND": HAND_CHECK, "rules": (OnFailure(SUMMARISE, instead=HAND_CHECK),)}, []),
        ({"CHECK": ai("check", Case, Case, after="incident"), "rules": ()}, []),
        ({"CHECK": ai("check", Case, Case, after="incident"), "DECIDE": ONLY_ASKED, "rules": ()}, ["kind"]),
        ({"CHECK": SUMMARISE, "DECIDE": ONLY_ASKED, "rules": ()}, ["rules", "kind"]),
    ],
)
def test_a_model_behind_which_no_person_stands_is_a_warning(changes, where):
    """Somebody takes over when it fails, and somebody decides before its output becomes the outcome."""
    problems = declare(**changes)
    assert fields(problems) == [f"structure.check.{field}" for field in where]
    assert all(problem.warning for problem in problems)


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        (Step("check", Case, Case, "human", role="clerk", votes=Votes(of=3, quorum=4)), "votes"),
        (loose.human("check", Case, Case, role="clerk", decides=False, votes=3), "votes"),
        (loose.human("check", Case, Case, role="clerk", decides=False, excludes=("prepare",)), "excludes"),
        (loose.human("check", Case, Case, role="clerk", decides=False, waits="customer"), "waits"),
        (loose.human("check", Case, Case, role="clerk", decides=False, by_default=Case), "by_default"),
        (loose.human("check", Case, Case, role="clerk", decides=False, if_skipped="ok"), "if_skipped"),
    ],
)
def test_what_a_human_step_declares_beside_its_role(changed, where):
    """Votes that cannot decide, four eyes on no step, an answer of another kind."""
    assert f"structure.check.{where}" in fields(step(changed))


def test_exceptions_of_one_code_cannot_be_told_apart():
    """A rule finds its exception by the code that histories keep."""
    found = step(automated("check", Case, Case, raises=(Odd, AlsoOdd)))

    assert "2 exceptions have the code 'odd'" in [problem.what for problem in found]


@pytest.mark.parametrize("code", ["", "Odd One", None, 5])
def test_an_exception_without_a_fit_code(code):
    """The code of an exception is a name that histories keep, as that of a step is."""
    made: Any = type("Unfit", (BusinessException,), {}, code=code)

    assert fields(step(automated("check", Case, Case, raises=(made,)))) == ["structure.check.raises"]


# -- learning


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"owner": ...}, "owner"),
        ({"owner": "tbd"}, "owner"),
        ({"review": ...}, "review"),
        ({"review": timedelta(days=30)}, "review"),
        ({"measures": ...}, "measures"),
        ({"measures": ()}, "measures"),
        ({"measures": None}, "measures"),
        ({"measures": Measure("cycle_time", **OK)}, "measures"),
        ({"measures": (Measure("cycle_time", **OK), "handoffs")}, "measures.2"),
        ({"measures": (Measure("cycle_time", **OK),) * 2}, "measures.cycle_time"),
        ({"rates": None}, "rates"),
        ({"rates": {"clerk": 42}}, "rates"),
        ({"rates": {"clerk": Rate(-1)}}, "rates"),
        ({"rates": {"clerk": loose.Rate("42")}}, "rates"),
        ({"rates": {7: Rate(42)}}, "rates"),
        ({"segment": "product"}, "segment"),
        ({"segment": always}, "segment"),
    ],
)
def test_a_learning_loop(changed, where):
    """Owner, interval, measures, rates and segment are judged, whatever stands there."""
    assert fields(learning(**changed)) == [f"learning.{where}"]


@pytest.mark.parametrize(
    ("measure", "what"),
    [
        (Measure("speed", at_least=1, baseline="2025"), "'speed' is no measure"),
        (loose.Measure(None, at_least=1, baseline="2025"), "NoneType is no measure"),
        (Measure("on_time", baseline="2025"), "no target"),
        (Measure("on_time", at_least=0.9, at_most=1, baseline="2025"), "two targets"),
        (Measure("on_time", at_least=0.9), "no baseline plan"),
        (Measure("on_time", at_least=0.9, baseline=" "), "no baseline plan"),
        (Measure("on_time", at_least=elapsed(hours=1), baseline="2025"), "its target is a time"),
        (Measure("on_time", at_least=95, baseline="2025"), "its target is no share from 0 to 1"),
        (loose.Measure("on_time", at_least="0.95", baseline="2025"), "its target is no number from 0"),
        (Measure("on_time", at_least=math.nan, baseline="2025"), "its target is no number from 0"),
        (Measure("on_time", at_least=True, baseline="2025"), "its target is no number from 0"),
        (Measure("on_time", at_least=0.9, at="p85", baseline="2025"), "it is no duration, so it has no statistic"),
        (Measure("handoffs", at_most=-1, baseline="2025"), "its target is no number from 0"),
        (Measure("cycle_time", at="p85", at_most=4, baseline="2025"), "int is no time budget"),
        (
            loose.Measure("cycle_time", at="p85", at_most=timedelta(hours=4), baseline="2025"),
            "a bare timedelta does not say whether nights and weekends count",
        ),
        (
            Measure("cycle_time", at_most=elapsed(hours=4), baseline="2025"),
            "it does not say which statistic of the durations",
        ),
        (Measure("cycle_time", at="p99", at_most=elapsed(hours=4), baseline="2025"), "'p99' is no statistic"),
        (loose.Measure("cycle_time", at=None, at_most=elapsed(hours=4), baseline="2025"), "NoneType is no statistic"),
    ],
)
def test_a_measure(measure, what):
    """A measure has a known name, one target of its own type, a statistic where it is a duration, and a baseline."""
    assert [problem.what for problem in learning(measures=(measure,))] == [what]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"measures": (Measure("on_time", at_most=0.9, baseline="2025"),)}, "a ceiling, and more is better"),
        ({"measures": (Measure("rework_rate", at_least=0.1, baseline="2025"),)}, "a floor, and less is better"),
        ({"measures": (Measure("override_rate", at_most=0.1, baseline="2025"),)}, "no step of this unit is hybrid"),
        ({"measures": (Measure("cost_per_outcome", at_most=40, baseline="2025"),)}, "no role has a rate"),
        ({"rates": {"clark": Rate(40)}}, "performs no step of this unit"),
    ],
)
def test_a_learning_loop_that_looks_like_a_slip(changed, what):
    """What can be read but is hardly meant is a warning."""
    (problem,) = learning(**changed)

    assert problem.warning
    assert what in problem.what


# -- definition


@pytest.mark.parametrize("version", ["", "1 2", "v" * 41, None, 1])
def test_a_bad_version(version):
    """A version is a short word."""
    assert fields(declare(version=version)) == ["definition.version"]


@pytest.mark.parametrize("facts", ["number", ("number", "nowhere"), ("number", 3), None, 5])
def test_facts_that_the_case_does_not_have(facts):
    """Facts are named fields of the case, in a tuple."""
    assert fields(declare(facts=facts)) == ["definition.facts"]


@pytest.mark.parametrize("key", ["nowhere", None, 3])
def test_a_key_that_the_case_does_not_have(key):
    """The key is a field of the case."""
    assert fields(declare(key=key)) == ["definition.key"]


def test_a_key_with_a_default_is_a_warning():
    """Two cases that leave it out would be one."""
    (problem,) = declare(key="product")

    assert (problem.field, problem.warning) == ("key", True)


# -- what is no unit


@workflow.defn
class Claims:
    """A plain workflow."""

    @workflow.run
    async def run(self, claim: str) -> str:
        """Settle a claim."""
        return str(await workflow.execute_activity("settle", claim))

    @workflow.signal
    def approve(self) -> None:
        """Someone approves."""


def test_a_plain_workflow_is_a_process_waiting_to_be_designed():
    """It lacks all four elements, and its own code suggests what to ask."""
    problems = {problem.element: problem for problem in examine(Claims)}

    assert list(problems) == ["definition", *ELEMENTS]
    assert "Its run() gives str: what is true of it when the work is done?" in problems["outcome"].remedy
    assert "It waits for approve: who sends that, and which role answers for it?" in problems["structure"].remedy
    assert "Each activity that it executes becomes a step" in problems["structure"].remedy


def test_a_class_that_only_looks_like_a_unit():
    """Four elements on a class that derives from nothing make no unit."""

    class Lookalike:
        outcome = Outcome(**OUTCOME)
        learning = Learning(**LEARNING)
        CHECK = CHECK
        DECIDE = DECIDE
        rules = (On(Odd, CHECK),)
        work = work

    assert fields(examine(Lookalike)) == ["definition.class"]


class Moody(type):
    """A metaclass whose classes cannot be asked for anything."""

    def __getattr__(cls, name: str) -> Any:
        raise RuntimeError(name)


class Sulking(metaclass=Moody):
    """Says nothing of itself."""


class Snapping:
    """Cannot be compared, shown or judged."""

    def __bool__(self) -> bool:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


def test_an_object_that_cannot_be_looked_at():
    """Whatever someone's object does when it is judged becomes a finding."""
    assert len(examine(Sulking)) == 5
    found = step(loose.Step("check", Case, Case, "automated", decides=Snapping()))
    assert fields(found) == ["structure.structure"]


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.sampled_from(
        (
            *(Case, Done, Odd, ValueError, CHECK, DECIDE, elapsed(hours=1), timedelta(1), work, always, object(), ...),
            *(Measure("on_time"), Rate(1), On(Odd, CHECK), OnFailure(CHECK), Case(number="1"), {}, {"a": 1}, {1}, len),
        )
    ),
)
NESTED = st.one_of(ANYTHING, st.lists(ANYTHING, max_size=3), st.lists(ANYTHING, max_size=3).map(tuple))


def some(make: Callable[..., Any], *names: str) -> st.SearchStrategy[Any]:
    """What `make` gives with anything at all under these names."""
    return st.fixed_dictionaries(dict.fromkeys(names, NESTED)).map(lambda facts: make(**facts))


FACTS = {
    "outcome": some(Outcome, "result", "statement", "achieved", "within", "accountable", "warn", "worded_on_purpose"),
    "learning": some(Learning, "owner", "review", "measures", "rates", "segment"),
    "step": some(
        Step,
        *("name", "takes", "gives", "kind", "role", "external", "decides", "accountable", "raises", "timeout"),
        *("attempts", "inline", "expires", "after", "compensated_by"),
    ),
    "kind": some(
        lambda **facts: Step("check", kind="automated", **facts),
        "takes",
        "gives",
        "raises",
        "timeout",
        "compensated_by",
    ),
    "rule": some(On, "exception", "step", "instead", "repair", "times", "compensate"),
    "failure": some(OnFailure, "step", "instead"),
    "measure": some(Measure, "name", "at_most", "at_least", "at", "baseline"),
    "known": some(lambda **facts: Measure(MEASURES[0], **facts), "at_most", "at_least", "at", "baseline"),
    "rate": some(Rate, "per_hour", "currency"),
    "budget": NESTED.map(Elapsed),
}


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.fixed_dictionaries(FACTS), NESTED, NESTED, NESTED, NESTED)
def test_whatever_stands_in_a_definition_is_judged(facts, name, key, named, procedure):
    """Anything at all under any name: each element is read to its end, and something is found."""
    whole = declare(
        name=name,
        key=key,
        facts=named,
        outcome=facts["outcome"],
        learning=facts["learning"],
        CHECK=facts["step"],
        work=procedure,
        rules=named,
    )
    parts = declare(
        CHECK=facts["kind"],
        OTHER=facts["step"],
        outcome=Outcome(**OUTCOME | {"within": facts["budget"]}),
        learning=Learning(
            **LEARNING | {"measures": (facts["measure"], facts["known"]), "rates": {"clerk": facts["rate"]}}
        ),
        rules=(facts["rule"], facts["failure"]),
    )

    for problems in (whole, parts):
        assert problems
        assert not [problem for problem in problems if "cannot be read (" in problem.what]
        assert all(len(str(problem)) < 600 for problem in problems)
