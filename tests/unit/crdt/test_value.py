"""Which values are accepted, in which one form they are kept, and how the others are refused."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import msgpack
import orjson
import pytest

from atoll.crdt.packing import sorted_elements
from atoll.crdt.value import check_value, json_default, pack_value, unpack_value, value_to_json
from atoll.errors import CorruptFrame, InvalidValue
from atoll.limits import COUNTER_DIGITS_MAX, DECIMAL_EXPONENT_MAX, INTEGER_MAX, INTEGER_MIN, VALUE_DEPTH_MAX

NOON = datetime(2024, 2, 29, 12, 0, 0, 250_000, tzinfo=UTC)
IDENTITY = UUID("00112233-4455-6677-8899-aabbccddeeff")


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    pass


def nested(levels: int) -> list:
    value: list = []
    for _ in range(levels - 1):
        value = [value]
    return value


GOLDEN = [
    (None, "c0"),
    (True, "c3"),
    (False, "c2"),
    (0, "00"),
    (127, "7f"),
    (128, "cc80"),
    (-1, "ff"),
    (-33, "d0df"),
    (65_536, "ce00010000"),
    (INTEGER_MAX, "cf7fffffffffffffff"),
    (INTEGER_MIN, "d38000000000000000"),
    (0.0, "cb0000000000000000"),
    (1.5, "cb3ff8000000000000"),
    ("", "a0"),
    ("Zürich", "a75ac3bc72696368"),
    (b"\x00\xff", "c40200ff"),
    ([1, [None]], "920191c0"),
    ({"a": 1, "b": {}}, "82a16101a16280"),
    (NOON, "d70100061283ffb3c090"),
    (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "d701ffffffffffffffff"),
    (date(2024, 2, 29), "d60200004d46"),
    (date(1, 1, 1), "d602fff506c6"),
    (IDENTITY, "d80300112233445566778899aabbccddeeff"),
    (Decimal("1.50"), "d604312e3530"),
    (Decimal("-1E+3"), "c705042d31452b33"),
    (2**64, "c70905010000000000000000"),
    (frozenset({"b", "a", 3}), "c706069303a161a162"),
]


@pytest.mark.parametrize(("value", "expected"), GOLDEN, ids=[repr(value)[:40] for value, _ in GOLDEN])
def test_value_packs_to_its_frozen_bytes_and_back(value: object, expected: str) -> None:
    """These bytes are stored in shards and compared by digests: they never change."""
    assert pack_value(value).hex() == expected
    unpacked = unpack_value(bytes.fromhex(expected))
    assert unpacked == value
    assert type(unpacked) is type(value)


def test_map_packs_the_same_in_any_order_of_insertion() -> None:
    one = {"b": 1, "a": {"z": 1, "é": 2, "A": 3}}
    other = {"a": {"é": 2, "A": 3, "z": 1}, "b": 1}
    assert pack_value(one) == pack_value(other)
    assert list(check_value(one, "v")["a"]) == ["A", "z", "é"]


def test_fields_of_a_record_pack_with_sets_and_big_totals() -> None:
    fields = {"tags": {"y", "x"}, "visits": -(10**30), "a": None}
    assert unpack_value(pack_value(fields)) == {"a": None, "tags": frozenset({"x", "y"}), "visits": -(10**30)}


def test_checking_normalises() -> None:
    assert math.copysign(1, check_value(-0.0, "v")) == 1
    zero = check_value(Decimal("-0.00"), "v")
    assert str(zero) == "0.00"
    berlin = datetime(2024, 2, 29, 13, tzinfo=timezone(timedelta(hours=1)))
    assert check_value(berlin, "v").tzinfo is UTC
    assert check_value(berlin, "v").hour == 12


def test_checking_copies_containers() -> None:
    inner: list[int] = [1]
    checked = check_value({"a": inner}, "v")
    inner.append(2)
    assert checked == {"a": [1]}


def test_deepest_allowed_nesting_is_accepted_and_survives_bytes() -> None:
    value = nested(VALUE_DEPTH_MAX)
    assert unpack_value(pack_value(value)) == value


REFUSED = [
    (math.nan, r"v: nan cannot be compared"),
    (math.inf, r"v: inf cannot be compared"),
    ({"address": [0, 1, {"lat": math.nan}]}, r"v\.address\[2\]\.lat: nan"),
    (INTEGER_MAX + 1, r"v: an integer of 64 bits does not fit"),
    (INTEGER_MIN - 1, r"does not fit 64 bits"),
    (datetime(2024, 2, 29), r"has no time zone"),
    (datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))), r"outside the years"),
    (Decimal("NaN"), r"NaN is not a number"),
    (Decimal("sNaN"), r"sNaN is not a number"),
    (Decimal("Infinity"), r"Infinity is not a number"),
    (Decimal("1" * (COUNTER_DIGITS_MAX + 1)), r"a Decimal of 39 digits"),
    (Decimal(f"1E+{DECIMAL_EXPONENT_MAX + 1}"), r"Decimal exponent 129"),
    (Decimal(f"1E-{DECIMAL_EXPONENT_MAX + 1}"), r"Decimal exponent -129"),
    ("a\0b", r"NUL"),
    ("\ud800", r"lone surrogate"),
    ({"a\0": 1}, r"v \(a key\): text with a NUL"),
    ({1: "a"}, r"the key 1 is int"),
    ({None: "a"}, r"the key None is NoneType"),
    ((1, 2), r"v: builtins.tuple is not a type of value"),
    ({1, 2}, r"declared add_wins_set"),
    ([{"x"}], r"v\[0\]: a set"),
    (Colour.RED, r"Colour is not a type of value"),
    (Text("a"), r"Text is not a type of value"),
    (OrderedDict(a=1), r"OrderedDict is not a type of value"),
    (1 + 2j, r"complex"),
    (timedelta(1), r"timedelta"),
    (object(), r"object"),
    (bytearray(b"a"), r"bytearray"),
    (nested(VALUE_DEPTH_MAX + 1), r"deeper than 32"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_value_outside_the_table_is_refused_with_the_path(value: object, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        check_value(value, "v")


def test_pack_refuses_what_check_refuses() -> None:
    with pytest.raises(InvalidValue, match=r"value\.a"):
        pack_value({"a": math.nan})
    with pytest.raises(InvalidValue, match="an element"):
        pack_value({"tags": {1.5}})
    with pytest.raises(InvalidValue, match="does not fit"):
        pack_value(10 ** (2 * COUNTER_DIGITS_MAX))


HOSTILE = {
    "nothing": "",
    "trailing bytes": "c0c0",
    "unsorted keys": "82a16201a16102",
    "repeated key": "82a16101a16102",
    "integer key": "810101",
    "bytes key": "81c4016101",
    "key with NUL": "81a1000a",
    "NaN": "cb7ff8000000000000",
    "infinity": "cb7ff0000000000000",
    "negative zero": "cb8000000000000000",
    "text with NUL": "a100",
    "text that is not UTF-8": "a1ff",
    "unknown ext code": "d46300",
    "msgpack timestamp": "d6ff00000000",
    "datetime of the wrong size": "d40100",
    "datetime beyond the year 9999": "d7017fffffffffffffff",
    "date beyond the year 9999": "d6027fffffff",
    "Decimal that is not a number": "c703044e614e",
    "Decimal in another spelling": "c704042b312e35",
    "Decimal with a negative zero": "d6042d302e30",
    "Decimal with a huge exponent": "c707043145 2b393939",
    "big integer that is small": "d40501",
    "big integer with padding": "c70a0500010000000000000000",
    "set out of order": "c7050692a162a161",
    "set with a list": "c703069190",
    "set with a set": "c70706d50690d50690",
    "set that is not a list": "d40601",
    "list that promises too much": "dd7fffffff",
    "truncated text": "a561",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_value_bytes_are_refused(data: str) -> None:
    with pytest.raises(CorruptFrame):
        unpack_value(bytes.fromhex(data))


def test_nesting_beyond_the_limit_is_refused_from_bytes() -> None:
    for depth in (VALUE_DEPTH_MAX + 1, 600, 100_000):
        with pytest.raises(CorruptFrame):
            unpack_value(b"\x91" * depth + b"\xc0")


def test_sets_nested_without_end_are_refused_before_the_stack_is_spent() -> None:
    data = b"\x90"
    for _ in range(3_000):
        data = b"\x91" + msgpack.packb(msgpack.ExtType(6, data))
    with pytest.raises(CorruptFrame):
        unpack_value(data[1:])


def test_json_form_is_the_one_the_encoder_writes() -> None:
    value = {
        "when": NOON,
        "day": date(2024, 2, 29),
        "id": IDENTITY,
        "price": Decimal("1.50"),
        "raw": b"\x00\xff",
        "tags": frozenset({"b", "a", 2}),
        "list": [1, None, True, 1.5, {"x": b""}],
    }
    readable = value_to_json(value)
    assert readable == {
        "when": "2024-02-29T12:00:00.250000+00:00",
        "day": "2024-02-29",
        "id": "00112233-4455-6677-8899-aabbccddeeff",
        "price": "1.50",
        "raw": "AP8=",
        "tags": [2, "a", "b"],
        "list": [1, None, True, 1.5, {"x": ""}],
    }
    assert orjson.loads(orjson.dumps(value, default=json_default)) == readable
    assert value_to_json(2**70) == str(2**70)


def test_json_refuses_other_types() -> None:
    with pytest.raises(TypeError, match="complex"):
        json_default(1j)


def test_elements_of_many_types_have_one_order() -> None:
    elements = [IDENTITY, date(2024, 1, 1), NOON, b"a", "b", "a", 2, -1]
    expected = [-1, 2, "a", "b", b"a", NOON, date(2024, 1, 1), IDENTITY]
    assert sorted_elements(frozenset(elements)) == expected
    assert sorted_elements(elements[::-1]) == expected
