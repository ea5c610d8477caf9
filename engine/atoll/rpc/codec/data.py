"""Requests and replies of applications. A malformed request raises a :class:`CallerError`; a malformed reply, which
only a broken node sends, a :class:`CorruptFrame`."""

from __future__ import annotations

import math
from typing import Any, Final, assert_never

from atoll.crdt.operations import Add, Clear, Delete, FieldOperation, Increment, Put, Remove, Set, Update, Write
from atoll.crdt.value import pack_value, unpack_value
from atoll.errors import AtollError, CorruptFrame, InvalidRequest, InvalidValue, ValueTooLarge
from atoll.ids import CollectionName, ZoneName
from atoll.limits import FIELD_OPERATIONS_MAX, MESSAGE_BYTES_MAX, RECORD_BYTES_MAX
from atoll.requests import Consistency, Found, Get, Mutate, Operation, Reply, Request, Result, Written
from atoll.rpc.codec.common import decode_error, encode_error
from atoll.wire.v1 import data_pb2

_CONSISTENCY_TO_WIRE = {
    Consistency.SESSION: data_pb2.CONSISTENCY_SESSION,
    Consistency.EVENTUAL: data_pb2.CONSISTENCY_EVENTUAL,
}
_CONSISTENCY_FROM_WIRE = {
    data_pb2.CONSISTENCY_UNSPECIFIED: Consistency.SESSION,
    **{wire: consistency for consistency, wire in _CONSISTENCY_TO_WIRE.items()},
}

_LEFT_OUT_BYTES: Final = 256
"""More than what stands in a reply for a record that was left out."""


# -- requests -----------------------------------------------------------------------------------------------------


def encode_request(request: Request, request_id: int = 0) -> data_pb2.ExecuteRequest:
    """Raises :class:`InvalidValue` for a value that the canonical form refuses."""
    return data_pb2.ExecuteRequest(
        id=request_id,
        operations=[encode_operation(operation) for operation in request.operations],
        tokens=request.tokens,
        consistency=_CONSISTENCY_TO_WIRE[request.consistency],
        deadline_seconds=request.deadline_seconds,
        forwarded=request.forwarded,
    )


def decode_request(request: data_pb2.ExecuteRequest) -> Request:
    """Inverse of :func:`encode_request`. Raises :class:`CallerError` if any part is malformed."""
    consistency = _CONSISTENCY_FROM_WIRE.get(request.consistency)
    if consistency is None:
        raise InvalidRequest(f"{request.consistency} is not a consistency level")
    if not math.isfinite(request.deadline_seconds) or request.deadline_seconds < 0:
        raise InvalidRequest(f"a deadline of {request.deadline_seconds} seconds")
    return Request(
        operations=[_decode_operation(operation) for operation in request.operations],
        tokens=list(request.tokens),
        consistency=consistency,
        deadline_seconds=request.deadline_seconds,
        forwarded=request.forwarded,
    )


def encode_operation(operation: Operation) -> data_pb2.Operation:
    """One operation, so that a bad value can be told from its neighbours; raises :class:`InvalidValue`."""
    message = data_pb2.Operation(collection=operation.collection, key=operation.key, zone=operation.zone or "")
    match operation:
        case Get():
            message.get.SetInParent()
        case Mutate():
            _encode_write(operation.write, message)
        case _:
            assert_never(operation)
    return message


def _encode_write(write: Write, message: data_pb2.Operation) -> None:
    match write:
        case Put(fields):
            message.put.fields = pack_value(dict(fields))
        case Delete():
            message.delete.SetInParent()
        case Update(operations):
            message.update.SetInParent()
            message.update.operations.extend(_encode_field_operation(operation) for operation in operations)
        case _:
            assert_never(write)


def _encode_field_operation(operation: FieldOperation) -> data_pb2.FieldOperation:
    message = data_pb2.FieldOperation(field=operation.field)
    match operation:
        case Set(_, value):
            message.set = pack_value(value)
        case Increment(_, amount):
            message.increment = pack_value(amount)
        case Add(_, elements):
            message.add = pack_value(list(elements))
        case Remove(_, elements):
            message.remove = pack_value(list(elements))
        case Clear():
            message.clear = True
        case _:
            assert_never(operation)
    return message


