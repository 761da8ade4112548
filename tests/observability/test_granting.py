"""Certificates in the ledger: what was shown is written down first, signed then, and falls by itself."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from observability.autonomy import granting
from observability.autonomy.auditing import AuditError, Finding, due, note_finding
from observability.autonomy.granting import end_grant, sign_asked
from observability.autonomy.reading import past_of, representative
from observability.autonomy.stamping import signs
from observability.learning.changes import LearningError, entries_of
from observability.learning.standing import standing_of
from observability.ledger.autonomy import live, sign, standing
from observability.ledger.autonomy_tables import grants
from observability.ledger.store import Ledger
from tests.observability.asking import NAMED, TRIAGE, asked
from tests.observability.certified import label
from tests.observability.proposing import EXECUTOR, STEP, UNIT, directory, fill
from tests.patience import PATIENCE
from tests.workers.conftest import Shell
from workers.autonomy_falling import let_fall, let_fall_often
from workers.catalog import load_catalog
from workers.cli import app
from workers.console import CommandError
from workers.logs import log
from workunits.catalog.fraud_review import FraudReview
from workunits.core.autonomy import Autonomy
from workunits.core.proposal import Asked
from workunits.registry import Catalog


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """Our own units."""
    return load_catalog()


def level(ledger: Ledger) -> str:
    """What holds for the next proposal."""
    with ledger.read() as connection:
        return standing(connection, TRIAGE, Asked(version="1"), EXECUTOR).level


def test_from_the_shadow_to_a_signed_level_and_back(ledger: Ledger, catalog: Catalog):
    """1,500 right ones are signed for; a severe error that an audit found ends it; the learning ledger has it all."""
    fill(ledger, 1_500)
    said = asked(ledger)
    assert said.certificate is not None
    assert (said.certificate.labels, said.certificate.unseen_share) == (1_500, 1.0)
    assert level(ledger) == "A2"

    grant = sign_asked(ledger, TRIAGE, said.seq, "eve", datetime.now(UTC))
    assert (level(ledger), grant.role, grant.expires_at) == ("A5", TRIAGE.accountable, said.certificate.expires)
    assert let_fall(ledger, catalog, datetime.now(UTC)) == []

    now = datetime.now(UTC)
    fill(ledger, 20, until=now, days=0, name="D", level="A5", route="auto", sampled="audit", agrees=None)
    with ledger.read() as connection:
        assert len(due(connection, TRIAGE)) == 20
    note_finding(ledger, TRIAGE, Finding(f"{UNIT}:D-3", wrong=True, severe=True, note="a mule"), "ann", now)
    ((fallen, why),) = let_fall(ledger, catalog, datetime.now(UTC))

    assert (fallen.grant_id, "severe" in {one.what for one in why}) == (grant.grant_id, True)
    assert level(ledger) == "A2"
    with ledger.read() as connection:
        assert [one.entry for one in entries_of(connection, UNIT)] == ["asked", "granted", "ended"]
        assert entries_of(connection, UNIT)[-1].actor == "system"
        assert standing_of(connection, FraudReview, now).reviewed_at is None
        assert len(due(connection, TRIAGE)) == 19


def test_one_that_expires_is_ended_in_the_ledger_too(quick: Ledger, catalog: Catalog):
    """It held no more by the clock; now it also says why."""
    fill(quick, 1_500)
    sign_asked(quick, TRIAGE, asked(quick).seq, "eve", datetime.now(UTC))
    with quick.write() as connection:
        connection.execute(update(grants).values(expires_at=datetime.now(UTC) - timedelta(hours=1)))
    ((_, (why,)),) = let_fall(quick, catalog, datetime.now(UTC))

    assert why.what == "expired"
    assert let_fall(quick, catalog, datetime.now(UTC)) == []


def test_one_that_cannot_be_judged_keeps_no_other_one_up(quick: Ledger, catalog: Catalog, caplog, monkeypatch):
    """It is said of that one, and the next one falls."""
    fill(quick, 1_500)
    grant = sign_asked(quick, TRIAGE, asked(quick).seq, "eve", datetime.now(UTC))
    soon = datetime.now(UTC) + timedelta(hours=1)
    other = sign(quick, replace(grant, grant_id="", segment="retail", expires_at=soon))
    judged = granting.why_now

    def odd(connection, catalog, grant, now):
        if grant.segment != other.segment:
            raise KeyError("nobody foresaw this")
        return judged(connection, catalog, grant, now)

    monkeypatch.setattr(granting, "why_now", odd)
    ((fallen, (why,)),) = let_fall(quick, catalog, soon)

    assert (fallen.grant_id, why.what) == (other.grant_id, "expired")
    assert "the signed level A5 of fraud_review.triage cannot be looked at" in caplog.text
    assert "nobody foresaw this" in caplog.text


async def test_the_follower_lets_them_fall(quick: Ledger, catalog: Catalog, caplog, monkeypatch):
    """At once when it begins, with an error in the log."""
    fill(quick, 1_500)
    sign_asked(quick, TRIAGE, asked(quick).seq, "eve", datetime.now(UTC))
    with quick.write() as connection:
        connection.execute(update(grants).values(expires_at=datetime.now(UTC) - timedelta(hours=1)))
    told, handler = asyncio.Event(), logging.Handler(logging.ERROR)
    monkeypatch.setattr(handler, "emit", lambda _: told.set())
    monkeypatch.setattr(log, "handlers", [*log.handlers, handler])
    falling = asyncio.create_task(let_fall_often(quick, catalog))
    await asyncio.wait_for(told.wait(), PATIENCE)
    falling.cancel()
    await asyncio.gather(falling, return_exceptions=True)

    assert "fraud_review.triage no longer decides at level A5: it was valid until" in caplog.text
    assert let_fall(quick, catalog, datetime.now(UTC)) == []


def test_what_is_missing_is_written_down_and_cannot_be_signed(quick: Ledger):
    """One in three was wrong."""
    fill(quick, 600, agrees=lambda number, _: number % 3 > 0)
    said = asked(quick)

    assert [one.what for one in said.missing] == ["threshold"]
    with pytest.raises(LearningError, match="not met yet"):
        sign_asked(quick, TRIAGE, said.seq, "eve", datetime.now(UTC))
    with pytest.raises(LearningError, match="nothing was asked for under that number"):
        sign_asked(quick, TRIAGE, 99, "eve", datetime.now(UTC))


def test_only_the_last_fresh_answer_can_be_signed(quick: Ledger):
    """Neither what was asked for again since, nor figures of last week."""
    fill(quick, 1_500)
    first, second = asked(quick), asked(quick)
    later = datetime.now(UTC) + timedelta(days=8)

    with pytest.raises(LearningError, match="asked for again since"):
        sign_asked(quick, TRIAGE, first.seq, "eve", datetime.now(UTC))
    with pytest.raises(LearningError, match="older than 7 days"):
        sign_asked(quick, TRIAGE, second.seq, "eve", later)


def test_what_would_fall_at_once_is_not_signed(quick: Ledger):
    """A severe error of yesterday is found before anyone signs."""
    fill(quick, 1_500)
    said = asked(quick)
    fill(quick, 1, until=datetime.now(UTC), days=0, name="DD", level="A3", route="review", agrees=None)
    found = Finding(f"{UNIT}:DD-0", wrong=True, severe=True, note="")
    note_finding(quick, TRIAGE, found, "ann", datetime.now(UTC))

    with pytest.raises(LearningError, match="it would fall at once: 1 severe errors"):
        sign_asked(quick, TRIAGE, said.seq, "eve", datetime.now(UTC))


def test_a_severe_error_found_since_counts_whenever_it_was_proposed(ledger: Ledger, catalog: Catalog):
    """An audit of yesterday's proposal, after the asking: nothing is signed on it, and what was signed falls."""
    now = datetime.now(UTC)
    fill(ledger, 600)
    yesterday: dict[str, Any] = {"until": now - timedelta(days=1), "days": 0, "agrees": None}
    fill(ledger, 2, name="OLD", level="A3", route="review", **yesterday)
    said = asked(ledger)
    assert said.certificate is not None
    sign_asked(ledger, TRIAGE, said.seq, "eve", datetime.now(UTC))
    renewed = asked(ledger)
    assert renewed.certificate is not None
    found = Finding(f"{UNIT}:OLD-0", wrong=True, severe=True, note="a mule")
    note_finding(ledger, TRIAGE, found, "ann", datetime.now(UTC))

    with pytest.raises(LearningError, match=r"1 severe errors.* since it was asked for: ask again"):
        sign_asked(ledger, TRIAGE, renewed.seq, "eve", datetime.now(UTC))
    again = asked(ledger)
    assert ([one.what for one in again.missing], again.look) == (["severe"], 0)
    ((_, why),) = let_fall(ledger, catalog, datetime.now(UTC))
    assert [one.what for one in why] == ["severe"]


