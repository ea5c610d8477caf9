"""The bytes of a record are frozen, and hostile bytes are refused without harm."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from uuid import UUID

import msgpack
import pytest

from atoll.causality.dot import Dot
from atoll.crdt.codec import Encoded, decode_record, encode_record, merge_bytes
from atoll.crdt.operations import Add, Clear, Delete, Increment, Put, Remove, Set, Update, Write
from atoll.crdt.record import Record
from atoll.crdt.schema import Rule, Schema
from atoll.errors import CorruptFrame
from atoll.ids import Actor
from atoll.instant import timestamp

EU, US = Actor("eu/s1/1"), Actor("us/s1/1")
SCHEMA = Schema({"visits": Rule.COUNTER, "tags": Rule.ADD_WINS_SET})


def delta(record: Record, actor: Actor, counter: int, write: Write) -> Record:
    return record.apply(write, Dot(actor, counter), timestamp(1_700_000_000_000 + counter), SCHEMA)


def golden_records() -> dict[str, Record]:
    put = delta(Record.empty(), EU, 7, Put({"name": "Riyadh", "visits": 5, "tags": {"b", "a"}, "at": [None, 1.5]}))
    update = delta(
        put, US, 300, Update((Set("name", "الرياض"), Increment("visits", Decimal("0.5")), Remove("tags", ("a",))))
    )
    other = delta(put, EU, 70_000, Update((Set("name", "Riad"), Clear("visits"), Add("tags", ("a",)))))
    gap = delta(put.join(other), EU, 70_001, Update((Increment("visits", 1),)))
    deleted = delta(put.join(update), EU, 8, Delete())
    return {
        "put": put,
        "delta": update,
        "concurrent": put.join(update).join(other),
        "gap": put.join(gap),
        "tombstone": put.join(update).join(deleted),
        "reset of others": delta(put, US, 1, Update((Clear("visits"),))),
    }


GOLDEN: dict[str, tuple[str, str]] = {
    "put": (
        "0192a765752f73312f3107",
        (
            "01929200079ca2617401940007cf018bcfe56807000092c0cb3ff8000000000000a46e616d6501940007cf018b"
            "cfe568070000a6526979616468a4746167730396a1610007a1620007a676697369747302950007050000"
        ),
    ),
    "delta": (
        "0192a775732f73312f31cd012c",
        (
            "01949200cd012c96a46e616d65019400cd012ccf018bcfe5692c0000acd8a7d984d8b1d98ad8a7d8b6a6766973"
            "697473029500cd012cc70304302e35000096a093c00107a46e616d6593c00107a47461677393a161010791a765"
            "752f73312f31"
        ),
    ),
    "concurrent": (
        "0194a765752f73312f31ce00011170a775732f73312f31cd012c",
        (
            "01929400ce0001117001cd012c9ca2617401940007cf018bcfe56807000092c0cb3ff8000000000000a46e616d"
            "65019800ce00011170cf018bcfe679700000a45269616401cd012ccf018bcfe5692c0000acd8a7d984d8b1d98a"
            "d8a7d8b6a4746167730396a16100ce00011170a1620007a6766973697473029a000705070501cd012cc7030430"
            "2e350000"
        ),
    ),
    "gap": (
        "0192a765752f73312f31940007ce00011170ce00011171",
        (
            "019494000700ce000111719ca2617401940007cf018bcfe56807000092c0cb3ff8000000000000a46e616d6501"
            "940007cf018bcfe568070000a6526979616468a4746167730396a1610007a1620007a6766973697473029500ce"
            "0001117106000092a093c000ce0001117090"
        ),
    ),
    "tombstone": (
        "0194a765752f73312f3108a775732f73312f31cd012c",
        "01929093a6766973697473029a000705070501cd012cc70304302e35cd012cc70304302e35",
    ),
    "reset of others": (
        "0192a775732f73312f3101",
        "019492000193a67669736974730295010000070592a093c0010791a765752f73312f31",
    ),
}


def test_golden_records_are_all_frozen() -> None:
    assert GOLDEN.keys() == golden_records().keys()


@pytest.mark.parametrize("name", GOLDEN)
def test_record_encodes_to_its_frozen_bytes_and_back(name: str) -> None:
    """These bytes are stored in shards and compared across versions: a change needs a new version byte."""
    record, (context, state) = golden_records()[name], GOLDEN[name]
    assert tuple(part.hex() for part in encode_record(record)) == (context, state)
    assert decode_record(bytes.fromhex(context), bytes.fromhex(state)) == record


def test_empty_record_has_no_bytes() -> None:
    assert encode_record(Record.empty()) == (b"", b"")
    assert decode_record(b"", b"") is Record.empty()


def test_merging_bytes_returns_the_including_side_unchanged() -> None:
    records = golden_records()
    older, newer = encode_record(records["put"]), encode_record(records["concurrent"])
    assert merge_bytes(older, newer)[:2] == merge_bytes(newer, older)[:2] == newer
    assert merge_bytes(newer, newer)[:2] == newer
    assert merge_bytes((b"", b""), newer)[:2] == newer


def test_merging_bytes_of_a_tombstone_says_absent() -> None:
    tombstone = encode_record(golden_records()["tombstone"])
    merged = merge_bytes((b"", b""), tombstone)
    assert (merged.document, merged.absent) == (None, True)
    assert merge_bytes((b"", b""), (b"", b"")).absent


# -- hostile bytes ------------------------------------------------------------------------------------------------

CONTEXT = [EU, 7, US, 3]
STATE = [[0, 7], ["name", 1, [0, 7, 5, "x"], "tags", 3, ["a", 0, 7, "b", 1, 3], "visits", 2, [0, 7, 5, 0, 0]]]


def encoded(context: object = CONTEXT, state: object = STATE) -> Encoded:
    return b"\x01" + msgpack.packb(context), b"\x01" + msgpack.packb(state)


def test_the_hostile_examples_begin_from_a_record_that_decodes() -> None:
    record = decode_record(*encoded())
    assert record.value() == {"name": "x", "tags": frozenset({"a", "b"}), "visits": 5}
    assert encode_record(record) == encoded()


MALFORMED_CONTEXTS = {
    "not a list": 5,
    "empty": [],
    "odd": [EU],
    "actors out of order": [US, 3, EU, 7],
    "actor twice": [EU, 3, EU, 7],
    "actor without a name": ["", 3],
    "actor that is a number": [5, 3],
    "actor that is a list": [[EU], 3],
    "zero": [EU, 0],
    "negative": [EU, -1],
    "beyond 64 bits": [EU, 2**63],
    "fraction": [EU, 7.0],
    "nothing seen": [EU, None],
    "no intervals": [EU, []],
    "half an interval": [EU, [3]],
    "interval backwards": [EU, [5, 3]],
    "intervals that touch": [EU, [1, 3, 3, 5]],
    "intervals that overlap": [EU, [1, 4, 3, 5]],
    "interval in the long form": [EU, [0, 7]],
    "interval that is text": [EU, ["a", "b"]],
}


@pytest.mark.parametrize("context", MALFORMED_CONTEXTS.values(), ids=MALFORMED_CONTEXTS.keys())
def test_malformed_context_is_refused(context: object) -> None:
    with pytest.raises(CorruptFrame, match="does not decode"):
        decode_record(*encoded(context, [[], []]))


def nested(levels: int) -> object:
    return [nested(levels - 1)] if levels else 1


MALFORMED_STATES = {
    "not a list": 5,
    "one part": [[]],
    "three parts": [[], [], []],
    "presence that is not a list": [5, []],
    "presence of a stranger": [[2, 7], []],
    "presence of a negative position": [[-1, 7], []],
    "presence out of order": [[1, 3, 0, 7], []],
    "presence with a zero dot": [[0, 0], []],
    "presence of three": [[0, 7, 1], []],
    "fields that are a map": [[], {"a": 1}],
    "field without a body": [[], ["name", 1]],
    "field name that is a number": [[], [5, 1, [0, 7, 5, "x"]]],
    "field without a name": [[], ["", 1, [0, 7, 5, "x"]]],
    "field name with NUL": [[], ["a\0", 1, [0, 7, 5, "x"]]],
    "fields out of order": [[], ["b", 1, [0, 7, 5, "x"], "a", 1, [0, 7, 5, "x"]]],
    "field twice": [[], ["a", 1, [0, 7, 5, "x"], "a", 1, [0, 7, 5, "x"]]],
    "unknown rule": [[], ["a", 99, []]],
    "rule that is a list": [[], ["a", [], []]],
    "body that is not a list": [[], ["a", 1, 5]],
    "register without entries": [[], ["a", 1, []]],
    "register with half an entry": [[], ["a", 1, [0, 7, 5]]],
    "register out of order": [[], ["a", 1, [1, 3, 5, "x", 0, 7, 5, "x"]]],
    "register with a negative timestamp": [[], ["a", 1, [0, 7, -5, "x"]]],
    "register with a dot that is text": [[], ["a", 1, [0, "7", 5, "x"]]],
    "register with a huge dot": [[], ["a", 1, [0, 2**63, 5, "x"]]],
    "register with NaN": [[], ["a", 1, [0, 7, 5, float("nan")]]],
    "register with text with NUL": [[], ["a", 1, [0, 7, 5, "\0"]]],
    "register with a huge integer": [[], ["a", 1, [0, 7, 5, 2**63]]],
    "register with a set": [[], ["a", 1, [0, 7, 5, msgpack.ExtType(6, b"\x90")]]],
    "register nested too deep": [[], ["a", 1, [0, 7, 5, nested(33)]]],
    "counter without rows": [[], ["a", 2, []]],
    "counter out of order": [[], ["a", 2, [1, 3, 1, 0, 0, 0, 7, 1, 0, 0]]],
    "counter with a float": [[], ["a", 2, [0, 7, 1.5, 0, 0]]],
    "counter with text": [[], ["a", 2, [0, 7, "1", 0, 0]]],
    "counter row of nothing": [[], ["a", 2, [0, 0, 0, 0, 0]]],
    "counter with a negative dot": [[], ["a", 2, [0, -7, 1, 0, 0]]],
    "set without elements": [[], ["a", 3, []]],
    "set with half an element": [[], ["a", 3, ["x", 0]]],
    "set out of order": [[], ["a", 3, ["y", 0, 7, "x", 0, 7]]],
    "set with dots out of order": [[], ["a", 3, ["x", 1, 3, "x", 0, 7]]],
    "set with a list": [[], ["a", 3, [[], 0, 7]]],
    "set with a bool": [[], ["a", 3, [True, 0, 7]]],
    "set with NUL": [[], ["a", 3, ["\0", 0, 7]]],
    "removals that are not a list": [[], [], 5, []],
    "removal of nothing": [[], [], ["a", []], []],
    "removal without a field": [[], [], [5, ["x", 0, 7]], []],
    "removal of a list": [[], [], ["a", [[], 0, 7]], []],
    "removals out of order": [[], [], ["a", ["y", 0, 7, "x", 0, 7]], []],
    "removals twice": [[], [], ["a", ["x", 0, 7], "a", ["x", 0, 7]], []],
    "removal fields out of order": [[], [], ["b", ["x", 0, 7], "a", ["x", 0, 7]], []],
    "strangers that are known": [[], [], [], [EU]],
    "strangers out of order": [[], [], [], ["z", "y"]],
    "strangers that are not text": [[], [], [], [5]],
    "strangers that are not a list": [[], [], [], "z"],
}


@pytest.mark.parametrize("state", MALFORMED_STATES.values(), ids=MALFORMED_STATES.keys())
def test_malformed_state_is_refused(state: object) -> None:
    with pytest.raises(CorruptFrame, match="does not decode"):
        decode_record(*encoded(CONTEXT, state))


@pytest.mark.parametrize("version", [b"", b"\x00", b"\x02", b"\xff"])
def test_other_version_is_refused(version: bytes) -> None:
    context, state = encoded()
    with pytest.raises(CorruptFrame, match="unknown version"):
        decode_record(version + context[1:], state)
    with pytest.raises(CorruptFrame, match="unknown version"):
        decode_record(context, version + state[1:])
    with pytest.raises(CorruptFrame):
        decode_record(context, b"")
    with pytest.raises(CorruptFrame):
        decode_record(b"", state)


def rich_record() -> Record:
    value = {"when": datetime(2024, 1, 1, tzinfo=UTC), "id": UUID(int=5), "price": Decimal("1.5"), "raw": b"\x00"}
    put = Put({"value": value, "visits": Decimal("2.5"), "tags": {"a", 1, b"x"}, "list": [1, [2, [3]]]})
    record = delta(Record.empty(), EU, 7, put)
    record = record.join(delta(record, US, 3, Update((Remove("tags", ("a",)), Set("list", None)))))
    return record.join(delta(golden_records()["put"], EU, 70_000, Delete()))


def survive(context: bytes, state: bytes, beside: Record) -> bool:
    """Decode, and use what decodes in every way; nothing but CorruptFrame may come out. Whether it decoded."""
    try:
        record = decode_record(context, state)
        record.value()
        record.document()
        repr(record)
        encode_record(record.join(beside))
        encode_record(beside.merge(record))
    except CorruptFrame:
        return False
    return True


def test_random_bytes_are_refused_and_nothing_else() -> None:
    chance = Random(1)
    beside = rich_record()
    for _ in range(3_000):
        noise = [b"\x01" * chance.randint(0, 1) + chance.randbytes(chance.randint(0, 60)) for _ in range(2)]
        survive(noise[0], noise[1], beside)
        survive(encode_record(beside)[0], noise[1], beside)


def test_mutated_bytes_decode_or_are_refused_and_nothing_else() -> None:
    chance = Random(2)
    beside = rich_record()
    refused = 0
    for _ in range(8_000):
        parts = [bytearray(part) for part in encode_record(beside)]
        for _ in range(chance.randint(1, 3)):
            target = chance.choice(parts)
            at = chance.randrange(len(target))
            match chance.randrange(3):
                case 0:
                    target[at] = chance.randrange(256)
                case 1:
                    del target[at]
                case _:
                    target.insert(at, chance.choice((0xC0, 0xDD, 0xDF, 0xC7, 0x91, 0xFF, 0x00)))
        refused += not survive(bytes(parts[0]), bytes(parts[1]), beside)
    assert refused > 4_000, "most mutations are noticed"


LYING_HEADERS = {
    "list of 2^31": b"\xdd\x7f\xff\xff\xff",
    "list of 2^16": b"\xdd\x00\x00\xff\xff",
    "map of 2^16": b"\xdf\x00\x00\xff\xff",
    "list in a list": b"\x91",
    "set in a set": b"\xc9\x00\x00\xff\xff\x06",
    "list of empty lists": b"\xdc\x00\x02\x90",
}


@pytest.mark.parametrize("header", LYING_HEADERS.values(), ids=LYING_HEADERS.keys())
def test_lying_headers_cost_no_more_memory_than_their_bytes(header: bytes) -> None:
    context, _ = encoded()
    state = b"\x01" + header * (200_000 // len(header))
    tracemalloc.start()
    try:
        with pytest.raises(CorruptFrame):
            decode_record(context, state)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 20 * len(state)
