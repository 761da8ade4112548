"""WorkUnit: what a unit's author inherits."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import RawValue

from .clocks import Promised, promises
from .course import Course
from .errors import DefinitionError
from .gate import examine
from .record import Closed
from .spec import Between, I, Learning, O, Outcome, Rule, Step

_PARAMETERS = [
    inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)
    for name, annotation in (("self", inspect.Parameter.empty), ("start", RawValue))
]
_ONE_RAW = inspect.Signature(_PARAMETERS)
"""What the SDK is shown for `run` and `__init__`: one raw argument. They take any number, so that none or two
reach us too and close the case as bad input, instead of failing its workflow task for ever."""

_ANNOTATIONS = {"start": RawValue, "return": Closed}

_case_types: dict[tuple[str, str], type[BaseModel]] = {}
"""Found once per process: the unit's file is executed again for every case."""
_promised: dict[tuple[str, str], tuple[Promised, ...]] = {}
"""The same for every case, and they are data alone."""
_facts: dict[tuple[str, str], dict[str, Step[Any, Any] | Learning]] = {}
"""The unit's own; a case holds these, where they are the same, and not what its file made anew: data alone as well,
for a function in a fact is another one for each case."""
_workflows: dict[tuple[str, str], Any] = {}
"""What `workflow.defn` found in a unit's class. It inspects every attribute, which is a tenth of what a case costs a
worker, and finds the same again; only the class and its `run` are new."""
_DEFINITION = "__temporal_workflow_definition"
"""Where the SDK keeps it; tests/core/test_unit.py fails when it no longer does."""


