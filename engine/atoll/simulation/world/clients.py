"""The clients of a run: each does its part of the plan, one operation after the other, and writes down what it saw.

They are the same on a simulated ring and on a real one: :class:`Surroundings` are all that differs.

A client is a session of the production client. After a write of unknown outcome the session is retired, as its past
is no longer known; the client goes on with a fresh one. Hearing from another client is joining its token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from atoll.causality.cut import Cut
from atoll.causality.session_token import SessionToken
from atoll.client.client import Client
from atoll.client.door import Door
from atoll.client.tokens import SEPARATOR, split_token
from atoll.crdt.operations import Delete, Put, Update
from atoll.errors import AtollError, CallerError, ClockTooFarAhead, Retryable, StaleRoute
from atoll.ids import RegionName
from atoll.requests import Found, Get, Mutate
from atoll.simulation.history import Entry, Status
from atoll.simulation.limits import ANSWER_GRACE_SECONDS
from atoll.simulation.plan import Action, PlannedOperation
from atoll.simulation.workloads.calls import field_value, to_call
from atoll.simulation.world.node import TOKEN_KEY

OpenDoor = Callable[[RegionName, str], Awaitable[Door]]
"""Opens a door to a region that goes on with a session's token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Time, and somebody who takes notes for the timeline of the run."""

    now: Callable[[], float]
    """True seconds since some beginning."""
    sleep: Callable[[float], Awaitable[None]]
    """Called by a client, where it lives."""
    note: Callable[[str, str, str], None]
    """Kind, lane and label of something that happened now."""


class Recorder:
    """The history of a run, in the order in which operations began."""

    def __init__(self, around: Surroundings, epoch: float) -> None:
        """``epoch``: the true time at which traffic begins."""
        self.around = around
        self.epoch = epoch
        self._entries: list[Entry | None] = []

    def now(self) -> float:
        """Seconds of true time since traffic began."""
        return self.around.now() - self.epoch

    def begin(self) -> int:
        """The index of an operation that begins now."""
        self._entries.append(None)
        return len(self._entries) - 1

    def end(self, entry: Entry) -> None:
        """The operation has ended."""
        self._entries[entry.index] = entry
        self.around.note("return", entry.planned.client, f"{entry.planned.action} {entry.status} {entry.error}")

    def history(self) -> Sequence[Entry]:
        """All operations; asserts that each has ended."""
        assert all(entry is not None for entry in self._entries), "an operation is still in progress"
        return [entry for entry in self._entries if entry is not None]


