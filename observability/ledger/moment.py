"""A point in time in the ledger: always UTC, exact to the microsecond, sorted as it reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class Moment(TypeDecorator[datetime]):
    """`timestamptz` on PostgreSQL; on SQLite, which has no such type, `2026-11-25T07:13:12.123456Z`."""

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """See base class."""
        native = TIMESTAMP(timezone=True) if dialect.name == "postgresql" else String(27)
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """See base class; a time without a zone is refused, since it may mean any."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be kept")
        there = value if value.tzinfo is UTC else value.astimezone(UTC)
        # Not strftime("%Y"): it writes years before 1000 without their zeros.
        return there if dialect.name == "postgresql" else there.isoformat(timespec="microseconds")[:26] + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """See base class."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            there: datetime = value
            return there.astimezone(UTC)
        return datetime.fromisoformat(value)
