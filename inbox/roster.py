"""People, roles and who answers for what, by date, as one version of the directory file says it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from itertools import pairwise

ALWAYS = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who may act."""

    name: str
    """As it stands on records."""
    display: str
    email: str = ""
    zone: str = "UTC"
    """The IANA zone in which they read times."""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """From an instant, until just before another."""

    start: datetime = ALWAYS
    end: datetime = FOREVER

    def covers(self, at: datetime) -> bool:
        """Whether an instant is inside."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Holding(Span):
    """Who answers in an accountable role, in a span."""

    role: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class Absence(Span):
    """Who is away in a span, and who stands in."""

    person: str = ""
    substitute: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """An instant at which the roster does not say who it is."""

    role: str
    """The accountable role; empty when it is an absence that is there twice."""
    why: str


@dataclass(frozen=True)
class Roster:
    """One version of the directory."""

    people: Mapping[str, Person] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The roles of each group."""
    holdings: Sequence[Holding] = ()
    absences: Sequence[Absence] = ()
    admins: frozenset[str] = frozenset()
    """Groups whose members see all tasks of all units."""
    zone: tzinfo = UTC
    """In which days begin."""

    def roles_of_groups(self, groups: Iterable[str]) -> tuple[str, ...]:
        """The roles of some groups; a group that is not known has none."""
        return tuple(sorted({role for group in groups for role in self.groups.get(group, ())}))

    def roles_of(self, name: str, at: datetime, groups: Iterable[str] | None = None) -> tuple[str, ...]:
        """The roles of a person: those of their groups, and the accountable ones that they hold then.

        Args:
            name: The person.
            at: When.
            groups: Other groups than the directory's, such as those that a login brought.
        """
        if groups is None:
            person = self.people.get(name)
            groups = person.groups if person else ()
        held = {role for role in self.accountable_roles if self.accountable(role, at) == name}
        return tuple(sorted({*self.roles_of_groups(groups), *held}))

    @property
    def accountable_roles(self) -> tuple[str, ...]:
        """The roles of which the roster says who holds them."""
        return tuple(self._holdings_of)

    def accountable(self, role: str, at: datetime) -> str | None:
        """Who answers in a role then: its holder, or who stands in; None for a role without a holder."""
        holders = self._holders(role, at)
        return self.present(holders[0], at) if len(holders) == 1 else None

    def people_of(self, role: str, at: datetime) -> tuple[str, ...]:
        """Everybody who has a role then, the absent included."""
        groups = {group for group, roles in self.groups.items() if role in roles}
        holder = self.accountable(role, at)
        return tuple(
            person.name
            for person in self.people.values()
            if person.name == holder or groups.intersection(person.groups)
        )

    def absent(self, name: str, at: datetime) -> bool:
        """Whether someone is away then."""
        return self._absence(name, at) is not None

    def substitute_of(self, name: str, at: datetime) -> str | None:
        """Who stands in for someone who is away: where the substitute is away too, theirs."""
        return self.present(name, at) if self.absent(name, at) else None

    def stands_in_for(self, name: str, at: datetime) -> tuple[str, ...]:
        """For whom someone stands in then."""
        away = {absence.person for absence in self.absences if absence.covers(at)}
        return tuple(sorted(person for person in away if self.present(person, at) == name))

    def present(self, name: str, at: datetime) -> str | None:
        """Someone, or who stands in for them; None when all of them are away."""
        asked: set[str] = set()
        while (absence := self._absence(name, at)) is not None:
            asked.add(name)
            if absence.substitute is None or absence.substitute in asked:
                return None
            name = absence.substitute
        return name

    def _absence(self, name: str, at: datetime) -> Absence | None:
        return next((one for one in self._absences_of.get(name, ()) if one.covers(at)), None)

    def _holders(self, role: str, at: datetime) -> list[str]:
        return [one.person for one in self._holdings_of.get(role, ()) if one.covers(at)]

    @cached_property
    def _absences_of(self) -> dict[str, list[Absence]]:
        found: dict[str, list[Absence]] = {}
        for absence in self.absences:
            found.setdefault(absence.person, []).append(absence)
        return found

    @cached_property
    def _holdings_of(self) -> dict[str, list[Holding]]:
        found: dict[str, list[Holding]] = {}
        for holding in sorted(self.holdings, key=lambda one: one.role):
            found.setdefault(holding.role, []).append(holding)
        return found

    def faults(self) -> Iterator[Fault]:
        """Every span in which an accountable role is nobody's or several people's, or someone is away twice."""
        for person, mine in self._absences_of.items():
            for one, other in pairwise(sorted(mine, key=lambda absence: absence.start)):
                if other.start < one.end:
                    why = f"{person} is away twice {self._said(Span(other.start, min(one.end, other.end)))}"
                    yield Fault("", f"{why}: who stands in? Keep one of the two")
        for role in self.accountable_roles:
            for span in self._spans():
                why = self._why_not(role, span)
                if why:
                    yield Fault(role, f"{why} {self._said(span)}")

    def _why_not(self, role: str, span: Span) -> str:
        holders = self._holders(role, span.start)
        if not holders:
            return "nobody holds it"
        if len(holders) > 1:
            return f"{' and '.join(holders)} hold it at once"
        if self.present(holders[0], span.start) is None:
            return f"{holders[0]} holds it, is away, and nobody stands in"
        return ""

    def _spans(self) -> Iterator[Span]:
        """All time, cut at every instant at which something changes."""
        cuts = {ALWAYS, FOREVER}
        for one in (*self.holdings, *self.absences):
            cuts |= {one.start, one.end}
        for start, end in pairwise(sorted(cuts)):
            yield Span(start, end)

    def _said(self, span: Span) -> str:
        start = "" if span.start == ALWAYS else f"from {self._moment(span.start)}"
        end = "" if span.end == FOREVER else f"until {self._moment(span.end)}"
        return " ".join(part for part in (start, end) if part) or "at any time"

    def _moment(self, at: datetime) -> str:
        local = at.astimezone(self.zone)
        midnight = not (local.hour or local.minute or local.second)
        return local.date().isoformat() if midnight else local.isoformat(timespec="minutes")
