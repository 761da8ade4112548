"""Version 1 of the demo's unit, as a package: `workunits --module demos.invoices.package_1 ...`."""

from demos.invoices.version_1 import SupplierInvoice
from workunits.registry import Package

PACKAGE = Package(
    "invoices",
    (SupplierInvoice,),
    contracts=("demos.invoices.contracts",),
    performers=("demos.invoices.performers",),
)
