"""F21, the ledger's part: a copy taken while cases run is put back, and nothing is missing and nobody is remembered."""

from __future__ import annotations

import sqlite3
import subprocess
import uuid
from pathlib import Path

import pytest
from sqlalchemy import select

from observability.ledger.columns import metadata
from observability.ledger.erasing import export_marks, forget, import_marks
from observability.ledger.follower import Follower
from observability.ledger.store import Ledger
from tests.observability.postgres import BIN
from tests.observability.trials import CATALOG, closes, serving


def copied(ledger: Ledger, file: Path) -> None:
    """Copy a ledger that is in use, as docs/memory.md says."""
    if ledger.sqlite:
        with sqlite3.connect(str(ledger.url.database)) as there, sqlite3.connect(file) as copy:
            there.backup(copy)  # what `.backup` does
        there.close()
        copy.close()
        return
    assert BIN is not None
    address = ledger.url.set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run([BIN / "pg_dump", "--format=custom", f"--file={file}", address], check=True)


def put_back(ledger: Ledger, file: Path, request: pytest.FixtureRequest, folder: Path) -> Ledger:
    """A ledger made of a copy."""
    if ledger.sqlite:
        (folder / "restored.sqlite").write_bytes(file.read_bytes())
        return Ledger(f"sqlite:///{folder / 'restored.sqlite'}")
    assert BIN is not None
    address: str = request.getfixturevalue("postgres").create(f"r{uuid.uuid4().hex[:12]}")
    subprocess.run([BIN / "pg_restore", "--no-owner", f"--dbname={address}", file], check=True)
    return Ledger(address)


def everything(ledger: Ledger) -> str:
    """All that a ledger holds, as text."""
    with ledger.read() as connection:
        return "\n".join(str(row) for table in metadata.tables.values() for row in connection.execute(select(table)))


async def test_f21_a_copy_from_before_is_put_back(lab, ledger, request, tmp_path):
    """What closed, opened and was forgotten since the copy is as it was in the ledger that was lost."""
    copy, marks = tmp_path / "copy", tmp_path / "marks.json"
    async with serving(lab) as trials:
        before, waiting = await trials.done(), await trials.open()
        follower = Follower(trials.client, ledger, CATALOG)
        await trials.followed(follower, lambda: len(closes(ledger, [before, waiting])) == 2)
        copied(ledger, copy)
        task = await trials.task(waiting, "decide")
        await trials.answer(task, {"decision": "grant"}, by="zoe.since")
        since = [waiting, await trials.done()]
        await trials.followed(follower, lambda: list(closes(ledger, since).values()) == ["achieved"] * 2)
        forget(ledger, "subject", "ann", actor="privacy officer")
        export_marks(ledger, marks)

        restored = put_back(ledger, copy, request, tmp_path)
        restored.check()
        assert closes(restored, [before, *since]) == {before: "achieved", waiting: None}
        assert "'ann'" in everything(restored)
        import_marks(restored, marks, actor="privacy officer")
        again = Follower(trials.client, restored, CATALOG)
        await trials.followed(again, lambda: list(closes(restored, since).values()) == ["achieved"] * 2)

        assert await trials.differences(restored) == []
        assert "zoe.since" in everything(restored)
        assert "'ann'" not in everything(restored)
    restored.close()
