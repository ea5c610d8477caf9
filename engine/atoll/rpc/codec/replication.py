"""Replication streams: what peers say to each other. Anything malformed raises :class:`CorruptFrame`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from google.protobuf.message import DecodeError

from atoll.errors import CorruptFrame
from atoll.ids import Origin, RegionName, ShardName
from atoll.instant import Timestamp
from atoll.replication.messages import Acknowledgement, BatchPart, Heartbeat, Hello, StreamMessage
from atoll.rpc.codec.common import batch_number, decode_cut, encode_cut
from atoll.wire.v1 import replication_pb2

_TIMESTAMP_MAX = (1 << 63) - 1


def encode_hello(hello: Hello) -> replication_pb2.PullRequest:
    return replication_pb2.PullRequest(
        hello=replication_pb2.Hello(
            ring=hello.ring, region=hello.region, wire_version=hello.wire_version, after=_plain(hello.after)
        )
    )


def decode_hello(request: replication_pb2.PullRequest) -> Hello:
    """The first message of a stream."""
    if request.WhichOneof("kind") != "hello":
        raise CorruptFrame("a replication stream begins with a hello")
    hello = request.hello
    return Hello(
        ring=hello.ring,
        region=RegionName(hello.region),
        wire_version=hello.wire_version,
        after=_numbers(hello.after),
    )


def encode_acknowledgement(acknowledgement: Acknowledgement) -> replication_pb2.PullRequest:
    return replication_pb2.PullRequest(
        acknowledgement=replication_pb2.Acknowledgement(
            applied=_plain(acknowledgement.applied), cut=encode_cut(acknowledgement.cut)
        )
    )


def decode_acknowledgement(request: replication_pb2.PullRequest) -> Acknowledgement:
    """Every message after the first."""
    if request.WhichOneof("kind") != "acknowledgement":
        raise CorruptFrame("after the hello a replication stream carries acknowledgements only")
    return Acknowledgement(
        applied=_numbers(request.acknowledgement.applied), cut=decode_cut(request.acknowledgement.cut)
    )


def encode_stream_message(message: StreamMessage) -> replication_pb2.PullResponse:
    match message:
        case BatchPart():
            return replication_pb2.PullResponse(part=_encode_part(message))
        case Heartbeat():
            return replication_pb2.PullResponse(
                heartbeat=replication_pb2.Heartbeat(timestamp=message.timestamp, captured=_plain(message.captured))
            )
        case _:
            assert_never(message)


def decode_stream_message(response: replication_pb2.PullResponse) -> StreamMessage:
    match response.WhichOneof("kind"):
        case "part":
            return _decode_part(response.part)
        case "heartbeat":
            return Heartbeat(
                timestamp=_timestamp(response.heartbeat.timestamp), captured=_numbers(response.heartbeat.captured)
            )
        case _:
            raise CorruptFrame("a message on a replication stream is neither a batch part nor a heartbeat")


def read_stream_message(payload: bytes) -> StreamMessage:
    """:func:`decode_stream_message` of the bytes that cross the network, for whoever watches them pass."""
    try:
        return decode_stream_message(replication_pb2.PullResponse.FromString(payload))
    except DecodeError as error:
        raise CorruptFrame(f"{len(payload)} bytes on a replication stream are no message: {error}") from error


def _encode_part(part: BatchPart) -> replication_pb2.BatchPart:
    return replication_pb2.BatchPart(
        region=part.origin.region,
        shard=part.origin.shard,
        incarnation=part.incarnation,
        number=part.number,
        dependencies=encode_cut(part.dependencies),
        timestamp=part.timestamp,
        payload=part.payload,
        final=part.final,
        records=part.records,
        digest=part.digest,
    )


def _decode_part(part: replication_pb2.BatchPart) -> BatchPart:
    if part.incarnation < 1 or part.number < 1:
        raise CorruptFrame(f"batch {part.number} of incarnation {part.incarnation}: both count from one")
    return BatchPart(
        origin=Origin(RegionName(part.region), ShardName(part.shard)),
        incarnation=part.incarnation,
        number=batch_number(part.number),
        dependencies=decode_cut(part.dependencies),
        timestamp=_timestamp(part.timestamp),
        payload=part.payload,
        final=part.final,
        records=part.records,
        digest=part.digest,
    )


def _numbers(numbers: Mapping[str, int]) -> dict[ShardName, int]:
    return {ShardName(shard): batch_number(number) for shard, number in numbers.items()}


def _plain(numbers: Mapping[ShardName, int]) -> dict[str, int]:
    return {str(shard): number for shard, number in numbers.items()}


def _timestamp(value: int) -> Timestamp:
    if value > _TIMESTAMP_MAX:
        raise CorruptFrame(f"{value} is not a timestamp")
    return Timestamp(value)
