"""Version 2 of the demo's unit, as a package: `workunits --module demos.invoices.package_2 ...`."""

from demos.invoices.version_2 import SupplierInvoice
from workunits.registry import Package

PACKAGE = Package(
    "invoices",
    (SupplierInvoice,),
    contracts=("demos.invoices.contracts",),
    performers=("demos.invoices.performers",),
)
