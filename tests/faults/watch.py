"""A watchdog in the test's own process, and the way to what it finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.faults.fleet import Fleet
from tests.faults.package import PACKAGE
from workers.processes.watchdog import Look, Watchdog
from workers.settings import Settings
from workers.watching.finding import Finding
from workunits.registry import Catalog

T = TypeVar("T")

GRACE = 1.0
"""Seconds."""
PEOPLE = """
zone = "UTC"

[groups]
clerks = [{clerk!r}]

[[person]]
name = "ann"
display = "Ann"
groups = ["clerks"]

[[person]]
name = "head"
display = "The head"

[[accountable]]
role = "head of errands"
person = "head"
"""


class Watch:
    """Looks once whenever the test asks."""

    def __init__(self, fleet: Fleet, **more: object) -> None:
        """Watch the queue of a fleet."""
        self.fleet = fleet
        given = {"queue": fleet.queue, "deployment": fleet.queue, "watchdog_grace_seconds": GRACE, **more}
        self.watchdog = Watchdog(Settings.model_validate(given), Catalog([PACKAGE]))

    async def look(self) -> Look:
        """All that it finds, also of cases that other tests left behind."""
        return await self.watchdog.once()

    async def of(self, case: str) -> list[Finding]:
        """What it finds of a case."""
        return [finding for finding in (await self.look()).change.now if finding.case == case]

    async def until(self, kind: str, case: str | None = None, about: str = "") -> Finding:
        """A finding, once there is one."""

        def fits(finding: Finding) -> bool:
            return finding.kind == kind and finding.case == case and about in finding.about

        return await self.until_look(lambda look: next(filter(fits, look.change.now), None))

    async def until_look(self, seen: Callable[[Look], T | None]) -> T:
        """What is seen in a look, once something is."""

        async def look_again() -> T | None:
            return seen(await self.look())

        return await self.fleet.until(look_again)

    async def until_well(self, case: str) -> None:
        """Wait until there is nothing to say of a case."""
        await self.until_look(lambda look: all(finding.case != case for finding in look.change.now))


def write_people(folder: Path, clerk: str = "clerk") -> Path:
    """Write a directory in which one group has one role."""
    path = folder / "people.toml"
    path.write_text(PEOPLE.format(clerk=clerk), encoding="utf-8")
    return path
