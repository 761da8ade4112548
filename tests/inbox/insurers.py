"""The insurer's unit, as a process loads it."""

from tests.inbox.insurer import Insurer
from workunits.registry import Package

PACKAGE = Package("insurers", (Insurer,), ("tests.inbox.damages",), ())
