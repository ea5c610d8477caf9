"""Regions agree exactly when their rows do, and the rows that differ are named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from hypothesis import given
from hypothesis import strategies as st

from atoll.control import RowDigest
from atoll.ids import RegionName, ZoneName
from atoll.operating.comparison import DIFFERENCES_KEPT_MAX, ZoneComparison, compare_zone

ZONE = ZoneName("europe")


def position_of(collection: str, key: str) -> bytes:
    return key.encode()[::-1]


async def rows(held: Mapping[str, bytes]) -> AsyncIterator[RowDigest]:
    for key in sorted(held, key=lambda key: (position_of("cities", key), key)):
        yield RowDigest("cities", key, held[key])


async def compare(**regions: Mapping[str, bytes]) -> ZoneComparison:
    streams = {RegionName(name): rows(held) for name, held in regions.items()}
    return await compare_zone(ZONE, streams, position_of)


async def test_equal_rows_are_identical() -> None:
    held = {"a": b"1", "b": b"2"}
    result = await compare(frankfurt=held, tokyo=dict(reversed(held.items())), virginia=held)
    assert result.is_identical
    assert result.rows == {"frankfurt": 2, "tokyo": 2, "virginia": 2}
    assert len(set(result.digests.values())) == 1


async def test_empty_regions_are_identical() -> None:
    assert (await compare(frankfurt={}, tokyo={})).is_identical


async def test_changed_row_is_named_with_who_differs() -> None:
    result = await compare(frankfurt={"Köln": b"\1" * 16}, tokyo={"Köln": b"\2" * 16}, virginia={"Köln": b"\1" * 16})
    assert not result.is_identical
    [difference] = result.differences
    assert difference.describe() == ("cities/Köln (zone europe): 01010101 in frankfurt, virginia; 02020202 in tokyo")


async def test_missing_row_is_named_and_the_rest_still_compares() -> None:
    result = await compare(frankfurt={"a": b"1", "b": b"2", "c": b"3"}, tokyo={"a": b"1", "c": b"3"})
    assert [(d.key, d.digests["tokyo"]) for d in result.differences] == [("b", None)]  # type: ignore[index]


async def test_many_differences_are_counted_and_the_first_kept() -> None:
    many = {f"{number:05}": b"x" for number in range(DIFFERENCES_KEPT_MAX + 50)}
    result = await compare(frankfurt=many, tokyo={})
    assert result.difference_count == DIFFERENCES_KEPT_MAX + 50
    assert len(result.differences) == DIFFERENCES_KEPT_MAX


held = st.dictionaries(st.text("abcde", min_size=1, max_size=3), st.binary(min_size=1, max_size=1), max_size=6)


@given(held, held, held)
async def test_differences_are_exactly_the_keys_that_differ(
    a: dict[str, bytes], b: dict[str, bytes], c: dict[str, bytes]
) -> None:
    result = await compare(frankfurt=a, tokyo=b, virginia=c)
    expected = {key for key in {*a, *b, *c} if not a.get(key) == b.get(key) == c.get(key)}
    assert {difference.key for difference in result.differences} == expected
    assert result.is_identical == (not expected)
    assert (len(set(result.digests.values())) == 1) == (not expected)
