"""A dev server whose cases have clocks of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from workunits.testing import Lab


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def court() -> AsyncIterator[Lab]:
    """The lab of these tests."""
    async with Lab(contracts=["tests.boundary.contracts"]) as lab:
        yield lab
