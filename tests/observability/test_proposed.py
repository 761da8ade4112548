"""Proposals in words: who decided, by which route and why, what differed; and nothing before it is decided."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from observability.learning.explaining import trace
from observability.learning.proposed import told, without_undecided
from workunits.core.proposal import Proposed
from workunits.core.record import Record, Work

ANA = {"by": "ana", "end": "done", "done": 5_000_000}


def record(close: Any = "achieved", works: dict[str, dict[str, Any]] | None = None, **proposed: Any) -> Record:
    """A case with a proposal and the decisions on it."""
    what: dict[str, Any] = {"level": "A2", "route": "review", "why": "suggest", "output": "h", "shown": True} | proposed
    return Record(
        unit="u",
        version="1",
        case="u:1",
        started=datetime(2026, 1, 5, tzinfo=UTC),
        due=10**9,
        close=close,
        steps=[
            Work(key="rule-ai", step="rule", kind="ai", ready=0, done=1_000_000, end="done"),
            *(
                Work(key=key, step="rule", kind="human", ready=1_000_000, **said)
                for key, said in (works if works is not None else {"rule": ANA}).items()
            ),
        ],
        proposals=[Proposed(key="rule", step="rule", at=1_000_000, input="i", **what)],
    )


@pytest.mark.parametrize(
    ("case", "line"),
    [
        pytest.param(
            record(decision="accept"),
            "a person decides on it, because the step's level is to suggest; ana accepted",
            id="accepted",
        ),
        pytest.param(
            record(level="A5", why="ceiling", risk="over_limit", decision="reject", fields=["amount"], reason="policy"),
            "a person decides on it, because what would be done is not routine: over limit; "
            "ana rejected in amount: policy",
            id="rejected",
        ),
        pytest.param(
            record(route="human_only", why="blind_sample", shown=False, agrees=False, fields=["verdict"]),
            "a person decides without it, because a sample of cases is decided without seeing it; "
            "ana decided otherwise in verdict, without seeing it",
            id="blind",
        ),
        pytest.param(
            record(decision="reject", material=True, works={"rule": ANA | {"end": "exception"}}),
            "a person decides on it, because the step's level is to suggest; ana rejected for an exception",
            id="an exception",
        ),
        pytest.param(
            record(
                route="human_only",
                why="blind_sample",
                shown=False,
                agrees=False,
                works={"rule": ANA | {"end": "exception"}},
            ),
            "a person decides without it, because a sample of cases is decided without seeing it; "
            "ana met an exception, without seeing it",
            id="an exception, blind",
        ),
        pytest.param(
            record(route="human_only", why="ai_unavailable", shown=False, output=""),
            "a person decides without it, because the model gave none: ai unavailable; ana decided",
            id="failed",
        ),
        pytest.param(
            record(level="A4", route="auto", why="confident", works={"rule": {"end": "expired", "done": 9}}),
            "the model decides, because it is as sure as the certificate asks for; "
            "the model decided: nobody objected in time",
            id="nobody objected",
        ),
        pytest.param(
            record(level="A5", route="auto", why="confident", works={}),
            "the model decides, because it is as sure as the certificate asks for; the model decided by itself",
            id="auto",
        ),
        pytest.param(
            record("cancelled", works={"rule": {}}),
            "a person decides on it, because the step's level is to suggest; not decided",
            id="cancelled",
        ),
    ],
)
def test_a_proposal_in_one_line(case: Record, line: str) -> None:
    """The same line stands on the page of the case, in `show` and in `explain`."""
    assert [one.line() for one in told(case)] == [line]
    assert [entry["said"] for entry in trace(case)] == [line]


@pytest.mark.parametrize("works", [{}, {"rule": {}}, {"rule-v1": ANA, "rule-v2": {}}], ids=["none", "open", "second"])
@pytest.mark.parametrize("shown", [True, False])
def test_of_an_open_decision_nothing_is_told(works: dict[str, Any], shown: bool) -> None:  # noqa: FBT001 - a parameter
    """Also where the proposal is shown on the task: else silence would tell who decides blindly."""
    case = record(None, works=works, shown=shown, raw=0.9, output="hash-of-it")

    assert list(told(case)) == []
    assert "hash-of-it" not in without_undecided(case).model_dump_json()
    assert without_undecided(record(None)).proposals
