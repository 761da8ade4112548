"""The page that says what every table and column of the ledger holds; docs/ledger.md is this, and a test compares."""

from __future__ import annotations

from sqlalchemy import Column, Table

from observability.ledger import autonomy_tables, keeping, tables, totals
from observability.ledger.columns import metadata

_INTRO = """# The ledger

The durable memory of cases, in SQLite or PostgreSQL. This page is made from the tables' own comments by
`workunits ledger schema`; do not edit it. Durations are whole microseconds, times are UTC.

Temporal is the truth of open cases; the ledger follows it and outlives its retention. Read it with any SQL client;
write to it only through `workunits`.
"""


def schema_page() -> str:
    """The page in Markdown."""
    ours = (tables, keeping, totals, autonomy_tables)
    made = [table for module in ours for table in vars(module).values() if isinstance(table, Table)]
    lines = [_INTRO]
    for table in dict.fromkeys(made):
        lines += [f"## {table.name}", "", table.comment or "", "", "| column | type | holds |", "| --- | --- | --- |"]
        lines += [f"| `{column.name}` | {_kind(column)} | {column.comment} |" for column in table.columns]
        indexes = sorted(", ".join(column.name for column in index.columns) for index in table.indexes)
        lines += ["", f"Indexed by {'; '.join(indexes)}.", ""] if indexes else [""]
    assert len(set(made)) == len(metadata.tables)  # noqa: S101 - a table of another module would be left out
    return "\n".join(lines).rstrip() + "\n"


def _kind(column: Column[object]) -> str:
    kind = type(column.type).__name__.lower()
    words = {"string": "text", "biginteger": "integer", "double": "number", "moment": "time", "boolean": "yes or no"}
    return f"{words.get(kind, kind)}{', key' if column.primary_key else ', may be empty' if column.nullable else ''}"
