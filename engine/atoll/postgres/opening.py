"""Before a shard is used: is its Postgres fit to keep promises, is its schema ours, is it the shard it should be?

A copy of a shard (restored, cloned, promoted from a lagging standby) would mint dots again that the original has
minted (promise I2). It shows by another system identifier or timeline than the identity row notes, and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Final

import asyncpg

from atoll.errors import UnsafeShard
from atoll.ids import Origin, actor_of
from atoll.ports import ShardIdentity
from atoll.postgres.migrate import Migration, load_migrations, migrate
from atoll.postgres.preflight import FACTS, dangers
from atoll.postgres.sessions import LOST, Address, Session, connect

SERVER = """
select system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer as timeline
from pg_control_system()
"""
"""What tells a server's history from another's; fails on a standby."""
_CHECK = f"""
select i.incarnation, s.system_identifier = i.system_identifier and s.timeline = i.timeline as same,
    current_setting('synchronous_commit') <> 'off' and current_setting('fsync') = 'on' as durable
from atoll.identity i, ({SERVER}) s
"""

SHARD_MIGRATIONS: Final[Sequence[Migration]] = load_migrations(files("atoll.postgres") / "migrations")


async def prepare_shard(address: Address, origin: Origin, ring: str) -> ShardIdentity:
    """Check the server, bring the schema up to date, make or check the identity, and return it.

    Idempotent and safe to race. Raises :class:`UnsafeShard` naming what is wrong and the fix,
    :class:`~atoll.errors.SchemaMismatch`, or :class:`~atoll.errors.Unavailable`.
    """
    connection = await connect(address)
    try:
        await _check_server(connection, address)
        await migrate(connection, SHARD_MIGRATIONS, str(address))
        return await _identify(connection, address, origin, ring)
    except asyncpg.InsufficientPrivilegeError as error:
        raise UnsafeShard(f"{address}: {error}; let its role create a schema in its database, and own it") from error
    except (asyncpg.PostgresError, *LOST) as error:
        raise address.unavailable(error) from error
    finally:
        connection.terminate()


async def check_incarnation(session: Session, address: Address, incarnation: int) -> None:
    """A new connection must lead to the server and the history that the store was opened on, still durable."""
    found = await session.row(_CHECK)
    if not found["durable"]:
        raise UnsafeShard(f"{address} no longer flushes what it acknowledges: set synchronous_commit and fsync to on")
    if not found["same"] or found["incarnation"] != incarnation:
        raise UnsafeShard(_other_history(address))


async def _check_server(connection: asyncpg.Connection, address: Address) -> None:
    facts = await connection.fetchrow(FACTS)
    assert facts is not None
    problems = list(dangers(dict(facts)))
    encoding = await connection.fetchval("select current_setting('server_encoding')")
    if encoding != "UTF8":
        problems.append(f"its encoding is {encoding}, which cannot hold every key: create it with encoding UTF8")
    if problems:
        raise UnsafeShard(f"{address} cannot be used: {'; '.join(problems)}")


async def _identify(connection: asyncpg.Connection, address: Address, origin: Origin, ring: str) -> ShardIdentity:
    server = await connection.fetchrow(SERVER)
    assert server is not None
    await connection.execute(
        "insert into atoll.identity (ring, region, shard, incarnation, system_identifier, timeline) "
        "values ($1, $2, $3, 1, $4, $5) on conflict do nothing",
        ring,
        origin.region,
        origin.shard,
        server["system_identifier"],
        server["timeline"],
    )
    identity = await connection.fetchrow("select * from atoll.identity")
    assert identity is not None
    if (identity["ring"], identity["region"], identity["shard"]) != (ring, *origin):
        raise UnsafeShard(
            f"{address} holds shard {identity['shard']} of region {identity['region']} in ring {identity['ring']!r}: "
            "correct its DSN, or give it an empty database"
        )
    if (identity["system_identifier"], identity["timeline"]) != (server["system_identifier"], server["timeline"]):
        raise UnsafeShard(_other_history(address))
    incarnation: int = identity["incarnation"]
    return ShardIdentity(
        origin=origin, incarnation=incarnation, actor=actor_of(origin, incarnation), birth=str(identity["birth"])
    )


def _other_history(address: Address) -> str:
    return (
        f"{address} was restored, cloned or promoted since its identity was noted: as it is, it could mint dots a "
        "second time; point its DSN at the original server"
    )
