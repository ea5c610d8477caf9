"""The figure that the alert on a silent shard rests on follows the shard, whatever keeps it from answering."""

from __future__ import annotations

import logging

import pytest
from tests.fixtures.network import Network
from tests.fixtures.regions import TOKYO, eventually, memory_stores, region_on, topology_of

from atoll.errors import AtollError, Unavailable, UnsafeShard
from atoll.simulation.storage.memory_store import Phase


@pytest.mark.parametrize("failure", [Unavailable("no answer"), UnsafeShard("restored from a backup")])
async def test_shard_that_does_not_answer_shows_until_it_does(
    failure: AtollError, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    is_away = False

    async def disturb(_method: str, phase: Phase) -> None:
        if is_away and phase is Phase.BEFORE:
            raise failure

    topology = topology_of([TOKYO], ["s1"])
    region = region_on(topology, TOKYO, await memory_stores(topology, TOKYO, disturb), Network().transport(TOKYO))
    await region.replication.start()
    try:
        await eventually(lambda: region.sample("atoll_shard_up", shard="s1") == 1, "up")
        is_away = True
        await eventually(lambda: region.sample("atoll_shard_up", shard="s1") == 0, "down")
        is_away = False
        await eventually(lambda: region.sample("atoll_shard_up", shard="s1") == 1, "up again")
    finally:
        await region.replication.stop()