def test_pending_audits_that_find_errors_end_a_level(quick: Ledger, catalog: Catalog):
    """Of proposals made before the asking; an answer that was known then is in the certificate, and counts no more."""
    fill(quick, 1_500, agrees=lambda number, _: number % 100 > 0)
    before: dict[str, Any] = {"days": 5, "level": "A5", "confidence": 0.9, "threshold": 0.8}
    fill(quick, 60, name="due", route="auto", sampled="audit", agrees=None, raw=0.9, **before)
    sign_asked(quick, TRIAGE, asked(quick).seq, "eve", datetime.now(UTC))
    assert let_fall(quick, catalog, datetime.now(UTC)) == []
    later = datetime.now(UTC) + timedelta(seconds=1)
    for number in range(60):
        found = Finding(f"{UNIT}:due-{number}", wrong=number % 2 > 0, severe=False, note="")
        note_finding(quick, TRIAGE, found, "ann", later)

    ((_, (why,)),) = let_fall(quick, catalog, later + timedelta(minutes=1))
    assert why.what == "bound"
    assert why.words.startswith("30 of 60 accepted cases since were wrong")


def test_labels_are_what_nobody_was_shown(ledger: Ledger):
    """Blind ones, shadows and drawn audits, with their weights; no approve click, no risky case, nobody's choice.

    Who audits a blind decision of their own choice changes its label only by a severe error.
    """
    sure: dict[str, Any] = {"level": "A5", "confidence": 0.9, "threshold": 0.8}
    fill(ledger, 4, name="shadow")
    fill(ledger, 3, name="blind", level="A2", sampled="blind", agrees=lambda number, _: number != 2)
    fill(ledger, 2, name="silent", level="A2", sampled="blind", agrees=None)
    fill(ledger, 2, name="sure", sampled="blind", agrees=False, **sure)
    fill(ledger, 5, name="clicks", level="A3", route="review", shown=True, agrees=None, decision="accept")
    fill(ledger, 6, name="risky", sampled="blind", risk="external")
    fill(ledger, 2, name="auto", route="auto", sampled="audit", agrees=None, **sure)
    fill(ledger, 2, name="chosen", route="auto", agrees=None, **sure)
    for case, wrong, severe in (
        ("auto-0", True, False),
        ("auto-1", False, False),
        ("chosen-0", True, False),
        ("blind-0", True, True),
        ("blind-1", True, False),
        ("blind-2", False, False),
        ("silent-0", False, False),
        ("shadow-0", True, False),
    ):
        note_finding(ledger, TRIAGE, Finding(f"{UNIT}:{case}", wrong, severe, note=""), "ann", datetime.now(UTC))
    with ledger.read() as connection:
        past = past_of(connection, NAMED)

    told = sorted((one.source, round(one.weight), one.wrong) for one in past.labels)
    assert told == sorted(
        [
            *[("shadow", 1, False)] * 4,
            ("blind", 20, False),
            *[("blind", 20, True)] * 2,
            *[("blind", 10, True)] * 2,
            ("audit", 10, True),
            ("audit", 10, False),
        ]
    )
    assert [(one.case, one.wrong) for one in past.labels if one.severe] == [(f"{UNIT}:blind-0", True)]
    assert (len(past.seen), past.automatic, len(past.reviewed)) == (20, 4, 14)


