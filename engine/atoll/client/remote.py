"""The remote door: one stream of parcels to a node, to the next node when that one is gone.

Nothing is sent before the channel is connected, so what waits while nobody answers is known to be unsent and may go
to another node. Once sent, a broken stream makes reads go again and writes unknown: this client cannot tell whether
the node got them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

from atoll.client.door import Door, OnResult
from atoll.client.parcel import Item, Parcel
from atoll.client.tokens import HeldTokens
from atoll.errors import AtollError, InvalidValue, PeerError, Unavailable, ValueTooLarge
from atoll.keyspace.placement import check_key
from atoll.limits import (
    CLIENT_BATCH_SLOW_SECONDS,
    CLIENT_BATCHES_EAGER,
    CLIENT_BATCHES_IN_FLIGHT_MAX,
    DEADLINE_SWEEP_SECONDS,
    REPLY_GRACE_SECONDS,
)
from atoll.node.waiting import Bell, cancel_and_wait, first_to_end
from atoll.ports import Clock, Entropy
from atoll.replication.backoff import Backoff
from atoll.requests import Consistency, Operation, Reply
from atoll.rpc.session_stream import NotSent, SessionStream

OpenStream = Callable[[str], Awaitable[SessionStream]]
"""Opens a stream to ``host:port``; raises :class:`~atoll.errors.Unavailable`."""


class RemoteDoor(Door):
    """A session with a region over the network. ``addresses`` (``host:port``) are tried in order, again and again."""

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        clock: Clock,
        entropy: Entropy,
        token: str = "",
        open_stream: OpenStream = SessionStream.open,
    ) -> None:
        assert addresses, "a remote client needs an address"
        self._open_stream = open_stream
        self._addresses = deque(addresses)
        self._clock = clock
        self._entropy = entropy
        self._tokens = HeldTokens(token)
        self._waiting: deque[Parcel] = deque()
        self._sent: dict[int, Parcel] = {}
        self._ids = count(1)
        self._bell = Bell()
        self._problem = Unavailable("the client has not been opened")
        self._reached = asyncio.Event()
        self._moving = False
        self._tasks: list[asyncio.Task[None]] = []

    # -- the door -------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Reach a node. Raises :class:`Unavailable` naming the last failure when no address answers."""
        try:
            stream = await self._dial_any()
        except Unavailable:
            self._problem = Unavailable(f"no node answers at {', '.join(self._addresses)}: {self._problem}")
            raise self._problem from None
        self._tasks = [asyncio.create_task(self._keep(stream)), asyncio.create_task(self._sweep())]

    def submit(
        self, operations: Sequence[Operation], consistency: Consistency, timeout_seconds: float, on_result: OnResult
    ) -> None:
        items = []
        for index, operation in enumerate(operations):
            item = Item(operation, index, on_result)
            try:
                check_key(operation.key)
                items.append(item)
            except AtollError as error:
                item.settle(error)
        if items:
            self._waiting.append(Parcel(items, consistency, self._clock.monotonic() + timeout_seconds))
            self._bell.ring()

    @property
    def token(self) -> str:
        return self._tokens.text()

    async def move(self, *addresses: str) -> None:
        """Finish what is in flight, then go on at other addresses, session and all."""
        assert addresses, "say where to move"
        self._addresses = deque(addresses)
        self._reached.clear()
        self._moving = True
        self._bell.ring()
        await self._reached.wait()

    async def close(self) -> None:
        await cancel_and_wait(*self._tasks)
        self._break(Unavailable("the client was closed"))
        closed = Unavailable("the client was closed before this was sent")
        while self._waiting:
            self._waiting.popleft().settle(closed)

    def describe(self) -> str:
        return f"a node at {self._addresses[0]}"

    # -- the connection -------------------------------------------------------------------------------------------

    async def _keep(self, first: SessionStream) -> None:
        """Serve over one stream after the other, for ever."""
        stream: SessionStream | None = first
        backoff = Backoff()
        while True:
            if stream is not None:
                backoff = backoff.succeeded()
                await self._serve(stream)
            try:
                stream = await self._dial_any()
            except Unavailable as error:
                self._problem = error
                stream = None
                await self._clock.sleep(self._entropy.uniform(0.0, backoff.ceiling_seconds))
                backoff = backoff.failed()

    async def _dial_any(self) -> SessionStream:
        """A stream to the first address that answers. Raises :class:`Unavailable` when none does."""
        for _ in range(len(self._addresses)):
            address = self._addresses[0]
            try:
                return await self._open_stream(address)
            except Unavailable as error:
                self._problem = error
                if self._addresses[0] == address:
                    self._addresses.rotate(-1)
        raise self._problem

    async def _serve(self, stream: SessionStream) -> None:
        """Send and receive until the stream breaks or the client moves."""
        address = self._addresses[0]
        self._reached.set()
        self._moving = False
        try:
            await first_to_end(lambda: self._send(stream), lambda: self._receive(stream))
        except AtollError as error:
            self._problem = Unavailable(f"the connection to {address} broke: {error}")
            if self._addresses[0] == address:
                self._addresses.rotate(-1)
        finally:
            await stream.close()
            self._break(self._problem)

    async def _send(self, stream: SessionStream) -> None:
        """Send what waits, while the bound on requests in flight allows. Ends when all is answered before a move."""
        while not self._moving or self._sent:
            ticket = self._bell.ticket()
            if not self._moving and self._waiting and self._has_room():
                await self._send_one(stream, self._gather())
            else:
                await self._bell.wait(ticket)

    def _has_room(self) -> bool:
        """Whether to send now. With enough batches on their way, what waits gathers into a larger one; a batch that
        takes long (one of its sessions waits for another region, say) does not make the others wait."""
        in_flight = len(self._sent)
        if in_flight < CLIENT_BATCHES_EAGER or in_flight >= CLIENT_BATCHES_IN_FLIGHT_MAX:
            return in_flight < CLIENT_BATCHES_EAGER
        slow_before = self._clock.monotonic() - CLIENT_BATCH_SLOW_SECONDS
        return sum(parcel.sent_at > slow_before for parcel in self._sent.values()) < CLIENT_BATCHES_EAGER

    def _gather(self) -> Parcel:
        """The next parcel, with all behind it that may travel with it."""
        first = self._waiting.popleft()
        if not self._waiting or not first.may_carry(self._waiting[0]):
            return first
        items = list(first.items)
        gathered = Parcel(items, first.consistency, first.deadline)
        while self._waiting and gathered.may_carry(self._waiting[0]):
            items += self._waiting.popleft().items
        return gathered

    async def _send_one(self, stream: SessionStream, parcel: Parcel) -> None:
        if parcel.consistency is Consistency.SESSION:
            parcel.tokens = self._tokens.present()
        request_id = next(self._ids)
        try:
            message = stream.encode(request_id, parcel.request(self._clock.monotonic()))
        except (InvalidValue, ValueTooLarge) as error:
            self._blame(parcel, error)
        except (TypeError, ValueError) as error:
            self._blame(parcel, InvalidValue(f"this cannot be sent: {error}"))
        else:
            parcel.sent_at = self._clock.monotonic()
            self._sent[request_id] = parcel  # from here on nobody knows whether the node has it
            try:
                await stream.send(message)
            except NotSent:
                if self._sent.pop(request_id, None) is parcel:
                    self._waiting.appendleft(parcel)
                raise

    async def _receive(self, stream: SessionStream) -> None:
        while True:
            answer = await stream.receive()
            if answer is None:
                raise Unavailable("the node closed the stream")
            request_id, reply = answer
            parcel = self._sent.pop(request_id, None)
            self._bell.ring()
            if parcel is not None:
                self._answered(parcel, reply)

    # -- parcels --------------------------------------------------------------------------------------------------

    def _answered(self, parcel: Parcel, reply: Reply | AtollError) -> None:
        match reply:
            case Reply():
                if parcel.consistency is Consistency.SESSION:
                    self._tokens.fold(parcel.tokens, reply.token)
                parcel.answered(reply, self._waiting.appendleft)
            case ValueTooLarge():
                self._blame(parcel, reply)
            case PeerError():
                self._go_again(parcel, reply)
            case _:
                parcel.settle(reply)

    def _blame(self, parcel: Parcel, error: AtollError) -> None:
        """Something in the parcel is wrong and nothing of it was carried out: find the culprit by halves."""
        if len(parcel.items) == 1:
            parcel.settle(error)
        else:
            self._waiting.extendleft(reversed(parcel.halves()))

    def _break(self, error: AtollError) -> None:
        """The stream is over: nobody will answer what is in flight."""
        sent, self._sent = self._sent, {}
        for parcel in reversed(sent.values()):
            self._go_again(parcel, error)

    def _go_again(self, parcel: Parcel, error: AtollError) -> None:
        reads = parcel.broken(error)
        if reads is not None:
            self._waiting.appendleft(reads)

    # -- deadlines ------------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """Settle what is late, unsent or unanswered."""
        while True:
            ticket = self._bell.ticket()
            if not self._waiting and not self._sent:
                await self._bell.wait(ticket)
            await self._clock.sleep(DEADLINE_SWEEP_SECONDS)
            now = self._clock.monotonic()
            if self._waiting:
                self._bell.ring()  # batches in flight may have become slow
            if any(parcel.deadline <= now for parcel in self._waiting):
                late = [parcel for parcel in self._waiting if parcel.deadline <= now]
                self._waiting = deque(parcel for parcel in self._waiting if parcel.deadline > now)
                for parcel in late:
                    parcel.settle(Unavailable(f"not sent before the deadline: {self._problem}"))
            for request_id, parcel in list(self._sent.items()):
                if parcel.deadline + REPLY_GRACE_SECONDS <= now:
                    del self._sent[request_id]
                    self._bell.ring()
                    parcel.late_in_flight()
