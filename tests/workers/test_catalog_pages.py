"""`workunits catalog` and `workunits role`: generated pages, and what they say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

from inbox.catalog_map import Way, by_stream, entries
from inbox.role_view import roles, stands
from observability.learning.breakdown import break_down
from observability.learning.report import report
from observability.learning.selection import Asked
from observability.ledger.store import Ledger
from tests.lab.units import Ruled
from tests.observability.invented import BEGIN
from tests.observability.planted import Claim, invent, keep
from tests.replay.planted import Planted
from workers.catalog import OWN
from workers.pages.catalog import markdown, mermaid, page
from workers.pages.catalog_html import html
from workers.pages.role import page as role_page
from workunits.core.record import Work
from workunits.registry import Catalog, Package

ROOT = Path(__file__).parent.parent.parent
OURS = Catalog([OWN])
TESTS = Catalog([Package("tests", (Planted, Ruled), ("tests.lab.contracts",), ())])
PLANTED, RULED = entries(TESTS)


def test_the_committed_page_is_that_of_today():
    """It is generated: nobody writes it by hand."""
    stale = "docs/catalog.md is stale: workunits catalog --markdown docs/catalog.md"
    assert (ROOT / "docs" / "catalog.md").read_text(encoding="utf-8") == markdown(entries(OURS)), stale


def test_a_unit_is_shown_with_its_boundary():
    """Who performs each step, what is decided, who answers, and where a rule leads."""
    assert [(step.name, step.kind, step.by, step.accountable, step.aside) for step in PLANTED.steps] == [
        ("look", "automated", "", "", False),
        ("look_by_hand", "human", "expert", "head of tests", True),
        ("weigh", "automated", "", "", False),
        ("advise", "ai", "", "", False),
        ("advise_by_hand", "human", "expert", "head of tests", True),
        ("decide", "human", "clerk", "head of tests", False),
        ("file", "automated", "", "", False),
    ]
    assert [step.decides for step in PLANTED.steps if step.name == "decide"] == ["decision: grant or refuse"]
    assert list(PLANTED.ways) == [
        Way("look", "look_by_hand", "odd"),
        Way("advise", "advise_by_hand", "technical failure"),
        Way("decide", "", "no answer"),
    ]
    assert (PLANTED.owner, PLANTED.accountable, PLANTED.stage) == ("test owner", "head of tests", "not published")


def test_streams_come_in_order_and_what_has_none_comes_last():
    """Each unit once."""
    found = [
        PLANTED,
        replace(PLANTED, unit="b", stream="lending"),
        replace(PLANTED, unit="c", stream="care"),
        replace(PLANTED, unit="d", stream="lending"),
    ]

    said = {stream: [one.unit for one in units] for stream, units in by_stream(found).items()}

    assert list(said.items()) == [("lending", ["b", "d"]), ("care", ["c"]), ("", ["planted"])]
    assert [line for line in page(found).splitlines() if line and not line.startswith(" ")] == [
        "Value stream: lending",
        "Value stream: care",
        "Units that stand by themselves",
        "~ a rule leads to it. As a page: workunits catalog --html FILE, or --markdown FILE",
    ]


def test_the_flowchart_follows_the_declared_order():
    """Decisions are hexagons, ways of rules are dotted, and nothing of a label is read as Mermaid."""
    drawn = "\n".join(mermaid(replace(PLANTED, accountable='head "of" <tests> & more')))

    assert "case --> s0 --> s2 --> s3 --> s5 --> s6 --> outcome" in drawn
    assert 's5{{"<b>decide</b><br/>person<br/>(clerk)<br/>head of tests answers"}}:::person' in drawn
    assert 's0 -. "odd" .-> s1' in drawn
    assert 's5 -. "no answer" .-> closed' in drawn
    assert 'outcome(["outcome<br/>head #quot;of#quot; #lt;tests#gt; #amp; more answers"])' in drawn
    named = set(re.findall(r":::(\w+)", drawn))
    assert named <= set(re.findall(r"classDef (\w+)", drawn))


class Reader(HTMLParser):
    """What a page refers to, its ids, and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        """Note a tag."""
        said = dict(attrs)
        self.links += [said[name] for name in ("href", "src") if name in said]
        self.ids += [said["id"]] if "id" in said else []
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Close it."""
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_takes_nothing_for_markup():
    """No script and no address of elsewhere; what a unit says stays text."""
    hostile = replace(PLANTED, statement="<script>alert(1)</script> is done within 24 hours.", owner='"><img src=x>')
    made = html([hostile, RULED])
    reader = Reader()
    reader.feed(made)

    assert reader.open == []
    assert "<script" not in made
    assert "&lt;script&gt;" in made
    assert sorted(reader.links) == ["#planted", "#ruled"]
    assert set(reader.ids) == {"planted", "ruled"}
    assert "7. file" in made
    assert "decides decision: grant or refuse" in made


def test_text_in_tables_of_markdown_stays_text():
    """A bar would begin another cell."""
    made = markdown([replace(PLANTED, accountable="head of a|b", owner="<b>")])

    assert "| &lt;b> | head of a\\|b |" in made


def test_roles_are_told_by_what_they_answer_for():
    """Outcomes, units and decisions; whoever only helps has none of them."""
    found = roles(OURS)
    head, approver, customer = (found[name] for name in ("head of customer care", "refund approver", "customer"))

    assert [one.unit for one in head.outcomes] == ["refund_request", "decision_complaint"]
    assert [one.unit for one in head.owned] == ["refund_request", "decision_complaint"]
    assert [point.step.name for point in head.answers] == ["apply_policy", "decide", "assess"]
    assert [(point.step.name, point.step.accountable) for point in approver.decides] == [
        ("decide", "head of customer care")
    ]
    assert (approver.outcomes, approver.owned, approver.answers) == ([], [], [])
    assert not customer.has_any
    said = role_page(customer, None, "unknown")
    assert (
        said == "customer\n  It answers for no outcome, owns no unit and takes no decision: others answer for its work."
    )
    assert "correct_number" not in role_page(head, None, "not known")


def test_how_a_role_stands_is_what_the_report_says(tmp_path):
    """Of the last 30 days: how the outcome does, how often each decision was taken, and how many wait for it now."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    keep(ledger, invent(120))
    now = BEGIN + timedelta(days=60)
    catalog = Catalog([Package("claims", (Claim,), (), ())])
    head, senior = roles(catalog)["head"], roles(catalog)["senior"]

    stand = stands(ledger, catalog, head, now)["claim"]
    closed = report(ledger, Asked("claim", since=now - timedelta(days=30))).figures
    made = {name: role_page(one, {"claim": stand}) for name, one in (("head", head), ("senior", senior))}
    ledger.close()

    attained = closed.outcome_attainment
    assert attained
    assert 0 < closed.n < 120
    assert f"{closed.n} closed; attained {attained.share:.0%} ({attained.count} of {closed.n})" in made["head"]
    assert (
        f"claim, decide: granted: yes or no; taken by person (senior)\n      {stand.steps['decide'].n} times; queue"
        in (made["head"])
    )
    assert "! its review has been due since" in made["head"]
    assert made["senior"].startswith("senior\n  How things stand: cases of the last 30 days\n\nDecisions it takes\n")
    assert "head answers" in made["senior"]
    for task in ("look", "archive", "read"):
        assert task not in made["head"]


