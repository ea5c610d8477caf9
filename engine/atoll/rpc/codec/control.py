"""What operators ask and are answered. Anything malformed raises :class:`CorruptFrame`."""

from __future__ import annotations

from collections.abc import Sequence

from atoll.control import Location, NodeStatus, PeerStatus, RowDigest, ShardStatus
from atoll.ids import NodeName, RegionName, ShardName, ZoneName
from atoll.rpc.codec.common import decode_cut, encode_cut
from atoll.wire.v1 import control_pb2


def encode_status(status: NodeStatus) -> control_pb2.StatusReply:
    return control_pb2.StatusReply(
        ring=status.ring,
        region=status.region,
        node=status.node,
        map_version=status.map_version,
        shards=[_encode_shard(shard) for shard in status.shards],
        peers=[_encode_peer(peer) for peer in status.peers],
        cut=encode_cut(status.cut),
        cut_off_from=list(status.cut_off_from),
    )


def decode_status(reply: control_pb2.StatusReply) -> NodeStatus:
    return NodeStatus(
        ring=reply.ring,
        region=RegionName(reply.region),
        node=NodeName(reply.node),
        map_version=reply.map_version,
        shards=[_decode_shard(shard) for shard in reply.shards],
        peers=[_decode_peer(peer) for peer in reply.peers],
        cut=decode_cut(reply.cut),
        cut_off_from=[RegionName(region) for region in reply.cut_off_from],
    )


def encode_digests(rows: Sequence[RowDigest]) -> control_pb2.DigestChunk:
    return control_pb2.DigestChunk(
        rows=[control_pb2.RowDigest(collection=row.collection, key=row.key, digest=row.digest) for row in rows]
    )


def decode_digests(chunk: control_pb2.DigestChunk) -> Sequence[RowDigest]:
    return [RowDigest(row.collection, row.key, row.digest) for row in chunk.rows]


def encode_location(location: Location) -> control_pb2.LocateReply:
    return control_pb2.LocateReply(
        zone=location.zone,
        position=location.position,
        shard=location.shard or "",
        epoch=location.epoch,
        regions=list(location.regions),
    )


def decode_location(reply: control_pb2.LocateReply) -> Location:
    return Location(
        zone=ZoneName(reply.zone),
        position=reply.position,
        shard=ShardName(reply.shard) if reply.shard else None,
        epoch=reply.epoch,
        regions=[RegionName(region) for region in reply.regions],
    )


def _encode_shard(shard: ShardStatus) -> control_pb2.ShardStatus:
    return control_pb2.ShardStatus(
        name=shard.name,
        answering=shard.answering,
        problem=shard.problem,
        records=shard.records,
        tombstones=shard.tombstones,
        log_rows=shard.log_rows,
        log_bytes=shard.log_bytes,
        captured=shard.captured,
        ranges=shard.ranges,
        records_merged=shard.records_merged,
    )


def _decode_shard(shard: control_pb2.ShardStatus) -> ShardStatus:
    return ShardStatus(
        name=ShardName(shard.name),
        answering=shard.answering,
        problem=shard.problem,
        records=shard.records,
        tombstones=shard.tombstones,
        log_rows=shard.log_rows,
        log_bytes=shard.log_bytes,
        captured=shard.captured,
        ranges=shard.ranges,
        records_merged=shard.records_merged,
    )


def _encode_peer(peer: PeerStatus) -> control_pb2.PeerStatus:
    return control_pb2.PeerStatus(
        region=peer.region,
        connected=peer.connected,
        problem=peer.problem,
        batches_behind=peer.batches_behind,
        lag_p50_seconds=peer.lag_p50_seconds,
        lag_p99_seconds=peer.lag_p99_seconds,
        records_applied=peer.records_applied,
        refused=peer.refused,
    )


def _decode_peer(peer: control_pb2.PeerStatus) -> PeerStatus:
    return PeerStatus(
        region=RegionName(peer.region),
        connected=peer.connected,
        problem=peer.problem,
        batches_behind=peer.batches_behind,
        lag_p50_seconds=peer.lag_p50_seconds,
        lag_p99_seconds=peer.lag_p99_seconds,
        records_applied=peer.records_applied,
        refused=peer.refused,
    )
