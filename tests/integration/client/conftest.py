"""Two regions in memory with nodes in front of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.fixtures.engines import HERE, THERE, InMemoryRegion, Wires
from tests.fixtures.served import Served


@pytest.fixture
async def wires() -> Wires:
    return Wires()


@pytest.fixture
async def region(wires: Wires) -> AsyncIterator[InMemoryRegion]:
    opened = InMemoryRegion(HERE, wires)
    yield opened
    await opened.close()


@pytest.fixture
async def far_region(wires: Wires) -> AsyncIterator[InMemoryRegion]:
    opened = InMemoryRegion(THERE, wires)
    yield opened
    await opened.close()


@pytest.fixture
async def node(region: InMemoryRegion) -> AsyncIterator[Served]:
    served = Served((await region.engine())[0])
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def other_node(region: InMemoryRegion) -> AsyncIterator[Served]:
    served = Served((await region.engine())[0])
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def far_node(far_region: InMemoryRegion) -> AsyncIterator[Served]:
    served = Served((await far_region.engine())[0])
    await served.start()
    yield served
    await served.stop()
