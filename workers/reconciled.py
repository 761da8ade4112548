"""What a reconciliation found, as data and as text."""

from __future__ import annotations

from typing import Any

from observability.ledger.reconcile import Reconciliation

_SHOWN = 50


def as_data(found: Reconciliation) -> dict[str, Any]:
    """For `--json`."""
    groups = sorted({*found.engine, *found.ledger})
    return {
        "counts": [
            {
                "unit": unit,
                "version": version,
                "state": state,
                "engine": found.engine[unit, version, state],
                "ledger": found.ledger[unit, version, state],
            }
            for unit, version, state in groups
        ],
        "differences": found.differences,
        "outlived": found.outlived,
        "repaired": found.repaired,
    }


def render(found: Reconciliation) -> str:
    """As text."""
    lines = [f"{'unit':<26} {'version':<9} {'state':<14} {'engine':>8} {'ledger':>8}"]
    for unit, version, state in sorted({*found.engine, *found.ledger}):
        counts = found.engine[unit, version, state], found.ledger[unit, version, state]
        mark = "" if counts[0] == counts[1] else "  <-"
        lines.append(f"{unit:<26} {version:<9} {state:<14} {counts[0]:>8} {counts[1]:>8}{mark}")
    lines.append("")
    shown = found.differences[:_SHOWN]
    lines += [f"{one.case}: {one.what}{': ' + ', '.join(one.columns) if one.columns else ''}" for one in shown]
    if len(found.differences) > _SHOWN:
        lines.append(f"and {len(found.differences) - _SHOWN} more: see --json")
    outlived = f"; {found.outlived} closed case(s) are in the ledger only" if found.outlived else ""
    if not found.differences:
        lines.append(f"The ledger says of {found.engine.total()} case(s) what the engine says{outlived}.")
    elif found.tried:
        left = len(found.differences) - found.repaired
        why = f"; {left} cannot be, workunits ledger letters says why" if left else ""
        lines.append(f"{len(found.differences)} difference(s), {found.repaired} case(s) mended{why}{outlived}.")
    else:
        lines.append(
            f"{len(found.differences)} difference(s){outlived}; mend them: workunits ledger reconcile --repair"
        )
    return "\n".join(lines)
