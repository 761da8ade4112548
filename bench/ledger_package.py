"""The approval case as the follower's process finds it: by `WORKUNITS_MODULES`."""

from bench.approval import Approval
from workunits.registry import Package

PACKAGE = Package("bench", (Approval,), ("bench.contracts",), ())
