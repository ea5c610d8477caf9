"""Limits of the engine at their extremes: rare states become common when a queue holds two and a block four.

A limit is a constant that modules import by name. :func:`turned` changes it in every module that has it, for the
length of a run, and puts it back.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from atoll import limits
from atoll.configuration.problems import unknown


@dataclass(frozen=True, slots=True)
class Range:
    """The lowest and highest value at which the engine has to keep its promises."""

    low: float
    high: float


KNOBS: Mapping[str, Range] = {
    "WRITE_LANES_PER_SHARD": Range(1, 4),
    "GROUP_BESIDE_MIN": Range(1, 256),
    "GROUP_RECORDS_MAX": Range(1, 1_024),
    "COUNTER_BLOCK": Range(4, 1 << 20),
    "RECORD_CACHE_MAX": Range(1, 32_768),
    "READ_BATCH_MAX": Range(1, 1_024),
    "READ_BESIDE_MIN": Range(1, 256),
    "READS_IN_FLIGHT_PER_SHARD": Range(1, 4),
    "SESSION_POLL_SECONDS_MAX": Range(0.004, 0.5),
    "CAPTURE_RETRY_SECONDS": Range(0.001, 0.1),
    "MAP_REFRESH_SECONDS_MIN": Range(0.01, 1.0),
    "FORWARD_AVOID_SECONDS": Range(0.1, 10.0),
    "FRAME_BYTES": Range(512, 1 << 20),
    "LINK_WINDOW_BYTES": Range(64 << 10, 16 << 20),
    "BATCHES_PER_APPLY_MAX": Range(1, 1_024),
    "APPLY_CHUNK_BYTES": Range(256, 4 << 20),
    "CAPTURE_INTERVAL_SECONDS": Range(0.001, 0.25),
    "CAPTURE_IDLE_SECONDS": Range(0.005, 0.5),
    "RETENTION_INTERVAL_SECONDS": Range(0.05, 5.0),
    "STREAM_QUEUE_MAX": Range(1, 64),
    "BATCHES_PER_READ": Range(1, 512),
    "ACKNOWLEDGE_INTERVAL_SECONDS": Range(0.001, 0.25),
    "ACKNOWLEDGE_PERSIST_SECONDS": Range(0.01, 2.0),
    "FOREIGN_CAPTURE_POLL_SECONDS": Range(0.02, 1.0),
    "REQUESTS_PER_STREAM_MAX": Range(1, 256),
    "CLOCK_BOUND_AHEAD_MS": Range(50, 4_000),
    "INITIAL_RANGES_PER_SHARD": Range(1, 32),
}
"""The limits that may be varied. What a caller may send, and how long somebody waits for an answer, is no knob: it
would turn requests that must succeed into ones that must fail."""


def knob_problem(name: str, value: float) -> str | None:
    """What is wrong with a knob, or ``None``."""
    if name not in KNOBS:
        return unknown("knob", name, KNOBS)
    allowed = KNOBS[name]
    if not allowed.low <= value <= allowed.high:
        return f"{value:g} is not between {allowed.low:g} and {allowed.high:g}"
    return None


@contextmanager
def turned(knobs: Mapping[str, float]) -> Iterator[None]:
    """Give limits other values in every module that has them, and put the old ones back at the end.

    Defaults of arguments, and values computed from a limit when a module was imported, stay as they were.
    """
    old = {name: getattr(limits, name) for name in knobs}
    try:
        _set({name: type(old[name])(value) for name, value in knobs.items()})
        yield
    finally:
        _set(old)  # also in modules that were imported meanwhile, with the values of then


def _set(values: Mapping[str, float]) -> None:
    for path, module in sorted(sys.modules.items()):
        if path.startswith("atoll.") and path != __name__:
            for name, value in values.items():
                if name in vars(module):
                    setattr(module, name, value)
