"""A connection profile in Temporal's own format, for terminals that would find another engine."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from workers.engine.address import FILE, Address, UnreachableError, find_address, variables
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
    needed = found is None or not _is(found, engine)
    if needed or profile.exists():
        lines = (f"address = {json.dumps(engine.host)}", f"namespace = {json.dumps(engine.namespace)}")
        profile.write_text("[profile.default]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    if not needed:
        return None
    there = variables()
    unset = f"unset {' '.join(there)}; " if there else ""
    return f"{unset}export {FILE}={shlex.quote(str(profile.absolute()))}"


def _is(found: Address, engine: Address) -> bool:
    """Whether what is found here leads to the engine, which speaks no TLS: an API key alone would have it spoken."""
    same = (found.host, found.namespace) == (engine.host, engine.namespace)
    return same and not found.encrypted and "api_key" not in found.options


def _found() -> Address | None:
    try:
        return find_address()
    except (SettingsError, UnreachableError):
        return None
