"""What this package offers to `workunits`."""

from workunits.registry import Package

from your_package.unit import PurchaseRequest

PACKAGE = Package(
    "your_package",
    units=(PurchaseRequest,),
    contracts=("your_package.contracts",),
    performers=("your_package.performers",),
    published="your_package",
)
