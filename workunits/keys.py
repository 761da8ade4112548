"""Business keys: by which people know a case, and which its id is made of."""

from __future__ import annotations

import re

from pydantic import BaseModel

from workunits.core.errors import BadInput
from workunits.core.unit import WorkUnit

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=-]{0,119}")


def business_key(unit: type[WorkUnit], case: BaseModel, given: str | None) -> str:
    """The key that identifies a case of a unit.

    Raises:
        BadInput: there is none, two differ, or it is not fit for an id.
    """
    own = str(getattr(case, unit.key)) if unit.key else None
    if own is not None and given and own != given:
        raise BadInput(f"the case's own key in field {unit.key!r} differs from the key given", field="key")
    if own is None and not given:
        raise BadInput(f"{unit.unit_name} takes no key from its case: give one", field="key")
    key = (given or "") if own is None else own
    field = unit.key or "key"
    if not _KEY.fullmatch(key):
        raise BadInput("1 to 120 letters, digits and . _ @ + = -, a letter or digit first", field=field)
    return key
