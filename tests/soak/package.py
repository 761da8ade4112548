"""The package that the workers in the storm serve."""

from tests.soak.unit import Haul
from workunits.registry import Package

PACKAGE = Package("soak", (Haul,), ("tests.faults.contracts",), ("tests.soak.performers",))
