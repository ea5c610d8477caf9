"""Channel and server settings of gRPC, the same at both ends."""

from __future__ import annotations

from typing import Final

from atoll.limits import DIAL_SECONDS_MAX, KEEPALIVE_SECONDS, KEEPALIVE_TIMEOUT_SECONDS, MESSAGE_BYTES_MAX

Options = list[tuple[str, int | str]]

_KEEPALIVE: Final[Options] = [
    ("grpc.keepalive_time_ms", int(KEEPALIVE_SECONDS * 1000)),
    ("grpc.keepalive_timeout_ms", int(KEEPALIVE_TIMEOUT_SECONDS * 1000)),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]
_SIZES: Final[Options] = [
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
]


def channel_options() -> Options:
    """For everything that dials: limits in both directions, keepalive, and quick reconnects (our own backoff, with
    jitter, decides how often a peer is dialled)."""
    return [
        *_SIZES,
        *_KEEPALIVE,
        ("grpc.initial_reconnect_backoff_ms", 100),
        # Not a pause: how long one attempt to connect may take, two round trips included.
        ("grpc.min_reconnect_backoff_ms", int(DIAL_SECONDS_MAX * 1000)),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.enable_retries", 0),
    ]


def server_options() -> Options:
    """For a node: limits in both directions, keepalive, clients that ping as often as ours do, connections that live
    as long as both ends want, and no second process on the port."""
    return [
        *_SIZES,
        *_KEEPALIVE,
        ("grpc.http2.min_ping_interval_without_data_ms", int(KEEPALIVE_SECONDS * 1000) // 2),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", int(KEEPALIVE_SECONDS * 1000) // 2),
        ("grpc.so_reuseport", 0),
    ]
