"""What travels between two ends of a simulated connection: the frames of HTTP/2 that matter to gRPC, as values."""

from __future__ import annotations

from typing import NamedTuple

import grpc

from atoll.simulation.limits import MESSAGE_OVERHEAD_BYTES

Metadata = tuple[tuple[str, str | bytes], ...]


class Status(NamedTuple):
    """How a call ended."""

    code: grpc.StatusCode
    details: str = ""
    trailers: Metadata = ()


class Knock(NamedTuple):
    """The first packet of a connection to ``address``."""

    address: str


class Answer(NamedTuple):
    """The listening machine takes the connection."""


class Preface(NamedTuple):
    """The client's first word: the listening process hears of the connection."""


class Settings(NamedTuple):
    """The server's first word: from now on the connection carries calls."""


class Ping(NamedTuple):
    """Are you there?"""


class Pong(NamedTuple):
    """I am."""


class GoAway(NamedTuple):
    """No new calls, please."""


class Farewell(NamedTuple):
    """The process has closed the connection. ``reason`` is what its calls end with."""

    reason: str


class Open(NamedTuple):
    """A call begins. One with a single request brings it along."""

    stream: int
    method: str
    timeout_seconds: float | None
    metadata: Metadata
    request: bytes | None


class Message(NamedTuple):
    """One message of a stream. ``number`` pairs its sending with its delivery in the trace."""

    stream: int
    payload: bytes
    number: int


class HalfClose(NamedTuple):
    """The client will send no more."""

    stream: int


class Trailers(NamedTuple):
    """The server ends the call. A single response comes along."""

    stream: int
    status: Status
    response: bytes | None


class Cancel(NamedTuple):
    """The client gives the call up."""

    stream: int


class Credit(NamedTuple):
    """The reader has read so many bytes: as many more may come."""

    stream: int
    size_bytes: int


Frame = (
    Knock
    | Answer
    | Preface
    | Settings
    | Ping
    | Pong
    | GoAway
    | Farewell
    | Open
    | Message
    | HalfClose
    | Trailers
    | Cancel
    | Credit
)


def payload_bytes(frame: Frame) -> int:
    """What a frame carries for an application."""
    match frame:
        case Message():
            return len(frame.payload)
        case Open():
            return len(frame.request or b"")
        case Trailers():
            return len(frame.response or b"")
        case _:
            return 0


def wire_bytes(frame: Frame) -> int:
    """What a frame weighs on a link."""
    return payload_bytes(frame) + MESSAGE_OVERHEAD_BYTES
