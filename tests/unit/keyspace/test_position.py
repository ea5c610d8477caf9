"""Positions are computed by every region alone, so they are frozen: golden values, zone order, zone recovery."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.ids import ZoneName
from atoll.keyspace.position import hashed_position, zone_of, zone_range

zone_names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True).map(ZoneName)


@pytest.mark.parametrize(
    ("zone", "key", "expected"),
    [
        ("global", "", "676c6f62616c00" + "2d06800538d394c2"),  # XXH3-64 of nothing, as its authors publish it
        ("global", "Berlin", "676c6f62616c00bc5b30374b42a269"),
        ("global", "x", "676c6f62616c00eaf06c6480b2cd11"),
        ("europe", "Köln", "6575726f7065003ce872f0477464b0"),
        ("ksa-west", "مكة", "6b73612d7765737400fbbf176c02c82313"),
        ("asia_1", "東京", "617369615f3100469b7ab5870cf9b6"),
        ("global", "k" * 1024, "676c6f62616c00686d3de82e988280"),
    ],
)
def test_position_is_frozen(zone: str, key: str, expected: str) -> None:
    assert hashed_position(ZoneName(zone), key).hex() == expected


@given(zone_names, st.text(max_size=20))
def test_position_lies_in_its_zone_and_names_it(zone: ZoneName, key: str) -> None:
    position = hashed_position(zone, key)
    assert position in zone_range(zone)
    assert zone_of(position) == zone


@given(zone_names, zone_names)
def test_ranges_of_two_zones_are_disjoint(left: ZoneName, right: ZoneName) -> None:
    assert zone_range(left).overlaps(zone_range(right)) == (left == right)


def test_range_knows_its_edges() -> None:
    europe = zone_range(ZoneName("eu"))
    assert b"eu\0" in europe
    assert b"eu\0" + b"\xff" * 40 in europe
    assert b"eu\1" not in europe
    assert b"eu" not in europe