def test_audits_alone_do_not_stand_for_all_cases():
    """Without blind ones nothing is known of what the model does not decide yet; a severe error counts all the same."""
    shadow, audit = label(), label(source="audit")
    severe = label(source="audit", wrong=True, severe=True)

    assert representative([shadow, audit, severe], Autonomy(blind=0.0)) == [shadow, severe]
    assert representative([shadow, audit, severe], Autonomy()) == [shadow, audit, severe]


def test_decoys_are_reviews_of_their_own(quick: Ledger):
    """Who missed one was asked again; who caught one was disturbed, and is no label and no blind decision."""
    review: dict[str, Any] = {"level": "A3", "route": "review", "shown": True}
    fill(quick, 6, name="missed", seeded="missed", decision="accept", agrees=None, **review)
    fill(quick, 4, name="caught", seeded="caught", agrees=False, **review)
    with quick.read() as connection:
        past = past_of(connection, NAMED)

    assert Counter((one.planted, one.decision) for one in past.reviewed) == {
        (True, "accept"): 6,
        (True, "reject"): 4,
        (False, "accept"): 6,
    }
    assert [one.words for one in signs(past.reviewed)] == ["6 of 10 planted wrong proposals were accepted"]
    assert past.labels == []


def test_an_audit_is_of_something_and_once(quick: Ledger):
    """Findings are not overwritten, and do not contradict themselves."""
    fill(quick, 1)
    for finding, words in (
        (Finding(f"{UNIT}:X", wrong=True, severe=False, note=""), "no proposal of this step"),
        (Finding(f"{UNIT}:C-0", wrong=False, severe=True, note=""), "only what is wrong"),
        (Finding(f"{UNIT}:C-0", wrong=True, severe=False, note="x" * 2_001), "at most 2,000"),
    ):
        with pytest.raises(AuditError, match=words):
            note_finding(quick, TRIAGE, finding, "ann", datetime.now(UTC))
    note_finding(quick, TRIAGE, Finding(f"{UNIT}:C-0", wrong=True, severe=False, note=""), "ann", datetime.now(UTC))
    with pytest.raises(AuditError, match="audited already"):
        note_finding(
            quick, TRIAGE, Finding(f"{UNIT}:C-0", wrong=False, severe=False, note=""), "ann", datetime.now(UTC)
        )


