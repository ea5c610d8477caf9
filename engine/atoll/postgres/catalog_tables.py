"""The catalog's tables as SQLAlchemy sees them; ``catalog_migrations/`` makes them, and a test compares the two."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, MetaData, Table, Text, func, true
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

SCHEMA = "atoll_catalog"

METADATA = MetaData(schema=SCHEMA)

SHARD_MAP_VERSION = Table(
    "shard_map_version",
    METADATA,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("document", JSONB, nullable=False),
    Column("published_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
)

CLOCK_BOUND = Table(
    "clock_bound",
    METADATA,
    Column("single", Boolean, primary_key=True, server_default=true()),
    Column("bound", BigInteger, nullable=False),
)

KNOWN_SHARD = Table(
    "known_shard",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("birth", Text, nullable=False),
    Column("noted_at", TIMESTAMP(timezone=True), nullable=False, server_default=func.now()),
)
