"""The readable copy of a record says what the record says."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
import pytest
from tests.contracts.records import FRANKFURT

from atoll.postgres.sessions import Address, connect


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (rb'"\u0000"', "\ufffd"),
        (rb'"\u0000\u0000"', "\ufffd\ufffd"),
        (rb'"\\u0000"', r"\u0000"),
        (rb'"\\\u0000"', "\\\ufffd"),
        (rb'"\\\\u0000"', r"\\u0000"),
    ],
)
async def test_nul_is_replaced_and_a_text_about_it_stays(
    document: bytes, text: str, fresh_database: Callable[[], str]
) -> None:
    connection: asyncpg.Connection = await connect(Address(fresh_database(), FRANKFURT))
    try:
        assert await connection.fetchval("select $1::jsonb #>> '{}'", document) == text
    finally:
        connection.terminate()
