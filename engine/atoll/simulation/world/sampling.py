"""Looking at a running ring a few times a second of simulated time, from outside of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from atoll.ids import Origin, RegionName
from atoll.simulation.observations import Captured, Committed, Observation, Rewound
from atoll.simulation.result import Sample
from atoll.simulation.storage.memory_shard import MemoryShard


class Sampler:
    """Takes :class:`Sample`s by truth: what every shard holds, and when each batch's first commit happened."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._uncaptured: dict[Origin, dict[int, float]] = {}
        self._first_commit: dict[Origin, dict[int, float]] = {}
        self.samples: list[Sample] = []

    def observe(self, observation: Observation) -> None:
        """Remember when what was committed, by the clock that samples are told the time by: the loop's own began
        before the traffic did."""
        match observation:
            case Committed(shard=shard, transaction=transaction, rows=rows) if rows:
                self._uncaptured.setdefault(shard, {})[transaction] = self._now()
            case Captured(batch=batch, transactions=transactions):
                waiting = self._uncaptured.setdefault(batch.origin, {})
                times = [waiting.pop(transaction) for transaction in transactions if transaction in waiting]
                if times:
                    self._first_commit.setdefault(batch.origin, {})[batch.number] = min(times)
            case Rewound(shard=shard, transactions=transactions):
                for transaction in transactions:
                    self._uncaptured.get(shard, {}).pop(transaction, None)
            case _:
                pass

    def sample(self, shards: Mapping[Origin, MemoryShard]) -> None:
        """Add the sample of this moment."""
        now = self._now()
        applied = _applied(shards)
        self._forget(applied)
        behind: dict[tuple[RegionName, RegionName], int] = {}
        stale: dict[tuple[RegionName, RegionName], float] = {}
        for (reader, origin), number in applied.items():
            link = reader, origin.region
            behind[link] = behind.get(link, 0) + shards[origin].captured - number
            stale[link] = max(stale.get(link, 0.0), now - min(now, self._oldest_after(origin, number)))
        self.samples.append(
            Sample(
                at=now,
                behind=behind,
                stale_seconds=stale,
                log_rows={str(origin): len(shard.log) for origin, shard in shards.items()},
            )
        )

    def _oldest_after(self, origin: Origin, number: int) -> float:
        """When the oldest commit happened that a reader at batch ``number`` lacks; infinity if it has all."""
        captured = [at for batch, at in self._first_commit.get(origin, {}).items() if batch > number]
        return min([*captured, *self._uncaptured.get(origin, {}).values()], default=float("inf"))

    def _forget(self, applied: Mapping[tuple[RegionName, Origin], int]) -> None:
        """Drop what every region has."""
        for origin, firsts in self._first_commit.items():
            everywhere = min((number for (_, of), number in applied.items() if of == origin), default=0)
            for batch in [batch for batch in firsts if batch <= everywhere]:
                del firsts[batch]


def _applied(shards: Mapping[Origin, MemoryShard]) -> dict[tuple[RegionName, Origin], int]:
    """Per region and remote origin, the last batch that all the region's shards have applied in full."""
    found: dict[tuple[RegionName, Origin], int] = {}
    for own, shard in shards.items():
        for origin in shards:
            if origin.region != own.region:
                number = shard.completed.at(origin)
                found[own.region, origin] = min(number, found.get((own.region, origin), number))
    return found
