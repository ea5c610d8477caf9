"""A region in memory for tests of the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.fixtures.engines import InMemoryRegion


@pytest.fixture
async def region() -> AsyncIterator[InMemoryRegion]:
    opened = InMemoryRegion()
    yield opened
    await opened.close()
