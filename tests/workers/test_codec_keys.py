"""The key file: made, read, and refused in words when it is not right."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.workers.conftest import Shell
from workers.engine.connect import connect
from workers.engine.embedded import Engine
from workers.key_file import KeyFileError, add_key, load_ring
from workers.settings import Settings, SettingsError
from workunits.registry import Catalog

BASE64 = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
ENTRY = f'[[key]]\nid = "a"\nsince = 2026-01-01T00:00:00Z\nsecret = "{BASE64}"\n'


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    """Write a key file."""
    path = folder / "codec.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_keys_are_added_and_the_old_ones_stay(tmp_path: Path):
    """The first key seals at once, the next from its time on; the file is its owner's alone, and other lines stay."""
    path = tmp_path / "folder" / "codec.toml"
    first = add_key(path, ahead=timedelta(hours=1))
    path.write_text("read_plaintext = true\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    second = add_key(path, ahead=timedelta(hours=1))
    ring = load_ring(path)

    assert [key.id for key in ring.keys] == [second.id, first.id]
    assert ring.sealing()[0] == first.id
    assert (second.since - first.since) >= timedelta(hours=1)
    assert ring.read_plaintext is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", r"no \[\[key\]\]; make one: workunits codec new-key"),
        ("[[key]\n", "not TOML"),
        ('key = "x"', r"no \[\[key\]\]"),
        ("colour = 1\n" + ENTRY, r":1: colour: known are read_plaintext, key"),
        ('read_plaintext = "yes"\n' + ENTRY, ":1: read_plaintext: should be true or false"),
        (ENTRY + ENTRY, "the key id a is there twice"),
        (ENTRY.replace('"a"', '"a b"'), ":1: .* id: 1 to 32 letters"),
        (ENTRY.replace('"a"', "7"), "id: 1 to 32 letters"),
        (ENTRY.replace("2026-01-01T00:00:00Z", "2026-01-01"), "key a: since: a time with its zone"),
        (ENTRY.replace("2026-01-01T00:00:00Z", "2026-01-01T00:00:00"), "key a: since: a time with its zone"),
        (ENTRY.replace("2026", "9026"), "no key is in effect yet"),
        (ENTRY.replace(BASE64, "c2hvcnQ="), "key a: secret: 5 bytes instead of 32"),
        (ENTRY.replace(BASE64, "not base64"), "key a: secret: not base64"),
        (ENTRY.replace(f'"{BASE64}"', "7"), "key a: secret: not base64"),
        ("\n" + ENTRY + ENTRY.replace("secret", "sekret"), r":6: \[\[key\]\] 2: it has id, since, secret and nothing"),
        (ENTRY + "more = 1\n", "it has id, since, secret and nothing else"),
    ],
)
def test_a_bad_file_is_refused_in_words(tmp_path: Path, text: str, why: str):
    """Each misfit is named with its line and its remedy, and no secret is shown."""
    with pytest.raises(SettingsError, match=why) as caught:
        load_ring(write(tmp_path, text))

    assert BASE64 not in str(caught.value)
    assert "c2hvcnQ" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int):
    """Whatever right another user has is one too many."""
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_ring(write(tmp_path, ENTRY, mode))


def test_what_is_no_file_is_refused(tmp_path: Path):
    """A missing file, a folder and bytes that are no text are said."""
    for path, why in ((tmp_path / "none", "there is none"), (tmp_path, "cannot be read")):
        with pytest.raises(KeyFileError, match=why):
            load_ring(path)
    binary = write(tmp_path, "")
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(KeyFileError, match="not UTF-8"):
        load_ring(binary)


def test_a_bad_file_gets_no_further_key(tmp_path: Path):
    """A file that is not right is left as it is."""
    path = write(tmp_path, "[[key]\n")
    with pytest.raises(SettingsError):
        add_key(path, ahead=timedelta(0))

    assert path.read_text(encoding="utf-8") == "[[key]\n"


def test_a_new_key_is_told_and_not_shown(shell: Shell):
    """`codec new-key` says the id and the time, as text and as JSON, and never the key."""
    first = shell.run("codec", "new-key", "--json", WORKUNITS_CODEC_KEYS="codec.toml")
    second = shell.run("codec", "new-key", "--in", "2d", "--json", WORKUNITS_CODEC_KEYS="codec.toml")
    said, later = json.loads(first.stdout), json.loads(second.stdout)

    assert (said["first"], later["first"]) == (True, False)
    assert datetime.fromisoformat(later["since"]) > datetime.now(UTC) + timedelta(days=1)
    assert "secret" not in first.stdout + first.stderr


async def test_nobody_connects_without_his_keys(tmp_path: Path):
    """Whoever is told to use keys and has none gets no client that would work in clear."""
    with pytest.raises(KeyFileError, match="there is none"):
        await connect(Settings(codec_keys=tmp_path / "none.toml"), Catalog([]))


def test_a_worker_refuses_to_start_without_its_keys(shell: Shell):
    """It says so in one sentence, before it reaches for the engine."""
    refused = shell.run("worker", WORKUNITS_CODEC_KEYS="none.toml", TEMPORAL_ADDRESS="127.0.0.1:1")

    assert refused.returncode == 2
    assert "key file none.toml: there is none" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_a_sealed_case_from_start_to_close(shell: Shell, at: dict[str, str], engine: Engine):
    """With one setting, the commands start and serve sealed cases; those without it are told what they lack."""
    shell.write_loans()
    key_file = shell.folder / "codec.toml"
    add_key(key_file, ahead=timedelta(0))
    off = at | {"WORKUNITS_QUEUE": "sealed", "WORKUNITS_MODULES": "loans.package"}
    on = off | {"WORKUNITS_CODEC_KEYS": "codec.toml"}
    shell.write("case.json", '{"request": "sealed-1"}')
    started = shell.run("start", "loan", "--input", "case.json", "--json", **on)
    findings = json.loads(shell.run("doctor", "--json", **off).stdout)["findings"]
    needs = json.loads(shell.run("codec", "rotate-check", "--json", **on).stdout)
    shell.spawn("worker", "--unversioned", **on).until("polling")
    client = await connect(Settings(codec_keys=key_file), Catalog([]), address=engine.address)
    closed = await client.get_workflow_handle("loan:sealed-1").result()

    assert started.returncode == 0, started.stderr
    assert {finding["status"] for finding in findings if finding["check"] == "codec"} == {"fail"}
    assert [key["open"] for key in needs["keys"]] == [1]
    assert closed["close"] == "achieved"
