"""The key that signs session cookies: whole or not there, and never one that anybody could guess."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.conftest import Shell
from workers.console import judge
from workers.processes.inbox import open_doors
from workers.settings import Settings, SettingsError, load_settings
from workunits.registry import Catalog

TRY = """
import sys
from pathlib import Path
from workers.session_key import session_key
from workers.settings import Settings
sys.stdin.readline()
print(session_key(Settings(state=Path(sys.argv[1]))))
"""


@pytest.fixture
def settings(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of an inbox in a folder of its own, with a directory of people."""
    people = Path(__file__).parents[2] / "workers" / "templates" / "directory.toml"
    shell.write("workunits.toml", 'directory = "people.toml"\n')
    shell.write("people.toml", people.read_text(encoding="utf-8"))
    (shell.folder / ".workunits").mkdir()
    for name in [name for name in os.environ if name.startswith("WORKUNITS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(shell.folder)
    return load_settings()


async def start(settings: Settings) -> None:
    """Put together what an inbox stands on: each of these tests has that refused before anything is connected."""
    async with open_doors(settings, Catalog(())):
        raise AssertionError("it was opened")


@pytest.mark.parametrize("there", ["", "short", " " * 64 + "\n", "\u00e9" * 64])
async def test_a_file_without_a_key_is_refused(settings, there):
    """Sessions signed with nothing could be forged by anyone: the file is named, the remedy said, the text is not."""
    (settings.state / "session.key").write_text(there, encoding="utf-8")

    with pytest.raises(SettingsError, match=r"session\.key: holds no key of 32 characters or more; rem") as caught:
        await start(settings)

    judged = judge(caught.value)
    assert judged is not None
    assert (judged.exit_code, judged.field, "short" in str(judged)) == (2, "session_key", False)
    assert "WORKUNITS_SESSION_KEY" in str(judged)


async def test_a_key_that_cannot_be_written_whole_is_not_there(settings, monkeypatch):
    """A full disk leaves no file behind that the next start would take for a key."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(SettingsError, match=r"session\.key: cannot be made or read: No space left on device"):
            await start(settings)

    assert list(settings.state.iterdir()) == []


def test_who_starts_at_the_same_time_has_the_same_key(settings):
    """Several processes on one new folder agree, and no temporary file stays."""
    command = [sys.executable, "-c", TRY, str(settings.state)]
    racing = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in racing:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.communicate(timeout=60)[0].strip() for process in racing}

    [file] = settings.state.iterdir()
    assert said == {file.read_text(encoding="ascii")}
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("session.key", 0o600)
