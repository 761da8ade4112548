"""Two versions compared: errors at most as often as promised, open cases not forgotten, looking early not rewarded."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest

from bench.learning import DAYS, arms, verdicts
from observability.learning.arms import DAY, Arm
from observability.learning.changes import Choice, Proposal, decide, propose
from observability.learning.comparing import Plan, as_json, compare
from observability.learning.contrasts import contrast
from observability.learning.looks import looks
from observability.learning.verdicts import judge, verdict_of
from observability.ledger.auditing import ROLLOUT, note_audit
from observability.ledger.store import Ledger
from tests.observability.invented import BEGIN, fill
from tests.observability.planted import UNIT, Claim, invent, keep
from tests.workers.conftest import Shell
from workers.pages.compare import page
from workunits.core.errors import BadInput

END = DAYS * DAY
LATER = BEGIN + timedelta(days=100)
CYCLE = Plan("cycle_time", guardrails=())


def found(first: Arm, second: Arm, plan: Plan = CYCLE, now: float = END):
    """The comparison of two arms."""
    return compare("u", first, second, plan, assignment="split", now=now)


def pair(seed: int = 1, factor: float = 1.0):
    """Two arms of a simulated quarter."""
    return arms(np.random.default_rng(seed), factor)


@pytest.mark.parametrize(
    ("measure", "factor", "repeats"), [("cycle_time", 1.0, 40), ("on_time", 1.0, 40), ("override_rate", 1.0, 20)]
)
def test_without_a_difference_none_is_found(measure, factor, repeats):
    """Four looks, open cases in both arms: as rarely as promised. `make learn-simulate` repeats it a thousand times."""
    counts = verdicts(measure, factor, repeats, 7)

    assert counts["better"] + counts["worse"] <= 4


def test_a_difference_is_found_and_its_direction():
    """A quarter less time, and a third more."""
    assert verdicts("cycle_time", 0.7, 12, 7)["better"] >= 9
    assert verdicts("cycle_time", 1.4, 12, 7)["worse"] >= 9


def test_the_error_is_spent_and_never_more():
    """All looks together spend what is allowed, the first ones hardly anything."""
    spent = [look.alpha for look in looks(400, 0.05)]

    assert sum(spent) == pytest.approx(0.05)
    assert spent[0] < 0.001 < spent[-1]
    assert [look.cases for look in looks(400)] == [100, 200, 300, 400]


def test_asking_between_looks_changes_nothing():
    """The verdict is that of the last look that was due, by the data of its moment, whenever somebody asks."""
    first, second = pair(3, 0.8)
    ended = np.sort(np.concatenate([first["closed"], second["closed"]]))
    asked = [found(first, second, now=float(ended[count])) for count in (99, 120, 150, 198)]

    assert [len(one.judged) for one in asked] == [1, 1, 1, 1]
    assert len({one.judged[0].contrast.p_value for one in asked}) == 1
    assert {one.due for one in asked} == {200}


def test_a_decisive_look_stands():
    """What a look has decided is not taken back by later data."""
    first, second = pair(5, 0.4)
    early = found(first, second, now=END / 2)
    late = found(first, second)

    assert early.outcome == late.outcome == "better"
    assert len(early.judged) == len(late.judged)


def test_too_few_decide_nothing():
    """Under thirty ended cases of an arm, whatever they look like."""
    first, second = pair(5, 0.2)
    few = second.where(np.arange(len(second)) < 25)

    assert found(first, few).outcome == "undecided"


def test_open_cases_are_not_forgotten():
    """A version whose slow cases are all still open looks fast by its closed ones, and is not called better."""
    first, second = pair(11)
    stuck = second["time"] > np.quantile(second["time"], 0.5)
    ended = second["ended"] & ~stuck
    second = Arm("2", second.columns | {"ended": ended})
    closed_only = second.where(ended)

    assert contrast("cycle_time", first, closed_only, 0.05).direction == 1
    assert found(first, closed_only).outcome == "better"
    assert found(first, second).outcome != "better"


def test_a_guardrail_that_breaks_is_named():
    """Faster, and wrong twice as often: better by its measure, and the guardrail says what it costs."""
    first, second = pair(2, 0.5)
    second = Arm("2", second.columns | {"exceptions": np.ones(len(second))})
    one = found(first, second, Plan("cycle_time", guardrails=("exception_rate", "sla_attainment")))

    assert (one.outcome, one.breached) == ("better", ["exception_rate"])
    assert "exception_rate" in page(one)
    assert "BREACHED" in page(one)


def test_models_that_are_overridden_more_often_break_a_guardrail():
    """Of proposals, not of cases: some cases have several, and most have none. It is faster all the same."""
    first, second = pair(2, 0.5)
    more = np.where(second["reviewed"] > 0, second["reviewed"], 0.0)
    second = Arm("2", second.columns | {"overridden": more})
    one = found(first, second, Plan("cycle_time"))
    told, (before, after) = one.guardrails["override_rate"], (arm.at(END).done for arm in (first, second))

    assert (one.outcome, one.breached) == ("better", ["override_rate"])
    assert told.n == (before["reviewed"].sum(), after["reviewed"].sum())
    assert told.values == (before["overridden"].sum() / before["reviewed"].sum(), 1.0)
    assert told.low is not None
    assert told.low > 0.5
    assert "100.0%" in page(one)


def test_without_proposals_there_is_no_override_rate():
    """A unit without hybrid steps is not held to it."""
    first, second = pair(2, 0.5)
    none = {"reviewed": np.zeros(len(second)), "overridden": np.zeros(len(second))}
    one = found(first, Arm("2", second.columns | none), Plan("cycle_time"))

    assert "override_rate" not in one.guardrails
    assert one.breached == []


def test_a_segment_that_goes_the_other_way_is_named():
    """Better on the whole, worse in one segment for certain; and what the older mix would have made of it."""
    first, second = pair(4, 0.4)
    large = second["segment"] == "large"
    took = np.where(large, second["time"] * 3.5, second["time"])
    second = Arm("2", second.columns | {"time": took, "closed": second["started"] + took})
    one = found(first, second, now=END * 4)

    assert one.flips == ["large"]
    assert one.reweighted is not None
    assert "IN large IT IS THE OTHER WAY ROUND" in page(one)


def test_not_worse_within_the_margin():
    """Nothing is found, and the interval leaves no room for more than the margin."""
    first, second = pair(9)
    wide = Plan("on_time", margin=0.3, guardrails=())

    assert found(first, second, wide).outcome == "not_worse"
    assert found(first, second, Plan("on_time", margin=0.0, guardrails=())).outcome == "undecided"


def test_from_a_proposal_to_a_decision(ledger):
    """The verdict is of the cases since the proposal, in the proposed measure; nobody can say another one."""
    keep(ledger, invent(300, "slow_version", version="1", seed=5))
    keep(ledger, invent(300, version="2", seed=6))
    wanted = Proposal("1", "2", "fewer wait for a senior", "half a day", "cycle_time")
    propose(ledger, Claim, wanted, "ann", BEGIN - timedelta(days=1))
    with ledger.read() as connection:
        weak = judge(connection, Claim, ("1", "2"), LATER)
    with ledger.write() as connection:
        note_audit(connection, "ann", ROLLOUT, BEGIN, unit=UNIT, percent=50, **{"from": "1", "to": "2"})
    with ledger.read() as connection:
        split = judge(connection, Claim, ("1", "2"), LATER)
    entry = decide(ledger, UNIT, 1, verdict_of(split), Choice("adopt", "it is", "ann", LATER))

    assert (weak.outcome, weak.assignment, split.assignment) == ("better", "before_after", "split")
    assert "WEAK" in page(weak)
    assert (entry.verdict, entry.decision) == ("better", "adopt")
    assert json.loads(json.dumps(as_json(split)))["outcome"] == "better"
    with ledger.read() as connection, pytest.raises(BadInput, match=r"B: the ledger has no cases of that version"):
        judge(connection, Claim, ("1", "7"), LATER)
    with ledger.read() as connection, pytest.raises(BadInput, match=r"measure: should be one of cycle_time"):
        judge(connection, Claim, ("1", "2"), LATER, measure="joy")


def test_the_commands(tmp_path):
    """What is missing is named; a single version beside itself is undecided and says so."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    ledger = Ledger(url)
    ledger.migrate()
    fill(ledger, 120)
    ledger.close()
    shell = Shell(tmp_path, [])
    same = shell.run("compare", "refund_request", "1", "1", "--planned", "200", WORKUNITS_LEDGER=url)
    missing = shell.run("compare", "refund_request", "1", "2", WORKUNITS_LEDGER=url)

    assert (same.returncode, same.stderr) == (0, "")
    assert "refund_request: version 1 against 1, by " in same.stdout
    assert (missing.returncode, "B: the ledger has no cases of that version" in missing.stderr) == (2, True)
