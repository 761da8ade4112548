"""Cases that were open when a rule for decisions on proposals changed: they go on as their histories say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boundary.units import Damage
from workers.replaying.histories import files_in, load
from workers.replaying.replay import replay
from workunits.core import hybrid
from workunits.registry import Catalog, Package

HISTORIES = files_in([Path(__file__).parent / "as_before"])
CATALOG = Catalog([Package("here", (Damage,), ("tests.boundary.contracts",), ())])


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
async def test_a_case_goes_on_as_it_did(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One person was both of two, a decoy counted as noticed by another change, an exception was no decision."""
    # All but the one without a decoy were recorded so.
    monkeypatch.setattr(hybrid, "_is_seeded", lambda _, __: path.stem != "exception_met")
    (verdict,) = await replay([load(path)], CATALOG)

    assert (verdict.status, verdict.findings) == ("clean", ())
