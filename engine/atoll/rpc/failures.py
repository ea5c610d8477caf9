"""Typed errors across gRPC: the error's code travels in the trailing metadata, its message as the details.

A status without that code comes from gRPC itself. Whether the call may have had an effect decides then: a call that
never left this process is :class:`Unavailable`, one that was under way is :class:`OutcomeUnknown` if it writes.
"""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
from grpc import aio

from atoll.errors import (
    AtollError,
    CallerError,
    DeadlineExceeded,
    OperatorError,
    OutcomeUnknown,
    Overloaded,
    PeerError,
    StaleRoute,
    Unavailable,
    ValueTooLarge,
    from_code,
)

CODE_KEY = "atoll-code"
"""Trailing metadata: the stable name of the error class."""

_STATUSES: tuple[tuple[type[AtollError], grpc.StatusCode], ...] = (
    (CallerError, grpc.StatusCode.INVALID_ARGUMENT),
    (StaleRoute, grpc.StatusCode.FAILED_PRECONDITION),
    (DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
    (Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
    (OutcomeUnknown, grpc.StatusCode.UNKNOWN),
    (PeerError, grpc.StatusCode.PERMISSION_DENIED),
    (OperatorError, grpc.StatusCode.FAILED_PRECONDITION),
)
_NEVER_SENT = ("failed to connect to all addresses", "DNS resolution failed", "name resolver error")


def status_of(error: AtollError) -> grpc.StatusCode:
    """The gRPC status that tools without Atoll's metadata see."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


async def abort(context: aio.ServicerContext[Any, Any], error: AtollError) -> NoReturn:
    """End a call with a typed error. Always raises."""
    await context.abort(status_of(error), error.message, trailing_metadata=((CODE_KEY, error.code),))
    raise AssertionError("abort raises")


def from_rpc_error(error: aio.AioRpcError, target: str, *, writes: bool = False) -> AtollError:
    """The typed error behind a failed call to ``target``. ``writes``: the call would have changed something."""
    details = error.details() or error.code().name
    for key, value in error.trailing_metadata() or ():
        if key == CODE_KEY:
            return from_code(value if isinstance(value, str) else value.decode(), details)
    message = f"{target}: {details}"
    match error.code():
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return ValueTooLarge(f"{message}; send less in one message")
        case grpc.StatusCode.UNIMPLEMENTED:
            return PeerError(f"{message}; it does not speak this service")
        case _ if writes and not details.startswith(_NEVER_SENT):
            return OutcomeUnknown(f"{message}; the write was under way: read before you repeat it")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(message)
        case _:
            return Unavailable(message)


async def ended(call: aio.StreamStreamCall[Any, Any]) -> aio.AioRpcError:
    """The error of a call that has ended already."""
    code, details, trailers = await call.code(), await call.details(), await call.trailing_metadata()
    nothing = aio.Metadata()
    return aio.AioRpcError(code, nothing, trailers or nothing, details or "")
