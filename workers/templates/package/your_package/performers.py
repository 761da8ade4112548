"""Who performs the automated steps of a purchase request. All side effects are here."""

import csv
from pathlib import Path

from workunits.performs import performs

from your_package.contracts import Budget, CostCentreUnknown, Purchase
from your_package.unit import PurchaseRequest

BUDGETS = Path(__file__).with_name("budgets.csv")
"""What is left per cost centre; replace it by a call to the system that knows."""


@performs(PurchaseRequest.CHECK_BUDGET)
def check_budget(purchase: Purchase) -> Budget:
    """Look up what is left of the budget.

    Whatever else it raises is a technical failure: the platform tries again.

    Raises:
        CostCentreUnknown: no cost centre has this number.
    """
    with BUDGETS.open(encoding="utf-8", newline="") as file:
        left = {row["cost_centre"]: int(row["left"]) for row in csv.DictReader(file)}
    centre = purchase.cost_centre
    if centre not in left:
        raise CostCentreUnknown
    return Budget(cost_centre=centre, left=left[centre], enough=purchase.price <= left[centre])
