"""What Alembic runs: on the connection that it is given, inside the caller's transaction."""

from typing import Any, Literal

from alembic import context

from observability.ledger import (
    keeping,  # noqa: F401 - its tables join the metadata
    tables,  # noqa: F401 - so do these
    totals,  # noqa: F401 - and these
)
from observability.ledger.columns import metadata
from observability.ledger.moment import Moment


def _render(kind: str, item: Any, _: Any) -> str | Literal[False]:
    return "Moment()" if kind == "type" and isinstance(item, Moment) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=_render,
    compare_type=True,
)
context.run_migrations()
