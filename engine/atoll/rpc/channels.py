"""Channels to nodes, opened when first wanted and kept."""

from __future__ import annotations

from grpc import aio

from atoll.rpc.options import channel_options


class Channels:
    """One channel per address. gRPC reconnects a broken channel by itself."""

    def __init__(self) -> None:
        self._channels: dict[str, aio.Channel] = {}

    def to(self, address: str) -> aio.Channel:
        """The channel to ``host:port``."""
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = aio.insecure_channel(address, options=channel_options())
        return channel

    async def close(self) -> None:
        """Close all; calls in flight are cancelled. Idempotent."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close()
