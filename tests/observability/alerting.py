"""For each alert the series by which it fires, and those that come close to it and leave it silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from observability.prometheus.rule import Alert
from tests.lab.contracts import Request, Result
from tests.lab.units import OUTCOME, Plain
from workunits.core.spec import Learning, Measure, automated
from workunits.core.unit import WorkUnit

LEARNING = Plain.learning


def promising(share: float) -> Learning:
    """What a unit with this objective declares."""
    return replace(LEARNING, measures=(*LEARNING.measures, Measure("on_time", at_least=share, baseline="none yet")))


class Usual(WorkUnit, name="usual", version="1", key="request"):
    """Its objective is the stated one."""

    outcome = OUTCOME
    learning = LEARNING
    DO = automated("do", Request, Result)

    async def work(self, case: Request) -> Result:
        """Do it."""
        return await self.perform(self.DO, case)


class Generous(WorkUnit, name="generous", version="1", key="request"):
    """May miss every fifth promise."""

    outcome = OUTCOME
    learning = promising(0.8)
    DO = automated("do", Request, Result)

    async def work(self, case: Request) -> Result:
        """Do it."""
        return await self.perform(self.DO, case)


class Strict(WorkUnit, name="strict", version="1", key="request"):
    """May miss none."""

    outcome = OUTCOME
    learning = promising(1.0)
    DO = automated("do", Request, Result)

    async def work(self, case: Request) -> Result:
        """Do it."""
        return await self.perform(self.DO, case)


@dataclass(frozen=True)
class Trial:
    """One alert, by series whose values are ten minutes apart where it needs days, else one."""

    alert: str
    at: str
    """When it fires, or does not."""
    fires: Sequence[Mapping[str, str]]
    silent: Sequence[Mapping[str, str]]
    says: str
    labels: Mapping[str, str]
    slow: bool = False

    def tests(self, known: Mapping[str, Alert]) -> list[dict[str, Any]]:
        """As promtool wants them."""
        alert = known[self.alert]
        expected = {
            "exp_labels": {**self.labels, "severity": alert.severity},
            "exp_annotations": {"summary": self.says, "runbook_url": f"docs/runbooks/{self.alert}.md"},
        }
        cases = [(given, [expected]) for given in self.fires] + [(given, []) for given in self.silent]
        return [
            {
                "interval": "10m" if self.slow else "1m",
                "input_series": [{"series": name, "values": values} for name, values in given.items()],
                "alert_rule_test": [{"eval_time": self.at, "alertname": self.alert, "exp_alerts": said}],
            }
            for given, said in cases
        ]


def clocks(met: str, missed: str, unit: str = "usual") -> Mapping[str, str]:
    """The decided clocks of a unit, as two exporters of one ledger tell them."""
    results = {"met": met, "breached": missed, "void": "0+5x5000"}
    return {
        f'workunit_sla_total{{unit="{unit}",version="1",target="unit",result="{result}",instance="{instance}"}}': values
        for result, values in results.items()
        for instance in "ab"
    }


def found(kind: str, values: str) -> Mapping[str, str]:
    """What a watchdog finds of a unit."""
    return {f'workunit_watchdog_findings{{unit="{"" if kind in _OF_NONE else "usual"}",kind="{kind}"}}': values}


def _of_target(alert: str, at: str, fires: Any, silent: Any, says: str, *, unit: str = "usual", **more: Any) -> Trial:
    labels = {"unit": unit, "target": "unit"}
    return Trial(alert, at, fires, silent, f"{unit} (unit) {says}", labels, **more)


def _of_kind(alert: str, at: str, kind: str, values: tuple[str, str], says: str, **more: Any) -> Trial:
    labels = {"kind": kind} | ({} if kind in _OF_NONE else {"unit": "usual"})
    fires, silent = values
    others = found("rung_missing", fires)
    return Trial(alert, at, [found(kind, fires)], [found(kind, silent), others], says, labels, **more)


def _of_all(alert: str, at: str, fires: Any, silent: Any, says: str) -> Trial:
    return Trial(alert, at, fires, silent, says, {})


_OF_NONE = ("engine_unavailable", "directory_broken")
_UP, _LAG = "workunit_ledger_up", "workunit_follower_lag_seconds"
_PASS = "workunit_watchdog_last_pass_timestamp_seconds"  # noqa: S105 - of the watchdog
_BUDGET = "uses up its budget of missed promises"
_GAP = 'workunit_watchdog_gap_cases{unit="usual",kind="deadline"}'
_HELD = 'workunit_open_incidents{unit="usual",step="do"}'
_OUTSIDE = 'workunit_closed_outside_total{unit="usual",version="%s"}'
_NOTHING = {"up": "1x100"}

TRIALS = (
    _of_target(
        "WorkunitSlaBurnFast",
        "90m",
        [clocks("0+1x100", "0+9x100")],
        [
            clocks("0+4x100", "0+6x100"),
            clocks("0x100", "0x80 1 2 3 4 5 6 7 8x20"),  # too few to say anything
            clocks("0x100", "0+9x60 540x40"),  # not any more
        ],
        f"{_BUDGET} 14 times too fast: 2 % of a month's went in an hour; objective 0.95",
    ),
    _of_target(
        "WorkunitSlaBurnSlow",
        "390m",
        [clocks("0+6x40", "0+4x40")],
        [clocks("0+8x40", "0+2x40"), clocks("0+6x40", "0+4x34 136x6")],
        f"{_BUDGET} 6 times too fast: 5 % of a month's went in six hours; objective 0.95",
        slow=True,
    ),
    _of_target(
        "WorkunitSlaBurnTrend",
        "4400m",
        [clocks("0+9x450", "0+1x450")],
        [clocks("0+99x450", "0+1x450"), clocks("0+9x450", "0+1x380 380x70")],
        f"{_BUDGET} too fast: a tenth of a month's went in three days; objective 0.95",
        slow=True,
    ),
    _of_target(
        "WorkunitSlaMostMissed",
        "90m",
        [clocks("0+1x100", "0+9x100", "generous")],
        [clocks("0+1x100", "0+1x100", "generous"), clocks("0x100", "0x80 1 2 3x20", "generous")],
        "misses most of its promises: over 60% in an hour; objective 0.8",
        unit="generous",
    ),
    _of_target(
        "WorkunitSlaBreached",
        "90m",
        [clocks("0x100", "0x80 1x20"), clocks("0x50 _x30 0x20", "0x50 _x30 1x20")],  # the second while nobody looked
        [clocks("0+1x100", "0x80 1x20"), clocks("0x80 1x20", "0x100"), clocks("0x100", "0x40 1x60")],
        "missed a promise",
    ),
    _of_target(
        "WorkunitSlaBreached",
        "90m",
        [clocks("0+10x100", "0x80 1x20", "strict")],
        [clocks("0+10x100", "0x100", "strict"), clocks("9x100", "3x80 2x20", "strict")],  # of a copy that was put back
        "missed a promise",
        unit="strict",
    ),
    _of_kind(
        "WorkunitCaseWedged",
        "3m",
        "task_failing",
        ("0 2 0x9", "1 0x9"),
        "2 case(s) of usual cannot go on: the unit's code fails",
    ),
    _of_kind(
        "WorkunitNoWorker",
        "5m",
        "no_worker",
        ("0x2 1x5", "0x4 1x5"),
        "cases of usual wait for a worker: nobody serves a queue, or a version that they are pinned to",
    ),
    Trial(
        "WorkunitWatchdogGap",
        "5m",
        [{_GAP: "0x2 3x5"}],
        [{_GAP: "0x3 3x5"}, {_GAP: "3 3 0x5"}],
        "3 case(s) of usual have a deadline that was due and has not fired",
        {"unit": "usual", "kind": "deadline"},
    ),
    _of_all(
        "WorkunitWatchdogSilent",
        "10m",
        [{_PASS: "0x20"}, _NOTHING],
        [{_PASS: "0+60x20"}, {f'{_PASS}{{instance="a"}}': "0x20", f'{_PASS}{{instance="b"}}': "0+60x20"}],
        "no watchdog has looked for five minutes: nobody would say if cases stood still",
    ),
    _of_kind(
        "WorkunitEngineUnavailable",
        "5m",
        "engine_unavailable",
        ("0x2 1x5", "0x4 1x5"),
        "Temporal does not answer the watchdog: no case goes on",
    ),
    _of_all(
        "WorkunitLedgerDown",
        "5m",
        [{_UP: "1x2 0x9"}],
        [{_UP: "1x4 0x9"}, {f'{_UP}{{instance="a"}}': "0x9", f'{_UP}{{instance="b"}}': "1x9"}],
        "the ledger does not answer: cases go on, and nothing of them is counted",
    ),
    _of_all(
        "WorkunitMetricsDown",
        "5m",
        [_NOTHING],
        [{_UP: "0x9"}],
        "nobody serves the unit-level metrics: no alert on promises can fire",
    ),
    _of_all(
        "WorkunitFollowerNearRetention",
        "5m",
        [{_LAG: "64801x9"}],
        [{_LAG: "64799x9"}],
        "the ledger is behind by over a quarter of the engine's retention: closed cases will be lost to it",
    ),
    _of_all(
        "WorkunitFollowerBehind",
        "5m",
        [{_LAG: "0x2 301x9"}, {_UP: "1x9"}],
        [{_LAG: "299x9", _UP: "1x9"}, {_UP: "0x9"}, _NOTHING],
        "no follower has passed for five minutes: the ledger, and with it all figures, stand still",
    ),
    _of_kind(
        "WorkunitCasesStuck",
        "9m",
        "out_of_patience",
        ("0x2 4x9", "0x5 4x9"),
        "4 case(s) of usual stand still: out_of_patience",
    ),
    _of_kind(
        "WorkunitCasesHeld",
        "25h",
        "held",
        ("0 1x160", "0x20 1x160"),
        "for a day there was always a case of usual on hold; 1 hold(s) now",
        slow=True,
    ),
    Trial(
        "WorkunitIncidentOpen",
        "9m",
        [{_HELD: "0x2 2x9"}],
        [{_HELD: "0x5 2x9"}],
        "2 step(s) do of usual failed for good and wait for an operator",
        {"unit": "usual", "step": "do"},
    ),
    Trial(
        "WorkunitClosedOutside",
        "20m",
        [
            {_OUTSIDE % 1: "0x10 1x20", _OUTSIDE % 2: "0x40"},
            {_OUTSIDE % 1: "0 _x17 1x20"},  # while nobody looked
            {_OUTSIDE % 1: "0x40", _OUTSIDE % 2: "_x12 0 0 1x20"},  # of a version that is new
        ],
        [{_OUTSIDE % 1: "1x40"}, {_OUTSIDE % 1: "0 1x40"}],
        "cases of usual were ended past its doors: terminated, timed out or deleted in the engine",
        {"unit": "usual"},
    ),
    _of_all(
        "WorkunitDeadLetters",
        "5m",
        [{"workunit_dead_letters": "0x2 2x9"}],
        [{"workunit_dead_letters": "2 2 0x9"}],
        "2 case(s) could not be stored in the ledger and are in quarantine",
    ),
    _of_kind(
        "WorkunitDirectoryBroken",
        "5m",
        "directory_broken",
        ("0x2 1x9", "0x4 1x9"),
        "the file of people cannot be read: what was read before stays in force",
    ),
    Trial(
        "WorkunitReviewOverdue",
        "70m",
        [{'workunit_review_overdue{unit="usual"}': "0x5 1x99"}],
        [{'workunit_review_overdue{unit="usual"}': "0x20 1x99"}],
        "the review of usual by its owner is overdue",
        {"unit": "usual"},
    ),
)
