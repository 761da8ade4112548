"""docs/exceptions.md, run: its unit loads, each route of its table is taken, its test passes, its commands exist."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
import uuid
from pathlib import Path

import pytest
import pytest_asyncio

from tests.workers.conftest import COMMAND, clean_environment
from workunits.core.gate import examine
from workunits.core.parts import parts
from workunits.testing import Answer, Lab, NobodyAnswersError, Settle

PAGE = (Path(__file__).parents[2] / "docs" / "exceptions.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
ROWS = re.findall(r"^\| .* \| `(\w+)` \| `(\w+)` \| `(\w+)` \|$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def trips(tmp_path_factory):
    """The package of the page, importable."""
    folder = tmp_path_factory.mktemp("trips")
    for name, text in {"trips/__init__.py": "", **FILES}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("trips.unit").BookTrip
    finally:
        sys.path.remove(str(folder))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def travel(trips):
    """An engine that knows its contracts."""
    async with Lab(contracts=["trips.contracts"]) as lab:
        yield lab


def test_the_unit_of_the_page_has_no_open_decision(trips):
    """Not even a warning."""
    assert examine(trips) == []


@pytest.mark.parametrize(("code", "to", "close"), ROWS, ids=[row[0] for row in ROWS])
async def test_each_route_of_the_table_is_taken(travel, trips, code, to, close):
    """The exception leads where the table says; the record has the route and its time."""
    contracts = sys.modules["trips.contracts"]
    raised = next(e for step in trips.steps for e in step.raises if e.code == code)
    done = contracts.Booked(number="N-1")
    again = iter([raised()])

    def first(_):
        """Raise it once, and then succeed."""
        error = next(again, None)
        if error is not None:
            raise error
        return done

    raiser = next(step for step in trips.steps if raised in step.raises)
    order = contracts.Order(order=uuid.uuid4().hex)
    answers = {step: done for step in trips.steps if step.kind != "human"} | {
        raiser: first,
        trips.BOOK_BY_HAND: Answer(done),
        trips.COMPLETE_ORDER: Answer(order),
    }
    case = await travel.run(trips, order, answers)
    (route,) = case.record.routes

    assert (case.close, route.code, route.to, route.business) == (close, code, to, True)
    assert 0 < route.at <= case.record.closed
    assert sum(parts(case.record).values()) == case.record.closed
    assert [w.undoes for w in case.record.steps if w.undoes] == (["book_seat"] if to == "compensate" else [])


async def test_a_technical_failure_has_its_own_rule(travel, trips):
    """It is no business exception, and a person takes over."""
    contracts = sys.modules["trips.contracts"]
    done = contracts.Booked(number="N-1")
    answers = {step: done for step in trips.steps if step.kind != "human"} | {
        trips.WRITE_INVOICE: ConnectionError("down"),
        trips.WRITE_INVOICE_BY_HAND: Answer(done),
    }
    case = await travel.run(trips, contracts.Order(order=uuid.uuid4().hex), answers)
    (route,) = case.record.routes

    assert (case.close, route.to, route.business) == ("achieved", "write_invoice_by_hand", False)


async def test_the_test_of_the_page_passes(travel, trips):
    """Word for word."""
    await importlib.import_module("test_trips").test_an_operator_decides(travel)


async def test_the_lab_says_when_nobody_decides(travel, trips):
    """A test without decisions hears which step waits, and does not hang; a decision may also be the end."""
    contracts = sys.modules["trips.contracts"]
    done = contracts.Booked(number="N-1")
    answers = {
        trips.BOOK_SEAT: done,
        trips.BOOK_ROOM: contracts.NoRoom(),
        trips.CANCEL_SEAT: ConnectionError("down"),
    } | dict.fromkeys((trips.BOOK_ELSEWHERE, trips.WRITE_INVOICE), done)
    with pytest.raises(NobodyAnswersError, match="waits for an operator: give decisions for the step 'cancel_seat'"):
        await travel.run(trips, contracts.Order(order=uuid.uuid4().hex), answers)
    order = contracts.Order(order=uuid.uuid4().hex)
    case = await travel.run(trips, order, answers, operators={trips.CANCEL_SEAT: [Settle("fail", reason="gone")]})

    assert (case.close, case.record.why) == ("failed", "book_seat-undo: ConnectionError: gone")


@pytest.mark.parametrize("line", re.findall(r"^\$ workunits (incidents .*)$", PAGE, re.MULTILINE))
def test_the_commands_of_the_page_are_there(line, tmp_path):
    """Each is understood up to the point where it asks an engine, of which there is none."""
    import subprocess

    (tmp_path / "seat.json").write_text('{"number": "S-1"}', encoding="utf-8")
    env = clean_environment(TEMPORAL_ADDRESS="127.0.0.1:1")
    ended = subprocess.run(
        [*COMMAND, *shlex.split(line)], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 3, ended.stderr
