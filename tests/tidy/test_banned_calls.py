"""Time, randomness, identifiers and threads come in through ports; the edges that make them are named here."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from enum import StrEnum

import pytest
from tests.tidy.source import Source, engine_sources, is_within


class Kind(StrEnum):
    TIME = "time"
    RANDOMNESS = "randomness"
    THREADS = "threads"


BANNED: dict[str, tuple[Kind, str]] = {
    "time": (Kind.TIME, "Clock.monotonic for durations, Clock.wall_ms for timestamps, Clock.sleep for pauses"),
    "datetime.datetime.now": (Kind.TIME, "Clock.wall_ms"),
    "datetime.datetime.utcnow": (Kind.TIME, "Clock.wall_ms"),
    "datetime.datetime.today": (Kind.TIME, "Clock.wall_ms"),
    "datetime.date.today": (Kind.TIME, "Clock.wall_ms"),
    "asyncio.sleep": (Kind.TIME, "Clock.sleep; to yield once, await an event"),
    "asyncio.get_event_loop().time": (Kind.TIME, "Clock.monotonic"),
    "asyncio.get_running_loop().time": (Kind.TIME, "Clock.monotonic"),
    "asyncio.get_event_loop().call_later": (Kind.TIME, "Clock.sleep in a task"),
    "asyncio.get_running_loop().call_later": (Kind.TIME, "Clock.sleep in a task"),
    "random": (Kind.RANDOMNESS, "Entropy.uniform"),
    "secrets": (Kind.RANDOMNESS, "Entropy.token"),
    "os.urandom": (Kind.RANDOMNESS, "Entropy.token"),
    "os.getrandom": (Kind.RANDOMNESS, "Entropy.token"),
    "uuid.uuid1": (Kind.RANDOMNESS, "Entropy.token"),
    "uuid.uuid4": (Kind.RANDOMNESS, "Entropy.token"),
    "threading": (Kind.THREADS, "tasks on the event loop"),
    "_thread": (Kind.THREADS, "tasks on the event loop"),
    "concurrent.futures": (Kind.THREADS, "tasks on the event loop"),
    "asyncio.to_thread": (Kind.THREADS, "tasks on the event loop"),
    "multiprocessing": (Kind.THREADS, "tasks on the event loop"),
}

EDGES: dict[str, tuple[set[Kind], str]] = {
    # module or package: (what it may use, why)
    "atoll.system_clock": ({Kind.TIME}, "it is the real Clock"),
    "atoll.system_entropy": ({Kind.RANDOMNESS}, "it is the real Entropy"),
    "atoll.configuration.token_key": ({Kind.RANDOMNESS}, "it makes the key of a new ring"),
    "atoll.postgres.launcher": (
        {Kind.TIME, Kind.RANDOMNESS, Kind.THREADS},
        "it waits for operating-system processes",
    ),
    "atoll.postgres.sessions": ({Kind.TIME}, "it retires old connections; no port reaches below a store"),
    "atoll.supervisor": ({Kind.TIME}, "it waits for operating-system processes"),
    "atoll.server.parent_watch": ({Kind.TIME, Kind.THREADS}, "it watches another process"),
    "atoll.client.sync": ({Kind.THREADS}, "scripts without an event loop wait while one runs beside them"),
    "atoll.bench": ({Kind.TIME, Kind.RANDOMNESS, Kind.THREADS}, "it measures this machine, and waits for a ring"),
    "atoll.postgres.joining": ({Kind.TIME}, "it lets others run between merges: sleep(0) reads no clock"),
    "atoll.simulation.stopwatch": ({Kind.TIME}, "it says how long a run took, before and after it"),
    "atoll.simulation.loop": (
        {Kind.TIME, Kind.RANDOMNESS, Kind.THREADS},
        "it is the simulated Clock and Entropy, and replaces the real ones during a run",
    ),
    "atoll.simulation.network.links": ({Kind.RANDOMNESS}, "it draws from the seeded stream that it is given"),
    "atoll.simulation.workloads": ({Kind.RANDOMNESS}, "it draws from the seeded stream that it is given"),
    "atoll.simulation.scenario": ({Kind.RANDOMNESS}, "it makes plans from the streams of a seed"),
    "atoll.simulation.campaign.workers": (
        {Kind.TIME, Kind.THREADS},
        "it runs simulations in processes, and gives up those that hang",
    ),
    "atoll.demo": ({Kind.TIME, Kind.RANDOMNESS}, "it is an application, and reports how long things took"),
}


def check_banned(sources: Iterable[Source]) -> list[str]:
    """Complaints about banned names, each with what to use instead."""
    complaints = []
    for source in sources:
        allowed = {kind for edge, (kinds, _) in EDGES.items() if is_within(source.module, edge) for kind in kinds}
        for line, name in sorted(_uses(source)):
            hit = next((banned for banned in BANNED if is_within(name, banned)), None)
            if hit is not None and BANNED[hit][0] not in allowed:
                complaints.append(f"{source.module}:{line}: {name} is banned here: use {BANNED[hit][1]}")
    return complaints


def _uses(source: Source) -> set[tuple[int, str]]:
    """Every imported name that is mentioned, once a line, and every import itself."""
    uses = set(source.imports)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and (name := source.resolve(node)) is not None:
            uses.add((node.lineno, name))
    return uses


def test_time_randomness_and_threads_stay_at_the_edges() -> None:
    complaints = check_banned(engine_sources())
    assert not complaints, "\n".join(complaints)


def test_every_named_edge_needs_what_it_is_allowed() -> None:
    """An edge that stopped using what it may use must give the permission back."""
    idle = []
    for edge, (kinds, _) in EDGES.items():
        sources = [source for source in engine_sources() if is_within(source.module, edge)]
        used = {BANNED[b][0] for s in sources for _, name in _uses(s) for b in BANNED if is_within(name, b)}
        idle += [f"{edge}: {kind}" for kind in sorted(kinds - used)]
    assert not idle, "\n".join(idle)


@pytest.mark.parametrize(
    ("text", "replacement"),
    [
        ("import time\ntime.time()", "Clock.wall_ms"),
        ("from time import monotonic as now", "Clock.monotonic"),
        ("import asyncio\nasync def f(): await asyncio.sleep(1)", "Clock.sleep"),
        ("from asyncio import sleep", "Clock.sleep"),
        ("import asyncio\nx = asyncio.get_running_loop().time()", "Clock.monotonic"),
        ("import datetime\ndatetime.datetime.now()", "Clock.wall_ms"),
        ("from datetime import datetime as d\nd.utcnow()", "Clock.wall_ms"),
        ("from datetime import datetime\nclock = datetime.now", "Clock.wall_ms"),
        ("import random", "Entropy.uniform"),
        ("def f():\n    import secrets", "Entropy.token"),
        ("import os\nos.urandom(8)", "Entropy.token"),
        ("from uuid import uuid4", "Entropy.token"),
        ("import uuid\nuuid.uuid1()", "Entropy.token"),
        ("import threading", "tasks on the event loop"),
        ("from concurrent.futures import ThreadPoolExecutor", "tasks on the event loop"),
    ],
)
def test_banned_name_is_found_with_its_replacement(text: str, replacement: str) -> None:
    complaints = check_banned([Source("atoll.node.engine", text)])
    assert complaints
    assert all(replacement in complaint for complaint in complaints)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("atoll.system_clock", "import time\ntime.monotonic()"),
        ("atoll.node.engine", "from datetime import datetime, UTC\ndatetime.fromtimestamp(0, UTC)"),
        ("atoll.node.engine", "import uuid\nuuid.UUID(int=1)"),
        ("atoll.node.engine", "import asyncio\nasyncio.timeout(1)\nself.time.now()"),
    ],
)
def test_harmless_name_is_left_alone(module: str, text: str) -> None:
    complaints = check_banned([Source(module, text)])
    assert not complaints, "\n".join(complaints)


def test_edge_may_only_use_its_own_kind() -> None:
    assert len(check_banned([Source("atoll.system_clock", "import random")])) == 1
