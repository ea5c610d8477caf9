"""The fakes are verified: any sequence of calls has the same answers in memory, simulated, and on Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.contracts.bridge import Bridge
from tests.contracts.conftest import empty
from tests.contracts.records import FRANKFURT, OREGON, TOKYO, Writer, collected, pull, record_id, visits
from tests.fixtures.servers import run_in_main

from atoll.causality.cut import Cut
from atoll.errors import AtollError
from atoll.ids import RecordId
from atoll.keyspace.key_range import EVERYTHING, KeyRange
from atoll.ports import ApplyResult, Ownership, Rows, RowWrite, ShardIdentity, StoreStatistics
from atoll.postgres.shard_store import open_shard_store
from atoll.replication.rows import Row, decode_rows, encode_rows
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.storage.memory_store import MemoryShardStore

RECORDS = [record_id(number, zone) for number in (1, 2) for zone in ("eu", "us")]
RANGES = [KeyRange(b"", record_id(2).position), KeyRange(record_id(2).position, b"us"), KeyRange(b"us", None)]


class Twins:
    """Stores that are asked the same and must answer the same; what they answer is passed on."""

    def __init__(self, *stores: Any) -> None:
        self._stores = stores

    @property
    def identity(self) -> ShardIdentity:
        identity: ShardIdentity = self._stores[0].identity
        return identity

    async def ask(self, method: str, *arguments: Any) -> Any:
        """All answers, or all errors, are equal; the errors by their class."""
        answers = [await _answer(getattr(store, method), arguments) for store in self._stores]
        first, *others = [_plain(answer) for answer in answers]
        for place, other in enumerate(others, 1):
            assert first == other, f"{method}{arguments} of {self._stores[place]}"
        if isinstance(answers[0], AtollError):
            raise answers[0]
        return answers[0]

    def __getattr__(self, method: str) -> Callable[..., Any]:
        async def asked(*arguments: Any) -> Any:
            return await self.ask(method, *arguments)

        return asked

    async def batch_rows(self, number: int, allowed: Sequence[KeyRange]) -> AsyncIterator[bytes]:
        yield await self.ask("batch_rows", number, allowed)


async def _answer(method: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    try:
        answer = method(*arguments)
        if not hasattr(answer, "__aiter__"):
            return await answer
        pieces = [piece async for piece in answer]
        return b"".join(pieces) if method.__name__ == "batch_rows" else [row for piece in pieces for row in piece]
    except AtollError as error:
        return error


def _plain(answer: Any) -> Any:
    match answer:
        case AtollError():
            return type(answer)
        case bytes():
            return [row._replace(document=row.document and json.loads(row.document)) for row in decode_rows(answer)]
        case ApplyResult():
            return replace(answer, fenced=sorted(answer.fenced))
        case StoreStatistics():
            return replace(answer, log_rows=0, log_bytes=0)
        case _:
            return answer


@dataclass
class World:
    """The twins, a shard of another region that they exchange batches with, and rows prepared for later."""

    twins: Any
    remote: MemoryShardStore
    prepared: list[RowWrite]

    async def write(self, ids: list[RecordId], seen: Cut) -> None:
        await Writer(self.twins, dependencies=seen).increment(*ids)

    async def delete(self, ids: list[RecordId], seen: Cut) -> None:
        await Writer(self.twins, dependencies=seen).delete(*ids)

    async def prepare(self, ids: list[RecordId], _seen: Cut) -> None:
        self.prepared = await Writer(self.twins).prepare({each: visits() for each in ids})

    async def write_prepared(self, _ids: list[RecordId], seen: Cut) -> None:
        await self.twins.write(self.prepared, seen)

    async def write_far_away(self, ids: list[RecordId], _seen: Cut) -> None:
        await Writer(self.remote).increment(*ids)
        await self.remote.capture()

    async def delete_far_away(self, ids: list[RecordId], _seen: Cut) -> None:
        await Writer(self.remote).delete(*ids)
        await self.remote.capture()

    async def send(self, _ids: list[RecordId], _seen: Cut) -> None:
        await pull(self.twins, self.remote)

    async def receive(self, _ids: list[RecordId], _seen: Cut) -> None:
        await pull(self.remote, self.twins)

    async def receive_in_one_chunk(self, ids: list[RecordId], _seen: Cut) -> None:
        """Several changes of the same records at once, on top of whatever was there before."""
        await pull(self.remote, self.twins)
        for _ in range(3):
            await Writer(self.remote).increment(*ids)
            await self.remote.capture()
        await pull(self.remote, self.twins, one_by_one=False)

    async def receive_disorder(self, ids: list[RecordId], seen: Cut) -> None:
        """Everything ever sent, in reverse, some of it as deltas, some of it twice."""
        rows: list[Row] = []
        for batch in await self.remote.batches(0, 100):
            payload = await collected(self.remote.batch_rows(batch.number, (EVERYTHING,)))
            rows += [row._replace(complete=row.id not in ids) for row in decode_rows(payload)]
        rows = [*reversed(rows), *rows[::2]]
        rows = [row if row.complete else row._replace(document=None) for row in rows]
        completes = Cut({OREGON: seen.at(OREGON)})
        await self.twins.apply(Cut({TOKYO: 1}).join(seen), completes, Rows(encode_rows(rows)))

    async def capture(self, _ids: list[RecordId], _seen: Cut) -> None:
        await self.twins.capture()

    async def acknowledge(self, _ids: list[RecordId], seen: Cut) -> None:
        await self.twins.acknowledge(TOKYO.region, seen.at(TOKYO))
        await self.twins.acknowledge(OREGON.region, seen.at(OREGON))

    async def collect(self, ids: list[RecordId], _seen: Cut) -> None:
        await self.twins.collect([TOKYO.region, OREGON.region][: len(ids)])

    async def claim(self, ids: list[RecordId], seen: Cut) -> None:
        await self.twins.claim(Ownership(range=RANGES[len(ids) % 3], epoch=seen.at(OREGON)))

    async def look(self, ids: list[RecordId], _seen: Cut) -> None:
        """Compare everything that can be seen."""
        await self.twins.read(ids)
        for method in ("progress", "acknowledged", "ownership", "statistics"):
            await self.twins.ask(method)
        await self.twins.ask("scan", EVERYTHING, None)
        await self.twins.ask("scan", RANGES[1], RECORDS[0].collection)
        for batch in await self.twins.batches(0, 1_000):
            for allowed in ((EVERYTHING,), (RANGES[0], RANGES[2]), ()):
                try:
                    await self.twins.ask("batch_rows", batch.number, allowed)
                except AtollError:
                    continue


STEPS = [name for name, member in vars(World).items() if callable(member) and not name.startswith("_")]
steps = st.tuples(
    st.sampled_from(STEPS),
    st.lists(st.sampled_from(RECORDS), unique=True, max_size=3),
    st.dictionaries(st.sampled_from([FRANKFURT, OREGON, TOKYO]), st.integers(1, 6)).map(Cut),
)


async def run(dsn: str, sequence: list[tuple[str, list[RecordId], Cut]], owned: list[KeyRange]) -> None:
    postgres = await open_shard_store(await empty(dsn), FRANKFURT, "ring")
    bridge = Bridge(SimulationLoop(seed=len(sequence)))
    simulated = await bridge.server(FRANKFURT).open_store("frankfurt/n1")
    remote = MemoryShardStore(TOKYO)
    world = World(Twins(MemoryShardStore(FRANKFURT), simulated, postgres), remote, [])
    try:
        await remote.claim(Ownership(range=EVERYTHING, epoch=1))
        for part in owned:
            await world.twins.claim(Ownership(range=part, epoch=2))
        for name, ids, seen in [*sequence, ("look", RECORDS, Cut.EMPTY)]:
            try:
                await getattr(world, name)(ids, seen)
            except AtollError:
                continue
    finally:
        await postgres.close()
        bridge.loop.close()


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking against a real database would outlast the test's time
    suppress_health_check=list(HealthCheck),
)
@given(
    st.lists(steps, min_size=5, max_size=30),
    st.lists(st.sampled_from(RANGES), unique=True, min_size=2),
)
def test_twins_answer_alike(
    kept_databases: list[str], sequence: list[tuple[str, list[RecordId], Cut]], owned: list[KeyRange]
) -> None:
    run_in_main(run(kept_databases[0], sequence, owned))
