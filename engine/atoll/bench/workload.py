"""YCSB workloads: which keys are touched how often, and which operation comes next.

Keys follow the scrambled zipfian distribution of Cooper et al., *Benchmarking Cloud Serving Systems with YCSB* (SoCC
2010), with the usual constant 0.99: a few records take most of the traffic, and neighbours in rank are not
neighbours in key. Seeded, so that every side of a comparison sees the same traffic.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any

from xxhash import xxh3_64_intdigest

ZIPFIAN_CONSTANT = 0.99
PADDING = "x" * 140


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A mix of reads and whole-record writes."""

    name: str
    read_share: float
    story: str


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(name="A", read_share=0.5, story="half reads, half writes"),
        Workload(name="B", read_share=0.95, story="mostly reads"),
        Workload(name="C", read_share=1.0, story="reads only"),
        Workload(name="W", read_share=0.0, story="writes only"),
    )
}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a client."""

    is_read: bool
    key: str
    sequence: int


class Traffic:
    """The zipfian distribution over ``records`` keys; building it costs O(records), drawing O(log records)."""

    def __init__(self, records: int) -> None:
        assert records > 0, "a workload needs records"
        self.records = records
        weights = (1.0 / (rank**ZIPFIAN_CONSTANT) for rank in range(1, records + 1))
        self._cumulative = list(accumulate(weights))

    def key(self, random: Random) -> str:
        """Draw a key."""
        rank = bisect_left(self._cumulative, random.random() * self._cumulative[-1])
        return record_key(xxh3_64_intdigest(rank.to_bytes(8, "big")) % self.records)

    def steps(self, workload: Workload, seed: int) -> Iterator[Step]:
        """The endless operations of one client; equal seeds give equal operations."""
        random = Random(seed)
        sequence = 0
        while True:
            sequence += 1
            yield Step(random.random() < workload.read_share, self.key(random), sequence)


def record_key(index: int) -> str:
    """The key of a record: ``user`` and ten digits."""
    return f"user{index:010d}"


def record_value(key: str, sequence: int) -> dict[str, Any]:
    """A record of about 200 bytes as JSON."""
    return {"id": key, "seq": sequence, "ts": 1_700_000_000_000 + sequence, "pad": PADDING}
