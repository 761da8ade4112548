"""The errors of the core.

    WorkUnitsError
    ├── DefinitionError          a unit's definition has unresolved design decisions
    ├── BadInput                 what came from outside does not fit; names the field, never repeats the value
    └── Refused                  an action on a task is not allowed; carries a code for machines
    BusinessException            a typed, named exception of a unit; its rules route it (a Temporal ApplicationError)

A technical failure has no class here: any other exception that a performer raises is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .gate import Problem


class WorkUnitsError(Exception):
    """Something in a work unit or its use is not right."""

    def __init__(self, message: str = "") -> None:
        """Default the message to the class's docstring, so that no error lacks a text."""
        super().__init__(message or (type(self).__doc__ or "").strip())


class DefinitionError(WorkUnitsError):
    """A unit's definition has unresolved design decisions."""

    def __init__(self, unit: str, problems: Sequence[Problem], *, name: str = "") -> None:
        """List every problem at once: element, field, what is missing, what to write.

        Args:
            unit: The class's name.
            problems: All that was found; warnings, which alone would not have kept it from loading, too.
            name: The unit's own name, as it was given.
        """
        self.unit, self.name = unit, name
        self.problems = tuple(problems)
        undecided = [problem for problem in self.problems if not problem.warning]
        lines = "".join(f"\n  - {problem}" for problem in undecided)
        super().__init__(f"{unit} has {len(undecided)} unresolved design decision(s):{lines}")


class BadInput(WorkUnitsError):
    """What came from outside does not fit."""

    def __init__(self, why: str, *, field: str = "", code: str = "invalid_field") -> None:
        """Say which field and what was expected; never the value.

        Args:
            why: What was expected, in words.
            field: Dotted path of the offending field, empty for the whole body.
            code: `bad_body` when nothing could be read, `too_large`, or `invalid_field`.
        """
        self.field = field
        self.code = code
        super().__init__(f"{field}: {why}" if field else why)


class Refused(WorkUnitsError):
    """An action on a task is not allowed."""

    def __init__(self, code: str, why: str) -> None:
        """Carry a code for machines and a sentence for people."""
        self.code = code
        super().__init__(why)


class BusinessException(ApplicationError):
    """A typed, named exception of a unit, routed by its rules; the platform never retries it.

    Subclass it in the unit's contracts with the code that history keeps:
    `class SanctionsHit(BusinessException, code="sanctions_hit")`, and a docstring that says what it means.
    A performer raises it; `evidence` travels with the case to whoever handles it.
    """

    code: ClassVar[str] = ""

    def __init_subclass__(cls, *, code: str) -> None:
        """Name the exception."""
        super().__init_subclass__()
        cls.code = code

    def __init__(self, message: str = "", *, evidence: BaseModel | None = None) -> None:
        """Say why, with what was found.

        Args:
            message: One sentence, without personal data: error texts are not encrypted by default.
            evidence: What was found; shown to the person who handles the exception.
        """
        self.evidence = evidence
        details = () if evidence is None else (evidence.model_dump(mode="json"),)
        text = message or (type(self).__doc__ or "").strip() or type(self).code
        # Expected, so the SDK logs no traceback and counts no failure.
        benign = ApplicationErrorCategory.BENIGN
        super().__init__(text, *details, type=type(self).code, non_retryable=True, category=benign)


class NoQuorum(BusinessException, code="no_quorum"):
    """All who were asked have voted, and no answer has its quorum."""
