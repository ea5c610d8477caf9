"""What is wrong is said before anything starts: exit code 2, the file, the key, the fix, and nothing on disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from tests.fixtures.command_line import run_atoll

RING = """
ring = "test"
[regions.oslo]
shards = ["s1"]
"""


def refused(folder: Path, text: str) -> str:
    """Run ``up`` on a configuration that must be refused; returns what was said."""
    (folder / "atoll.toml").write_text(text, encoding="utf-8")
    run = run_atoll("up", cwd=folder)
    assert run.returncode == 2, run.stderr
    assert run.stdout == ""
    assert "atoll.toml" in run.stderr
    assert [entry.name for entry in folder.iterdir()] == ["atoll.toml"], "nothing may be made or started"
    return run.stderr


def test_unknown_key_is_named_with_the_likely_one(tmp_path: Path) -> None:
    said = refused(tmp_path, RING + 'hoem = "x"\n')
    assert "regions.oslo.hoem" in said


def test_duplicate_name_is_refused(tmp_path: Path) -> None:
    assert "duplicate name" in refused(tmp_path, RING.replace('["s1"]', '["s1", "s1"]'))


def test_dsn_that_does_not_answer_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, RING.replace('shards = ["s1"]', 'shards.s1.dsn = "postgresql://me@127.0.0.1:1/x"'))
    assert "regions.oslo.shards.s1.dsn" in said
    assert "does not answer" in said


def test_shard_that_does_not_flush_is_refused(tmp_path: Path, fresh_database: Callable[[], str]) -> None:
    dsn = fresh_database()

    async def loosen() -> None:
        connection = await asyncpg.connect(dsn)
        name = dsn.rpartition("/")[2]
        await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        await connection.close()

    asyncio.run(loosen())
    said = refused(tmp_path, RING.replace('shards = ["s1"]', f'shards.s1.dsn = "{dsn}"'))
    assert "synchronous_commit" in said
    assert "RESET synchronous_commit" in said


def test_directory_without_postgres_programs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "atoll.toml").write_text(RING)
    run = run_atoll("up", "--pg-bin", "/nonexistent", cwd=tmp_path)
    assert run.returncode == 2
    assert "/nonexistent cannot be used as Postgres' bin directory" in run.stderr


def test_missing_configuration_says_how_to_get_one(tmp_path: Path) -> None:
    run = run_atoll("up", cwd=tmp_path)
    assert run.returncode == 2
    assert "atoll init" in run.stderr


@pytest.mark.parametrize("command", [["down"], ["status"], ["get", "cities", "x"], ["verify"]])
def test_command_without_a_running_ring_says_so(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "atoll.toml").write_text(RING)
    run = run_atoll(*command, cwd=tmp_path)
    assert run.returncode == 4, run.stderr
    assert "atoll up" in run.stderr


def test_error_is_json_when_asked_for(tmp_path: Path) -> None:
    run = run_atoll("up", "--json", cwd=tmp_path)
    assert run.returncode == 2
    assert json.loads(run.stdout)["error"]["code"] == "invalid_configuration"
    assert run.stderr == ""


def test_init_writes_once(tmp_path: Path) -> None:
    assert run_atoll("init", cwd=tmp_path).returncode == 0
    before = (tmp_path / "atoll.toml").read_text()
    run = run_atoll("init", cwd=tmp_path)
    assert run.returncode == 2
    assert (tmp_path / "atoll.toml").read_text() == before


def test_wipe_without_a_terminal_needs_yes(tmp_path: Path) -> None:
    run_atoll("init", cwd=tmp_path)
    (tmp_path / ".atoll" / "data").mkdir(parents=True)
    run = run_atoll("down", "--wipe", cwd=tmp_path)
    assert run.returncode == 2
    assert "--yes" in run.stderr
    assert (tmp_path / ".atoll" / "data").exists()


def test_help_names_every_exit_code(tmp_path: Path) -> None:
    run = run_atoll("--help", cwd=tmp_path)
    assert run.returncode == 0
    for code in ("0", "1", "2", "3", "4", "70", "130"):
        assert f"{code} " in run.stdout


def test_usage_error_is_json_when_asked_for(tmp_path: Path) -> None:
    run = run_atoll("get", "cities", "--json", cwd=tmp_path)
    assert run.returncode == 2
    assert json.loads(run.stdout)["error"]["code"] == "usage"
    assert "key" in json.loads(run.stdout)["error"]["message"]
    assert run.stderr == ""


def test_error_is_set_off_from_its_kind_and_in_one_line_for_a_pipe(tmp_path: Path) -> None:
    run = run_atoll("up", cwd=tmp_path, columns=40)
    assert run.stderr.startswith("invalid configuration: there is no atoll.toml here")
    assert run.stderr.count("\n") == 1


def test_put_without_fields_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    run = run_atoll("put", "cities", "x", cwd=tmp_path)
    assert run.returncode == 2
    assert "--value '{}'" in run.stderr


def test_help_flows_at_eighty_columns(tmp_path: Path) -> None:
    said = run_atoll("up", "--help", cwd=tmp_path, columns=80).stdout
    assert "ring goes on in the background, and what dies is started again" in " ".join(said.split())
    assert "background, and\n" not in "\n".join(line.rstrip() for line in said.splitlines())


def test_unknown_command_is_bad_input(tmp_path: Path) -> None:
    assert run_atoll("dwon", cwd=tmp_path).returncode == 2
