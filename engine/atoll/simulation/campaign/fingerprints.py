"""Fingerprints of what a run depends on: the code, and the scenario with everything that it was read from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import atoll
from atoll.simulation.scenario.scenario import Scenario

_LENGTH = 8
_NEVER_IN_A_RUN = ("bench/", "cli/", "console/", "demo/", "simulation/campaign/", "simulation/report/", "supervisor/")
"""Parts that no run executes: a change there repeats the same runs."""


@cache
def source_fingerprint() -> str:
    """Of all Python files of the engine and of the simulated world, as they are on disk; eight hexadecimal digits."""
    root = Path(atoll.__file__).parent
    names = sorted(file.relative_to(root).as_posix() for file in root.rglob("*.py"))
    return digest((name, (root / name).read_bytes()) for name in names if not name.startswith(_NEVER_IN_A_RUN))


def scenario_fingerprint(scenario: Scenario) -> str:
    """Of the scenario's text and of the table of latencies that it names; the configuration has its own."""
    table = scenario.network.table
    figures = [(f"{source}>{target}", repr(trip)) for (source, target), trip in sorted(table.round_trips_ms.items())]
    return digest([("text", scenario.text.encode()), *((pair, trip.encode()) for pair, trip in figures)])


def file_fingerprint(file: Path) -> str:
    """Of a file's bytes."""
    return digest([("file", file.read_bytes())])


def digest(parts: Iterable[tuple[str, bytes]]) -> str:
    """Of named parts in the order given; no two different sequences of parts read alike."""
    whole = hashlib.sha256()
    for name, content in parts:
        whole.update(f"{name}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()[:_LENGTH]
