"""An independent look into a database: which rows of which tables contain a text, in whatever column and encoding.

It knows nothing of Atoll's schema, on purpose: the proof that a record is *not* somewhere must not rely on the code
that is meant to keep it away. Every row of every table is turned into text and searched for the text itself and for
the hexadecimal digits by which Postgres shows bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

_TABLES = """
SELECT quote_ident(schemaname) || '.' || quote_ident(tablename)
FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1
"""
_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"


class Finding(NamedTuple):
    """Rows of one table that contain one of the texts."""

    database: str
    table: str
    rows: int


async def find_everywhere(dsn: str, texts: Sequence[str]) -> list[Finding]:
    """Search every table of every database of the server that ``dsn`` leads to; tables without a hit are left out."""
    connection = await asyncpg.connect(dsn)
    try:
        databases = [row[0] for row in await connection.fetch(_DATABASES)]
    finally:
        await connection.close()
    findings = []
    for database in databases:
        findings += await _find_in(dsn, database, texts)
    return findings


async def _find_in(dsn: str, database: str, texts: Sequence[str]) -> list[Finding]:
    patterns = [f"%{pattern}%" for text in texts for pattern in (_escaped(text), text.encode().hex())]
    connection = await asyncpg.connect(dsn, database=database)
    try:
        tables = [row[0] for row in await connection.fetch(_TABLES)]
        query = "SELECT count(*) FROM {} AS found WHERE found::text LIKE ANY ($1)"
        counts = [(table, await _count(connection, query.format(table), patterns)) for table in tables]
    finally:
        await connection.close()
    return [Finding(database, table, rows) for table, rows in counts if rows]


async def _count(connection: asyncpg.Connection[asyncpg.Record], query: str, patterns: Sequence[str]) -> int:
    """The rows of one table. A crash leaves names of temporary tables whose files are gone: these hold nothing."""
    try:
        rows: int = await connection.fetchval(query, patterns)
    except asyncpg.UndefinedFileError:
        return 0
    return rows


def _escaped(text: str) -> str:
    """``text`` for LIKE, where ``%``, ``_`` and the backslash mean something."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
