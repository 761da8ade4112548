"""The level that holds, from what people have signed and stopped, in both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from observability.ledger.autonomy import CHANGED, Grant, end, lift, live, sign, standing, stop
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, proposals
from tests.boundary.units import Damage
from workunits.core.proposal import Asked

ASKED = Asked(version="1", segment="retail")
ME = "test|1|"
NOW = datetime.now(UTC)


def level(store: Ledger, executor: str = ME, asked: Asked = ASKED) -> str:
    """What holds."""
    with store.read() as connection:
        return standing(connection, Damage.DECIDE, asked, executor).level


def grant(**more: object) -> Grant:
    """A signed level."""
    whole: dict[str, object] = {
        "unit": "damage",
        "version": "1",
        "step": "decide",
        "executor": ME,
        "level": "A5",
        "signed_by": "ana",
        "role": "head of claims",
        "threshold": 0.8,
        "points": [(0.0, 0.1), (1.0, 0.9)],
        **more,
    }
    return Grant(**whole)  # type: ignore[arg-type]


def test_what_is_signed_holds_for_what_it_was_signed_for(ledger: Ledger) -> None:
    """Another model, version or segment has what was declared, or less."""
    assert level(ledger) == "A2"
    signed = sign(ledger, grant())
    assert level(ledger) == "A5"
    assert level(ledger, asked=Asked(version="2")) == "A2"
    sign(ledger, grant(segment="retail", level="A4"))
    assert level(ledger) == "A4"
    assert level(ledger, asked=Asked(version="1", segment="firms")) == "A5"
    end(ledger, signed.grant_id, actor="ana", why="revoked")
    assert level(ledger, asked=Asked(version="1", segment="firms")) == "A2"


def test_a_certificate_that_has_expired_holds_no_more(ledger: Ledger) -> None:
    """By the clock, without anyone's doing."""
    sign(ledger, grant(expires_at=datetime.now(UTC) + timedelta(hours=1)))
    with ledger.read() as connection:
        later = datetime.now(UTC) + timedelta(hours=2)
        assert standing(connection, Damage.DECIDE, ASKED, ME, later).level == "A2"
        assert not live(connection, "damage", later)


def test_another_executor_than_the_versions_first_begins_in_the_shadow(ledger: Ledger) -> None:
    """Changing the model, the prompt or the tools takes a step to A1 until someone signs for it."""
    with ledger.write() as connection:
        row: dict[str, object] = {column.name: None for column in cases.columns if column.nullable}
        row |= {"case_id": "damage:1", "unit": "damage", "version": "1", "business_key": "1", "run_id": "r"}
        row |= dict.fromkeys(("run_started_at", "changed_at", "written_at", "started_at"), NOW)
        connection.execute(cases.insert().values(**row, state="running", record_hash="h"))
        said = {"case_id": "damage:1", "key": "decide-ai", "step": "decide", "at": NOW, "outcome": "proposed"}
        connection.execute(proposals.insert().values(**said, latency_us=1, attempts=1, executor=ME))
    assert level(ledger) == "A2"
    with ledger.read() as connection:
        other = standing(connection, Damage.DECIDE, ASKED, "test|2|")
    assert (other.level, other.why) == ("A1", CHANGED)


def test_a_stop_is_above_everything_that_was_signed(ledger: Ledger) -> None:
    """And what was signed holds again when it is lifted."""
    sign(ledger, grant())
    assert stop(ledger, "damage", "decide", actor="ana", reason="odd refusals")
    assert not stop(ledger, "damage", "decide", actor="ana", reason="again")
    assert (level(ledger), level(ledger, "")) == ("A0", "A0")
    assert lift(ledger, "damage", "decide", actor="ana", reason="mended")
    assert level(ledger) == "A5"
