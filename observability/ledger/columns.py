"""How the ledger's columns are declared: each with a comment, from which docs/ledger.md is made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


def column(name: str, kind: Any, comment: str, *args: Any, **more: Any) -> Column[Any]:
    """Declare a column that always has a value."""
    return Column(name, kind, *args, comment=comment, **{"nullable": False, **more})


def maybe(name: str, kind: Any, comment: str) -> Column[Any]:
    """Declare a column that may be empty; the comment says what that means."""
    return Column(name, kind, comment=comment, nullable=True)


def of_case(*, primary: bool = True) -> Column[Any]:
    """Declare the column that names the case; its rows go when the case's row is pruned."""
    there = ForeignKey("cases.case_id", ondelete="CASCADE")
    return column("case_id", String(400), "The case.", there, primary_key=primary)


def span(name: str, comment: str) -> Column[Any]:
    """Declare a duration in whole microseconds."""
    return column(name, BigInteger, f"{comment}, in microseconds.", default=0)
