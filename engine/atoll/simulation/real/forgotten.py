"""A transaction of somebody else's on a shard's server: it locks some records, is prepared, and is forgotten.

It survives crashes of the server and holds its locks and its place among the running transactions until somebody
finds it. This speaks to Postgres directly, as the stranger would whose transaction it is.
"""

from __future__ import annotations

import asyncpg

from atoll.simulation.limits import PREPARED_RECORDS_MAX, REAL_MEND_SECONDS_MAX

_LOCK = f"""
SELECT 1 FROM atoll.record ORDER BY position, collection, key LIMIT {PREPARED_RECORDS_MAX} FOR UPDATE SKIP LOCKED
"""


_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def prepare_and_forget(dsn: str, name: str) -> int | None:
    """Prepare a transaction called ``name`` and go away; returns how many records it holds locked, ``None`` if the
    server died meanwhile: then it may be prepared or not."""
    try:
        connection = await asyncpg.connect(dsn, timeout=REAL_MEND_SECONDS_MAX)
        try:
            await connection.execute("BEGIN")
            await connection.execute("SELECT pg_current_xact_id()")
            locked = len(await connection.fetch(_LOCK))
            await connection.execute(f"PREPARE TRANSACTION '{name}'")
        finally:
            await connection.close(timeout=REAL_MEND_SECONDS_MAX)
    except _FAILURES:
        return None
    return locked


async def resolve(dsn: str, name: str, *, commit: bool) -> bool:
    """Somebody looks for it; whether it was found and ended. Raises what Postgres does if it cannot be ended."""
    connection = await asyncpg.connect(dsn, timeout=REAL_MEND_SECONDS_MAX)
    try:
        await connection.execute(f"{'COMMIT' if commit else 'ROLLBACK'} PREPARED '{name}'")
    except asyncpg.UndefinedObjectError:
        return False
    finally:
        await connection.close(timeout=REAL_MEND_SECONDS_MAX)
    return True
