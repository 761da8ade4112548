"""The figures of proposals: each counted once, by what became of it; and how far models may go now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from observability.ledger import totals
from observability.ledger.autonomy import Grant, end, lift, sign, stop
from observability.ledger.autonomy_tables import audits
from observability.ledger.pruning import prune
from observability.ledger.store import Ledger
from observability.metrics.autonomy import BOUND
from observability.metrics.known import WHYS
from tests.boundary.test_route import FACTS
from tests.observability.proposed import CATALOG, NOW, STEP, blind, decided, keep, proposal
from tests.observability.scraping import Series, scraped, series
from workunits.core.autonomy import Facts, route

AT = {"unit": "damage", "step": "decide"}


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger in a file."""
    store = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    store.migrate()
    yield store
    store.close()


def total(said: dict[Series, float], name: str, **labels: str) -> float:
    """One series of the hybrid step."""
    return said[series(f"workunit_{name}", **STEP, **labels)]


def test_each_proposal_counts_once_by_what_became_of_it(ledger: Ledger) -> None:
    """When it is routed and when it is decided; written again it counts nothing, and pruned it stays."""
    keep(ledger, "damage:1", proposal(cost_usd=0.002))
    keep(ledger, "damage:1", decided(cost_usd=0.002, decision="edit", overridden=True))
    keep(ledger, "damage:1", decided(cost_usd=0.002, decision="edit", overridden=True), close="achieved")
    keep(ledger, "damage:2", blind(agrees=False), blind("decide-2-ai", agrees=True))
    first = scraped(ledger, CATALOG)
    prune(ledger, ["damage"], datetime.now(UTC), actor="ops", dry_run=False)
    pruned = scraped(ledger, CATALOG)

    for said in (first, pruned):
        assert total(said, "proposals_total", route="review", level="A2") == 1
        assert total(said, "proposals_total", route="human_only", level="A2") == 2
        assert total(said, "proposal_reasons_total", reason="blind_sample") == 2
        assert total(said, "proposal_shown_total") == 1
        assert total(said, "proposal_decisions_total", decision="edit") == 1
        assert total(said, "proposal_overrides_total") == 1
        assert (total(said, "blind_total"), total(said, "blind_disagreements_total")) == (2, 1)
        assert total(said, "ai_cost_usd_total") == 0.002
        assert total(said, "proposal_latency_seconds_bucket", le="2.5") == 3
        assert total(said, "proposal_latency_seconds_sum") == 6


def test_confidence_falls_into_its_bucket(quick: Ledger) -> None:
    """The calibrated one; a model without calibration, or one that failed, has none."""
    keep(
        quick,
        "damage:1",
        proposal("a-ai", confidence=0.3),
        proposal("b-ai", confidence=0.31),
        proposal("c-ai", confidence=1.0),
        proposal("d-ai", confidence=None),
        proposal("e-ai", output_hash=None, route="human_only", why="ai_unavailable", shown=False, outcome="failed"),
    )
    said = scraped(quick, CATALOG)

    bounds = [total(said, "proposal_confidence_bucket", le=le) for le in ("0.2", "0.3", "0.4", "0.9", "1.0", "+Inf")]
    assert bounds == [0, 1, 2, 2, 3, 3]
    assert total(said, "proposal_confidence_sum") == pytest.approx(1.61)
    assert total(said, "proposal_reasons_total", reason="ai_unavailable") == 1
    assert total(said, "proposal_latency_seconds_count") == 4


def test_of_two_who_decide_the_last_counts(quick: Ledger) -> None:
    """Whether a third is asked is known when the case ends."""
    dual = {"route": "dual_review", "why": "approve"}
    keep(quick, "damage:1", decided(decision="accept", **dual))
    open_ = scraped(quick, CATALOG)
    keep(quick, "damage:1", decided(decision="reject", overridden=True, **dual), close="achieved")
    closed = scraped(quick, CATALOG)

    assert [total(open_, "proposal_decisions_total", decision=how) for how in ("accept", "reject")] == [0, 0]
    assert [total(closed, "proposal_decisions_total", decision=how) for how in ("accept", "reject")] == [0, 1]


def test_a_step_that_is_a_models_alone_is_no_proposal(quick: Ledger) -> None:
    """Nobody routes it."""
    bare: dict[str, Any] = {"executor": None, "level": None, "risk": None, "route": None, "why": None, "shown": None}
    keep(quick, "damage:1", proposal(**bare, output_hash=None))

    with quick.read() as connection:
        assert not [name for (name, _, _), _, _ in totals.read(connection) if "proposal" in name]


