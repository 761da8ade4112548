"""Settings and Temporal's own configuration: each misfit ends with exit code 2 and names its place."""

import json
import stat

import pytest

from workers.settings import Settings, SettingsError, load_settings, make_private


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch, tmp_path):
    for name in ("QUEUE", "QUEUES", "MODULES", "MAIL"):
        monkeypatch.delenv(f"WORKUNITS_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults_need_no_file():
    """Without a file and without variables, there are defaults for everything."""
    settings = load_settings()

    assert (settings.queue, settings.ai_model, settings.separate_queues) == ("workunits", "test", {})


def test_a_variable_wins_over_the_file(shell, monkeypatch):
    """The environment wins over the file, and the file over the default."""
    shell.write("workunits.toml", 'queue = "file"\ndeployment = "file"\nqueues = {ai = "file-ai"}\n')
    monkeypatch.setenv("WORKUNITS_QUEUE", "variable")
    monkeypatch.setenv("WORKUNITS_QUEUES", "ai=variable-ai, automated=variable")

    settings = load_settings()

    assert (settings.queue, settings.deployment) == ("variable", "file")
    assert settings.separate_queues == {"ai": "variable-ai"}


def test_modules_of_the_command_line_join_those_of_the_settings(monkeypatch):
    """Modules add up, each once."""
    monkeypatch.setenv("WORKUNITS_MODULES", "acme.package, other")

    assert load_settings(modules=["acme.package", "mine"]).modules == ("acme.package", "other", "mine")


def test_settings_are_frozen():
    """Nobody changes the settings after they were read."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().queue = "other"  # type: ignore[misc]


def test_a_bad_value_is_named_by_line_and_never_repeated(shell):
    """A value of the wrong type is named by file, line and key; the value, perhaps a password, stays unsaid."""
    shell.write("workunits.toml", '\nmail = "smtp//u:secret@host"\n')

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value).startswith("workunits.toml:2: mail: should be smtp://")
    assert "secret" not in str(caught.value)


def test_a_private_folder_is_its_owners_alone(tmp_path):
    """What cases say lies in folders that others cannot enter."""
    make_private(tmp_path / "a" / "b")

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_input_49_broken_toml(shell):
    """A settings file that is no TOML is named with line and column."""
    shell.write("workunits.toml", 'queue = "a"\ndata = \n')

    ended = shell.run("doctor")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "workunits: workunits.toml:2:8: not TOML: invalid value\n"


def test_input_49_broken_toml_of_temporal(shell):
    """So is Temporal's own file."""
    file = shell.write("temporal.toml", '[profile.default]\naddress = "x\n')

    ended = shell.run("doctor", TEMPORAL_CONFIG_FILE=str(file))

    assert ended.returncode == 2
    assert f"{file}:2:" in ended.stderr


def test_input_50_unknown_key(shell):
    """An unknown key is named with its line and the nearest one that exists."""
    shell.write("workunits.toml", '# mine\nqueeu = "a"\n')

    ended = shell.run("doctor")

    assert ended.returncode == 2
    assert "workunits.toml:2: queeu: there is no such setting; did you mean queue?" in ended.stderr


def test_input_50_unknown_key_of_temporal(shell):
    """Envconfig lets an unknown key by; we do not."""
    file = shell.write("temporal.toml", '[profile.default]\nadress = "127.0.0.1:1"\n')

    ended = shell.run("doctor", TEMPORAL_CONFIG_FILE=str(file))

    assert ended.returncode == 2
    assert f"{file}:2:1: unknown field `adress`" in ended.stderr


@pytest.mark.parametrize(("name", "near"), [("WORKUNITS_QUEU", "WORKUNITS_QUEUE"), ("TEMPORAL_ADRESS", "_ADDRESS")])
def test_input_50_unknown_variable(shell, name, near):
    """A misspelt variable is named with the nearest one that exists."""
    ended = shell.run("doctor", **{name: "a"})

    assert ended.returncode == 2
    assert f"environment variable {name}:" in ended.stderr
    assert f"did you mean {near}?" in ended.stderr.replace("TEMPORAL_ADDRESS", "_ADDRESS")


def test_input_51_duplicate_key(shell):
    """A key that is there twice is named with the line of the second."""
    shell.write("workunits.toml", 'queue = "a"\nqueue = "b"\n')
    file = shell.write("temporal.toml", '[profile.default]\naddress = "a:1"\naddress = "b:1"\n')

    ours, temporals = shell.run("doctor"), shell.run("--config", "/dev/null", "doctor", TEMPORAL_CONFIG_FILE=str(file))

    assert (ours.returncode, temporals.returncode) == (2, 2)
    assert "workunits.toml:2:" in ours.stderr
    assert "twice" in ours.stderr
    assert f"{file}:3:" in temporals.stderr
    assert "twice" in temporals.stderr


def test_input_52_no_file(shell):
    """A file that was named and is not there is an error: envconfig would go on with its defaults."""
    ours = shell.run("--config", "none.toml", "doctor")
    temporals = shell.run("doctor", TEMPORAL_CONFIG_FILE="none.toml")

    assert (ours.returncode, temporals.returncode) == (2, 2)
    assert "none.toml: there is no such settings file" in ours.stderr
    assert "TEMPORAL_CONFIG_FILE: none.toml: there is no such file" in temporals.stderr


def test_input_52_no_profile(shell):
    """A profile that is not there is named with those that are."""
    file = shell.write("temporal.toml", '[profile.default]\naddress = "127.0.0.1:1"\n')

    ended = shell.run("doctor", TEMPORAL_CONFIG_FILE=str(file), TEMPORAL_PROFILE="prod")

    assert ended.returncode == 2
    assert "has no such profile; it has default" in ended.stderr


@pytest.mark.parametrize("name", ["TEMPORAL_TLS", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"])
def test_input_53_tls_maybe(shell, name):
    """A switch that is neither on nor off is an error: envconfig takes it for on."""
    ended = shell.run("doctor", **{name: "maybe"})

    assert ended.returncode == 2
    assert f"environment variable {name}: should be true or false" in ended.stderr


def test_errors_are_json_with_json(shell):
    """With --json an error is one JSON object on stderr, with its code and its field."""
    ended = shell.run("doctor", "--json", WORKUNITS_QUEUE="a b")

    said = json.loads(ended.stderr)["error"]

    assert (ended.returncode, ended.stdout) == (2, "")
    assert (said["code"], said["field"]) == ("bad_settings", "queue")
    assert "environment variable WORKUNITS_QUEUE" in said["message"]


def test_a_command_line_that_is_not_understood(shell):
    """A usage error is one sentence, too, and has exit code 2."""
    ended = shell.run("doctor", "--nope")

    assert ended.returncode == 2
    assert ended.stderr.startswith("workunits: No such option: --nope")
    assert "Traceback" not in ended.stderr