def test_at_a_hybrid_step_it_is_what_people_did(tmp_path):
    """A model proposes within a second each time; how often, how late and how long people decided stays as it was."""
    catalog = Catalog([Package("claims", (Claim,), (), ())])
    head, now = roles(catalog)["head"], BEGIN + timedelta(days=60)
    points = [replace(point, step=replace(point.step, kind="hybrid")) for point in head.answers]
    alone, proposed, automatic = invent(120), invent(120), invent(120)
    for record in (*proposed, *automatic):
        for work in [work for work in record.steps if work.step == "decide"]:
            model = Work(key="decide-ai", step="decide", kind="ai", ready=work.ready, end="done")
            model.done = work.ready + 1_000_000
            model.work = [(work.ready, model.done)]
            record.steps.insert(record.steps.index(work), model)
    for record in automatic:
        record.steps = [work for work in record.steps if work.key != "decide"]

    made = []
    for name, records in (("alone", alone), ("proposed", proposed), ("automatic", automatic)):
        ledger = Ledger(f"sqlite:///{tmp_path / name}.sqlite")
        ledger.migrate()
        keep(ledger, records)
        made.append((stands(ledger, catalog, head, now)["claim"], break_down(ledger, Asked("claim"), "step")["decide"]))
        ledger.close()
    (people, plain), (beside, both), (nobody, _) = made

    assert people.steps["decide"].n > 0
    assert beside.steps == people.steps
    assert both.n == 2 * plain.n  # the breakdown of a report goes on to show all
    assert "no person decided in these cases; 0 wait now" in role_page(replace(head, answers=points), {"claim": nobody})


def test_the_commands_write_and_say(shell):
    """`catalog` and `role` as processes: pages into files, one document with --json, a near name for a wrong one."""
    written = shell.run("catalog", "--html", "c.html", "--markdown", "c.md", "--json")
    said = json.loads(written.stdout)
    roles_said = json.loads(shell.run("role", "--json").stdout)["roles"]
    alone = json.loads(shell.run("role", "head of compliance", "--json").stdout)
    wrong = shell.run("role", "head of compliant", "--json")

    assert {one["unit"] for one in said["units"]} == {unit.unit_name for unit in OURS}
    assert said["written"] == ["c.html", "c.md"]
    assert (shell.folder / "c.md").read_text(encoding="utf-8") == markdown(entries(OURS))
    assert (shell.folder / "c.html").read_text(encoding="utf-8") == html(entries(OURS))
    assert [one["role"] for one in roles_said] == sorted(one["role"] for one in roles_said)
    assert alone["answers_for"][0]["step"] == "clear_hit"
    assert alone["ledger"].startswith("not known, there is no ledger")
    assert "standing" not in alone
    assert wrong.returncode == 2
    assert "did you mean head of compliance" in json.loads(wrong.stderr)["error"]["message"]
