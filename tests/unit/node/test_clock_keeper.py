"""The region's clock: never back, restarts included, and never past what is persisted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from atoll.errors import ClockTooFarAhead, Unavailable
from atoll.ids import ShardName, ZoneName
from atoll.instant import LOGICAL_MAX, ZERO, Timestamp, timestamp, wall_ms
from atoll.keyspace.shard_map import initial_map
from atoll.limits import CLOCK_AHEAD_MAX_MS, CLOCK_BOUND_AHEAD_MS
from atoll.node.clock_keeper import ClockKeeper
from atoll.simulation.storage.memory_catalog import MemoryCatalog


class HandClock:
    """A clock that a test moves by hand."""

    def __init__(self, wall: int) -> None:
        self.wall = wall

    def wall_ms(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.wall / 1000

    async def sleep(self, seconds: float) -> None:
        self.wall += int(seconds * 1000)

    def alarm(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        raise AssertionError("the clock's keeper sets no alarms")


class LosableCatalog(MemoryCatalog):
    """A catalog that may stop answering."""

    def __init__(self) -> None:
        super().__init__(initial_map([ZoneName("global")], [ShardName("s1")]))
        self.is_away = False
        self.raised = 0

    async def raise_clock_bound(self, bound: Timestamp) -> None:
        if self.is_away:
            raise Unavailable("the catalog is away")
        self.raised += 1
        await super().raise_clock_bound(bound)


@pytest.fixture
def catalog() -> LosableCatalog:
    return LosableCatalog()


async def test_timestamps_are_at_most_the_persisted_bound(catalog: LosableCatalog) -> None:
    clock = HandClock(1_000_000)
    keeper = await ClockKeeper.open(clock, catalog)
    for _ in range(100):
        clock.wall += 100
        await keeper.prepare()
        assert keeper.tick() <= await catalog.clock_bound()
    await keeper.close()


async def test_restart_with_a_clock_that_went_back_goes_on_above(catalog: LosableCatalog) -> None:
    clock = HandClock(1_000_000)
    keeper = await ClockKeeper.open(clock, catalog)
    last = keeper.tick()
    clock.wall -= 500_000
    again = await ClockKeeper.open(clock, catalog)
    assert again.tick() > last


async def test_bound_is_not_persisted_for_every_group(catalog: LosableCatalog) -> None:
    clock = HandClock(1_000_000)
    keeper = await ClockKeeper.open(clock, catalog)
    for _ in range(CLOCK_BOUND_AHEAD_MS // 10):
        clock.wall += 1
        await keeper.prepare()
        keeper.tick()
    assert catalog.raised == 1


async def test_without_its_catalog_the_clock_stands_still_and_counts_until_it_may_not(
    catalog: LosableCatalog,
) -> None:
    clock = HandClock(1_000_000)
    keeper = await ClockKeeper.open(clock, catalog)
    catalog.is_away = True
    clock.wall += 10 * CLOCK_BOUND_AHEAD_MS
    await keeper.prepare()
    stamps = [keeper.tick() for _ in range(LOGICAL_MAX)]
    assert stamps == sorted(set(stamps))
    assert {wall_ms(stamp) for stamp in stamps} == {wall_ms(keeper.bound)}
    keeper.tick()
    with pytest.raises(Unavailable, match="catalog"):
        keeper.tick()
    catalog.is_away = False
    await keeper.prepare()
    assert wall_ms(keeper.tick()) == clock.wall


async def test_remote_timestamp_ahead_raises_the_bound_before_it_is_passed(catalog: LosableCatalog) -> None:
    clock = HandClock(1_000_000)
    keeper = await ClockKeeper.open(clock, catalog)
    ahead = timestamp(clock.wall + 30_000)
    keeper.observe(ahead)
    with pytest.raises(Unavailable):
        keeper.tick()
    await keeper.prepare()
    stamp = keeper.tick()
    assert stamp > ahead
    assert stamp <= await catalog.clock_bound()


async def test_region_that_does_not_write_accepts_what_others_write_later(catalog: LosableCatalog) -> None:
    clock = HandClock(1_000_000)
    keeper = await ClockKeeper.open(clock, catalog)
    clock.wall += 10 * CLOCK_AHEAD_MAX_MS
    keeper.observe(timestamp(clock.wall + CLOCK_AHEAD_MAX_MS))
    with pytest.raises(ClockTooFarAhead):
        keeper.observe(timestamp(clock.wall + CLOCK_AHEAD_MAX_MS + 1))


async def test_many_starts_in_a_row_do_not_drive_the_clock_ahead(catalog: LosableCatalog) -> None:
    clock = HandClock(1_000_000)
    last = ZERO
    for _ in range(200):
        keeper = await ClockKeeper.open(clock, catalog)
        await keeper.prepare()
        stamp = keeper.tick()
        assert stamp > last
        last = stamp
        await keeper.close()
        clock.wall += 10
    assert wall_ms(last) - clock.wall <= CLOCK_BOUND_AHEAD_MS
