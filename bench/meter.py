"""The meter: CPU time of process trees, resident memory, and what the numbers are reduced to."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import psutil

MILLI = 1000


def cpu(pid: int, *, tree: bool = True) -> float:
    """User and system seconds of a process and its children so far, the ended ones included."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *(root.children(recursive=True) if tree else [])]:
        times = process.cpu_times()
        total += times.user + times.system
        if tree:
            total += times.children_user + times.children_system
    return total


def rss(pid: int) -> int:
    """Resident bytes of one process."""
    return int(psutil.Process(pid).memory_info().rss)


def p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """Median with minimum and maximum."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"
