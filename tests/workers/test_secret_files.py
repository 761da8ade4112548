"""Secrets from files: each secret setting may have one, and no message repeats what stands in it."""

import os

import pytest

from workers.settings import SettingsError, _secrets, load_settings

SECRET = "postgresql://someone:s3cret@db/ledger"  # noqa: S105 - nobody's


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder without settings, and an environment without ours."""
    for name in [name for name in os.environ if name.startswith("WORKUNITS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_secret_is_read_from_its_file(folder, monkeypatch):
    """The line's end is not part of it."""
    (folder / "ledger").write_text(f"{SECRET}\n")
    monkeypatch.setenv("WORKUNITS_LEDGER_FILE", str(folder / "ledger"))
    assert load_settings().ledger_url == SECRET


def test_which_settings_are_secrets():
    """All that hold one; a file is not offered for what is none."""
    assert _secrets() == ["ledger", "codec_token", "mail", "journal", "session_key", "oidc_client_secret"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("LEDGER", None, "the file cannot be read: No such file or directory"),
        ("LEDGER", " \n", "the file is empty"),
        ("LEDGER", b"\xff", "the file is not UTF-8 text"),
        ("SESSION_KEY", "s3cret", "should have 32 characters or more"),
        ("QUEUE", "s3cret", "there is no such setting"),
    ],
)
def test_what_is_not_right_names_the_variable(folder, monkeypatch, name, text, said):
    """And never the secret."""
    if text is not None:
        (folder / "secret").write_bytes(text if isinstance(text, bytes) else text.encode())
    monkeypatch.setenv(f"WORKUNITS_{name}_FILE", str(folder / "secret"))
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert f"WORKUNITS_{name}_FILE" in str(refused.value)
    assert said in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_secret_is_given_once(folder, monkeypatch):
    """The variable and its file at once: nobody knows which is meant."""
    (folder / "ledger").write_text(SECRET)
    monkeypatch.setenv("WORKUNITS_LEDGER_FILE", str(folder / "ledger"))
    monkeypatch.setenv("WORKUNITS_LEDGER", SECRET)
    with pytest.raises(SettingsError, match="WORKUNITS_LEDGER is set too; keep one"):
        load_settings()
