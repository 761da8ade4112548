"""Guardrails: measures that a change must not cost, whatever it gains, judged at the looks of the primary measure.

Whoever asked after every case whether one got worse would be told so sooner or later, for nothing. So nothing that came
between two looks is used, and each look may err in all its guardrails together as often as it may in the primary one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from observability.learning.arms import Arm
from observability.learning.contrasts import Contrast, contrast, holm
from observability.learning.looks import Look, moment_of

GUARDRAILS = ("sla_attainment", "exception_rate", "override_rate", "cost_per_outcome")


@dataclass(frozen=True, slots=True)
class Breach:
    """The first look at which a guardrail got worse beyond chance."""

    look: Look
    at: float
    """Its moment, in seconds since 1970."""
    contrast: Contrast
    """By the data of that moment."""


def breaches(first: Arm, second: Arm, names: Sequence[str], due: Sequence[Look]) -> dict[str, Breach]:
    """The guardrails that got worse at a look, Holm's correction made among those of a look: what is broken stays so.

    Args:
        first: One version's cases.
        second: The newer one's.
        names: The guardrails.
        due: The looks, in their order; those whose time has not come say nothing.
    """
    found: dict[str, Breach] = {}
    for look in due:
        at = moment_of(look, first, second)
        if at is None:
            break
        one, two = first.at(at), second.at(at)
        told = {name: contrast(name, one, two, look.alpha) for name in names}
        for name in holm(told, look.alpha):
            if told[name].direction < 0:
                found.setdefault(name, Breach(look, at, told[name]))
    return found
