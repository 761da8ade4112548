"""The report of a unit: every figure against a count by hand, and the page that stands by itself."""

# mypy: disable-error-code="union-attr,arg-type,misc"
from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import numpy as np
import pytest
from sqlalchemy import insert

from observability.learning.breakdown import break_down
from observability.learning.report import report
from observability.learning.report_html import write_page
from observability.learning.selection import Asked
from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import corrections
from observability.ledger.writing import write
from observability.output import OutputExistsError
from tests.observability.invented import BEGIN, BUDGET, HOUR, case_rows, fill, records
from workers.pages.report import breakdown_page, page
from workunits.catalog.refund_request import RefundRequest
from workunits.core.parts import PARTS, parts

UNIT = "refund_request"


def share(found) -> tuple[int, int]:
    """A rate as it was counted."""
    return found.count, found.n


def test_every_figure_is_the_one_that_a_count_by_hand_gives(ledger):
    """Over 400 invented cases, from their records alone."""
    made = fill(ledger, 400)
    figures = report(ledger, Asked(UNIT)).figures
    achieved = [r for r in made if r.close in ("achieved", "achieved_late")]
    clean = [r for r in achieved if not r.routes]
    late = [r for r in made if r.breached is not None]
    void = [r for r in made if r.close == "cancelled" and r.breached is None]
    waited = [w.claimed - w.ready for r in made for w in r.steps if w.kind == "human" and not w.external and w.claimed]
    human = [sum(b - a for w in r.steps if w.kind == "human" for a, b in w.work) for r in made]

    assert figures.n == 400
    assert np.quantile([r.closed for r in made], 0.5, method="inverted_cdf") == figures.cycle.median.value
    assert (len(achieved), 400) == share(figures.outcome_attainment)
    assert (len([r for r in made if r.close == "achieved"]), 400) == share(figures.on_time)
    assert (len(clean), 400) == share(figures.first_pass_yield)
    assert (400 - len(late) - len(void), 400 - len(void)) == share(figures.sla_attainment)
    assert len(void) == figures.sla_void
    assert {"odd": (len([r for r in made if r.routes]), 400)} == {
        code: share(found) for code, found in figures.exceptions.items()
    }
    assert (len([r for r in made if any(w.redo_of for w in r.steps)]), 400) == share(figures.rework_rate)
    assert (len([r for r in made if r.close == "cancelled"]), 400) == share(figures.straight_through)
    assert (len(waited), np.quantile(waited, 0.5, method="inverted_cdf")) == (
        figures.task_queue.n,
        figures.task_queue.median.value,
    )
    assert np.quantile(human, 0.85, method="inverted_cdf") == figures.touch_human.p85.value
    assert sum(human) / HOUR * 60 / len(achieved) == pytest.approx(figures.cost.per_achieved, rel=1e-6)
    means = {part: np.mean([parts(r)[part] for r in made]) for part in PARTS}
    assert means == pytest.approx(dict(figures.parts))
    assert sum(figures.parts.values()) == pytest.approx(np.mean([r.closed for r in made]))


def test_what_is_not_known_is_absent_and_never_zero(ledger):
    """Of a unit without a closed case there is n = 0, and no figure."""
    found = report(ledger, Asked(UNIT))

    assert found.figures.n == 0
    assert found.figures.cycle is None
    assert found.figures.outcome_attainment is None
    assert found.figures.cost is None
    assert "n = 0" in page(found, None)


def test_a_window_a_version_and_a_segment(ledger):
    """Cases are chosen by when they closed; segments add up to the whole."""
    made = fill(ledger, 200)
    since, until = BEGIN + timedelta(weeks=2), BEGIN + timedelta(weeks=5)
    chosen = [r for r in made if since <= r.when(r.closed) < until]
    asked = Asked(UNIT, since, until)
    by_segment = break_down(ledger, asked, "segment")

    assert len(chosen) == report(ledger, asked).figures.n
    assert report(ledger, Asked(UNIT, version="2")).figures.n == 0
    assert len(chosen) == sum(figures.n for figures in by_segment.values())
    assert {"damaged", "not_wanted"} == set(by_segment)


