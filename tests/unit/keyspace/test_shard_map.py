"""The shard map: a bisect that equals a linear search, and a first map that covers exactly what a region hosts."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.errors import CorruptCatalog, SchemaMismatch
from atoll.ids import ShardName, ZoneName
from atoll.keyspace.key_range import EVERYTHING, KeyRange
from atoll.keyspace.position import hashed_position, zone_range
from atoll.keyspace.shard_map import Assignment, ShardMap, initial_map

S1, S2 = ShardName("s1"), ShardName("s2")


def assign(low: bytes, high: bytes | None, shard: ShardName = S1, epoch: int = 1) -> Assignment:
    return Assignment(range=KeyRange(low, high), shard=shard, epoch=epoch)


@st.composite
def shard_maps(draw: st.DrawFn) -> ShardMap:
    """Maps with and without gaps, with and without an open end."""
    cuts = sorted(draw(st.sets(st.binary(max_size=3), max_size=12)))
    pieces = [KeyRange(low, high) for low, high in pairwise(cuts)]
    if cuts and draw(st.booleans()):
        pieces.append(KeyRange(cuts[-1], None))
    kept = [piece for piece in pieces if draw(st.booleans())]
    return ShardMap(
        draw(st.integers(1, 9)),
        [Assignment(range=p, shard=draw(st.sampled_from([S1, S2])), epoch=draw(st.integers(1, 5))) for p in kept],
    )


@given(shard_maps(), st.binary(max_size=4))
def test_locate_equals_a_linear_search(shard_map: ShardMap, position: bytes) -> None:
    expected = [a for a in shard_map.assignments if position in a.range]
    assert [shard_map.locate(position)] == (expected or [None])


@given(shard_maps(), st.binary(max_size=3), st.none() | st.binary(min_size=1, max_size=3))
def test_assigned_within_equals_a_linear_search(shard_map: ShardMap, low: bytes, high: bytes | None) -> None:
    if high is not None and high <= low:
        return
    within = KeyRange(low, high)
    assert shard_map.assigned_within(within) == [a for a in shard_map.assignments if a.range.overlaps(within)]


@given(shard_maps())
def test_map_survives_json(shard_map: ShardMap) -> None:
    assert ShardMap.decode(json.loads(json.dumps(shard_map.encode()))) == shard_map


def test_locate_all_keeps_the_order_of_its_positions() -> None:
    shard_map = ShardMap(1, [assign(b"b", b"d", S1), assign(b"e", None, S2)])
    found = shard_map.locate_all([b"z", b"a", b"b", b"d"])
    assert [assignment and assignment.shard for assignment in found] == [S2, None, S1, None]


def test_overlapping_ranges_are_refused() -> None:
    with pytest.raises(AssertionError, match="overlapping"):
        ShardMap(1, [assign(b"a", b"c"), assign(b"b", b"d")])


def test_ranges_out_of_order_are_refused() -> None:
    with pytest.raises(AssertionError, match="out of order"):
        ShardMap(1, [assign(b"c", b"d"), assign(b"a", b"b")])


def test_range_after_the_end_of_the_line_is_refused() -> None:
    with pytest.raises(AssertionError, match="out of order"):
        ShardMap(1, [assign(b"a", None), assign(b"b", b"c")])


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"format": 1, "version": 1},
        {"format": 1, "version": 0, "assignments": []},
        {"format": 1, "version": 1, "assignments": [["61", "60", "s1", 1]]},
        {"format": 1, "version": 1, "assignments": [["6", None, "s1", 1]]},
        {"format": 1, "version": 1, "assignments": [["61", None, None, 1]]},
        {"format": 1, "version": 1, "assignments": [["61", None, "s1", 0]]},
        {"format": 1, "version": 1, "assignments": [["61", "63", "s1", 1], ["62", "64", "s1", 1]]},
    ],
)
def test_corrupt_document_is_refused_with_a_typed_error(document: dict[str, object]) -> None:
    with pytest.raises(CorruptCatalog):
        ShardMap.decode(document)


def test_document_of_a_later_format_asks_for_an_upgrade() -> None:
    with pytest.raises(SchemaMismatch, match="upgrade"):
        ShardMap.decode({"format": 2, "version": 1, "assignments": []})


def test_description_names_every_range_and_its_owner() -> None:
    text = ShardMap(3, [assign(b"a", b"b", S1, 2), assign(b"b", None, S2)]).describe()
    assert text.splitlines() == [
        "shard map version 3, 2 ranges (s1: 1, s2: 1)",
        "  [61, 62) -> s1 (epoch 2)",
        "  [62, end) -> s2 (epoch 1)",
    ]


# -- the first map ------------------------------------------------------------------------------------------------

zone_names = st.sets(st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True).map(ZoneName), min_size=1, max_size=5)
shard_names = st.integers(1, 9).map(lambda count: [ShardName(f"s{index}") for index in range(count)])


@given(zone_names, shard_names)
def test_initial_map_covers_each_hosted_zone_exactly_once(zones: set[ZoneName], shards: list[ShardName]) -> None:
    shard_map = initial_map(zones, shards)
    for zone in zones:
        whole = zone_range(zone)
        pieces = [assignment.range for assignment in shard_map.assigned_within(whole)]
        assert (pieces[0].low, pieces[-1].high) == (whole.low, whole.high)
        assert all(left.high == right.low for left, right in pairwise(pieces))


@given(zone_names, shard_names, st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True), st.text(max_size=8))
def test_initial_map_never_covers_a_zone_that_is_not_hosted(
    zones: set[ZoneName], shards: list[ShardName], other: str, key: str
) -> None:
    foreign = ZoneName(other)
    if foreign not in zones:
        shard_map = initial_map(zones, shards)
        assert shard_map.locate(hashed_position(foreign, key)) is None
        assert shard_map.assigned_within(zone_range(foreign)) == []


@given(zone_names, shard_names)
def test_initial_map_gives_every_shard_the_same_number_of_ranges_of_each_zone(
    zones: set[ZoneName], shards: list[ShardName]
) -> None:
    shard_map = initial_map(zones, shards)
    for zone in zones:
        counts = Counter(a.shard for a in shard_map.assigned_within(zone_range(zone)))
        assert set(counts) == set(shards)
        assert len(set(counts.values())) == 1
        assert 2 <= counts[shards[0]] <= 8


def test_initial_map_spreads_hashed_keys_evenly_over_shards() -> None:
    shards = [ShardName(f"s{index}") for index in range(4)]
    shard_map = initial_map([ZoneName("global")], shards)
    located = shard_map.locate_all(hashed_position(ZoneName("global"), f"key-{n}") for n in range(20_000))
    counts = Counter(assignment.shard for assignment in located if assignment)
    assert sum(counts.values()) == 20_000
    assert all(4_700 < count < 5_300 for count in counts.values()), counts  # five standard deviations: ±306


def test_initial_map_begins_at_version_and_epoch_one() -> None:
    shard_map = initial_map([ZoneName("eu")], [S1, S2])
    assert shard_map.version == 1
    assert {assignment.epoch for assignment in shard_map.assignments} == {1}
    assert shard_map.shards() == [S1, S2]
    assert len(shard_map.ranges_of(S1)) == len(shard_map.ranges_of(S2))


def test_ranges_of_an_unknown_shard_are_none() -> None:
    assert initial_map([ZoneName("eu")], [S1]).ranges_of(S2) == []


def test_initial_map_of_no_zones_holds_nothing() -> None:
    assert initial_map([], [S1]).assigned_within(EVERYTHING) == []
