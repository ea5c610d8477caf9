"""The client: what applications hold. One interface over an embedded engine and over the network.

Calls of one event-loop turn travel as one batch. A client is a session: what it reads reflects everything it was told
before, in whichever region it asks. Operations that are in flight at the same time are not ordered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from atoll.client.coalescing import Coalescer
from atoll.client.door import Door
from atoll.client.many import run_many
from atoll.crdt.operations import Delete, FieldOperation, Put, Update, Write
from atoll.errors import InvalidName, Unavailable, UnknownZone
from atoll.ids import CollectionName, ZoneName
from atoll.limits import DEADLINE_SECONDS_DEFAULT
from atoll.requests import Consistency, Get, Mutate

Fields = Mapping[str, Any]
Place = str | Callable[[str, Fields], str] | None
"""A zone or country for many records: one for all, or a function of key and fields."""

Record = dict[str, Any]


class Client:
    """Reads and writes records. Made by :func:`atoll.connect`; close it, or use it with ``async with``.

    Every method raises the typed errors of :mod:`atoll.errors`. ``zone`` or ``country`` says where a record lives in
    collections that are placed by zone; it is part of its identity. ``timeout_seconds`` bounds each call.
    """

    def __init__(
        self, door: Door, *, session: bool = True, timeout_seconds: float = DEADLINE_SECONDS_DEFAULT
    ) -> None:
        """With ``session=False`` reads may be old and nothing is remembered between calls."""
        self._door = door
        self._coalescer = Coalescer(door)
        self._consistency = Consistency.SESSION if session else Consistency.EVENTUAL
        self._timeout_seconds = timeout_seconds
        self._closed = False

    # -- one record -----------------------------------------------------------------------------------------------

    async def get(
        self,
        collection: str,
        key: str,
        *,
        zone: str | None = None,
        country: str | None = None,
        timeout_seconds: float | None = None,
    ) -> Record | None:
        """The record, or ``None`` if there is none."""
        operation = Get(collection=_collection(collection), key=key, zone=_zone(zone, country))
        found = await self._call(operation, timeout_seconds)
        value: Record | None = found.value
        return value

    async def put(
        self,
        collection: str,
        key: str,
        fields: Fields,
        *,
        zone: str | None = None,
        country: str | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Replace the record: afterwards it holds exactly ``fields``. Durable when this returns."""
        await self._write(collection, key, Put(fields), zone, country, timeout_seconds)

    async def update(
        self,
        collection: str,
        key: str,
        *operations: FieldOperation,
        zone: str | None = None,
        country: str | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Apply merge operations (:func:`atoll.increment`, :func:`atoll.add`...) as one write. Durable on return."""
        await self._write(collection, key, Update(operations), zone, country, timeout_seconds)

    async def delete(
        self,
        collection: str,
        key: str,
        *,
        zone: str | None = None,
        country: str | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Remove the record as it has been seen here; a concurrent write survives. Durable when this returns."""
        await self._write(collection, key, Delete(), zone, country, timeout_seconds)

    # -- many records ---------------------------------------------------------------------------------------------

    async def get_many(
        self,
        collection: str,
        keys: Iterable[str],
        *,
        zone: str | None = None,
        country: str | None = None,
        timeout_seconds: float | None = None,
    ) -> dict[str, Record | None]:
        """The records by key, ``None`` where there is none. Raises :class:`~atoll.errors.PartialFailure`."""
        name, place = _collection(collection), _zone(zone, country)
        reads = (Get(collection=name, key=key, zone=place) for key in keys)
        return await run_many(self._open_door(), reads, self._consistency, self._timeout(timeout_seconds))

    async def put_many(
        self,
        collection: str,
        records: Mapping[str, Fields] | Iterable[tuple[str, Fields]],
        *,
        zone: Place = None,
        country: Place = None,
        timeout_seconds: float | None = None,
    ) -> int:
        """Replace many records; returns how many. They are independent of each other and durable on return.

        Raises :class:`~atoll.errors.PartialFailure` with the error of each record that was not stored.
        """
        writes = _puts(_collection(collection), records, zone, country)
        stored = await run_many(self._open_door(), writes, self._consistency, self._timeout(timeout_seconds))
        return len(stored)

    # -- the session and the connection ---------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """What this client has read and written, signed: ``atoll.connect(other, token=token)`` goes on from there."""
        return self._door.token

    async def move(self, *addresses: str) -> None:
        """Go on at another node or in another region (``host:port``, tried in order), session and all. What is in
        flight is finished first. For remote clients."""
        await self._open_door().move(*addresses)

    def collection(self, name: str, *, zone: str | None = None, country: str | None = None) -> BoundCollection:
        """A handle that fills in the collection and the zone of every call."""
        return BoundCollection(self, name, zone, country)

    async def close(self) -> None:
        """Give the connection back. Calls in flight end with an error. Idempotent."""
        self._closed = True
        await self._door.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Client of {self._door.describe()}{', closed' if self._closed else ''}>"

    # -- small parts ----------------------------------------------------------------------------------------------

    async def _write(
        self,
        collection: str,
        key: str,
        write: Write,
        zone: str | None,
        country: str | None,
        timeout_seconds: float | None,
    ) -> None:
        operation = Mutate(collection=_collection(collection), key=key, write=write, zone=_zone(zone, country))
        await self._call(operation, timeout_seconds)

    async def _call(self, operation: Get | Mutate, timeout_seconds: float | None) -> Any:
        if self._closed:
            raise _closed()
        return await self._coalescer.call(operation, self._consistency, self._timeout(timeout_seconds))

    def _open_door(self) -> Door:
        if self._closed:
            raise _closed()
        return self._door

    def _timeout(self, timeout_seconds: float | None) -> float:
        return self._timeout_seconds if timeout_seconds is None else timeout_seconds


class BoundCollection:
    """One collection of a client, in one zone if one was given. See the methods of :class:`Client`."""

    __slots__ = ("_client", "_name", "_place")

    def __init__(self, client: Client, name: str, zone: str | None, country: str | None) -> None:
        self._client = client
        self._name = name
        self._place: ZoneName | None = _zone(zone, country)

    async def get(self, key: str, *, timeout_seconds: float | None = None) -> Record | None:
        """The record, or ``None``."""
        return await self._client.get(self._name, key, zone=self._place, timeout_seconds=timeout_seconds)

    async def put(self, key: str, fields: Fields, *, timeout_seconds: float | None = None) -> None:
        """Replace the record."""
        await self._client.put(self._name, key, fields, zone=self._place, timeout_seconds=timeout_seconds)

    async def update(self, key: str, *operations: FieldOperation, timeout_seconds: float | None = None) -> None:
        """Apply merge operations as one write."""
        await self._client.update(self._name, key, *operations, zone=self._place, timeout_seconds=timeout_seconds)

    async def delete(self, key: str, *, timeout_seconds: float | None = None) -> None:
        """Remove the record."""
        await self._client.delete(self._name, key, zone=self._place, timeout_seconds=timeout_seconds)

    async def get_many(
        self, keys: Iterable[str], *, timeout_seconds: float | None = None
    ) -> dict[str, Record | None]:
        """The records by key."""
        return await self._client.get_many(self._name, keys, zone=self._place, timeout_seconds=timeout_seconds)

    async def put_many(
        self, records: Mapping[str, Fields] | Iterable[tuple[str, Fields]], *, timeout_seconds: float | None = None
    ) -> int:
        """Replace many records."""
        return await self._client.put_many(self._name, records, zone=self._place, timeout_seconds=timeout_seconds)


def _closed() -> Unavailable:
    return Unavailable("this client is closed: connect again")


def _collection(name: str) -> CollectionName:
    if not isinstance(name, str):
        raise InvalidName(f"a collection's name is text, not {type(name).__name__}")
    return CollectionName(name)


def _zone(zone: str | None, country: str | None) -> ZoneName | None:
    """The zone to send: a country travels as ``country:DE`` and is looked up by the region that is asked."""
    if country is None:
        return None if zone is None else ZoneName(zone)
    if zone is not None:
        raise UnknownZone(f"give either the zone ({zone!r}) or the country ({country!r}), not both")
    return ZoneName(f"country:{country}")


def _puts(
    collection: CollectionName,
    records: Mapping[str, Fields] | Iterable[tuple[str, Fields]],
    zone: Place,
    country: Place,
) -> Iterator[Mutate]:
    pairs = records.items() if isinstance(records, Mapping) else records
    for key, fields in pairs:
        its_zone = zone(key, fields) if callable(zone) else zone
        its_country = country(key, fields) if callable(country) else country
        yield Mutate(collection=collection, key=key, write=Put(fields), zone=_zone(its_zone, its_country))