def test_open_cases_past_due_are_breached_in_their_segment_and_window(ledger):
    """Segments add up to the whole, and what was due after the window says nothing about it."""
    made = fill(ledger, 50)
    open_one = next(iter(records(1, seed=8)))
    open_one.case, open_one.close, open_one.reason, open_one.closed, open_one.breached = (
        "x:open",
        None,
        None,
        None,
        None,
    )
    open_one.steps, open_one.segment = [], "damaged"
    with ledger.write() as connection:
        write(connection, [case_rows(open_one)], Forgetting.load(connection), datetime.now(UTC))
    due = open_one.when(BUDGET)
    whole, parts_of = report(ledger, Asked(UNIT)), break_down(ledger, Asked(UNIT), "segment")
    before = report(ledger, Asked(UNIT, until=due - timedelta(seconds=1)))

    assert (whole.open.n, whole.open.past_due, before.open.past_due) == (1, 1, 0)
    assert whole.figures.sla_attainment.n == sum(one.sla_attainment.n for one in parts_of.values())
    assert len([r for r in made if r.close != "cancelled" or r.breached]) + 1 == whole.figures.sla_attainment.n
    assert whole.figures.task_queue.n == sum(one.task_queue.n for one in parts_of.values())


def test_by_step_and_by_executor(ledger):
    """Each performance counts once, an outsider's apart."""
    made = fill(ledger, 200)
    steps, kinds = break_down(ledger, Asked(UNIT), "step"), break_down(ledger, Asked(UNIT), "executor")
    total = sum(len(r.steps) for r in made)

    assert total == sum(found.n for found in steps.values()) == sum(found.n for found in kinds.values())
    assert {"automated", "human", "external"} == set(kinds)
    assert kinds["external"].work is None
    assert "By step:" in breakdown_page(steps, "step")


def test_evidence_counts_as_of_a_time(ledger):
    """A report of before a correction knows nothing of it."""
    made = fill(ledger, 50)
    told = datetime.now(UTC)
    victim = next(r for r in made if r.close == "achieved")
    row = {
        "correction_id": "c",
        "case_id": victim.case,
        "at": told,
        "kind": "evidence",
        "from_close": "achieved",
        "to_close": "not_achieved",
        "why": "chargeback",
        "recorded_at": told,
    }
    before = report(ledger, Asked(UNIT)).figures.outcome_attainment
    with ledger.write() as connection:
        connection.execute(insert(corrections).values(row))
    after = report(ledger, Asked(UNIT)).figures.outcome_attainment
    earlier = report(ledger, Asked(UNIT, as_of=told - timedelta(seconds=1))).figures.outcome_attainment

    assert before.count - 1 == after.count
    assert before == earlier


class Page(HTMLParser):
    """What a page asks for from elsewhere, and its headings."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.headings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note scripts, links and pictures."""
        named = dict(attrs)
        if tag in ("script", "link", "img", "iframe"):
            self.outside.append(tag)
        self.outside += [value for name in ("src", "href") if (value := named.get(name)) and not value.startswith("#")]
        self.headings += tag in ("h1", "h2")


def test_the_page_stands_by_itself(ledger, tmp_path):
    """No script and nothing from elsewhere; its charts and tables say what the report says."""
    fill(ledger, 120)
    found = report(ledger, Asked(UNIT))
    write_page(tmp_path / "report.html", found, RefundRequest, None, ledger)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    read = Page()
    read.feed(text)

    assert read.outside == []
    assert text.count("<svg") == 3
    assert "http" not in re.sub(
        r'xmlns(:\w+)?="[^"]*"|<!DOCTYPE[^>]*>|<metadata>.*?</metadata>', "", text, flags=re.DOTALL
    )
    assert f"{found.figures.on_time.share:.1%}" in text
    assert RefundRequest.outcome.statement in text
    with pytest.raises(OutputExistsError, match="exists already"):
        write_page(tmp_path / "report.html", found, RefundRequest, None, ledger)
    assert not list(tmp_path.glob(".*"))


def test_the_page_of_nothing(ledger, tmp_path):
    """A unit without a closed case has a page that says so."""
    write_page(tmp_path / "report.html", report(ledger, Asked(UNIT)), RefundRequest, None, ledger)

    assert "n = 0" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_text_is_the_same_figures(ledger):
    """Each line of the terminal's page names its figure, its n and its interval."""
    fill(ledger, 100)
    old = {"cycle_time_us": {"median": {"value": BUDGET}}, "queue_us": {"median": {"value": 2 * BUDGET}}}
    made = report(ledger, Asked(UNIT))
    text = page(made, old, "the old process")

    assert re.search(r"cycle time +100 .* 1 d$", text, re.MULTILINE)
    assert re.search(r"queue, of a case +100 .* -$", text, re.MULTILINE)
    assert re.search(rf"queue, of a task +{made.figures.task_queue.n} .* 2 d$", text, re.MULTILINE)
    assert f"n = 100 as of {made.made_at:%Y-%m-%d %H:%M:%S} UTC" in text
    assert "baseline the old process" in text
    assert max(len(line) for line in text.splitlines()) <= 120