class WorkUnit:
    """Base class of every unit; a subclass declares the four elements and writes `work`.

    ::

        class Approval(WorkUnit, name="approval", version="1", key="request"):
            outcome = Outcome(Result, "The request is decided within 24 hours.", ...)
            learning = Learning(...)
            DECIDE = human("decide", Case, Decision, role="reviewer", accountable="head of credit")

            async def work(self, case: Case) -> Result:
                decision = await self.perform(self.DECIDE, case)
                return Result(approved=decision.approved)

    Raises:
        DefinitionError: at the definition, with all its unresolved design decisions.
    """

    unit_name: ClassVar[str]
    version: ClassVar[str]
    key: ClassVar[str]
    """The field of the case that is its business key; empty when the starter gives one."""
    case_type: ClassVar[type[BaseModel]]
    stream: ClassVar[str] = ""
    """The value stream that it is part of, such as `lending`; empty for a unit that stands by itself."""
    steps: ClassVar[tuple[Step[Any, Any], ...]]
    outcome: ClassVar[Outcome[Any]]
    learning: ClassVar[Learning]
    rules: ClassVar[tuple[Rule, ...]] = ()
    targets: ClassVar[tuple[Between, ...]] = ()
    """Further promises: between two named events of a case."""
    facts: ClassVar[tuple[str, ...]] = ()
    """Fields of the case by which cases are segmented; they are stored in clear: no personal data."""
    promised: ClassVar[tuple[Promised, ...]]
    """All that it promises, the outcome first; filled in when the class is made."""
    admins: ClassVar[tuple[str, ...]] = ()
    """Roles that may assign, suspend, skip and cancel any task of the unit; the outcome's accountable role always."""
    keep_inputs: ClassVar[bool] = False
    """Whether the ledger keeps the inputs of closed cases, for rehearsals and exports."""

    def __init_subclass__(cls, *, name: str = "", version: str = "1", key: str = "") -> None:
        """Check the four elements, then make the class a Temporal workflow with a `run` of its own."""
        cls.unit_name, cls.version, cls.key = name, version, key
        where = cls.__module__, cls.__qualname__
        if workflow.unsafe.in_sandbox():
            _share(cls, where)
        cls.steps = tuple(member for member in vars(cls).values() if isinstance(member, Step))
        for step in cls.steps:
            object.__setattr__(step, "unit", name)
        if not workflow.unsafe.in_sandbox():
            found = examine(cls)
            if not all(problem.warning for problem in found):
                raise DefinitionError(cls.__name__, found, name=name)
            _case_types[where] = next(t for n, t in typing.get_type_hints(cls.work).items() if n != "return")
            _facts[where] = {n: fact for n, fact in vars(cls).items() if isinstance(fact, Step | Learning)}
            _promised[where] = tuple(promises(cls.steps, cls.outcome.target, cls.targets))
        cls.case_type, cls.promised = _case_types[where], _promised[where]

        async def run(self: WorkUnit, *_: RawValue) -> Closed:
            return await self._course.conduct()

        run.__qualname__, run.__module__ = f"{cls.__name__}.run", cls.__module__
        run.__annotations__ = _ANNOTATIONS
        run.__signature__ = _ONE_RAW  # type: ignore[attr-defined]
        cls.run = workflow.run(run)  # type: ignore[attr-defined]
        known = _workflows.get(where) if workflow.unsafe.in_sandbox() else None
        if known is None:
            workflow.defn(name=name)(cls)
            _keep_workflow(where, getattr(cls, _DEFINITION))
        else:
            again = replace(known, cls=cls, run_fn=run)
            setattr(cls, _DEFINITION, again)
            setattr(run, _DEFINITION, again)

    @workflow.init
    def __init__(self, *start: RawValue) -> None:
        """Open the case before any handler runs: messages of a run's first task come before `run`."""
        self._course = Course(self, start)

    async def work(self, case: Any) -> Any:
        """The procedure, from the case to the result; written by the subclass."""
        raise NotImplementedError

    def perform(self, step: Step[I, O], what: I) -> Coroutine[Any, Any, O]:
        """Have a declared step performed by whoever its kind names, and follow the unit's rules.

        Args:
            step: One of this unit's steps.
            what: Its input.

        Returns:
            Its output, also when a rule had another step produce it.
        """
        # Handed on, not awaited: while a person is waited for, each coroutine on the way stays in memory.
        return self._course.take_over(step, what)

    def redo(self, step: Step[I, O], what: I) -> Coroutine[Any, Any, O]:
        """Have a step performed again, because what it gave was returned or rejected: this counts as rework."""
        return self._course.take_over(step, what, again=True)

    async def compensate(self) -> None:
        """Undo what was done so far: the compensation of each done step that declares one, the last one first.

        Each is performed once; what is done afterwards can be undone by another call.
        """
        await self._course.compensate()

    @property
    def overdue(self) -> bool:
        """Whether the SLA's due time has passed."""
        return self._course.overdue

    @workflow.update(dynamic=True)
    def take_update(self, name: str, args: Sequence[RawValue]) -> dict[str, Any]:
        """Apply an action on a task, and answer it."""
        return self._course.desk.take(name, args)

    @take_update.validator
    def check_update(self, name: str, args: Sequence[RawValue]) -> None:
        """Refuse an action before it costs history."""
        self._course.desk.check(name, args)

    @workflow.signal(dynamic=True)
    def take_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """Apply an action from a system that cannot wait for an answer."""
        self._course.desk.hear(name, args)

    @workflow.query(name="question")
    def question(self, task_id: str) -> dict[str, Any]:
        """What the person of an open task is asked."""
        return self._course.question(task_id)


def _share(cls: type[WorkUnit], where: tuple[str, str]) -> None:
    """Have a case's class hold the unit's own facts, where they are the same."""
    for name, fact in _facts.get(where, {}).items():
        if vars(cls).get(name) == fact:
            setattr(cls, name, fact)


def _keep_workflow(where: tuple[str, str], found: Any) -> None:
    """Keep a definition whose handlers are all ours: a unit's own ones must be those of its guarded file."""
    handlers = (*found.signals.values(), *found.queries.values(), *found.updates.values())
    if not workflow.unsafe.in_sandbox() and all(handler.fn.__module__ == __name__ for handler in handlers):
        _workflows[where] = found


WorkUnit.__init__.__signature__ = _ONE_RAW  # type: ignore[attr-defined]
