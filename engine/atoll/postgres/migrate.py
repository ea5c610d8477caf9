"""Brings a database's schema up to this code: numbered SQL files, each applied once, in order, for ever as it is.

A table ``migration`` in the schema notes the version, the checksum and the time of each. Every file is one
transaction under an advisory lock, so that many nodes may start at once; many databases can be migrated in parallel
in one process.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

import asyncpg

from atoll import limits
from atoll.errors import SchemaMismatch

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 4_707_495_758_643_556_352
"""The advisory lock of migrations; any constant that nobody else uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file: its number, name and text."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations(directory: Traversable) -> Sequence[Migration]:
    """The files of a package's directory, numbered from one without gaps."""
    found = sorted((each for each in directory.iterdir() if _NAME.fullmatch(each.name)), key=lambda each: each.name)
    migrations = [
        Migration(version=int(each.name[:4]), name=each.name, sql=each.read_text(encoding="utf-8")) for each in found
    ]
    assert [each.version for each in migrations] == list(range(1, len(migrations) + 1)), "migrations have a gap"
    return migrations


async def migrate(
    connection: asyncpg.Connection, migrations: Sequence[Migration], where: str, *, schema: str = "atoll"
) -> int:
    """Apply what is missing and return how many that was; idempotent, and safe to race with itself.

    ``where`` names the database in errors; ``schema`` is made if need be and holds the table of migrations. Raises
    :class:`SchemaMismatch` when the database is newer than ``migrations`` or was built from another text of one of
    them; nothing is changed then.
    """
    applied = 0
    while await _apply_next(connection, migrations, where, schema):
        applied += 1
    return applied


async def _apply_next(
    connection: asyncpg.Connection, migrations: Sequence[Migration], where: str, schema: str
) -> bool:
    async with connection.transaction():
        await connection.execute(f"set local lock_timeout = '{limits.MIGRATION_LOCK_SECONDS}s'")
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
        done = await _applied(connection, schema)
        _check(done, migrations, where)
        if len(done) == len(migrations):
            return False
        following = migrations[len(done)]
        await connection.execute(following.sql)
        await connection.execute(
            f"insert into {schema}.migration (version, sha256) values ($1, $2)", following.version, following.checksum
        )
        return True


async def _applied(connection: asyncpg.Connection, schema: str) -> Sequence[tuple[int, str]]:
    if await connection.fetchval("select to_regclass($1)", f"{schema}.migration") is None:
        await connection.execute(f"create schema if not exists {schema}")
        await connection.execute(
            f"create table {schema}.migration (version integer primary key, sha256 text not null, "
            "applied_at timestamptz not null default now())"
        )
    rows = await connection.fetch(f"select version, sha256 from {schema}.migration order by version")
    return [(row["version"], row["sha256"]) for row in rows]


def _check(done: Sequence[tuple[int, str]], migrations: Sequence[Migration], where: str) -> None:
    if len(done) > len(migrations):
        raise SchemaMismatch(
            f"{where}: its schema is at version {len(done)}, and this Atoll knows {len(migrations)}: "
            "run the newer Atoll that migrated it"
        )
    for (version, checksum), migration in zip(done, migrations, strict=False):
        if version != migration.version or checksum != migration.checksum:
            raise SchemaMismatch(
                f"{where}: migration {version} was applied from another text than {migration.name} has now; "
                "migrations must never be edited: restore the file, or the database"
            )
