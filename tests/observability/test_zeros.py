"""What is there at zero before it happens: what alerts and panels count, by the names that our own code gives."""

from __future__ import annotations

import re
from pathlib import Path

from observability.ledger import totals
from observability.ledger.store import Ledger
from observability.metrics import zeros
from observability.metrics.known import CLOSE_REASONS, FAILURES, REASONS, WHYS
from observability.prometheus import boundary
from observability.prometheus.rule import Terms
from tests.observability.scraping import scraped, series
from tests.observability.trials import CATALOG
from workers.catalog import OWN
from workunits.core import calling
from workunits.registry import Catalog

ROOT = Path(__file__).parents[2]
OURS = Catalog([OWN])
BORN = {(name, labels) for name, labels, _ in zeros.totals(OURS)}


def test_each_reason_that_the_core_closes_with_has_a_series():
    """As it stands in the code, and as the ledger closes what ended outside; none is exported as `other`."""
    core = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "workunits" / "core").glob("*.py"))
    said = set(re.findall(r'(?:Ended|_close)\("(\w+)", "(\w+)"', core))
    said |= {("failed", reason) for reason in ("terminated", "timed_out", "no_record", "vanished")}

    assert len(said) > 8
    assert said == set(CLOSE_REASONS)
    assert {reason for _, reason in said} == REASONS


def test_the_first_case_of_a_reason_is_seen(ledger: Ledger):
    """The series is there at zero before, so that `increase()` counts it."""
    of = {"unit": "trial", "version": "1", "close": "cancelled", "reason": "task_cancelled"}
    before = scraped(ledger, CATALOG)
    tally = totals.Tally()
    tally.count("close_reasons", *of.values())
    with ledger.write() as connection:
        totals.add(connection, tally)
    after = scraped(ledger, CATALOG)
    asked = series("workunit_close_reasons_total", **of)

    assert (before[asked], after[asked]) == (0, 1)


def test_each_failure_by_our_own_name_has_a_series():
    """Of a step that a machine or another unit performs; of people's steps none. Python's exceptions have none."""
    steps = [(unit, step) for unit in OURS for step in unit.steps]
    of = {step.kind: (unit.unit_name, unit.version, step.name) for unit, step in steps}
    codes = {kind: {labels[3] for name, labels in BORN if name.endswith("_failures_total") and labels[:3] == key}
             for kind, key in of.items()}  # fmt: skip

    assert {"timeout_start_to_close", "bad_result", "other"} <= codes["automated"]
    assert {"ai_unavailable", "timeout_start_to_close", "other"} <= codes["hybrid"] & codes["ai"]
    assert {calling.NOT_STARTED, calling.FOREIGN} < FAILURES
    assert codes["human"] == set()
    assert "KeyError" in FAILURES - codes["automated"]


def test_what_the_alert_on_models_counts_is_there_at_zero():
    """Any reason that is not the route's own, by our names; what people were asked for by the level is none."""
    matcher = re.search(r'reason!~"([^"]+)"', boundary.alerts(Terms()).rules[1].expr)
    assert matcher
    born = {labels[3] for name, labels in BORN if name == "workunit_proposal_reasons_total"}
    failed = {reason for reason in born if not re.fullmatch(matcher[1], reason)}

    assert born - failed == set(WHYS)
    assert {"ai_refused", "bad_result", "timeout_start_to_close", "other"} <= failed
