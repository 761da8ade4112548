"""A connection profile in Temporal's own format, for terminals that would find another engine."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from workers.address import FILE, Address, UnreachableError, find_address
from workers.settings import SettingsError


def point_to(engine: Address, folder: Path) -> str | None:
    """Make sure that a second terminal can find an engine.

    Args:
        engine: Where it is.
        folder: Where a profile may be written.

    Returns:
        The line to type there; None when it finds the engine anyway.
    """
    profile = folder / "temporal.toml"
    found = _found()
    needed = found is None or (found.host, found.namespace, found.encrypted) != (engine.host, engine.namespace, False)
    if needed or profile.exists():
        lines = (f"address = {json.dumps(engine.host)}", f"namespace = {json.dumps(engine.namespace)}")
        profile.write_text("[profile.default]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    if not needed:
        return None
    unset = "unset TEMPORAL_ADDRESS TEMPORAL_NAMESPACE TEMPORAL_PROFILE TEMPORAL_TLS; " if _overridden(found) else ""
    return f"{unset}export {FILE}={shlex.quote(str(profile.absolute()))}"


def _found() -> Address | None:
    try:
        return find_address()
    except (SettingsError, UnreachableError):
        return None


def _overridden(found: Address | None) -> bool:
    """Whether variables win over a profile."""
    return found is not None and found.source == "from TEMPORAL_ADDRESS"
