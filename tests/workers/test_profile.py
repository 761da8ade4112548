"""The line that `up` prints for a second terminal: whoever types it there finds its engine, whatever was set before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.conftest import clean_environment
from workers.engine.address import Address
from workers.engine.profile import point_to

ENGINE = Address("127.0.0.1:7999", "default", {}, "ours", encrypted=False)
USUAL = Address("127.0.0.1:7233", "default", {}, "ours", encrypted=False)
LOOK = "from workers.engine.address import find_address; f = find_address(); print(f.host, f.namespace, f.options)"


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    "there",
    [
        {"TEMPORAL_NAMESPACE": "prod"},
        {"TEMPORAL_ADDRESS": "cloud.example:7233", "TEMPORAL_API_KEY": "s3cret"},
        {"TEMPORAL_API_KEY": "s3cret"},
        {"TEMPORAL_TLS": "true", "TEMPORAL_TLS_SERVER_NAME": "cloud.example"},
        {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/nowhere/ca.pem"},
        {"TEMPORAL_PROFILE": "prod"},
        {"TEMPORAL_GRPC_META_TENANT": "acme-1"},
        {"TEMPORAL_CONFIG_FILE": "/nowhere/temporal.toml", "TEMPORAL_NAMESPACE": "prod"},
    ],
    ids="+".join,
)
def test_the_line_leads_to_the_engine(monkeypatch, tmp_path, there):
    """Every variable that wins over a profile is unset by it, and named alone: no value is repeated."""
    for name, value in there.items():
        monkeypatch.setenv(name, value)

    line = point_to(ENGINE, tmp_path)

    assert line is not None
    assert not any(value in line for value in there.values())
    shell = ["/bin/sh", "-c", f"{line}; exec {sys.executable} -P -c '{LOOK}'"]
    said = subprocess.run(
        shell, env=clean_environment(**there), capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert said == "127.0.0.1:7999 default {}\n"


def test_an_api_key_alone_is_reason_enough(monkeypatch, tmp_path):
    """With one, Temporal's client speaks TLS, which an engine of ours does not."""
    assert point_to(USUAL, tmp_path) is None
    monkeypatch.setenv("TEMPORAL_API_KEY", "s3cret")

    assert str(point_to(USUAL, tmp_path)).startswith("unset TEMPORAL_API_KEY; export TEMPORAL_CONFIG_FILE=")
