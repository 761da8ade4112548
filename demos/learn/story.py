"""The story of the quarter: version 1 runs, the slow step is found, a change is proposed, tried, judged, adopted.

Nothing in it is told beforehand. The advice, the verdict and the baselines come from the ledger; were the verdict
another one, the story would end otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from demos.invoices import world
from demos.learn import charts
from demos.learn.quarter import Quarter
from observability.learning.advising import Advice, Suggestion, advise
from observability.learning.baseline import Baseline, newest_baseline
from observability.learning.changes import Choice, Proposal, decide, entries_of, gathered, propose
from observability.learning.comparing import Comparison, Plan, as_json
from observability.learning.drift import charts as drift_charts
from observability.learning.selection import Asked
from observability.learning.standing import standing_of
from observability.learning.verdicts import judge, verdict_of
from observability.learning.version_baseline import Signature, freeze_version
from workers.pages import advise as advise_page
from workers.pages import baseline as baseline_page
from workers.pages import compare as compare_page
from workers.pages import learn as learn_page
from workers.pages.words import micro
from workers.rollout import Place, roll_out, stop
from workers.simulating.executing import Executed, Executor
from workers.simulating.house import Build, House
from workers.simulating.plan import moment
from workunits.core.errors import WorkUnitsError
from workunits.core.working import DAY
from workunits.rollout import Rollout, read

UNIT = world.UNIT
BUILDS = (Build("invoices-1", "demos.invoices.package_1"), Build("invoices-2", "demos.invoices.package_2"))
OWNER, ROLE = "fay.finance", "head of finance"
MEASURE = "cycle_time"
HALF = 50.0
_HOUR, _SECOND = 3_600_000_000, 1_000_000
_TOLD_EVERY = 25
Say = Callable[[str], None]


class NothingFoundError(WorkUnitsError):
    """The advice names no step that the second version changes: the quarter was too short, or had too few cases."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """Something that happened in the quarter, as a reader has it."""

    at: datetime
    """On the simulated calendar."""
    title: str
    told: str
    command: str
    """The command that does the same."""
    said: str
    """What that command says."""
    chart: str = ""


@dataclass
class Story:
    """What came of the quarter."""

    quarter: Quarter
    chapters: list[Chapter] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    """The same for a program."""
    executed: dict[str, Executed] = field(default_factory=dict)
    """Each case as it stood last."""
    summary: str = ""
    seconds: float = 0.0
    """Of real time."""


class Teller:
    """Lives through the quarter, one part after the other."""

    def __init__(self, house: House, quarter: Quarter, say: Say) -> None:
        """Begin.

        Args:
            house: Where cases are executed.
            quarter: Which cases.
            say: Told of progress, a line at a time.
        """
        self.story = Story(quarter)
        self._house, self._quarter, self._say = house, quarter, say
        self._unit = house.catalog.get(UNIT)
        self._executor = Executor(house.cases, house.skipper, on_done=self._count)
        self._now = quarter.begin
        self._waiting = self._done = 0
        self._change = 0
        """The number that the learning ledger gave to the change."""

    async def tell(self) -> Story:
        """Live through all of it.

        Raises:
            NothingFoundError: the advice names nothing that the second version changes.
            OtherwiseError: a case went otherwise than planned.
        """
        await self._before()
        await self._propose(await self._advise())
        found = await self._try()
        await self._decide(found)
        await self._live(None)
        if found.outcome == "better":
            await self._raise_baseline()
        await self._sum_up(found)
        return self.story

    async def _before(self) -> None:
        """Version 1 alone, and the baseline that is frozen from it."""
        quarter = self._quarter
        quarter.replan(lambda _key, _at: "1", quarter.begin)
        self._say(f"version 1 alone, {quarter.weeks.before} weeks")
        await self._live(quarter.trial)
        baseline = await asyncio.to_thread(self._freeze, "1", None)
        self._tell(
            "Where it stands",
            "After the first weeks the owner freezes what there is to beat, before anybody wants to change anything.",
            f"workunits baseline freeze {UNIT} --version 1",
            baseline_page.page(baseline),
        )

    async def _advise(self) -> Advice:
        advice = await asyncio.to_thread(advise, self._house.ledger, self._unit)
        self._tell(
            "What to look at first",
            "The ledger is asked where the time goes. Nobody has told it which step is slow.",
            f"workunits advise {UNIT}",
            advise_page.page(advice),
        )
        self.story.document["advice"] = advice.as_json()
        return advice

    async def _propose(self, advice: Advice) -> None:
        found = next((one for one in advice.suggestions if (one.step, one.part) == ("release", "queue")), None)
        if found is None:
            raise NothingFoundError("the advice does not name the queue of the step `release`; simulate more cases")
        wanted = Proposal(
            from_version="1",
            to_version="2",
            hypothesis="Invoices wait for the budget owner, who says what the purchase rule says wherever it decides.",
            expected=f"Up to {_saving(found)} less cycle time per case: all of it where the rule decides.",
            measure=MEASURE,
        )
        entry = await asyncio.to_thread(propose, self._house.ledger, self._unit, wanted, OWNER, moment(self._now))
        self._change = entry.change or 0
        self._tell(
            "The change that is proposed",
            "Version 2 lets the purchase rule decide where it can, and asks the budget owner about the rest. What is "
            "expected, and the one measure that decides, stand in the learning ledger before the trial begins.",
            f"workunits learn propose {UNIT} --from 1 --to 2 --measure {MEASURE} --hypothesis ... --expected ...",
            "\n".join((learn_page.line(entry), f"because   {wanted.hypothesis}", f"expected  {wanted.expected}")),
        )
        self.story.document["proposal"] = entry

    async def _try(self) -> Comparison:
        """Both versions side by side, until a look has said enough, or the last week is over."""
        quarter = self._quarter
        self._say("both versions, half of the new cases each, by the hash of their key")
        split = await roll_out(self._place, UNIT, "2", HALF, OWNER)
        self._house.cases.rollouts.look_again()
        quarter.replan(lambda key, at: "1" if at < quarter.trial else _arm(split, key), self._now)
        found = await self._look(quarter.mondays[0])
        for monday in quarter.mondays[1:]:
            if not found.due:  # no look is left, or one has said enough
                break
            found = await self._look(monday)
        quarter.decision = self._now
        self.story.document["comparison"] = as_json(found)
        self._tell(
            "The trial",
            "Half of the new cases go to each version, by the hash of their business key, and stay there: two builds "
            "of the worker run side by side. The comparison is asked for each week; it decides at four looks at most, "
            f"fixed before the trial, the last one after {quarter.planned} ended cases. Open cases count as censored.",
            f"workunits compare {UNIT} 1 2 --planned {quarter.planned}",
            compare_page.page(found),
            charts.still_open(charts.dots(self._house.ledger, UNIT, moment(quarter.trial), moment(self._now))),
        )
        return found

    async def _look(self, monday: int) -> Comparison:
        await self._live(monday)
        found = await asyncio.to_thread(self._compare)
        self._say(f"compared: {found.outcome.replace('_', ' ')}")
        return found

    def _compare(self) -> Comparison:
        with self._house.ledger.read() as connection:
            return judge(
                connection, self._unit, ("1", "2"), moment(self._now), plan=Plan(MEASURE, planned=self._quarter.planned)
            )

    async def _decide(self, found: Comparison) -> None:
        """What the verdict allows is done: all new cases go to the better version, or back to the old one."""
        better = found.outcome == "better"
        reason = f"The verdict is {found.outcome.replace('_', ' ')}: cycle time {_means(found)}."
        choice = Choice("adopt" if better else "drop", reason, OWNER, moment(self._now))
        entry = await asyncio.to_thread(decide, self._house.ledger, UNIT, self._change, verdict_of(found), choice)
        self._tell(
            "The decision",
            "All new cases go to version 2 from now on; those of version 1 end on the build that they began on."
            if better
            else "All new cases go back to version 1; those of version 2 end on the build that they began on.",
            f"workunits learn decide {UNIT} {self._change} {choice.decision} --reason ...",
            learn_page.line(entry),
        )
        self.story.document["decision"] = entry
        split = (await read(self._house.client, self._house.own.deployment))[UNIT]
        if better:
            await self._house.deploy(BUILDS[1])  # the split ends with it
        else:
            await stop(self._place, UNIT, OWNER, reason)
        self._house.cases.rollouts.look_again()
        trial, decision, then = self._quarter.trial, self._quarter.decision, "2" if better else "1"
        self._quarter.replan(
            lambda key, at: "1" if at < trial else _arm(split, key) if at < decision else then, self._now
        )

    async def _raise_baseline(self) -> None:
        baseline = await asyncio.to_thread(self._freeze, "2", moment(self._quarter.decision))
        self._tell(
            "The baseline is raised",
            "The better version's own figures, since it has all new cases, are what the next change has to beat. The "
            "ledger takes a new baseline only after such a verdict, or after a shift of the drift chart.",
            f"workunits baseline freeze {UNIT} --version 2",
            baseline_page.page(baseline),
        )

    async def _sum_up(self, found: Comparison) -> None:
        """The unit's learning ledger as it now stands, and the sentence that the page begins with."""
        ledger, now = self._house.ledger, moment(self._now)
        with ledger.read() as connection:
            entries = entries_of(connection, UNIT)
            stands = standing_of(connection, self._unit, now)
            drift = drift_charts(connection, UNIT, now, baseline=newest_baseline(connection, UNIT))
        self._tell(
            "What the learning ledger keeps",
            "Who proposes the next change finds what was tried, why, what came of it, and who decided.",
            f"workunits learn history {UNIT}",
            learn_page.page(stands, entries, gathered(entries), drift),
        )
        done = {"better": "it was adopted, and the baseline raised"}.get(found.outcome, "it was dropped")
        outcome = found.outcome.replace("_", " ")
        self.story.summary = f"Mean cycle time {_means(found)}: the verdict on version 2 is {outcome}, {done}."

    @property
    def _place(self) -> Place:
        """Where the version is rolled out."""
        house = self._house
        return Place(house.client, house.ledger, house.own.deployment, house.own.queue, lambda: moment(self._now))

    def _freeze(self, version: str, since: datetime | None) -> Baseline:
        now = moment(self._now)
        asked = Asked(UNIT, since=since, until=now, version=version)
        made = freeze_version(self._house.ledger, self._unit, asked, Signature(OWNER, (ROLE,), now))
        median = made.figures["cycle_time_us"]["median"]["value"] / _HOUR
        told = {"name": made.name, "n": made.n, "median_hours": round(median, 2)}
        self.story.document.setdefault("baselines", []).append(told)
        return made

    async def _live(self, until: int | None) -> None:
        """Execute the plan up to a moment, or to its end, and have the ledger see it."""
        closed = {key for key, one in self.story.executed.items() if not one.view.is_open}
        waiting = [
            one
            for one in self._quarter.plan
            if one.arrival.key not in closed and (until is None or one.arrival.at < until)
        ]
        self._waiting, self._done = len(waiting), 0
        done = await self._executor.execute(waiting, until)
        self.story.executed |= {one.planned.arrival.key: one for one in done}
        await self._house.follow()
        self._now = until or max(self._quarter.end, *(one.ends + DAY for one in self._quarter.plan))

    def _count(self, _: Executed) -> None:
        self._done += 1
        if self._done % _TOLD_EVERY == 0 or self._done == self._waiting:
            self._say(f"  {self._done} of {self._waiting} cases")

    def _tell(self, title: str, told: str, command: str, said: str, chart: str = "") -> None:
        self.story.chapters.append(Chapter(moment(self._now), title, told, command, said, chart))
        self._say(title)


def _arm(split: Rollout, key: str) -> str:
    """The version of a business key in the trial."""
    return split.newer if split.takes(key) else split.older


def _saving(found: Suggestion) -> str:
    """What is to be expected, in words."""
    return micro(round(found.effect.mean)) if found.effect else "a part of the wait"


def _means(found: Comparison) -> str:
    """The two versions' figures, in words."""
    told = ["not known" if value is None else micro(round(value * _SECOND)) for value in found.primary.values]
    return f"{told[0]} with version 1, {told[1]} with version 2"
