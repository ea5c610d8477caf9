"""Domain values survive the wire; what no honest side sends is refused with a typed error."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll import limits
from atoll.causality.cut import Cut
from atoll.control import Location, NodeStatus, PeerStatus, RowDigest, ShardStatus
from atoll.crdt.operations import Add, Clear, Delete, Increment, Put, Remove, Set, Update, Write
from atoll.crdt.value import pack_value
from atoll.errors import (
    AtollError,
    CallerError,
    CorruptFrame,
    InvalidRequest,
    InvalidValue,
    PartialFailure,
    Unavailable,
    UnknownCollection,
    ValueTooLarge,
)
from atoll.ids import CollectionName, NodeName, Origin, RegionName, ShardName, ZoneName
from atoll.instant import Timestamp
from atoll.replication.messages import Acknowledgement, BatchPart, Heartbeat, Hello, StreamMessage
from atoll.requests import Consistency, Found, Get, Mutate, Operation, Reply, Request, Written
from atoll.rpc.codec import control, data, replication
from atoll.wire.v1 import control_pb2, data_pb2, replication_pb2

ORIGIN = Origin(RegionName("frankfurt"), ShardName("s1"))
CITY = CollectionName("city")

names = st.text("abcdefghijklmnop-", min_size=1, max_size=8)
numbers = st.integers(1, (1 << 63) - 1)
origins = st.builds(lambda region, shard: Origin(RegionName(region), ShardName(shard)), names, names)
cuts = st.dictionaries(origins, numbers, max_size=4).map(Cut)
by_shard = st.dictionaries(names.map(ShardName), st.integers(0, (1 << 63) - 1), max_size=4)


# -- replication --------------------------------------------------------------------------------------------------


@given(st.builds(Hello, ring=names, region=names.map(RegionName), wire_version=st.integers(1, 9), after=by_shard))
def test_hello_survives_the_wire(hello: Hello) -> None:
    encoded = replication.encode_hello(hello).SerializeToString()
    assert replication.decode_hello(replication_pb2.PullRequest.FromString(encoded)) == hello


@given(st.builds(Acknowledgement, applied=by_shard, cut=cuts))
def test_acknowledgement_survives_the_wire(acknowledgement: Acknowledgement) -> None:
    encoded = replication.encode_acknowledgement(acknowledgement).SerializeToString()
    assert replication.decode_acknowledgement(replication_pb2.PullRequest.FromString(encoded)) == acknowledgement


@given(
    st.one_of(
        st.builds(
            BatchPart,
            origin=origins,
            incarnation=st.integers(1, 1 << 31),
            number=numbers,
            dependencies=cuts,
            timestamp=st.integers(0, (1 << 63) - 1).map(Timestamp),
            payload=st.binary(max_size=64),
            final=st.booleans(),
            records=st.integers(0, 1 << 40),
            digest=st.integers(0, (1 << 64) - 1),
        ),
        st.builds(Heartbeat, timestamp=st.integers(0, (1 << 63) - 1).map(Timestamp), captured=by_shard),
    )
)
def test_stream_message_survives_the_wire(message: StreamMessage) -> None:
    encoded = replication.encode_stream_message(message).SerializeToString()
    assert replication.decode_stream_message(replication_pb2.PullResponse.FromString(encoded)) == message


@pytest.mark.parametrize(
    "part",
    [
        replication_pb2.BatchPart(region="a", shard="b", incarnation=0, number=1),
        replication_pb2.BatchPart(region="a", shard="b", incarnation=1, number=0),
        replication_pb2.BatchPart(region="a", shard="b", incarnation=1, number=1 << 63),
        replication_pb2.BatchPart(region="a", shard="b", incarnation=1, number=1, timestamp=1 << 63),
    ],
)
def test_impossible_batch_part_is_corrupt(part: replication_pb2.BatchPart) -> None:
    with pytest.raises(CorruptFrame):
        replication.decode_stream_message(replication_pb2.PullResponse(part=part))


def test_stream_messages_of_the_wrong_kind_are_corrupt() -> None:
    with pytest.raises(CorruptFrame, match="begins with a hello"):
        replication.decode_hello(replication.encode_acknowledgement(Acknowledgement(applied={})))
    with pytest.raises(CorruptFrame, match="acknowledgements only"):
        replication.decode_acknowledgement(replication.encode_hello(Hello(ring="r", region=RegionName("a"))))
    with pytest.raises(CorruptFrame, match="neither"):
        replication.decode_stream_message(replication_pb2.PullResponse())


# -- requests and replies -----------------------------------------------------------------------------------------

VALUE = {
    "text": "Zürich",
    "many": [1, 2.5, None, True, b"\0\xff", {"deep": [Decimal("1.50")]}],
    "when": datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
    "day": date(2026, 11, 20),
    "id": UUID(int=7),
}

WRITES: list[Write] = [
    Put(VALUE),
    Put({}),
    Delete(),
    Update(),
    Update((Set("name", "x"), Set("gone", None), Increment("visits", -3), Increment("money", Decimal("0.10")))),
    Update((Add("tags", ("a", "b")), Remove("tags", (1,)), Add("tags", ()), Clear("tags"))),
]


def sent(request: Request) -> Request:
    encoded = data.encode_request(request, 7).SerializeToString()
    return data.decode_request(data_pb2.ExecuteRequest.FromString(encoded))


@pytest.mark.parametrize("write", WRITES, ids=repr)
@pytest.mark.parametrize("zone", [None, ZoneName("eu")])
def test_write_survives_the_wire(write: Write, zone: ZoneName | None) -> None:
    request = Request(
        operations=[Mutate(collection=CITY, key="bern", write=write, zone=zone)],
        tokens=["a", "b"],
        deadline_seconds=1.5,
        forwarded=True,
    )
    assert sent(request) == request


@pytest.mark.parametrize("consistency", Consistency)
def test_read_survives_the_wire(consistency: Consistency) -> None:
    operations: list[Operation] = [Get(collection=CITY, key=key, zone=ZoneName("eu")) for key in ("a", "b")]
    request = Request(operations=operations, tokens=[], consistency=consistency, deadline_seconds=5.0)
    assert sent(request) == request


def test_bad_value_is_told_before_anything_is_sent() -> None:
    with pytest.raises(InvalidValue):
        data.encode_operation(Mutate(collection=CITY, key="k", write=Put({"x": float("nan")})))


@pytest.mark.parametrize(
    "operation",
    [
        data_pb2.Operation(collection="city", key="k"),
        data_pb2.Operation(collection="city", key="k", put=data_pb2.Put(fields=b"\xc1")),
        data_pb2.Operation(collection="city", key="k", put=data_pb2.Put(fields=b"\x01")),
        data_pb2.Operation(collection="city", key="k", put=data_pb2.Put(fields=b"")),
        data_pb2.Operation(
            collection="city",
            key="k",
            update=data_pb2.Update(operations=[data_pb2.FieldOperation(field="tags", add=b"\x01")]),
        ),
        data_pb2.Operation(
            collection="city", key="k", update=data_pb2.Update(operations=[data_pb2.FieldOperation(field="tags")])
        ),
    ],
    ids=["no kind", "garbage", "not a map", "empty", "not a list", "no field kind"],
)
def test_malformed_operation_is_the_callers_error(operation: data_pb2.Operation) -> None:
    with pytest.raises(CallerError):
        data.decode_request(data_pb2.ExecuteRequest(operations=[operation], deadline_seconds=1))


@pytest.mark.parametrize(
    "operation",
    [
        data_pb2.Operation(put=data_pb2.Put(fields=pack_value({"a": [None] * limits.RECORD_BYTES_MAX}))),
        data_pb2.Operation(
            update=data_pb2.Update(
                operations=[data_pb2.FieldOperation(field="a", clear=True)] * (limits.FIELD_OPERATIONS_MAX + 1)
            )
        ),
    ],
)
def test_operation_beyond_what_a_record_can_take_is_refused_before_it_is_decoded(
    operation: data_pb2.Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "unpack_value", lambda _: pytest.fail("it was decoded"))
    monkeypatch.setattr(data, "_decode_field_operation", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(ValueTooLarge):
        data.decode_request(data_pb2.ExecuteRequest(operations=[operation]))


@pytest.mark.parametrize("deadline", [float("nan"), float("inf"), -1.0])
def test_senseless_deadline_is_the_callers_error(deadline: float) -> None:
    with pytest.raises(InvalidRequest, match="deadline"):
        data.decode_request(data_pb2.ExecuteRequest(deadline_seconds=deadline))


def test_unknown_consistency_is_the_callers_error() -> None:
    with pytest.raises(InvalidRequest, match="consistency"):
        data.decode_request(data_pb2.ExecuteRequest(consistency=99, deadline_seconds=1))  # type: ignore[arg-type]


def test_reply_survives_the_wire_with_errors_of_the_same_class() -> None:
    refused = UnknownCollection("no collection 'x'")
    reply = Reply(results=[Found(VALUE), Found(None), Found({}), Written(), refused], token="t")
    encoded = data.encode_reply(reply, 9).SerializeToString()
    message = data_pb2.ExecuteReply.FromString(encoded)
    decoded = data.decode_reply(message)
    assert message.id == 9
    assert decoded.token == "t"
    assert decoded.results[:4] == reply.results[:4]
    (error,) = decoded.results[4:]
    assert type(error) is UnknownCollection
    assert error.message == refused.message


CROSSING = [kind for _, kind in sorted(AtollError.registry.items()) if kind is not PartialFailure]
"""A partial failure is put together by the client and never crosses."""


@pytest.mark.parametrize("kind", CROSSING)
def test_every_typed_error_crosses_as_its_own_class(kind: type[AtollError]) -> None:
    with pytest.raises(kind, match="what happened") as caught:
        data.decode_reply(data.encode_refusal(kind("what happened"), 1))
    assert type(caught.value) is kind


@pytest.mark.parametrize("code", ["invented_later", PartialFailure.code])
def test_error_of_a_later_version_is_at_least_a_typed_error(code: str) -> None:
    refusal = data.encode_refusal(Unavailable("m"), 1)
    refusal.error.code = code
    with pytest.raises(AtollError, match="m"):
        data.decode_reply(refusal)


def test_result_of_no_kind_is_corrupt() -> None:
    with pytest.raises(CorruptFrame):
        data.decode_reply(data_pb2.ExecuteReply(results=[data_pb2.Result()]))


# -- control ------------------------------------------------------------------------------------------------------


def test_status_survives_the_wire() -> None:
    status = NodeStatus(
        ring="ring",
        region=RegionName("frankfurt"),
        node=NodeName("n1"),
        map_version=3,
        shards=[
            ShardStatus(
                name=ShardName("s1"),
                answering=True,
                problem="slow",
                records=1,
                tombstones=2,
                log_rows=3,
                log_bytes=4,
                captured=5,
                ranges=6,
                records_merged=7,
            )
        ],
        peers=[
            PeerStatus(
                region=RegionName("tokyo"),
                connected=False,
                problem="cut off",
                batches_behind=1,
                lag_p50_seconds=0.25,
                lag_p99_seconds=0.5,
                records_applied=7,
                refused=8,
            )
        ],
        cut=Cut({ORIGIN: 4}),
        cut_off_from=[RegionName("tokyo")],
    )
    encoded = control.encode_status(status).SerializeToString()
    assert control.decode_status(control_pb2.StatusReply.FromString(encoded)) == status


def test_digests_survive_the_wire() -> None:
    rows = [RowDigest("city", "bern", bytes(16)), RowDigest("city", "basel", b"\xff" * 16)]
    assert control.decode_digests(control.encode_digests(rows)) == rows


def test_location_survives_the_wire_with_and_without_a_shard() -> None:
    here = Location(
        zone=ZoneName("eu"),
        position=b"eu\0abcdefgh",
        shard=ShardName("s1"),
        epoch=2,
        regions=[RegionName("frankfurt")],
    )
    for location in (here, replace(here, shard=None, epoch=0)):
        assert control.decode_location(control.encode_location(location)) == location