@dataclass(slots=True, kw_only=True)
class SimulatedClient:
    """One client. :meth:`run` does its operations; ``others`` are the clients it may hear from."""

    name: str
    recorder: Recorder
    open_door: OpenDoor
    others: Mapping[str, SimulatedClient]
    final: bool = False
    last: int | None = None
    """Its last entry that ended well or in doubt."""
    _client: Client | None = None
    _region: RegionName | None = None
    _token: str = ""
    _generation: int = 1
    _heard: dict[str, int] = field(default_factory=dict)

    @property
    def session(self) -> str:
        """The name of the present session."""
        return self.name if self._generation == 1 else f"{self.name}'{self._generation}"

    @property
    def token(self) -> str:
        """What the present session has seen."""
        return self._client.token if self._client is not None else self._token

    async def run(self, operations: Sequence[PlannedOperation]) -> None:
        """Do all of them, each at its time or as soon as the one before has ended."""
        for planned in operations:
            delay_seconds = planned.at_seconds - self.recorder.now()
            if delay_seconds > 0:
                await self.recorder.around.sleep(delay_seconds)
            await self.do(planned)
        await self.close()

    async def do(self, planned: PlannedOperation) -> Entry:
        """One operation, recorded. Raises nothing but bugs of the harness."""
        index, began = self.recorder.begin(), self.recorder.now()
        session = self.session
        self.recorder.around.note("call", self.name, f"{planned.action} {planned.collection}/{planned.key}")
        heard: int | None = None
        value, exists, status, error, message = None, False, Status.OK, "", ""
        try:
            async with asyncio.timeout(planned.timeout_seconds + ANSWER_GRACE_SECONDS):
                heard = await self._prepare(planned)
                assert self._client is not None
                found = await _call(self._client, planned)
                value, exists = field_value(found, planned), found.value is not None
        except TimeoutError:
            status, error = _doubtful(planned), "not_answered"
            message = f"no answer {ANSWER_GRACE_SECONDS:g} s after the deadline"
        except AtollError as failure:
            status, error, message = _status_of(failure, planned), failure.code, str(failure)
        entry = Entry(
            index=index,
            planned=planned,
            session=session,
            began=began,
            ended=self.recorder.now(),
            status=status,
            value=value,
            exists=exists,
            error=error,
            message=message,
            heard=heard,
            seen=_cut_of(self.token),
            final=self.final,
        )
        self.recorder.end(entry)
        if status is not Status.FAILED:
            self.last = index
        if status is Status.UNKNOWN or error == "not_answered":
            await self._retire()
        return entry

    async def close(self) -> None:
        """Give the connection back; the session stays."""
        if self._client is not None:
            self._token = self._client.token
            client, self._client = self._client, None
            await client.close()

    # -- the session ----------------------------------------------------------------------------------------------

    async def _prepare(self, planned: PlannedOperation) -> int | None:
        """Be where the operation is to be asked, with all that the client is to know."""
        heard = None
        told = ""
        other = self.others.get(planned.hears) if planned.hears is not None else None
        if other is not None:  # who has nothing to do in the plan has nothing to tell
            heard, told = other.last, other.token
        if self._client is not None and (planned.region != self._region or told):
            await self.close()
        if self._client is None:
            self._token = _joined(self._token, told)
            self._region = planned.region
            door = await self.open_door(planned.region, self._token)
            self._client = Client(door, timeout_seconds=planned.timeout_seconds)
        return heard

    async def _retire(self) -> None:
        await self.close()
        self._token = ""
        self.last = None
        self._generation += 1


def by_client(operations: Sequence[PlannedOperation]) -> dict[str, list[PlannedOperation]]:
    """Each client's operations, in the order of the plan; clients in the order of their first."""
    found: dict[str, list[PlannedOperation]] = {}
    for operation in operations:
        found.setdefault(operation.client, []).append(operation)
    return found


async def _call(client: Client, planned: PlannedOperation) -> Found:
    operation = to_call(planned)
    zone, seconds = operation.zone, planned.timeout_seconds
    match operation:
        case Get(collection=collection, key=key):
            return Found(await client.get(collection, key, zone=zone, timeout_seconds=seconds))
        case Mutate(collection=collection, key=key, write=Update(operations=operations)):
            await client.update(collection, key, *operations, zone=zone, timeout_seconds=seconds)
        case Mutate(collection=collection, key=key, write=Put(fields=fields)):
            await client.put(collection, key, fields, zone=zone, timeout_seconds=seconds)
        case Mutate(collection=collection, key=key, write=Delete()):
            await client.delete(collection, key, zone=zone, timeout_seconds=seconds)
    return Found(None)


def _doubtful(planned: PlannedOperation) -> Status:
    return Status.FAILED if planned.action is Action.READ else Status.UNKNOWN


def _status_of(failure: AtollError, planned: PlannedOperation) -> Status:
    """Only errors that promise that nothing was written leave a write certain."""
    certain = isinstance(failure, (CallerError, Retryable, StaleRoute, ClockTooFarAhead))
    return Status.FAILED if certain else _doubtful(planned)


def _joined(mine: str, told: str) -> str:
    """One session of two, as the fewest tokens."""
    tokens: Any = SessionToken.EMPTY
    for text in (*split_token(mine), *split_token(told)):
        tokens = tokens.join(SessionToken.verify(text, TOKEN_KEY))
    signed: str = tokens.sign(TOKEN_KEY)
    assert SEPARATOR not in signed, "one token"
    return signed


def _cut_of(token: str) -> Cut:
    cut = Cut.EMPTY
    for text in split_token(token):
        cut = cut.join(SessionToken.verify(text, TOKEN_KEY).cut)
    return cut
