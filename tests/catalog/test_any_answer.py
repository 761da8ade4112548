"""No unit's procedure breaks over an input or an answer that its contracts take: such a case would stand still.

The procedure alone is run, without an engine: each step gives any value of its type.
"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.catalog.any_value import any_of
from workunits.core.strict_json import VALUE_LIMIT
from workunits.units import UNITS


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.unit_name)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_answer_leads_to_a_result(unit, data):
    """What the procedure makes of answers fits the next step, the result, and all that is asked of it."""

    async def perform(_, step, what):
        assert isinstance(what, step.takes)
        step.takes.model_validate_json(what.model_dump_json())
        return data.draw(any_of(step.gives), label=step.name)

    async def compensate(_):
        pass

    case = data.draw(any_of(unit.case_type), label="case")
    assume(len(case.model_dump_json()) < VALUE_LIMIT)
    # The unit's own members, and nothing of what makes it a workflow.
    members = {name: member for name, member in vars(unit).items() if name != "__dict__"}
    played = type(unit.__name__, (), members | {"perform": perform, "redo": perform, "compensate": compensate})
    result = asyncio.run(played().work(case))

    assert isinstance(result, unit.outcome.result)
    unit.outcome.result.model_validate_json(result.model_dump_json())
    assert unit.outcome.achieved(result) in (True, False)
    for quality in unit.outcome.quality:
        if quality.of_result:
            float(quality.of_result(result))
    if unit.learning.segment:
        assert isinstance(unit.learning.segment(case), str)
