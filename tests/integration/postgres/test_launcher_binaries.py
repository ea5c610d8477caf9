"""Which Postgres is found, in which order, and what is said when there is none that can be used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from atoll.errors import PostgresNotFound
from atoll.postgres.launcher import Binaries, Source, find_binaries

NOWHERE: dict[str, str] = {"PATH": ""}


def programs(directory: Path, says: str = "postgres (PostgreSQL) 17.2", exit_code: int = 0) -> Path:
    """A bin directory whose programs only say their version."""
    directory.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (directory / name).write_text(f"#!/bin/sh\necho '{says}'\nexit {exit_code}\n")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable package that carries Postgres 16 and 18, and must not be imported."""
    package = tmp_path / "site" / "carrier_for_test"
    programs(package / "pginstall" / "bin", "postgres (PostgreSQL) 16.9")
    programs(package / "pginstall18" / "bin", "postgres (PostgreSQL) 18.1")
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(package.parent))
    return package.name


async def test_named_directory_comes_before_all_others(tmp_path: Path, wheel: str) -> None:
    named, of_environment = programs(tmp_path / "named"), programs(tmp_path / "environment")
    environment = {"ATOLL_PG_BIN": str(of_environment), "PATH": ""}
    found = await find_binaries(named, environment=environment, carriers=[wheel])
    assert found == Binaries(directory=named, source=Source.EXPLICIT, version=(17, 2))
    found = await find_binaries(environment=environment, carriers=[wheel])
    assert found.directory == of_environment


async def test_directory_above_bin_may_be_named_too(tmp_path: Path) -> None:
    programs(tmp_path / "pgsql" / "bin")
    assert (await find_binaries(tmp_path / "pgsql")).directory == tmp_path / "pgsql" / "bin"


async def test_wheel_comes_before_an_installed_one_with_its_highest_version_and_is_not_imported(
    tmp_path: Path, wheel: str
) -> None:
    installed = programs(tmp_path / "installed", "postgres (PostgreSQL) 19.0")
    found = await find_binaries(environment={"PATH": str(installed)}, carriers=["no_such_package", wheel])
    assert (found.source, found.version) == (Source.WHEEL, (18, 1))
    assert wheel not in sys.modules


async def test_installed_ones_are_found_by_place_and_by_path_and_the_highest_wins(tmp_path: Path) -> None:
    programs(tmp_path / "lib" / "15" / "bin", "postgres (PostgreSQL) 15.18 (Debian 15.18-0)")
    programs(tmp_path / "lib" / "9" / "bin", "postgres (PostgreSQL) 9.6")
    programs(tmp_path / "lib" / "broken" / "bin", "cannot open shared object file", exit_code=127)
    pattern = str(tmp_path / "lib" / "*" / "bin")
    found = await find_binaries(environment=NOWHERE, carriers=[], installed_patterns=[pattern])
    assert (found.source, found.version) == (Source.INSTALLED, (15, 18))
    newer = programs(tmp_path / "newer", "postgres (PostgreSQL) 18beta2")
    found = await find_binaries(environment={"PATH": str(newer)}, carriers=[], installed_patterns=[pattern])
    assert (found.directory, found.version) == (newer, (18, 0))


async def test_installed_one_that_only_pg_config_knows_is_found(tmp_path: Path) -> None:
    hidden = programs(tmp_path / "hidden")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "pg_config").write_text(f"#!/bin/sh\necho {hidden}\n")
    (tools / "pg_config").chmod(0o755)
    found = await find_binaries(environment={"PATH": str(tools)}, carriers=[], installed_patterns=[])
    assert found.directory == hidden


async def test_nothing_found_says_in_one_sentence_what_to_install() -> None:
    with pytest.raises(PostgresNotFound) as caught:
        await find_binaries(environment=NOWHERE, carriers=["no_such_package"], installed_patterns=[])
    message = caught.value.message
    assert "pip install 'atoll[embedded]'" in message
    assert "ATOLL_PG_BIN" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("absent", "no 'postgres' and no 'initdb'"),
        ("postgres alone", "no 'initdb'"),
        ("too old", "it holds Postgres 14, and Atoll needs 15 or newer"),
        ("broken", "'postgres --version' failed there: cannot open shared object file"),
        ("not executable", "'postgres --version' failed there: .*[Pp]ermission denied"),
    ],
)
async def test_named_directory_that_cannot_be_used_is_an_error_and_nothing_else_is_tried(
    content: str, reason: str, tmp_path: Path, wheel: str
) -> None:
    directory = tmp_path / "named"
    match content:
        case "postgres alone":
            (programs(directory) / "initdb").unlink()
        case "too old":
            programs(directory, "postgres (PostgreSQL) 14.20")
        case "broken":
            programs(directory, "cannot open shared object file", exit_code=127)
        case "not executable":
            (programs(directory) / "postgres").chmod(0o644)
    with pytest.raises(PostgresNotFound, match=f"named cannot be used as Postgres' bin directory: .*{reason}"):
        await find_binaries(directory, carriers=[wheel])


async def test_the_postgres_of_this_machine_is_found_and_described(postgres_binaries: Binaries) -> None:
    assert postgres_binaries.version >= (15, 0)
    assert f"Postgres {postgres_binaries.version[0]}." in postgres_binaries.describe()
