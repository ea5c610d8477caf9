"""Before anything starts: does every configured database answer, and would it keep what it acknowledges?

A shard that commits without flushing breaks promise I1 without a sound, so such a setting is refused at whatever
level it was made. Sessions are opened as the engine will open them: what a role or a database overrides is seen.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from atoll.errors import InvalidConfiguration, UnsafeShard
from atoll.limits import PREFLIGHT_SECONDS_MAX

MAJOR_VERSION_MIN = 15

FACTS = """
select current_setting('server_version_num')::int / 10000 as major_version,
       current_setting('synchronous_commit') as synchronous_commit,
       (select source from pg_settings where name = 'synchronous_commit') as synchronous_commit_source,
       current_setting('fsync') as fsync,
       pg_is_in_recovery() as in_recovery,
       current_setting('default_transaction_read_only') as read_only,
       current_user::text as role,
       current_database()::text as database,
       (select oid::bigint from pg_database where datname = current_database()) as database_oid,
       pg_postmaster_start_time() as server_started
"""

_RESET = {
    "user": "ALTER ROLE {role} RESET synchronous_commit",
    "database": "ALTER DATABASE {database} RESET synchronous_commit",
    "database user": "ALTER ROLE {role} IN DATABASE {database} RESET synchronous_commit",
    "client": "take synchronous_commit out of the DSN",
    "command line": "start the server without -c synchronous_commit",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one database said; exactly one of the two is set."""

    facts: dict[str, Any] | None
    failure: str | None


async def check_shards(file: Path, dsns: Mapping[str, str]) -> None:
    """Open every DSN (given by its dotted key in ``file``) at once and check what it promises. Changes nothing.

    Raises one error that lists all problems by key with their fix: :class:`UnsafeShard` if all databases answer and
    some are not safe, :class:`InvalidConfiguration` if one does not answer or two keys lead to one database.
    """
    answers = dict(zip(dsns, await asyncio.gather(*(_ask(dsn) for dsn in dsns.values())), strict=True))
    unreachable = [f"{key}: {answer.failure}" for key, answer in answers.items() if answer.failure]
    facts = {key: answer.facts for key, answer in answers.items() if answer.facts}
    wrong = [*unreachable, *_shared(facts)]
    unsafe = [f"{key}: {problem}" for key, found in facts.items() for problem in dangers(found)]
    if wrong or unsafe:
        kind = InvalidConfiguration if wrong else UnsafeShard
        lines = "".join(f"\n  {line}" for line in [*wrong, *unsafe])
        count = len(wrong) + len(unsafe)
        raise kind(f"{file}: {count} problem{'s' if count > 1 else ''} with databases, nothing was started{lines}")


async def _ask(dsn: str) -> _Answer:
    try:
        async with asyncio.timeout(PREFLIGHT_SECONDS_MAX):
            connection = await asyncpg.connect(dsn)
            try:
                return _Answer(dict(await connection.fetchrow(FACTS) or {}), None)
            finally:
                connection.terminate()
    except TimeoutError:
        said = f"nothing within {PREFLIGHT_SECONDS_MAX:g} seconds"
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        said = str(error) or type(error).__name__
    return _Answer(None, f"the database does not answer: {said}; start it or correct the DSN")


def dangers(facts: Mapping[str, Any]) -> Iterator[str]:
    """What makes a database unfit to be a shard by the columns it answered with, each with its fix."""
    if facts["major_version"] < MAJOR_VERSION_MIN:
        yield f"Postgres {facts['major_version']} is too old: {MAJOR_VERSION_MIN} or newer is needed"
    if facts["synchronous_commit"] == "off":
        fix = _RESET.get(
            facts["synchronous_commit_source"], "set synchronous_commit = on in the server's configuration"
        )
        names = {name: _quoted(facts[name]) for name in ("role", "database")}
        yield f"synchronous_commit is off: acknowledged writes would be lost in a crash; {fix.format(**names)}"
    if facts["fsync"] == "off":
        yield "fsync is off: a crash can destroy the database; set fsync = on in the server's configuration"
    if facts["in_recovery"]:
        yield "the server is a standby and takes no writes: give the DSN of the primary"
    elif facts["read_only"] == "on":
        yield "transactions are read-only by default: reset default_transaction_read_only for this role and database"


def _shared(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Keys whose different DSNs lead to one database; a region's catalog may share that of its own shard."""
    users: defaultdict[tuple[datetime, int], list[str]] = defaultdict(list)
    for key, found in facts.items():
        users[found["server_started"], found["database_oid"]].append(key)
    for first, *others in users.values():
        for key in others:
            if not (key.endswith(".catalog") and key.split(".")[:2] == first.split(".")[:2]):
                yield f"{key}: leads to the same database as {first}: give each its own"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
