"""Advice: what was planted is found, with the right cases and the right effect; what was not is not invented."""

# mypy: disable-error-code="union-attr,operator,misc,arg-type,type-var"
from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from observability.learning.advising import FEWEST, Advice, Suggestion, advise
from observability.learning.selection import Asked
from observability.learning.usage import UnreadableError, unused_steps
from observability.learning.version_baseline import Signature, freeze_version
from observability.learning.whatif import effect, told_of
from observability.ledger.store import Ledger
from tests.observability.invented import BEGIN, HOUR
from tests.observability.planted import UNIT, Claim, Paper, invent, keep
from workers.pages.advise import page
from workunits.catalog.refund_request import RefundRequest
from workunits.core.record import Work
from workunits.core.unit import WorkUnit


@pytest.fixture
def quick(tmp_path) -> Iterator[Ledger]:
    """An empty ledger in SQLite: what is read is the same SQL as for `explain`."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    yield ledger
    ledger.close()


def excesses(advice: Advice) -> list[Suggestion]:
    """Those that say that something takes too long."""
    return [one for one in advice.suggestions if one.kind == "excess"]


def test_a_slow_segment_of_a_step_is_found_in_either_database(ledger: Ledger):
    """It comes first; its cases are those of the segment, its effect what a recount of them says."""
    made = invent(300, "slow_segment")
    keep(ledger, made)
    found = advise(ledger, Claim)
    first = found.suggestions[0]
    home = [record for record in made if record.segment == "home"]
    waits = {record.case: record.steps[2].claimed - record.steps[2].ready for record in made}
    others = np.quantile([waits[r.case] for r in made if r.segment != "home"], 0.5, method="inverted_cdf")
    saved = [max(0, waits[record.case] - others) for record in home]

    assert (first.kind, first.step, first.part, first.segment) == ("excess", "check", "queue", "home")
    assert [first] == excesses(found)
    assert {r.case for r, much in zip(home, saved, strict=True) if much} == set(first.cases)
    assert first.effect.mean == pytest.approx(sum(saved) / 300)
    assert first.effect.low < first.effect.mean < first.effect.high
    assert first.effect.median_after < first.effect.median_before
    assert "check: queue takes longer than it should in segment home" in page(found)
    assert first.cases[0] in page(found, ids=True)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_invented(quick, seed):
    """Where all segments and queues are alike, no excess is found, whatever chance does."""
    keep(quick, invent(150, seed=seed))
    found = advise(quick, Claim)

    assert excesses(found) == []
    assert {"unused_result"} == {one.kind for one in found.suggestions}


def test_a_slow_step_is_found_beside_its_peers(quick):
    """Without a baseline, a queue of people is compared with the other queues of people."""
    keep(quick, invent(200, "slow_step"))
    found = advise(quick, Claim)

    assert [(one.step, one.part, one.segment, one.evidence["against"]) for one in excesses(found)] == [
        ("decide", "queue", None, "steps")
    ]


def test_a_slow_version_is_found_beside_the_baseline_of_the_one_before(quick):
    """By the baseline's median; a version is never compared with its own baseline."""
    before = invent(200)
    keep(quick, before)
    signed = Signature("ann", ("head",), BEGIN + timedelta(weeks=11))
    freeze_version(quick, Claim, Asked(UNIT, version="1"), signed, "as it was")
    keep(quick, invent(200, "slow_version", version="2", begin=BEGIN + timedelta(weeks=11)))
    own, found = advise(quick, Claim), advise(quick, Claim, "2")
    (one,) = excesses(found)

    assert (own.baseline, found.baseline) == (None, "as it was")
    assert (one.step, one.part, one.evidence["against"]) == ("decide", "queue", "baseline")
    usual = sorted(work.claimed - work.ready for r in before for work in r.steps if work.step == "decide")
    assert usual[(len(usual) - 1) // 2] == one.evidence["limit"]


def test_a_decision_that_changes_nothing(quick):
    """A person's step after which every case goes the same way; its whole time would be saved."""
    made = invent(120, "rubber_stamp")
    keep(quick, made)
    found = {(one.kind, one.step): one for one in advise(quick, Claim).suggestions}
    stamp = found["same_course", "decide"]
    spent = [sum(w.done - w.ready for w in r.steps if w.step == "decide") for r in made]

    assert stamp.evidence["then"] == "close: achieved"
    assert len(stamp.cases) == stamp.evidence["performances"] == 120
    assert stamp.evidence["highest_share_of_others"] == pytest.approx(1 - 0.025 ** (1 / 120))
    assert stamp.effect.mean == pytest.approx(np.mean(spent))
    assert ("same_course", "check") in found
    assert ("same_course", "look") not in found


def test_a_handoff_that_adds_only_queue(quick):
    """Another person, next to no work, and the same way for all: without the handoff its queue would go."""
    made = invent(120, "handoff")
    keep(quick, made)
    (one,) = [one for one in advise(quick, Claim).suggestions if one.kind == "handoff"]
    queues = [w.claimed - w.ready for r in made for w in r.steps if w.step == "decide"]

    assert (one.step, one.part, len(one.cases)) == ("decide", "queue", 120)
    assert one.effect.mean == pytest.approx(np.mean(queues))


def test_an_exception_that_no_rule_takes(quick):
    """With the cases that it closed; nothing is said of their cycle time."""
    made = invent(160, "no_rule")
    keep(quick, made)
    (one,) = [one for one in advise(quick, Claim).suggestions if one.kind == "no_rule"]

    assert (one.step, one.evidence["code"], one.evidence["cases"]) == ("check", "illegible", 20)
    assert {record.case for record in made if record.routes} == set(one.cases)
    assert one.effect is None


def test_a_result_that_nothing_reads_and_a_step_that_never_came(quick):
    """From the source of `work()`; a name that is never read is as good as none."""
    keep(quick, invent(60, "rubber_stamp"))
    found = {(one.kind, one.step) for one in advise(quick, Claim).suggestions}

    assert unused_steps(Claim) == {"look", "archive"}
    assert unused_steps(RefundRequest) == frozenset()
    assert {("unused_result", "look"), ("never_performed", "archive")} <= found
    assert ("unused_result", "archive") not in found


def test_a_procedure_that_cannot_be_read_is_not_guessed():
    """A step that is chosen at run time could be any."""

    class Vague(WorkUnit, name="vague", version="1", key="number"):
        """As a claim."""

        outcome, learning, READ, CHECK = Claim.outcome, Claim.learning, Claim.READ, Claim.CHECK

        async def work(self, case: Paper) -> Paper:
            """Perform whichever comes."""
            for step in (self.READ, self.CHECK):
                case = await self.perform(step, case)
            return case

    with pytest.raises(UnreadableError):
        unused_steps(Vague)


def test_too_few_cases_are_no_ground_for_advice(quick):
    """It says so, and how many are needed."""
    keep(quick, invent(FEWEST - 1, "slow_segment"))
    found = advise(quick, Claim)

    assert (found.enough, found.suggestions) == (False, [])
    assert "Too few cases to advise anything: 30 are needed." in page(found)


def test_what_ran_beside_it_would_have_gone_on():
    """Of a wait of four hours, three of them beside another step, one hour would be saved."""
    (record,) = invent(1)
    record.steps = [
        Work(key="a", step="a", kind="human", ready=0, work=[(4 * HOUR, 5 * HOUR)], done=5 * HOUR, end="done"),
        Work(key="b", step="b", kind="human", ready=HOUR, work=[(HOUR, 4 * HOUR)], done=4 * HOUR, end="done"),
    ]
    record.closed = 5 * HOUR
    told = told_of(record)

    assert told.alone["a", "queue"] == HOUR
    assert sum(told.spent.values()) == 5 * HOUR
    assert effect([told], [HOUR]).low is None
