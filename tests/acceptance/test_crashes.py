"""Three regions as real processes, clients in all of them, and ``kill -9`` of nodes and Postgres servers.

Afterwards every acknowledged write is there, none was applied twice, none that was refused happened, and all regions
hold the same bytes.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.acceptance.ledger import COLLECTION, RECORDS, Ledger, write_until
from tests.fixtures.command_line import RingFolder, run_atoll, wait_until

import atoll

REGIONS = ("frankfurt", "virginia", "tokyo")
KILLS = 8
SEED = 20

CONFIGURATION = "\n".join(
    [
        'ring = "crashes"',
        *(f'[regions.{region}]\nshards = ["s1", "s2"]' for region in REGIONS),
        f'[collections.{COLLECTION}.fields]\nvisits = "counter"\nnames = "add_wins_set"',
    ]
)


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[RingFolder]:
    folder = RingFolder(tmp_path)
    (tmp_path / "atoll.toml").write_text(CONFIGURATION, encoding="utf-8")
    folder.atoll("up")
    yield folder
    run_atoll("down", "--wipe", "--yes", cwd=tmp_path)
    assert folder.processes() == {}


def addresses(ring: RingFolder) -> dict[str, str]:
    return {node["region"]: node["grpc"] for node in ring.state["nodes"]}


def all_ready(ring: RingFolder) -> bool:
    return all(part["state"] == "ready" for part in [*ring.state["servers"], *ring.state["nodes"]])


async def kill_one_after_the_other(ring: RingFolder, ledger: Ledger, random: Random) -> list[str]:
    """Kill something, let writes go on, wait until it is back, and again; nodes and servers in turn."""
    killed = []
    for number in range(KILLS):
        before = ledger.count()["acknowledged"]
        await until(lambda before=before: ledger.count()["acknowledged"] >= before + random.randrange(50, 150))
        victim = random.choice(ring.state["nodes" if number % 2 else "servers"])
        os.kill(victim["pid"], signal.SIGKILL)
        killed.append(f"{victim['region']}/{victim.get('name') or victim['shard']}")
        await until(lambda pid=victim["pid"]: pid not in {part["pid"] for part in parts(ring)} and all_ready(ring))
    return killed


def parts(ring: RingFolder) -> list[dict[str, object]]:
    return [*ring.state["servers"], *ring.state["nodes"]]


async def until(condition: object, seconds: float = 60.0) -> None:
    assert callable(condition)
    await asyncio.to_thread(wait_until, condition, seconds)


async def write_under_fire(ring: RingFolder) -> Ledger:
    ledger, stopped = Ledger(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for seed, (region, address) in enumerate(addresses(ring).items()):
            tasks.create_task(write_until(stopped, [address], region, ledger, writers=4, seed=seed))
        killed = await kill_one_after_the_other(ring, ledger, Random(SEED))
        stopped.set()
    print(f"killed {', '.join(killed)}; writes: {ledger.count()}")
    return ledger


async def read_everywhere(ring: RingFolder) -> dict[str, dict[str, dict[str, object] | None]]:
    found = {}
    for region, address in addresses(ring).items():
        async with atoll.connect(address, session=False) as client:
            found[region] = await client.get_many(COLLECTION, RECORDS)
    return found


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_killed_nodes_and_servers_lose_nothing_and_count_nothing_twice(ring: RingFolder) -> None:
    ledger = asyncio.run(write_under_fire(ring))
    verdict = ring.json("verify", "--wait", "60")
    found = asyncio.run(read_everywhere(ring))

    assert verdict["differences"] == []
    assert found["frankfurt"] == found["virginia"] == found["tokyo"]
    complaints = [line for record in RECORDS for line in ledger.audit(record, found["frankfurt"][record])]
    assert complaints == []
    assert ledger.count()["acknowledged"] > 50 * KILLS


def test_audit_finds_what_is_lost_doubled_ghostly_or_strange() -> None:
    ledger = Ledger()
    ledger.acknowledged["page0"] = {"a", "b"}
    ledger.refused["page0"] = {"c"}
    ledger.unknown["page0"] = {"d"}

    assert ledger.audit("page0", {"names": {"a", "b", "d"}, "visits": 3}) == []
    assert "lost" in ledger.audit("page0", {"names": {"a"}, "visits": 1})[0]
    assert "refused" in ledger.audit("page0", {"names": {"a", "b", "c"}, "visits": 3})[0]
    assert "nobody" in ledger.audit("page0", {"names": {"a", "b", "x"}, "visits": 3})[0]
    assert "counted" in ledger.audit("page0", {"names": {"a", "b"}, "visits": 3})[0]
    assert ledger.audit("page0", None) != []
