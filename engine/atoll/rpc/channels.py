"""Channels to nodes, opened when first wanted and kept; and the one place that makes a real one."""

from __future__ import annotations

from collections.abc import Callable

from grpc import aio

from atoll.rpc.options import channel_options

ChannelFactory = Callable[[str], aio.Channel]
"""Makes an unconnected channel to ``host:port``: :func:`real_channel`, or a simulated one."""


def real_channel(address: str) -> aio.Channel:
    """A gRPC channel over the operating system's sockets."""
    return aio.insecure_channel(address, options=channel_options())


class Channels:
    """One channel per address. gRPC reconnects a broken channel by itself."""

    def __init__(self, make_channel: ChannelFactory = real_channel) -> None:
        self._make_channel = make_channel
        self._channels: dict[str, aio.Channel] = {}

    def to(self, address: str) -> aio.Channel:
        """The channel to ``host:port``."""
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = self._make_channel(address)
        return channel

    async def close(self) -> None:
        """Close all; calls in flight are cancelled. Idempotent."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close()
