"""How long tests wait for what has to come."""

from __future__ import annotations

PATIENCE = 240.0
"""Seconds. Nothing takes so long but what is broken, whatever else the machine is busy with."""
