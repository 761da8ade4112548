"""What is published, on a page: what changed, whether open cases would go on, and who signed what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from workers.governing.publishing import Offer, Shown
from workers.pages.changes import sections
from workers.pages.words import moment, plain
from workunits.governance import Need, Part, Published, Signature

_PARTS: Mapping[Part, str] = {
    "definition": "the definition, by its owner",
    "boundary": "the boundary, by who answers for the outcome",
    "steps": "the boundary of steps, by who answers for these",
}
_NUMBERS: Mapping[int, str] = {2: "two", 3: "three", 4: "four"}
_SIGNED_AS: Mapping[Part, str] = {
    "definition": "as owner",
    "boundary": "as who answers for the outcome",
    "steps": "as who answers for steps",
}


def change_lines(offered: Offer) -> Iterator[str]:
    """What changes against what was published last."""
    name = offered.unit.unit_name
    if offered.is_published:
        assert offered.there  # noqa: S101 - what is published is there
        yield f"{name}: {offered} is {offered.there.stage}, as it was signed"
        return
    if offered.before is None:
        yield f"{name}: {offered}, the first to be published; all of its boundary is new"
    else:
        yield f"{name}: from {offered.before} to {offered}"
    yield from sections(offered.made)
    if offered.before and not offered.made:
        yield "The two definitions say the same, but for the version."
    breaking = sum(change.breaking for change in offered.made)
    if breaking:
        yield ""
        yield f"{breaking} of {len(offered.made)} change(s) break those who use it."


def shown_lines(shown: Shown) -> Iterator[str]:
    """What the stored histories show of open cases, and what they do not."""
    noun = "history" if shown.histories == 1 else "histories"
    yield f"Replayed {shown.histories} stored {noun} of this version: open cases go on."
    if shown.unseen:
        yield f"NOT SHOWN: no history performs {', '.join(shown.unseen)}. Of open cases there, nothing is known."


def sign_lines(
    offered: Offer, kept: Sequence[Signature], missing: Sequence[Need], holders: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Who signed, who has not, and who may; with what to type where the directory knows somebody."""
    needed, unit = offered.needed, offered.unit.unit_name
    yield "Sign-offs"
    for one in kept:
        yield f"  {_part(one, needed)}: {plain(one.who)} as {plain(one.role)}, {moment(one.at)}"
    for need in missing:
        may = holders.get(need.role)
        who = "" if may is None else f"; by the directory: {', '.join(may) or 'nobody; add them to the directory'}"
        command = f"; workunits publish {unit} --as {may[0]}" if may else ""
        yield f"  {_part(need, needed)}: missing, of {plain(need.role)}{plain(who)}{plain(command)}"
    for one in offered.fallen:
        part = "boundary of steps" if one.of == "steps" else one.of
        yield f"  fallen, for the {part} has changed since: {plain(one.who)} as {plain(one.role)}, {moment(one.at)}"


def _part(one: Need | Signature, needed: Sequence[Need]) -> str:
    """What is signed, and whether by a role that it is taken from."""
    leaving = any(need.leaving and (need.role, need.of) == (one.role, one.of) for need in needed)
    return f"the {one.of}, by who answered until now and hands over" if leaving else _PARTS[one.of]


def how_many_signed(signatures: Sequence[Signature], leaving: Sequence[Need]) -> str:
    """How many people stand for it, and each as what."""
    hands_over = {(need.role, need.of) for need in leaving}
    by: dict[str, list[tuple[str, str]]] = {}
    for one in signatures:
        named = "as who hands over" if (one.role, one.of) in hands_over else _SIGNED_AS[one.of]
        by.setdefault(one.who, []).append((one.role, named))
    if len(by) > 1:
        said = (f"{who} {' and '.join(dict.fromkeys(as_ for _, as_ in parts))}" for who, parts in by.items())
        return f"{_NUMBERS.get(len(by), len(by))} people signed: {', '.join(said)}"
    ((who, parts),) = by.items()
    roles = list(dict.fromkeys(role for role, _ in parts))
    rest = f"and as {', '.join(roles[1:])}" if roles[1:] else "which is both owner and accountable"
    every = "both" if len(parts) == 2 else "all"  # noqa: PLR2004 - so many are both
    return f"one person signed for {every}: {who} as {roles[0]}, {rest}"


def made_lines(published: Published, file: str) -> Iterator[str]:
    """What came of a sign-off."""
    name = f"{published.unit} {published}"
    if published.missing:
        roles = " and ".join(sorted({need.role for need in published.missing}))
        yield f"{name} is a draft until {plain(roles)} signs too: workunits publish {published.unit} --as NAME"
    else:
        yield f"{name} is {published.stage}: {plain(how_many_signed(published.signatures, published.leaving))}."
    yield f"Written: {file}. Review and deploy it with the code; workers read it when they start."
