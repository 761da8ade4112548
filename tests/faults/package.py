"""The package that workers under test serve."""

from tests.faults.units import UNITS
from workunits.registry import Package

PACKAGE = Package("faults", UNITS, ("tests.faults.contracts",), ("tests.faults.performers",))
