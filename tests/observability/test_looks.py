"""Looks at a model's errors: each is counted, none is had for free, and asking too early spends none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from observability.autonomy.auditing import Finding, note_finding
from observability.autonomy.granting import not_enough, sign_asked
from observability.learning.changes import LearningError, entries_of
from observability.ledger.store import Ledger
from observability.ledger.tables import proposals
from tests.observability.asking import NAMED, TRIAGE, asked, wanted
from tests.observability.proposing import UNIT, fill


def test_looks_are_counted_and_rules_stay(quick: Ledger):
    """The same labels are the same look; more labels are another, and only what was declared may be spent."""
    fill(quick, 300)
    assert (asked(quick, looks=2).look, asked(quick, looks=2).look) == (1, 1)
    with pytest.raises(LearningError, match="stay"):
        asked(quick, looks=2, target=0.1)
    fill(quick, 100, name="DD")
    assert asked(quick, looks=2).look == 2
    fill(quick, 100, name="EEE")
    with pytest.raises(LearningError, match="all looks that were declared are spent"):
        asked(quick, looks=2)


def test_auditing_where_people_and_model_differ_is_no_way_to_a_certificate(quick: Ledger):
    """Forty blind disagreements of 600, each then audited as right: the labels, and the look that failed, stay."""
    fill(quick, 600, level="A2", sampled="blind", agrees=lambda number, _: number % 15 > 0)
    first = asked(quick)
    for number in range(0, 600, 15):
        found = Finding(f"{UNIT}:C-{number}", wrong=False, severe=False, note="")
        note_finding(quick, TRIAGE, found, "ann", datetime.now(UTC))
    again = asked(quick)

    assert [one.what for one in first.missing] == ["threshold"]
    assert (again.look, again.missing) == (first.look, first.missing)


def test_a_look_is_at_its_labels_not_at_their_number(ledger: Ledger):
    """New proposals without a label are no look; one other verdict, confidence or case among as many labels is one."""
    fill(ledger, 600, agrees=lambda number, _: number % 3 > 0)
    assert asked(ledger, looks=4).look == 1
    fill(ledger, 100, name="open", agrees=None)
    assert asked(ledger, looks=4).look == 1
    changes: list[dict[str, Any]] = [{"agrees": True}, {"raw": 0.99}]
    for number, changed in enumerate(changes):
        with ledger.write() as connection:
            connection.execute(update(proposals).where(proposals.c.case_id == f"{UNIT}:C-0").values(**changed))
        assert asked(ledger, looks=4).look == number + 2
    with ledger.write() as connection:
        connection.execute(update(proposals).where(proposals.c.case_id == f"{UNIT}:C-0").values(agrees=None))
        connection.execute(update(proposals).where(proposals.c.case_id == f"{UNIT}:open-0").values(agrees=True))
    assert (asked(ledger, looks=4).look, asked(ledger, looks=4).look) == (4, 4)


def test_another_level_is_no_new_asking(quick: Ledger):
    """The errors are the same ones: the one look that failed is spent, whatever level and target are asked for then."""
    fill(quick, 600, agrees=lambda number, _: number % 3 > 0)
    assert (asked(quick).look, asked(quick, level="A4").look) == (1, 1)
    with pytest.raises(LearningError, match="for both levels, and stay"):
        asked(quick, level="A4", target=0.4)
    fill(quick, 40, name="DD")
    with pytest.raises(LearningError, match="all looks that were declared are spent"):
        asked(quick, level="A4")


def test_only_the_level_that_was_asked_for_last_can_be_signed(quick: Ledger):
    """Whoever asks for the other level meanwhile has seen newer figures."""
    fill(quick, 1_500)
    first, second = asked(quick), asked(quick, level="A4")

    with pytest.raises(LearningError, match="asked for again since"):
        sign_asked(quick, TRIAGE, first.seq, "eve", datetime.now(UTC))
    assert sign_asked(quick, TRIAGE, second.seq, "eve", datetime.now(UTC)).level == "A4"


def test_what_was_signed_can_be_renewed(quick: Ledger):
    """After a certificate the asking begins anew, with rules of its own; before it is signed it does not."""
    fill(quick, 1_500)
    first = asked(quick)
    fill(quick, 100, name="DD")
    with pytest.raises(LearningError, match="all looks that were declared are spent"):
        asked(quick)
    sign_asked(quick, TRIAGE, first.seq, "eve", datetime.now(UTC))
    renewed = asked(quick, target=0.04)

    assert (renewed.look, renewed.certificate is not None) == (1, True)
    with pytest.raises(LearningError, match="stay"):
        asked(quick, target=0.05)


def test_who_asks_too_early_spends_nothing_and_binds_nobody(quick: Ledger):
    """Without labels, with too few, or with none that tells a confidence: the one look is there when it is worth it."""
    for count, what in ((0, "calibration"), (299, "cases")):
        fill(quick, count, confidence=0.9) if count else None
        said = asked(quick, target=0.5)
        assert (said.look, what in {one.what for one in said.missing}) == (0, True)
        assert "threshold" not in {one.what for one in said.missing}
    assert [one.what for one in asked(quick, segment="large").missing][:2] == ["cases", "days"]

    fill(quick, 1_200, name="DD")
    said = asked(quick, target=0.05)
    assert (said.look, said.certificate is not None) == (1, True)
    with pytest.raises(LearningError, match="stay"):
        asked(quick, target=0.06)


def test_a_search_that_was_seen_is_a_look_whatever_else_is_missing(quick: Ledger):
    """Labels of one day are too few days, and their errors were told all the same."""
    fill(quick, 600, days=1, agrees=lambda number, _: number % 3 > 0)
    said = asked(quick)

    assert (said.look, {one.what for one in said.missing}) == (1, {"days", "threshold"})
    fill(quick, 600, name="DD")
    with pytest.raises(LearningError, match="all looks that were declared are spent"):
        asked(quick)


def test_counting_alone_tells_nothing_of_errors(quick: Ledger):
    """Right or wrong, the same is said; nothing is written down and no look is spent."""
    fill(quick, 600, days=1, agrees=lambda number, _: number % 3 > 0)
    assert [one.what for one in not_enough(quick, NAMED, wanted())] == ["days"]
    fill(quick, 600, name="DD", agrees=False)
    assert not_enough(quick, NAMED, wanted()) == []
    with quick.read() as connection:
        assert entries_of(connection, UNIT) == []
    assert asked(quick).look == 1
