"""Parts of a rehearsal: its guard, its figures, and how it reads a history."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.history.v1 import HistoryEvent

from observability.learning.rehearsal import Trial, figures
from tests.activities.test_ai_provider import Provider, provider
from tests.boundary.contracts import Claim, Receipt
from tests.boundary.rehearsed import Hail
from tests.boundary.rehearsed_performers import PACKAGE
from tests.boundary.units import Damage
from workers.rehearsing.metered import Meter, MeteredModel
from workers.rehearsing.pasts import Past
from workers.rehearsing.performed import read_performed
from workers.rehearsing.rehearsing import rehearsable, rewriter
from workers.rehearsing.side_effects import SideEffectError, guarded
from workers.rehearsing.trials import Bench, Heard, Said
from workunits.core.errors import BadInput, Refused
from workunits.core.sealed import SEALED
from workunits.registry import Catalog, Package

__all__ = ["provider"]
HERE = Path(__file__)
HOUR = 3_600_000_000


def _connect(_: Path) -> None:
    with socket.socket() as one:
        one.connect(("127.0.0.1", 9))


EFFECTS: dict[str, Callable[[Path], Any]] = {
    "writing a file": lambda folder: (folder / "new").write_text("x"),
    "appending": lambda folder: (folder / "there").open("a"),
    "removing": lambda folder: (folder / "there").unlink(),
    "renaming": lambda folder: (folder / "there").rename(folder / "other"),
    "a folder": lambda folder: (folder / "sub").mkdir(),
    "another program": lambda _: subprocess.run([sys.executable, "-V"], check=True),
    "the network": _connect,
    "a terminal of one's own": lambda _: os.forkpty(),
    "a signal": lambda _: os.kill(os.getpid(), 0),
    "a signal to a group": lambda _: os.killpg(os.getpgid(0), 0),
    "writing beside compiled code": lambda folder: (folder / "__pycache__" / "leak.txt").write_text("x"),
    "compiled code": lambda folder: (folder / "code.pyc").write_text("x"),
    "a folder for compiled code": lambda folder: (folder / "__pycache__").mkdir(),
    "a program under compiled code": lambda folder: subprocess.run([folder / "__pycache__" / "x"], check=True),
    "a database": lambda folder: sqlite3.connect(folder / "new.sqlite"),
}


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS)
def test_side_effects_are_refused_and_counted(effect: Callable[[Path], Any], tmp_path: Path) -> None:
    """Inside the guard; and reading goes on. Outside of it everything is as before."""
    (tmp_path / "there").write_text("kept")
    with guarded() as refused:
        with pytest.raises(SideEffectError):
            effect(tmp_path)
        assert (tmp_path / "there").read_text() == "kept"
    assert refused.total() == 1
    assert [file.name for file in tmp_path.iterdir()] == ["there"]
    (tmp_path / "after").write_text("x")


def test_an_import_inside_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A performer that imports a module inside the guard is not counted as one that writes; afterwards Python may."""
    (tmp_path / "imported_inside.py").write_text("HERE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    with guarded() as refused:
        importlib.import_module("imported_inside")
    monkeypatch.delitem(sys.modules, "imported_inside")
    assert not refused
    assert not (tmp_path / "__pycache__").exists()
    assert not sys.dont_write_bytecode


async def test_a_thread_is_guarded_too(tmp_path: Path) -> None:
    """A performer that blocks runs in one; also when its time is over, and the guard is off for others again."""
    over = threading.Event()

    def late() -> None:
        over.wait(20)
        (tmp_path / "new").write_text("x")

    with guarded(), pytest.raises(SideEffectError):
        await asyncio.to_thread((tmp_path / "new").write_text, "x")
    with guarded():
        going_on = asyncio.create_task(asyncio.to_thread(late))
        await asyncio.sleep(0)
    over.set()
    with pytest.raises(SideEffectError):
        await going_on


async def test_the_model_is_asked_from_inside_the_guard(provider: Provider) -> None:
    """With the provider's real client; what it costs and takes is counted."""
    provider.says('{"number": "7", "paid": 3}')
    meter = Meter()
    model = MeteredModel("openai:some-model", provider.url, meter=meter, rewrite=str.upper, rewritten_by="x")
    with guarded() as refused:
        said = await model.ask("Sort.", Claim(number="7"), Receipt)
    assert (said.paid, meter.requests, meter.tokens, meter.unpriced) == (3, 1, 1240, 1)
    assert not refused
    assert json.dumps(provider.asked[0][1]).count("SORT.") == 1


def test_only_what_a_model_does_is_rehearsed() -> None:
    """Of units that keep their inputs; each refusal says what there is, or what to do."""
    catalog = Catalog([PACKAGE, Package("damage", (Damage,), (), ())])
    assert rehearsable(catalog, "hail.decide") == (Hail, Hail.DECIDE)
    with pytest.raises(BadInput, match=r"hail\.sort, hail\.decide"):
        rehearsable(catalog, "hail.inspect")
    with pytest.raises(Refused, match="keep_inputs = True"):
        rehearsable(catalog, "damage.decide")


@pytest.mark.parametrize("named", ["nothing", "no.such:thing", "json:nothing", "json:", ":dumps"])
def test_a_prompt_comes_from_a_function(named: str) -> None:
    """What is none is refused with the form to write."""
    with pytest.raises(BadInput, match="MODULE:FUNCTION"):
        rewriter(named)


def past(*, agrees: bool, auto: bool, **more: Any) -> Trial:
    """A case of two hours, of which a person's queue and touch was one, and a break half an hour."""
    times: dict[str, Any] = {"cycle_us": 2 * HOUR, "measured_us": HOUR, "whole_us": HOUR * 3 // 2}
    return Trial(case="c", agrees=agrees, auto=auto, **times, **more)


def test_shares_come_with_intervals_and_the_blind_sample_is_taken_off() -> None:
    """40 cases of which 30 would go straight through, 3 of them wrongly; a tenth of all is seen blindly anyway."""
    trials = [past(agrees=n >= 3, auto=n < 30, old_agrees=n % 2 == 0) for n in range(40)]
    found = figures(trials, blind=0.1)
    assert found.auto is not None
    assert (found.auto.count, found.auto.n, round(found.auto.share, 3)) == (30, 40, 0.675)
    assert found.auto_wrong is not None
    assert (found.auto_wrong.count, found.auto_wrong.n) == (3, 30)
    people = found.with_people
    assert people is not None
    assert (people.new.count, round(people.new.low, 3), round(people.new.high, 3)) == (37, 0.801, 0.974)
    assert (people.gained, people.lost) == (19, 2)
    assert people.p_value is not None
    assert people.p_value < 0.001


def test_the_predicted_time_is_a_range_between_what_surely_goes_and_what_may() -> None:
    """Queue and touch go for certain; what else lay between may. Without a blind case the ends are exact."""
    found = figures([past(agrees=True, auto=True) for _ in range(10)], blind=0.0).cycle
    assert found is not None
    assert found.predicted_median == found.predicted_mean == (HOUR // 2, HOUR)
    vetoed = figures([past(agrees=True, auto=True, waits_us=HOUR) for _ in range(10)], blind=0.0).cycle
    assert vetoed is not None
    assert vetoed.predicted_median == (HOUR * 3 // 2, 2 * HOUR)
    assert figures([past(agrees=True, auto=False)], blind=0.0).cycle is None


@given(
    st.lists(st.tuples(st.sampled_from(["", "ai_refused"]), st.booleans(), st.booleans(), st.none() | st.booleans())),
    st.floats(0, 1),
)
def test_figures_hold_together(cases: list[tuple[str, bool, bool, bool | None]], blind: float) -> None:
    """Whatever came of the cases: shares are shares, and every case is answered or failed."""
    trials = [
        Trial(case=str(n), code=code, auto=auto and not code, was_auto=was, agrees=None if code else agrees)
        for n, (code, auto, was, agrees) in enumerate(cases)
    ]
    found = figures(trials, blind=blind)
    assert found.answered + sum(found.failures.values()) == found.n == len(cases)
    for share in (found.auto, found.auto_wrong, found.was_auto, found.with_people.new if found.with_people else None):
        assert share is None or (0 <= share.low <= share.share + 1e-9 and share.share <= share.high + 1e-9 <= 1 + 2e-9)


@pytest.mark.parametrize(
    ("decided", "decided_code", "agrees"),
    [
        ({"verdict": "pay", "amount": 1}, "", False),
        (None, "suspicious", True),
        (None, "other", False),
        (None, "", None),
    ],
)
def test_a_business_exception_is_what_someone_came_to(
    decided: dict[str, Any] | None, decided_code: str, *, agrees: bool | None
) -> None:
    """The model that raises one agrees with the person who met the same, and with nobody who decided."""
    known: dict[str, Any] = {"case": "c", "version": "1", "segment": "", "executor": "old", "what": Claim(number="1")}
    heard = Heard(
        Past(**known, decided=decided, decided_code=decided_code), Said(code="suspicious", business=True), 1, 0.1
    )
    unused: Any = None
    trial = Bench(unused, Hail, Hail.DECIDE, []).trial(heard)
    assert (trial.agrees, trial.code, trial.auto) == (agrees, "", False)


def event(number: int, kind: str, **said: Any) -> HistoryEvent:
    """An event of a history."""
    attributes: dict[str, Any] = {f"{kind}_event_attributes": said}
    return HistoryEvent(event_id=number, **attributes)


def payloads(value: Any, encoding: bytes = b"json/plain") -> Payloads:
    """A value as Temporal keeps it."""
    return Payloads(payloads=[Payload(metadata={"encoding": encoding}, data=json.dumps(value).encode())])


def scheduled(number: int, key: str, value: Any, encoding: bytes = b"json/plain") -> HistoryEvent:
    """A step that was begun."""
    return event(number, "activity_task_scheduled", activity_id=key, input=payloads(value, encoding))


def done(number: int, of: int, value: Any) -> HistoryEvent:
    """A step that was done."""
    return event(number, "activity_task_completed", scheduled_event_id=of, result=payloads(value))


def test_of_a_case_of_several_runs_each_event_belongs_to_its_own() -> None:
    """Events of the next run are numbered anew; a step that was tried again counts as in its last try."""
    start = event(1, "workflow_execution_started")
    said = {"action_id": "a1", "action": "complete", "body": {"verdict": "pay"}}
    events = [
        start,
        scheduled(5, "decide-ai", {"number": "1"}),
        event(6, "activity_task_timed_out", scheduled_event_id=5),
        scheduled(7, "decide-ai", {"number": "2"}),
        done(8, 7, {"output": {}}),
        start,
        scheduled(7, "pay", {"number": "3"}),
        done(8, 7, {"paid": 1}),
        event(9, "workflow_execution_signaled", signal_name="act", input=payloads(said)),
        event(10, "workflow_execution_signaled", signal_name="act", input=payloads(["no", "action"])),
    ]
    found = read_performed(events, "decide-ai", ["a1"])
    assert (found.given, found.gave, found.code) == (b'{"number": "2"}', b'{"output": {}}', "")
    assert found.bodies == {"a1": {"verdict": "pay"}}


def test_what_is_sealed_with_another_key_is_not_read() -> None:
    """It is said to be so."""
    events = [event(1, "workflow_execution_started"), scheduled(5, "decide-ai", {"number": "1"}, SEALED)]
    found = read_performed(events, "decide-ai", [])
    assert (found.given, found.sealed) == (b"", True)
