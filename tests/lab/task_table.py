"""A small model of human tasks, written from the table of semantics section 1 and from nothing else.

It knows the unit `Hall`: which tasks follow which, and when its case closes. The stateful test drives it beside
the real engine and compares.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

OPEN = ("created", "ready", "claimed", "in_progress", "waiting", "suspended")
WORKED = ("claimed", "in_progress")
# action -> from, to (`=` the same, `<` the one before), who
TABLE: dict[str, tuple[tuple[str, ...], str, str]] = {
    "activate": (("created",), "ready", "system"),
    "claim": (("ready",), "claimed", "candidate"),
    "assign": (("ready", *WORKED), "claimed", "admin accountable"),
    "release": (WORKED, "ready", "owner admin"),
    "start": (("ready", "claimed"), "in_progress", "candidate"),
    "stop": (("in_progress",), "claimed", "owner"),
    "wait": (("in_progress",), "waiting", "owner"),
    "resume": (("waiting", "suspended"), "<", ""),
    "suspend": (OPEN[:-1], "suspended", "admin accountable"),
    "delegate": (WORKED, "claimed", "owner"),
    "resolve": (WORKED, "claimed", "owner"),
    "forward": (WORKED, "ready", "owner admin"),
    "escalate": (OPEN, "=", "system owner"),
    "complete": (("ready", *WORKED), "completed", "candidate"),
    "fail": (OPEN, "failed", "owner admin"),
    "skip": (OPEN, "skipped", "owner admin initiator"),
    "cancel": (OPEN, "cancelled", "system admin"),
}
# The table gives a wait to its owner; the code lets an admin and the accountable end it too, and so does this.
RESUMES = {"waiting": "owner system admin accountable", "suspended": "admin accountable"}
ROLES = {
    "ann": ("clerk",),
    "bob": ("clerk", "member"),
    "cyd": ("clerk", "member"),
    "dan": ("member",),
    "ivo": (),
    "hal": ("desk head",),
    "kim": ("chair", "member"),
    "ops": ("operations",),
    "top": ("head of tests",),
    "robot": ("system",),
}
INITIATOR = "ivo"
ADMINS = {"operations", "head of tests"}
NOT_THEIRS = ("not_owner", "not_candidate", "not_allowed")
PERFORMED = ("completed", "failed", "skipped")


@dataclass(frozen=True)
class Deed:
    """What someone does."""

    id: str
    key: str
    """Of the task."""
    action: str
    actor: str
    revision: int
    body: tuple[tuple[str, Any], ...] = ()
    acting_for: str | None = None

    @property
    def persons(self) -> set[str]:
        """Who acts, and for whom."""
        return {self.actor} | ({self.acting_for} if self.acting_for else set())

    @property
    def said(self) -> dict[str, Any]:
        """Its body."""
        return dict(self.body)

    @property
    def asked(self) -> Deed:
        """What a repetition has to ask for again."""
        return replace(self, revision=0)


@dataclass
class Chore:
    """A task, as the table has it."""

    key: str
    role: str
    accountable: str
    state: str = "ready"
    revision: int = 1
    owner: str | None = None
    delegator: str | None = None
    also: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    barred: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    level: int = 0
    before: str | None = None
    waits_for: str | None = None
    hands: tuple[str | None, str | None] = (None, None)
    """Who performs it now, and for whom."""
    helpers: list[str] = field(default_factory=list)
    """Who did it for whoever signs it off."""

    @property
    def step(self) -> str:
        """Its step."""
        return self.key.partition("-")[0]

    def facts(self) -> dict[str, Any]:
        """What everybody can see of it."""
        hidden = ("key", "accountable", "hands", "helpers")
        return {name: value for name, value in vars(self).items() if name not in hidden}


@dataclass
class Model:
    """A case of `Hall`."""

    tasks: dict[str, Chore] = field(default_factory=dict)
    accepted: dict[str, tuple[Deed, tuple[str, int]]] = field(default_factory=dict)
    """Action id -> the action and its answer, in their order."""
    ended: list[tuple[Chore, Deed]] = field(default_factory=list)
    """What the case has not gone on from: messages that arrive together are all judged before it does."""
    ignored: int = 0
    close: str | None = None
    votes: list[str] = field(default_factory=list)
    verdict: str | None = None
    checked: str | None = None

    def __post_init__(self) -> None:
        """Open the first tasks."""
        self._open("prepare", "clerk", "desk head")
        for number in range(1, 4):
            self._open(f"vote-v{number}", "member", "chair")

    def open_tasks(self) -> dict[str, Chore]:
        """Those on which someone may act."""
        return {} if self.close else {key: task for key, task in self.tasks.items() if task.state in OPEN}

    def take(self, deed: Deed, *, signal: bool = False) -> tuple[str, int] | set[str]:
        """Do it: the task's state and revision after it, or every reason why not."""
        if deed.id in self.accepted:
            first, answer = self.accepted[deed.id]
            said: tuple[str, int] | set[str] = answer if first.asked == deed.asked else {"action_id_reused"}
        else:
            said = self.objections(deed) or self._do(deed)
        self.ignored += bool(signal and isinstance(said, set) and not self.close)
        return said

    def go_on(self) -> None:
        """Let the case go on from what has ended."""
        for task, deed in self.ended:
            self._follow(task, deed)
        self.ended = []
        self._exclude()
        if self.checked and self.verdict:
            self._end("achieved" if self.checked == self.verdict == "grant" else "not_achieved")

    # -- why not

    def objections(self, deed: Deed) -> set[str]:
        """Every reason that speaks against an action; the unit may name any of them."""
        task = self.tasks[deed.key]
        if self.close:
            return {"closed"}
        sources, _, who = TABLE[deed.action]
        found = set()
        if task.state not in OPEN:
            found.add("closed")
        if task.state not in sources or (deed.action == "resolve" and not task.delegator):
            found.add("wrong_state")
        found |= self._not_theirs(task, deed, who or RESUMES.get(task.state, "owner system"))
        if deed.revision != task.revision:
            found.add("stale_revision")
        if "candidate" in who and deed.persons & set(task.excluded):
            found.add("excluded")
        if task.delegator and self._drops_sign_off(deed, who):
            found.add("sign_off")
        return found | self._unfit(task, deed)

    def _drops_sign_off(self, deed: Deed, who: str) -> bool:
        """The delegator signs off, so the owner does not end it, and lets nobody else do so."""
        roles = set(roles_of(deed))
        if ("admin" in who and roles & ADMINS) or ("system" in who and "system" in roles):
            return False
        return deed.action in ("complete", "release", "forward") or deed.said.get("how") == "reassign_up"

    def _not_theirs(self, task: Chore, deed: Deed, who: str) -> set[str]:
        """Only an owner does what is an owner's; what is a candidate's, too, once there is an owner."""
        is_owner = task.owner in deed.persons
        roles = set(roles_of(deed))
        takes = roles & {task.role, *task.also} or deed.persons & set(task.people)
        relations = {
            "owner": is_owner,
            "candidate": is_owner or (takes and not deed.persons & set(task.barred) and task.owner is None),
            "admin": roles & ADMINS,
            "accountable": task.accountable in roles,
            "initiator": INITIATOR in deed.persons,
            "system": "system" in roles,
        }
        allowed = any(relations[relation] for relation in who.split())
        return set() if allowed else set(NOT_THEIRS)

    def _unfit(self, task: Chore, deed: Deed) -> set[str]:
        """What is wrong with what it says."""
        said, to = deed.said, deed.said.get("to")
        wrong = {
            "release": task.state == "in_progress" and not said.get("reason"),
            "wait": said.get("reason") != "customer" or task.step == "check",
            "fail": said.get("code") != "odd" or task.step != "prepare",
            "delegate": to is None or to in (task.owner, task.delegator),
            "assign": to is None,
            "forward": (to is None) == (said.get("role") is None) or not said.get("reason") or to in deed.persons,
            "complete": task.step != "prepare" and said.get("decision") not in ("grant", "refuse"),
        }.get(deed.action, False)
        found = {"invalid_field"} if wrong else set()
        if to in task.excluded:
            found.add("excluded")
        if deed.action == "skip" and task.step != "prepare":
            found.add("not_skippable")
        if deed.action == "forward" and task.step == "check":
            found.add("not_forwardable")
        return found

    # -- what then

    def _do(self, deed: Deed) -> tuple[str, int]:
        task = self.tasks[deed.key]
        if deed.action != "assign" or deed.said["to"] != task.owner:  # that would be no event
            before, task.state = task.state, self._leads(task, deed)
            task.revision += 1
            if task.state != before:
                task.before = before if task.state == "suspended" else None
            self._hand(task, deed)
            if task.state not in ("waiting", "suspended"):
                task.waits_for = None
            elif deed.action == "wait":
                task.waits_for = deed.said["reason"]
            if task.state not in OPEN:
                self.ended.append((task, deed))
                self._exclude()
        self.accepted[deed.id] = deed, (task.state, task.revision)
        return task.state, task.revision

    def _leads(self, task: Chore, deed: Deed) -> str:
        if deed.action == "escalate":
            return "ready" if deed.said["how"] == "reassign_up" else task.state
        if deed.action == "resume":
            return "in_progress" if task.state == "waiting" else str(task.before)
        return TABLE[deed.action][1]

    def _hand(self, task: Chore, deed: Deed) -> None:
        """Whose it is now."""
        said, action = deed.said, deed.action
        if action in ("claim", "start", "complete"):
            task.owner, task.hands = task.owner or deed.actor, (deed.actor, deed.acting_for)
        elif action == "delegate":
            task.delegator = task.delegator or task.owner
            task.owner, task.hands = said["to"], (said["to"], None)
        elif action == "assign":
            task.owner, task.delegator, task.hands = said["to"], None, (said["to"], None)
        elif action == "resolve":
            task.helpers += sorted(deed.persons)
            task.owner, task.delegator, task.hands = task.delegator, None, (task.delegator, None)
        elif action == "escalate":
            self._escalate(task, said["how"])
        elif action == "forward":
            self._forward(task, deed)
        if task.state == "ready":
            task.owner, task.delegator, task.hands, task.helpers = None, None, (None, None), []
        if action == "fail" and task.hands[0] is None:
            task.hands = deed.actor, deed.acting_for

    def _escalate(self, task: Chore, how: str) -> None:
        task.level += 1
        if how == "reassign_up":
            task.role, task.also, task.people = task.accountable, [], []
        elif task.accountable not in (task.role, *task.also):
            task.also = [*task.also, task.accountable]

    def _forward(self, task: Chore, deed: Deed) -> None:
        sender, to, role = deed.acting_for or deed.actor, deed.said.get("to"), deed.said.get("role")
        task.barred = [*task.barred, *([sender] if sender not in task.barred else [])]
        task.role = role or task.role
        if to:
            task.people, task.barred = [to], [name for name in task.barred if name != to]

    # -- what follows in the case

    def _open(self, key: str, role: str, accountable: str) -> None:
        self.tasks[key] = Chore(key, role, accountable)

    def _follow(self, task: Chore, deed: Deed) -> None:
        """A task has ended: what the unit asks next, or how the case closes."""
        if task.state == "failed":
            self._end("not_achieved")
        elif task.step == "vote":
            self._vote(task, deed)
        elif task.state == "cancelled":
            self._end("cancelled")
        elif task.step == "prepare":
            self._again("check")
        elif deed.said.get("reason") == "again":
            self._again("prepare")
        else:
            self.checked = deed.said["decision"]

    def _again(self, step: str) -> None:
        times = 1 + sum(task.step == step for task in self.tasks.values())
        self._open(step if times == 1 else f"{step}-{times}", "clerk", "desk head")

    def _vote(self, task: Chore, deed: Deed) -> None:
        if task.state == "completed":
            self.votes.append(deed.said["decision"])
        most = Counter(self.votes).most_common(1)
        if most and most[0][1] == 2:
            self.verdict = most[0][0]
            for other in self._open_votes():
                other.state, other.revision = "cancelled", other.revision + 1
        elif not self._open_votes():
            self._end("not_achieved")

    def _open_votes(self) -> list[Chore]:
        return [task for task in self.open_tasks().values() if task.step == "vote"]

    def _exclude(self) -> None:
        """Whoever performed what a task checks, or gave another vote, may not do it."""
        for task in self.tasks.values():
            rivals = {"check": "prepare", "vote": "vote"}.get(task.step)
            others = (other for other in self.tasks.values() if other.step == rivals and other is not task)
            ended = (other for other in others if other.state in PERFORMED)
            names = set(itertools.chain.from_iterable((*other.hands, *other.helpers) for other in ended))
            if task.state in OPEN:
                task.excluded = sorted(name for name in names if name)

    def _end(self, close: str) -> None:
        self.close = self.close or close


def roles_of(deed: Deed) -> tuple[str, ...]:
    """The roles for which a door would vouch: the actor's, and those of whom they stand in for."""
    return ROLES[deed.actor] + (ROLES[deed.acting_for] if deed.acting_for else ())
