"""Cases that were open when a rule for people's tasks, or for clocks, changed: they go on as their histories say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.clocked import CLOCKED
from tests.lab.people import PEOPLE
from workers.replaying.histories import files_in, load
from workers.replaying.replay import replay
from workunits.registry import Catalog, Package

HISTORIES = files_in([Path(__file__).parent / "as_before"])
CATALOG = Catalog([Package("people", (*PEOPLE, *CLOCKED), ("tests.lab.contracts",), ())])


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
async def test_a_case_goes_on_as_it_did(path: Path) -> None:
    """Whom a rule of today stops went on, what one of today starts never began, and a late word counted otherwise."""
    (verdict,) = await replay([load(path)], CATALOG)

    assert (verdict.status, verdict.findings) == ("clean", ())
