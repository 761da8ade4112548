"""The answer on a task's page: its form, what was typed, what is wrong with it, and the decisions on buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from inbox.answers import misfits
from inbox.forms import ROOT, Field, Form, flat, placed
from inbox.shapes import Shape, decision_of, shape_of

DECIDE = "decide:"
_NONE = object()


@dataclass
class Answer:
    """The form of one answer, on its way to and from a browser."""

    schema: Mapping[str, Any]
    zone: str
    model: type[BaseModel] | None = None
    """The answer's own model, where the catalog has the version of the case."""
    typed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    """What is wrong, by path; that of the whole answer is at the empty path."""
    proposed: Mapping[str, Any] | None = None
    """What a model proposes: what the form begins with."""
    changes: list[str] = field(default_factory=list)
    """The fields of a proposal that were changed, once the form was read."""

    def __post_init__(self) -> None:
        """Read the schema."""
        self.shape = shape_of(self.schema)
        self.decision: Shape | None = decision_of(self.shape)
        self.form = Form(self.shape, self.zone, without=self.decision)
        self.typed = self.typed or self.form.starting(self.proposed)

    def begin_with(self, draft: Mapping[str, Any]) -> None:
        """Put in what was kept: as it was typed, or as the JSON of a draft that came by the API."""
        typed = draft.get("typed")
        if isinstance(typed, Mapping):
            self.typed = {**self.form.starting(), **{str(name): _texts(values) for name, values in typed.items()}}
        else:
            self.typed = self.form.starting({**(self.proposed or {}), **draft})

    def decide(self, what: str) -> None:
        """Put in the decision of the button that was pressed."""
        if self.decision is not None and what.startswith(DECIDE):
            self.typed = {**self.typed, f"{ROOT}.{self.decision.name}": [what.removeprefix(DECIDE)]}

    def change(self, what: str) -> None:
        """Add an item to a list, or remove one."""
        self.typed = self.form.changed(self.typed, what)

    def read(self) -> Any:
        """The answer as JSON; what is wrong stands in `errors` then."""
        data, self.errors = self.form.read(self.typed)
        if self.proposed is not None:
            data = self._beside(self.proposed, data)
        if self.model is not None:
            for path, words in misfits(self.model, data).items():
                # A field that could not be read is missing from the data: it was said already what is wrong with it.
                if not any(_touch(path, known) for known in self.errors):
                    self.errors[path] = words
        return data

    def _beside(self, proposed: Mapping[str, Any], data: Any) -> Any:
        """What nobody touched is as it was proposed, to the last digit that a form does not show."""
        untouched, _ = self.form.read(self.form.starting(proposed))
        self.changes = sorted(n for n in {*data, *untouched} if data.get(n, _NONE) != untouched.get(n, _NONE))
        return {name: value if name in self.changes else proposed.get(name, value) for name, value in data.items()}

    def refuse(self, errors: Sequence[Mapping[str, str]], detail: str, path: str) -> None:
        """Take over what the unit found wrong."""
        self.errors = {one["field"]: one["detail"] for one in errors} or {path: detail}

    @property
    def root(self) -> Field:
        """The fields, each with its error."""
        bare = self.form.root(self.typed)
        return self.form.root(self.typed, placed(bare, self.errors))

    @property
    def decision_error(self) -> str:
        """What is wrong with the decision itself."""
        return self.errors.get(self.decision.name, "") if self.decision else ""

    @property
    def summary(self) -> list[tuple[str, str]]:
        """Each error with the id of its field; no id for one of the whole answer."""
        root = self.root
        found = [(one.id, f"{one.label}: {one.error}") for one in flat(root) if one.error and one.key]
        whole = {path: text for path, text in placed(root, self.errors).items() if not path}
        own = {self.decision.name} if self.decision else set()
        found += [("", text) for path, text in whole.items() if path not in own and text != self.decision_error]
        if self.decision and self.decision_error:
            found.append((f"{ROOT}-{self.decision.name}", f"{self.decision.label}: {self.decision_error}"))
        return found


def answer_fields(form: Any) -> dict[str, list[str]]:
    """The fields of an answer in what a browser sent."""
    return {name: [str(value) for value in form.getlist(name)] for name in form if name.startswith(f"{ROOT}.")}


def _touch(path: str, other: str) -> bool:
    """Whether one of two paths is the other, or lies in it."""
    return path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.")


def _texts(values: Any) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list | tuple) else [str(values)]
