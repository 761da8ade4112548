"""The description of the API: made from its own models and from those of the units, so that it cannot say otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field, create_model
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from inbox.reviewing import takes_review
from workunits.core.lifecycle import MOVES
from workunits.core.proposal import Review
from workunits.core.spec import Step
from workunits.core.unit import WorkUnit

VERSION = "1"
COMPLETE = "complete_task"
"""The operations whose bodies are the units' own models."""
START = "start_case"
_REF = "#/components/schemas/{model}"
_REVIEW = "What you say about the proposal that you were shown; read off the answer when omitted."
_ANY = {"type": "object", "description": "As the unit's contract says."}


def describe_api(routes: Sequence[BaseRoute], units: Sequence[type[WorkUnit]]) -> dict[str, Any]:
    """The OpenAPI document, as it is for someone who has a part in some units."""
    document = get_openapi(
        title="workunits",
        version=VERSION,
        summary="People's tasks and cases of work units.",
        routes=routes,
    )
    answers = [_answer(step) for unit in units for step in unit.steps if step.asks_person]
    inputs = [unit.case_type for unit in units]
    bodies = {name: move.takes for name, move in MOVES.items() if move.takes is not None}
    refs, schemas = _schemas([*answers, *inputs, *bodies.values()])
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    for path in document["paths"].values():
        for operation in path.values():
            name = operation["operationId"]
            if name == COMPLETE:
                _take(operation, _any_of(refs, answers), required=True)
            elif name == START:
                _take(operation, _any_of(refs, inputs), required=True)
            elif (action := name.removesuffix("_task")) in bodies:
                _take(operation, refs[bodies[action]], required="reason" in _required(bodies[action]))
    return document


def _answer(step: Step[Any, Any]) -> type[BaseModel]:
    """What answers a step: where a model proposes, what is said about the proposal stands beside the fields."""
    if step.kind != "hybrid" or not takes_review(step.gives):
        return step.gives
    # A name of its own, for the answer alone may be another step's.
    name = f"{step.gives.__name__}OnProposal"
    return create_model(name, __base__=step.gives, review=(Review | None, Field(default=None, description=_REVIEW)))


def _schemas(models: Iterable[type[BaseModel]]) -> tuple[dict[type[BaseModel], dict[str, Any]], dict[str, Any]]:
    """References to models, and what they refer to."""
    wanted = list(dict.fromkeys(models))
    refs, said = models_json_schema([(model, "validation") for model in wanted], ref_template=_REF)
    return {model: dict(refs[model, "validation"]) for model in wanted}, said.get("$defs", {})


def _any_of(refs: dict[type[BaseModel], dict[str, Any]], models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    options = [refs[model] for model in dict.fromkeys(models)]
    return {"anyOf": options} if options else _ANY


def _take(operation: dict[str, Any], schema: dict[str, Any], *, required: bool) -> None:
    operation["requestBody"] = {"required": required, "content": {"application/json": {"schema": schema}}}


def _required(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if field.is_required()}
