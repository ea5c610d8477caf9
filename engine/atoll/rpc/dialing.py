"""Dialling a node: a channel that is known to be connected before anything is sent on it."""

from __future__ import annotations

import asyncio

import grpc
from grpc import aio

from atoll.errors import Unavailable
from atoll.limits import DIAL_SECONDS_MAX
from atoll.rpc.channels import ChannelFactory, real_channel


async def dial(
    address: str, seconds: float = DIAL_SECONDS_MAX, make_channel: ChannelFactory = real_channel
) -> aio.Channel:
    """A connected channel of one's own to ``host:port``. The caller closes it.

    Raises :class:`Unavailable` at once when the address refuses, and after ``seconds`` when it does not answer.
    """
    channel = make_channel(address)
    try:
        async with asyncio.timeout(seconds):
            await _connected(channel, address)
    except TimeoutError:
        await channel.close()
        raise Unavailable(f"{address} did not answer within {seconds:g} s") from None
    except BaseException:
        await channel.close()
        raise
    return channel


async def _connected(channel: aio.Channel, address: str) -> None:
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.READY:
        if state in (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN):
            raise Unavailable(f"nobody listens at {address}")
        await channel.wait_for_state_change(state)
        state = channel.get_state(try_to_connect=True)
