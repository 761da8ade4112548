"""A package of units whose steps are all people's, as a process loads it."""

from tests.lab.people import PEOPLE
from workunits.registry import Package

PACKAGE = Package("crowd", PEOPLE, ("tests.lab.contracts",), ())
