"""Exports without personal data: no name, no free text and no marked field is left, and every figure is."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel
from sqlalchemy import JSON, String, Text

from observability.export import lines, xes
from observability.export.events import NEEDED, events_of
from observability.export.hiding import NAMES, WRITTEN, Hiding
from observability.export.reading import CASE_COLUMNS, IN_ORDER, Wanted, read
from observability.ledger.forgetting import LISTED
from observability.ledger.keeping import corrections, evidence, inputs
from observability.ledger.tables import cases
from observability.ledger.writing import insert_all
from tests.observability.event_log import START, a_case, check_structure, figures, put
from workunits.core.personal import PERSONAL

IMPERSONAL = {
    *("case_id", "unit", "version", "business_key", "run_id", "state", "close", "reason", "sla", "segment", "trace_id"),
    *("currency", "definition", "first_close", "key", "step", "kind", "ended", "code", "redo_of", "undoes", "task_id"),
    *("role", "also", "promise", "calendar", "task", "executor", "level", "risk", "route", "why", "sampled", "seeded"),
    *("certificate", "input_hash", "output_hash", "decision"),
    *("accountable", "because", "routed_to", "target", "result", "entry", "action_id", "action", "outcome"),
    *("evidence_id", "measure", "correction_id", "from_close", "to_close"),
}
"""Columns with text that say nothing of a person: ids, codes, and names out of the catalog."""


def told(ledger, hiding=None):
    """The lines of a JSONL export."""
    files = read(ledger, Wanted(), with_input=True)
    return [json.loads(line) for line in lines.lines_of(hiding.apply(file) if hiding else file for file in files)]


class Person(BaseModel):
    """A case with something personal in it."""

    name: Annotated[str, PERSONAL]
    product: str


class Unit:
    """As much of a unit as hiding asks for."""

    unit_name = "plain"
    case_type = Person


UNITS: Any = [Unit]


def with_people(key="1"):
    """A case in which three people had a part."""
    more = {"why": "Ann Smith was rude", "cancelled_by": "bob: on demand", "facts": {"name": "Zed", "product": "loan"}}
    made = a_case(key, **more)
    made.steps[1]["acting_for"] = "zoe"
    for row in made.tasks:
        row["owner"], row["excluded"] = "bob", ["ann", "bob"]
    at = START + timedelta(seconds=40)
    made.actions.append(
        {"case_id": f"plain:{key}", "action_id": "a1", "at": at, "key": "decide", "action": "start", "actor": "ann"}
        | {"acting_for": "zoe", "state": "in_progress", "revision": 2}
    )
    return made


def tell_more(ledger, case="plain:1"):
    """Evidence, a correction and the input of a case."""
    known = {"case_id": case, "recorded_at": START}
    with ledger.write() as connection:
        insert_all(
            connection,
            evidence,
            [
                known
                | {
                    "evidence_id": "e",
                    "measure": "complaint",
                    "value": 1.0,
                    "source": "Ann's letter",
                    "occurred_at": START,
                    "recorded_by": "bob",
                    "counts": True,
                }
            ],
        )
        insert_all(
            connection,
            corrections,
            [
                known
                | {
                    "correction_id": "c",
                    "at": START,
                    "kind": "evidence",
                    "from_close": "achieved",
                    "to_close": "not_achieved",
                    "why": "Ann complained",
                }
            ],
        )
        insert_all(
            connection, inputs, [{"case_id": case, "input": {"name": "Zed", "product": "loan", "unknown": "Zed"}}]
        )


def test_without_personal_data(ledger):
    """Names become aliases that stay the same, free texts and personal fields are left out, and the rest stays."""
    put(ledger, with_people())
    tell_more(ledger)
    (case,) = told(ledger, Hiding(UNITS))
    text = json.dumps(case)

    assert not [name for name in ("ann", "Ann", "bob", "zoe", "Zed", "rude", "letter", "demand") if name in text]
    decide = next(row for row in case["steps"] if row["key"] == "decide")
    assert (decide["performer"], decide["acting_for"]) == ("person-1", "person-2")
    assert case["actions"][0]["actor"] == "person-1"
    assert {tuple(row["excluded"]) for row in case["tasks"]} == {("person-1", "person-3")}
    assert {row["owner"] for row in case["tasks"]} == {"person-3"} == {case["evidence"][0]["recorded_by"]}
    assert (case["input"], case["facts"]) == ({"product": "loan"}, {"product": "loan"})
    assert (case["business_key"], case["effective_close"]) == ("1", "not_achieved")


def test_the_input_of_an_unknown_unit_stays_behind(ledger):
    """Where nobody can say which fields are personal, none is told; without the option all is."""
    put(ledger, with_people())
    tell_more(ledger)

    assert told(ledger, Hiding([]))[0]["input"] is None
    assert told(ledger)[0]["input"] == {"name": "Zed", "product": "loan", "unknown": "Zed"}


def test_handoffs_compute_without_names(ledger):
    """The event log without personal data has the same figures as the one with it."""
    put(ledger, *(with_people(str(number)) for number in range(3)))
    hiding = Hiding(UNITS)
    open_log = check_structure(b"".join(xes.log_of(read(ledger, Wanted(), xes.PARTS))))
    hidden = check_structure(b"".join(xes.log_of(map(hiding.apply, read(ledger, Wanted(), xes.PARTS)))))

    assert list(map(figures, hidden.iter("trace"))) == list(map(figures, open_log.iter("trace")))


def test_every_column_with_text_is_judged():
    """A new column that holds text must be a name, a free text, or said to be impersonal, or it would leak."""
    texts = {
        "cases": {name for name in CASE_COLUMNS if name in cases.c and isinstance(cases.c[name].type, String | Text)}
    }
    for part, (source, _) in IN_ORDER.items():
        texts[part] = {column.name for column in source.c if isinstance(column.type, String | Text)}

    for part, columns in texts.items():
        assert columns - (IMPERSONAL - {*WRITTEN.get(part, ())}) == {*NAMES.get(part, ()), *WRITTEN.get(part, ())}, part
    whole = {part: {c.name for c in source.c if isinstance(c.type, JSON)} for part, (source, _) in IN_ORDER.items()}
    known = {"steps": {"intervals"}, "clock_entries": {"reached"}, "proposals": {"differs"}}
    judged = {part: set(names) for part, names in LISTED.items()} | known
    assert judged == {part: names for part, names in whole.items() if names}


def test_a_long_case_keeps_its_claim(ledger):
    """A case whose old actions are gone still says who took a task, and when."""
    made = with_people()
    made.actions.clear()
    put(ledger, made)

    (file,) = read(ledger, Wanted(), NEEDED)

    assert [event.resource for event in events_of(file) if event.transition == "assign"] == ["ann"]