def test_a_level_is_revoked_once(quick: Ledger):
    """From then on what the unit declares holds."""
    fill(quick, 1_500)
    now = datetime.now(UTC)
    grant = sign_asked(quick, TRIAGE, asked(quick).seq, "eve", now)

    assert end_grant(quick, grant, "eve", "new product", now)
    assert not end_grant(quick, grant, "eve", "again", now)
    assert level(quick) == "A2"
    with quick.read() as connection:
        assert live(connection, UNIT, now) == []


def test_on_the_command_line(tmp_path: Path, monkeypatch):
    """Propose, sign, report, audit, revoke; each with figures, and refusals in one sentence."""
    address = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    store = Ledger(address)
    store.migrate()
    fill(store, 1_500)
    store.close()
    path = f"{UNIT}.{STEP}"
    known = {"WORKUNITS_LEDGER": address, "WORKUNITS_DIRECTORY": str(directory(tmp_path))}
    monkeypatch.chdir(tmp_path)

    def run(*args: str):
        return CliRunner().invoke(app, [*args], env=known, catch_exceptions=False)

    proposed = run("autonomy", "propose", path, "--target", "0.05", "--level", "A5", "--as", "ann")
    signed = json.loads(run("autonomy", "sign", path, "1", "--as", "eve", "--json").stdout)
    reported = run("autonomy", "report", path)
    told = json.loads(run("autonomy", "report", path, "--json").stdout)
    audits = run("autonomy", "audit", path)
    revoked = run("autonomy", "revoke", path, signed["grant_id"], "--reason", "new product", "--as", "eve")
    unmet = run(
        "autonomy", "propose", path, "--target", "0.001", "--level", "A5", "--segment", "x", "--json", "--as", "ann"
    )
    counted = run("autonomy", "propose", path, "--target", "0.05", "--level", "A5", "--dry-run", "--as", "ann")
    early = run(
        "autonomy", "propose", path, "--target", "0.05", "--level", "A5", "--segment", "x", "--dry-run", "--as", "ann"
    )
    history = run("learn", "history", UNIT)
    refused = Shell(tmp_path, []).run(
        "autonomy", "propose", path, "--target", "0.05", "--json", WORKUNITS_LEDGER=address
    )

    assert proposed.exit_code == 0
    assert "wrong at 0.95, target 5.00%: 0 of 7" in proposed.stdout
    assert f"workunits autonomy sign {path} 1" in proposed.stdout
    assert (signed["level"], signed["executor"], signed["signed_by"]) == ("A5", EXECUTOR, "eve")
    for words in ("level A5, version 1, segment all", "1,500 on routine cases", "1,500 shadow; 0 wrong, 0 severe"):
        assert words in reported.stdout
    assert (told["grants"][0]["falls"], told["executors"][0]["proposals"]) == ([], 1_500)
    assert audits.stdout == "No audit is due.\n"
    assert (revoked.exit_code, "is revoked" in revoked.stderr) == (0, True)
    assert unmet.exit_code == 1
    assert {"cases", "calibration"} <= {one["what"] for one in json.loads(unmet.stdout)["missing"]}
    assert json.loads(unmet.stdout)["look"] == 0
    assert (counted.exit_code, "labels and days enough" in counted.stdout) == (0, True)
    assert (early.exit_code, "  cases       0 labels; it takes 300" in early.stdout) == (1, True)
    for words in ("autonomy asked for: triage at A5", "autonomy granted: triage at A5", "no longer at A5: new product"):
        assert words in history.stdout
    assert (refused.returncode, json.loads(refused.stderr)["error"]["field"]) == (2, "level")


