"""docker-compose.yml as the tests read it: anchors merged, variables put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
SECRETS = "/run/secrets/"
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def compose(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file with these variables; others have their defaults."""
    given = variables or {}
    text = _VARIABLE.sub(lambda found: given.get(found[1], found[2]), FILE.read_text(encoding="utf-8"))
    read: dict[str, Any] = YAML(typ="safe").load(text)
    return read


def ours(services: Mapping[str, Any]) -> dict[str, Any]:
    """The services that run our own image."""
    return {name: service for name, service in services.items() if service["image"].startswith("workunits:")}


def mounts(service: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Source and target of what is mounted from the repository."""
    pairs = [volume.split(":") for volume in service.get("volumes", [])]
    return [(source, target) for source, target, *_ in pairs if source.startswith(".")]
