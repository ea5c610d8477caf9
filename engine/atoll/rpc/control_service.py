"""The Control service: a node's answers to operators and tools."""

# ruff: noqa: N802, ARG002 (the names and arguments are those of the generated base class)

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from atoll.errors import AtollError
from atoll.ids import CollectionName, RegionName, ZoneName
from atoll.node.waiting import closing_at_once
from atoll.ports import ControlSurface
from atoll.rpc.codec.control import encode_digests, encode_location, encode_status
from atoll.rpc.failures import abort
from atoll.wire.v1 import control_pb2, control_pb2_grpc


class ControlService(control_pb2_grpc.ControlServicer):
    """Decodes, asks the control surface, encodes."""

    def __init__(self, control: ControlSurface) -> None:
        self._control = control

    async def Status(self, request: control_pb2.StatusRequest, context: Any) -> control_pb2.StatusReply:
        """How the node sees its region and its peers."""
        try:
            return encode_status(await self._control.status())
        except AtollError as error:
            await abort(context, error)

    async def Digest(
        self, request: control_pb2.DigestRequest, context: Any
    ) -> AsyncIterator[control_pb2.DigestChunk]:
        """All rows of a zone as hashes, in order, in chunks."""
        try:
            async with closing_at_once(self._control.digest(ZoneName(request.zone))) as chunks:
                async for rows in chunks:
                    yield encode_digests(rows)
        except AtollError as error:
            await abort(context, error)

    async def Locate(self, request: control_pb2.LocateRequest, context: Any) -> control_pb2.LocateReply:
        """Where a record lives."""
        zone = ZoneName(request.zone) if request.zone else None
        try:
            return encode_location(await self._control.locate(CollectionName(request.collection), zone, request.key))
        except AtollError as error:
            await abort(context, error)

    async def Drill(self, request: control_pb2.DrillRequest, context: Any) -> control_pb2.DrillReply:
        """Play dead to the given regions, to none others."""
        try:
            await self._control.drill([RegionName(region) for region in request.cut_off_from])
            return control_pb2.DrillReply()
        except AtollError as error:
            await abort(context, error)