def _decode_operation(message: data_pb2.Operation) -> Operation:
    collection = CollectionName(message.collection)
    zone = ZoneName(message.zone) if message.zone else None
    write: Write
    match message.WhichOneof("kind"):
        case "get":
            return Get(collection=collection, key=message.key, zone=zone)
        case "put":
            write = Put(_fields(_value(message.put.fields)))
        case "delete":
            write = Delete()
        case "update":
            write = _decode_update(message.update)
        case _:
            raise InvalidRequest(f"the operation on {message.collection}/{message.key} is of no known kind")
    return Mutate(collection=collection, key=message.key, write=write, zone=zone)


def _decode_update(update: data_pb2.Update) -> Update:
    if len(update.operations) > FIELD_OPERATIONS_MAX:
        raise ValueTooLarge(
            f"a write of {len(update.operations):,} operations on fields, more than the {FIELD_OPERATIONS_MAX:,} "
            "allowed: send several"
        )
    return Update(tuple(_decode_field_operation(each) for each in update.operations))


def _decode_field_operation(message: data_pb2.FieldOperation) -> FieldOperation:
    field = message.field
    match message.WhichOneof("kind"):
        case "set":
            return Set(field, _value(message.set))
        case "increment":
            return Increment(field, _value(message.increment))
        case "add":
            return Add(field, _elements(_value(message.add), field))
        case "remove":
            return Remove(field, _elements(_value(message.remove), field))
        case "clear":
            return Clear(field)
        case _:
            raise InvalidRequest(f"the operation on field {field!r} is of no known kind")


def _value(packed: bytes) -> Any:
    """A caller's value; whether a rule takes it is the rule's business. One that no record can hold is not decoded:
    megabytes of small parts would block the event loop for seconds."""
    if len(packed) > RECORD_BYTES_MAX:
        raise ValueTooLarge(
            f"a value of {len(packed):,} bytes, more than the {RECORD_BYTES_MAX:,} of a record: split it"
        )
    try:
        return unpack_value(packed)
    except CorruptFrame as error:
        raise InvalidValue(f"a value of {len(packed)} bytes is not in canonical form: {error}") from error


def _fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidValue(f"a put takes a map of fields, not {type(value).__name__}")
    return value


def _elements(value: Any, field: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise InvalidValue(f"field {field!r}: add and remove take a list of elements, not {type(value).__name__}")
    return tuple(value)


# -- replies ------------------------------------------------------------------------------------------------------


def encode_reply(reply: Reply, request_id: int = 0) -> data_pb2.ExecuteReply:
    """A reply that would be larger than a message leaves out its largest records, each with :class:`ValueTooLarge`
    as its result: ask for those by themselves."""
    message = data_pb2.ExecuteReply(
        id=request_id, results=[_encode_result(result) for result in reply.results], token=reply.token
    )
    surplus_bytes = message.ByteSize() - MESSAGE_BYTES_MAX
    if surplus_bytes > 0:
        _leave_out(message, surplus_bytes)
    return message


def _leave_out(message: data_pb2.ExecuteReply, surplus_bytes: int) -> None:
    full = encode_error(ValueTooLarge("the reply is full without this record: ask for it by itself"))
    for result in sorted(message.results, key=lambda result: len(result.found), reverse=True):
        if surplus_bytes <= 0:
            return
        surplus_bytes -= len(result.found) - _LEFT_OUT_BYTES
        result.error.CopyFrom(full)


def encode_refusal(error: AtollError, request_id: int = 0) -> data_pb2.ExecuteReply:
    """The answer to a request that was refused as a whole."""
    return data_pb2.ExecuteReply(id=request_id, error=encode_error(error))


def decode_reply(message: data_pb2.ExecuteReply) -> Reply:
    """Inverse of :func:`encode_reply`; raises the typed error of a refusal."""
    if message.HasField("error"):
        raise decode_error(message.error)
    return Reply(results=[_decode_result(result) for result in message.results], token=message.token)


def _encode_result(result: Result) -> data_pb2.Result:
    match result:
        case Found(None):
            return data_pb2.Result(absent=True)
        case Found(value):
            return data_pb2.Result(found=pack_value(value))
        case Written():
            return data_pb2.Result(written=True)
        case AtollError():
            return data_pb2.Result(error=encode_error(result))
        case _:
            assert_never(result)


def _decode_result(result: data_pb2.Result) -> Result:
    match result.WhichOneof("kind"):
        case "found":
            value = unpack_value(result.found)
            if not isinstance(value, dict):
                raise CorruptFrame(f"a record came as {type(value).__name__}")
            return Found(value)
        case "absent":
            return Found(None)
        case "written":
            return Written()
        case "error":
            return decode_error(result.error)
        case _:
            raise CorruptFrame("a result of no known kind")