def test_a_hybrid_steps_series_are_there_at_zero(quick: Ledger) -> None:
    """Each route at each level where it may be, each decision, each failure of a model; no certificate, no share."""
    said = scraped(quick, CATALOG)

    assert total(said, "proposals_total", route="auto", level="A5") == 0
    assert series("workunit_proposals_total", **STEP, route="auto", level="A3") not in said
    assert total(said, "proposal_decisions_total", decision="reject") == 0
    assert total(said, "proposal_reasons_total", reason="ai_budget_exceeded") == 0
    assert total(said, "proposal_confidence_bucket", le="0.1") == 0
    assert total(said, "autonomy_level") == 2
    assert said[series("workunit_autonomy_stopped", **AT)] == 0
    assert not [name for name, _ in said if "certificate" in name or "audit" in name]


@given(FACTS)
def test_every_reason_of_a_route_has_a_series(facts: Facts) -> None:
    """None is counted as `other`."""
    assert route(facts).why in {*WHYS, facts.failed}


def test_the_level_is_the_highest_that_holds(quick: Ledger) -> None:
    """Declared, signed, revoked, stopped and lifted; an end of what was signed is told as long as it holds."""
    soon, later = NOW + timedelta(days=3), NOW + timedelta(days=90)

    def now() -> tuple[float, float, float | None]:
        said = scraped(quick, CATALOG)
        ends = said.get(series("workunit_certificate_expiry_timestamp_seconds", **AT))
        return total(said, "autonomy_level"), said[series("workunit_autonomy_stopped", **AT)], ends

    def grant(**more: Any) -> Grant:
        whole: dict[str, Any] = {**STEP, "signed_by": "ana", "role": "head of claims", **more}
        return sign(quick, Grant(**whole))

    keep(quick, "damage:1", proposal())
    lower = grant(executor="test|1|", level="A1")
    assert now() == (1, 0, None)
    grant(executor="test|2|", level="A4", expires_at=later)
    first = grant(executor="test|2|", level="A5", segment="retail", expires_at=soon)
    assert now() == (5, 0, soon.timestamp())
    stop(quick, "damage", "decide", actor="ana", reason="odd")
    assert now() == (0, 1, soon.timestamp())
    lift(quick, "damage", "decide", actor="ana", reason="mended")
    end(quick, first.grant_id, actor="ana", why="revoked")
    end(quick, lower.grant_id, actor="ana", why="revoked")
    assert now() == (4, 0, later.timestamp())


def test_the_bound_of_blind_disagreement_is_what_was_signed_for(quick: Ledger) -> None:
    """The strictest target of the certificates; a stated one where there is none."""
    bound = series("workunit_blind_disagreement_bound_ratio", **AT)
    usual = scraped(quick, CATALOG)[bound]
    for target in (0.02, 0.01):
        whole: dict[str, Any] = {**STEP, "signed_by": "ana", "role": "head of claims", "level": "A5"}
        sign(quick, Grant(**whole, executor=f"test|{target}|", certificate={"target": target}))

    assert (usual, scraped(quick, CATALOG)[bound]) == (BOUND, 0.01)


def test_the_share_of_audits_is_of_what_has_waited_for_them(ledger: Ledger) -> None:
    """Blind or audited, of those at A4 and A5 that are a week old; fewer than a hundred say nothing."""
    at, auto = NOW - timedelta(days=8), {"level": "A5", "route": "auto", "why": "confident", "shown": False}
    old = [proposal(f"decide-{number}-ai", at=at, **auto) for number in range(97)]
    seen = [blind("b1-ai", agrees=True, at=at, level="A5"), blind("b2-ai", agrees=False, at=at, level="A5")]
    others = [proposal("recent-ai", at=NOW, **auto), proposal("a2-ai", at=at)]
    keep(ledger, "damage:1", *old, *seen, *others)
    few = scraped(ledger, CATALOG)
    keep(ledger, "damage:2", proposal("decide-ai", at=at, **auto))
    with ledger.write() as connection:
        judged = {"at": NOW, "auditor": "ben", "wrong": False, "severe": False, "note": ""}
        connection.execute(audits.insert().values(case_id="damage:1", key="decide-3", **judged))
        connection.execute(audits.insert().values(case_id="damage:1", key="recent-ai", **judged))
    enough = scraped(ledger, CATALOG)

    share = series("workunit_audit_share", **AT)
    assert share not in few
    assert enough[share] == pytest.approx(3 / 100)
