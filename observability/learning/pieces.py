"""Pieces of work of a trace: its schedules, starts and completions paired; docs/baseline.md has the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from observability.learning.mapping import Transition

Interval = tuple[int, int]


@dataclass(slots=True, eq=False)
class Piece:
    """One performance of a step; times in microseconds since 1970."""

    step: str
    kind: str
    performer: str | None = None
    """The resource that began it, or that completed it where nobody is seen to begin it."""
    instance: str | None = None
    ready: int | None = None
    """When it was put in the queue; none: the log does not say."""
    work: list[Interval] = field(default_factory=list)
    """Finished intervals."""
    ends: list[Transition] = field(default_factory=list)
    """How each of them ended."""
    since: int | None = None
    """Since when someone is working on it."""
    done: int | None = None
    """When it ended for good."""
    end: Transition | None = None
    """`complete`, `withdraw` or `abort`; none: it did not end in the log."""

    @property
    def begun(self) -> int | None:
        """When work on it began; none: the log does not say."""
        return self.work[0][0] if self.work else self.since

    @property
    def performed(self) -> bool:
        """Whether anyone worked on it, as far as the log tells."""
        return self.begun is not None or self.end == "complete"

    @property
    def at(self) -> int:
        """When it was performed, for its place among others."""
        known = (self.begun, self.done, self.ready)
        return next(time for time in known if time is not None)

    @property
    def queue(self) -> int | None:
        """From the queue to the first start, in microseconds."""
        return None if self.ready is None or self.begun is None else self.begun - self.ready

    @property
    def touch(self) -> int | None:
        """How long it was worked on, in microseconds; none where a start or an end is missing."""
        if not self.work or self.end is None:
            return None
        return sum(end - start for start, end in self.work)


class Bench:
    """The pieces of one step in one trace, while its events are read in their order in time."""

    def __init__(self, step: str, kind_of: Callable[[str | None], str]) -> None:
        """Begin empty.

        Args:
            step: The step.
            kind_of: The executor kind of a resource on this step.
        """
        self.pieces: list[Piece] = []
        self._step, self._kind_of = step, kind_of
        self._waiting: list[Piece] = []
        self._doing: list[Piece] = []
        self._held: list[Piece] = []

    def take(self, what: Transition, at: int, resource: str | None, instance: str | None) -> None:
        """Read one event of the step."""
        if what == "schedule":
            self._waiting.append(self._new(instance, ready=at))
        elif what in ("start", "resume"):
            self._begin(at, resource, instance, self._held if what == "resume" else self._waiting)
        elif what == "suspend":
            piece = _pick(self._doing, resource, instance)
            if piece is not None:
                _stop(piece, at, what)
                self._held.append(piece)
        elif what != "ignore":
            self._finish(what, at, resource, instance)

    def _new(self, instance: str | None, ready: int | None = None) -> Piece:
        self.pieces.append(Piece(self._step, self._kind_of(None), instance=instance, ready=ready))
        return self.pieces[-1]

    def _begin(self, at: int, resource: str | None, instance: str | None, source: list[Piece]) -> None:
        piece = _pick(source, resource, instance) or self._new(instance)
        piece.since = at
        if not piece.work:
            piece.performer, piece.kind = resource, self._kind_of(resource)
        self._doing.append(piece)

    def _finish(self, what: Transition, at: int, resource: str | None, instance: str | None) -> None:
        order = [self._doing, self._held, self._waiting]
        if what == "withdraw":
            order.reverse()
        found = (_pick(pieces, resource, instance) for pieces in order)
        piece = next((piece for piece in found if piece is not None), None)
        if piece is None:
            if what != "complete":
                return
            piece = self._new(instance)
        if piece.since is not None:
            _stop(piece, at, what)
        if piece.performer is None and what == "complete":
            piece.performer, piece.kind = resource, self._kind_of(resource)
        piece.done, piece.end = at, what


def in_order(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces by the time at which they were performed."""
    return sorted(pieces, key=lambda piece: (piece.at, piece.done if piece.done is not None else piece.at))


def _pick(pieces: list[Piece], resource: str | None, instance: str | None) -> Piece | None:
    """Take out the one that an event is about: of its instance; else of its resource; else the oldest."""
    if instance is not None:
        fits = [piece for piece in pieces if piece.instance == instance]
    else:
        fits = [piece for piece in pieces if piece.performer == resource] or pieces
    if not fits:
        return None
    found = fits[0]
    pieces.remove(found)
    return found


def _stop(piece: Piece, at: int, how: Transition) -> None:
    if piece.since is not None:
        piece.work.append((piece.since, at))
        piece.ends.append(how)
        piece.since = None
