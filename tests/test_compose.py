"""docker-compose.yml holds together: its schema, our command lines in it, its files, its secrets, its bounds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import typer

from tests.compose_file import FILE, ROOT, SECRETS, compose, mounts, ours
from workers.cli import app
from workers.secret_files import END
from workers.settings import _OTHERS, PREFIX, Settings, _secrets

SERVICES: dict[str, Any] = compose()["services"]


def test_it_is_a_compose_file():
    """By the specification's own schema."""
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(checker, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ours(SERVICES))
def test_each_command_is_one_of_ours(name):
    """Parsed by our own command line, options and all, and not run."""
    words, command = list(SERVICES[name]["command"]), typer.main.get_command(app)
    context = command.make_context("workunits", words)
    while hasattr(command, "resolve_command"):
        _, command, words = command.resolve_command(context, words)
        assert command is not None
        context = command.make_context(command.name or "", list(words), parent=context)


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name):
    """Each file and folder of the repository that a service wants."""
    lacking = [source for source, _ in mounts(SERVICES[name]) if not (ROOT / source).exists()]
    assert not lacking


@pytest.mark.parametrize("name", ours(SERVICES))
def test_each_variable_is_read_by_somebody(name):
    """A setting of ours, a secret's file, or a variable of Temporal and OpenTelemetry."""
    known = {PREFIX + field.upper() for field in Settings.model_fields} | set(_OTHERS)
    known |= {f"{PREFIX}{secret.upper()}{END}" for secret in _secrets()}
    known |= {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}
    assert set(SERVICES[name].get("environment", {})) <= known


@pytest.mark.parametrize("name", SERVICES)
def test_a_file_of_variables_is_not_overruled(name):
    """What `environment` says wins over an `env_file`, so the example of one sets nothing that is said there, too."""
    for file in SERVICES[name].get("env_file", []):
        example = ROOT / f"{file['path']}.example"
        said = re.findall(r"^(\w+)=", example.read_text(), re.MULTILINE) if example.exists() else []
        assert not set(said) & set(SERVICES[name]["environment"])


def test_each_variable_of_the_file_is_told():
    """In the table of its page, and the one of people's address reaches whoever leads them there."""
    page = (ROOT / "docs" / "compose.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|([^|]+)\|", page, re.MULTILINE))))
    url = "https://inbox.example.com"
    given = compose({"WORKUNITS_INBOX_URL": url})["services"]

    assert set(re.findall(r"\$\{(\w+):", FILE.read_text(encoding="utf-8"))) == told
    assert [given[name]["environment"]["WORKUNITS_INBOX_URL"] for name in ("inbox", "notify")] == [url, url]


def test_grafana_has_the_variables_that_its_data_source_asks_for():
    """Each is filled in from its environment; one that is missing would leave a hole in a link."""
    source = ROOT / "observability" / "grafana" / "provisioning" / "datasources" / "workunits.yml"
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)\}", source.read_text(encoding="utf-8")))
    given = compose({"TEMPORAL_NAMESPACE": "bank"})["services"]

    assert asked <= set(given["grafana"]["environment"])
    assert given["grafana"]["environment"]["TEMPORAL_NAMESPACE"] == given["worker"]["environment"]["TEMPORAL_NAMESPACE"]
    assert "/namespaces/default/" not in source.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SERVICES)
def test_each_secret_is_given_to_who_reads_it(name):
    """And to nobody who names no file of it; none stands in the environment."""
    service = SERVICES[name]
    said = json.dumps(service) + "".join((ROOT / s).read_text() for s, _ in mounts(service) if (ROOT / s).is_file())
    wanted = set(re.findall(rf"{SECRETS}(\w+)", said))
    given = set(service.get("secrets", []))
    assert wanted <= given
    assert given - wanted <= ({"oidc_client_secret"} if name == "inbox" else set()), "that one stands in inbox.env"
    assert given <= set(compose()["secrets"])


def test_each_secret_is_made(tmp_path):
    """By the script; a second time changes none, and the folder is its owner's alone."""
    script = ROOT / "compose" / "make-secrets.sh"
    folder = tmp_path / "secrets"
    subprocess.run([script, folder], check=True)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    subprocess.run([script, folder], check=True)

    assert set(made) == set(compose()["secrets"])
    assert {path.name: path.read_text() for path in folder.iterdir()} == made
    assert folder.stat().st_mode & 0o077 == 0
    assert made["workunits_password"] in made["ledger_url"]
    assert len(made["session_key"]) >= 32


@pytest.mark.parametrize("script", sorted((ROOT / "compose").glob("*.sh")), ids=lambda path: path.name)
def test_each_script_is_one(script):
    """It can be run, and a shell can read it."""
    assert script.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", script], check=True)


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_bounded(name):
    """Nobody is root, writes beside its volumes, or takes the whole machine; each tag is pinned."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service["user"].startswith(("0", "root"))
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["profiles"] in (["full"], ["demo"])
    assert re.fullmatch(r"[\w./-]+:(v?\d[\w.-]*|local)", service["image"]), "no tag, or one that moves"
    published = [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")]
    assert not published, "a proxy with TLS stands before what others reach"


@pytest.mark.parametrize("name", SERVICES)
def test_each_waits_for_what_can_happen(name):
    """For health of what has a check of it, for the end of what ends; and within one profile."""
    for other, how in SERVICES[name].get("depends_on", {}).items():
        there = SERVICES[other]
        assert there["profiles"] == SERVICES[name]["profiles"]
        if how["condition"] == "service_healthy":
            assert "healthcheck" in there
        else:
            assert how["condition"] == "service_completed_successfully"
            assert there["restart"].startswith("on-failure")


@pytest.mark.parametrize("file", ["metrics", "watchdog", "workers", "temporal", "alertmanager"])
def test_prometheus_asks_who_is_there(file):
    """Each of its targets is a service on a network that it is on, and the port is the one that is served there."""
    path = ROOT / "observability" / "prometheus" / "targets" / f"{file}.json"
    targets = [target for group in json.loads(path.read_text(encoding="utf-8")) for target in group["targets"]]
    for target in targets:
        name, _, port = target.partition(":")
        assert "seen" in SERVICES[name]["networks"]
        assert port in json.dumps(SERVICES[name])
    assert targets


def test_the_image_has_what_it_needs():
    """All our packages, nothing that git does not know, and the requirements by their hashes."""
    said = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    packages = ["activities", "inbox", "observability", "workers", "workunits"]
    assert re.findall(r"^COPY (\w+) /opt/app/\1$", said, re.MULTILINE) == packages
    assert "--require-hashes --only-binary :all: -r /build/requirements.txt" in said
    assert re.search(r"^USER 10001:10001$", said, re.MULTILINE)
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert [line for line in sent if line.startswith("!")] == ["!requirements.txt", *(f"!{p}/" for p in packages)]