@pytest.mark.parametrize(
    ("who", "code"), [("eve", None), ("olga", None), ("ann", "not_allowed"), ("eva", "unknown_person")]
)
def test_not_anybody_may_spend_a_look(tmp_path: Path, monkeypatch, who: str, code: str | None):
    """By the directory it takes the role that answers for the step, or the unit's owner."""
    address, people = f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "people.toml"
    store = Ledger(address)
    store.migrate()
    fill(store, 400)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(FraudReview, "learning", replace(FraudReview.learning, owner="head of models"))
    roles = {"eve": TRIAGE.accountable, "olga": "head of models", "ann": "fraud analyst"}
    lines = ["[groups]", *(f'{name} = ["{role}"]' for name, role in roles.items())]
    lines += [f'[[person]]\nname = "{name}"\ngroups = ["{name}"]' for name in roles]
    people.write_text("\n".join(lines), encoding="utf-8")
    typed = ["autonomy", "propose", f"{UNIT}.{STEP}", "--target", "0.001", "--level", "A5", "--as", who, "--json"]
    done = CliRunner().invoke(app, typed, env={"WORKUNITS_LEDGER": address, "WORKUNITS_DIRECTORY": str(people)})
    with store.read() as connection:
        written = entries_of(connection, UNIT)
    store.close()

    if code is None:
        assert (done.exit_code, json.loads(done.stdout)["look"], len(written)) == (1, 1, 1)
    else:
        assert isinstance(done.exception, CommandError)
        assert (done.exception.code, written) == (code, [])
