"""Imports go downwards only, and the outside world has one door each. The table is docs/architecture.md's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

import pytest
from tests.tidy.source import ROOT, Source, engine_sources, is_within

TIERS: list[set[str]] = [
    # Inside one of the sets marked "peers" modules may import each other; anywhere else only what stands above here.
    {"errors", "ids", "instant", "limits"},  # vocabulary, peers
    {"causality"},
    {"crdt"},
    {"keyspace"},
    {"replication"},
    {"control", "metrics", "ports", "requests", "shard_values"},  # the vocabulary of the engine, peers
    {"node"},
    {"wire"},
    {"configuration", "http", "logs", "postgres", "rpc", "system_clock", "system_entropy"},  # edges
    {"server"},
    {"client"},
    {"operating"},
    {"supervisor"},
    {"bench", "demo", "simulation"},
    {"cli"},
]
PEERS = (TIERS[0], TIERS[5])

PURE = {
    "errors",
    "ids",
    "instant",
    "limits",
    "causality",
    "crdt",
    "keyspace",
    "replication",
    "requests",
    "ports",
    "shard_values",
    "control",
}
WORLD = {
    *("asyncio", "concurrent", "io", "logging", "multiprocessing", "os", "pathlib", "queue", "random", "sched"),
    *("secrets", "select", "selectors", "shutil", "signal", "socket", "ssl", "subprocess", "sys", "tempfile"),
    *("threading", "time", "structlog", "httpx", "starlette", "uvicorn", "uvloop"),
}

DOORS: dict[str, tuple[set[str], str]] = {
    # what: (who may import it, what the others use)
    "asyncpg": (
        {"atoll.postgres", "atoll.bench.plain", "atoll.simulation.real.forgotten"},
        "the ShardStore and Catalog ports",
    ),
    "sqlalchemy": ({"atoll.postgres"}, "the ShardStore and Catalog ports"),
    "grpc": ({"atoll.rpc", "atoll.simulation.network"}, "the Transport port"),
    "grpc_health": ({"atoll.rpc"}, "the Transport port"),
    "grpc_reflection": ({"atoll.rpc"}, "the Transport port"),
    "google.protobuf": ({"atoll.rpc"}, "the values of requests and replication.messages"),
    "atoll.wire": ({"atoll.rpc"}, "the values of requests and replication.messages"),
    "typer": ({"atoll.cli"}, "return values and let the CLI print them"),
}
"""``atoll.bench.plain`` is the opponent of the benchmark: plain asyncpg is what it is there to be.
``atoll.simulation.real.forgotten`` is a stranger to Atoll who uses the same Postgres.
``atoll.simulation.network`` stands in for gRPC's channels and servers, in gRPC's own words."""


def documented_rows(text: str) -> list[list[str]]:
    """The packages of each row of the table of layers in docs/architecture.md, top row first."""
    table = text.partition("## Layers")[2].partition("\n## ")[0]
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ")]
    return [names for row in rows if (names := re.findall(r"`(\w+)`", row))]


def check_documented(rows: list[list[str]]) -> list[str]:
    """Complaints about a table of layers that says something else than TIERS."""
    rank = {part: number for number, tier in enumerate(TIERS) for part in tier}
    names = [name for row in rows for name in row]
    complaints = [f"{name}: in only one of TIERS and the docs" for name in sorted(rank.keys() ^ set(names))]
    for upper, lower in pairwise(rows):
        wrong = [name for name in lower if rank.get(name, 0) >= min(rank.get(other, 99) for other in upper)]
        complaints += [f"{name}: stands lower in docs/architecture.md than in TIERS" for name in wrong]
    return complaints


def check_layers(sources: Iterable[Source]) -> list[str]:
    """Complaints about imports that go upwards or sideways."""
    rank = {part: number for number, tier in enumerate(TIERS) for part in tier}
    complaints = []
    for source in sources:
        mine = _part(source.module)
        if mine is None:
            continue  # the facade of the package: what users import from it
        if mine not in rank:
            complaints.append(
                f"{source.module}: atoll.{mine} has no place in the layers: add it to TIERS and the docs"
            )
            continue
        for line, name in source.imports:
            other = _part(name)
            if other in rank and other != mine and not _may_import(mine, other, rank):
                complaints.append(
                    f"{source.module}:{line}: {mine} may not import {other}: layers import downwards only"
                )
    return complaints


def _part(name: str) -> str | None:
    """``b`` of ``atoll.b.c``; ``None`` for the package itself and for others."""
    parts = name.split(".")
    return parts[1] if parts[0] == "atoll" and len(parts) > 1 else None


def _may_import(mine: str, other: str, rank: dict[str, int]) -> bool:
    return rank[other] < rank[mine] or any({mine, other} <= peers for peers in PEERS)


def check_doors(sources: Iterable[Source]) -> list[str]:
    """Complaints about the outside world where it has no business."""
    complaints = []
    for source in sources:
        for line, name in source.imports:
            for what, (allowed, instead) in DOORS.items():
                if is_within(name, what) and not any(is_within(source.module, module) for module in allowed):
                    complaints.append(
                        f"{source.module}:{line}: only {', '.join(sorted(allowed))} may import {what}: use {instead}"
                    )
            if _part(source.module) in PURE and name.partition(".")[0] in WORLD:
                complaints.append(
                    f"{source.module}:{line}: a pure layer may not import {name}: take it in as an argument"
                )
    return complaints


def test_layers_import_downwards_only() -> None:
    complaints = check_layers(engine_sources())
    assert not complaints, "\n".join(complaints)


def test_documented_layers_are_those_that_are_checked() -> None:
    rows = documented_rows((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    complaints = check_documented(rows)
    assert not complaints, "\n".join(complaints)


def test_documented_layer_in_another_place_is_found() -> None:
    rows = documented_rows((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert check_documented([*rows[:-1], [*rows[-1], "node"]])
    assert check_documented([*rows[:-1], [*rows[-1], "novelty"]])
    assert check_documented(rows[1:])


def test_outside_world_has_one_door_each() -> None:
    complaints = check_doors(engine_sources())
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("atoll.crdt.record", "from atoll.keyspace.position import zone_of"),
        ("atoll.node.engine", "import atoll.postgres.store"),
        ("atoll.node.engine", "from atoll import postgres"),
        ("atoll.node.engine", "def late():\n    from atoll.rpc import channel"),
        ("atoll.postgres.store", "from atoll.rpc.codec import encode"),
        ("atoll.keyspace.router", "from ..node import engine"),
        ("atoll.limits", "from atoll.causality.cut import Cut"),
        ("atoll.novelty", "import atoll.ids"),
    ],
)
def test_import_upwards_is_found(module: str, text: str) -> None:
    assert len(check_layers([Source(module, text)])) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("atoll.node.engine", "import asyncpg"),
        ("atoll.http.health", "import sqlalchemy.ext.asyncio as sa"),
        ("atoll.client.remote", "from grpc import aio"),
        ("atoll.node.engine", "from atoll.wire.v1 import data_pb2"),
        ("atoll.keyspace.router", "import asyncio"),
        ("atoll.crdt.value", "from os.path import join"),
        ("atoll.ports", "import time"),
    ],
)
def test_outside_world_in_the_wrong_place_is_found(module: str, text: str) -> None:
    assert len(check_doors([Source(module, text)])) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("atoll.node.engine", "import asyncio\nfrom atoll.ports import Clock"),
        ("atoll.ids", "from atoll.errors import InvalidName"),
        ("atoll.postgres.store", "import asyncpg\nfrom atoll.node import codec\nfrom atoll.postgres import rows"),
        ("atoll.rpc.server", "import grpc\nfrom atoll.wire.v1 import data_pb2"),
        ("atoll", "from atoll.client import connect"),
    ],
)
def test_import_downwards_is_allowed(module: str, text: str) -> None:
    source = Source(module, text)
    complaints = check_layers([source]) + check_doors([source])
    assert not complaints, "\n".join(complaints)
