"""The engine: takes a region's requests apart, sends each operation where it belongs, and brings the results back.

One engine per process and region, in a node for remote clients and in the application for embedded ones. Operations
of a request are independent: each is checked, routed and answered alone. A bad one stores nothing and does not hurt
its neighbours; the caller's cancellation stops no write that has begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import assert_never

from atoll.causality.cut import Cut
from atoll.causality.session_token import SessionToken
from atoll.errors import (
    CallerError,
    ClockTooFarAhead,
    Unavailable,
    ValueTooLarge,
    ZoneNotHosted,
)
from atoll.ids import RegionName, ShardName
from atoll.keyspace.router import Elsewhere, Local, Unassigned
from atoll.keyspace.topology import Topology
from atoll.limits import (
    BATCH_OPERATIONS_MAX,
    DEADLINE_SECONDS_MAX,
    DEADLINE_SWEEP_SECONDS,
    SESSION_TOKENS_MAX,
)
from atoll.metrics import Metrics
from atoll.node.barrier import Barrier
from atoll.node.clock_keeper import ClockKeeper
from atoll.node.desk import Desk
from atoll.node.existing import ExistingBatches
from atoll.node.forwarding import Forwarder
from atoll.node.pending import Batch, Deadlines, OnResult, Pending
from atoll.node.post import Post
from atoll.node.progress import RegionProgress
from atoll.node.rerouting import Rerouting
from atoll.node.routing import Router
from atoll.node.session import Session
from atoll.node.tally import Tally
from atoll.node.waiting import cancel_and_wait
from atoll.ports import Catalog, Clock, ShardStore, Transport
from atoll.requests import Consistency, Get, Mutate, Operation, Reply, Request, Result


class Engine:
    """Answers the requests of one region. ``async with`` it, or :meth:`start` and :meth:`close`.

    The engine does not own what it is given: stores, catalog, transport and clock keeper are closed by whoever
    opened them, after the engine. ``on_commit`` is told the shard of every commit, as a hint to capture soon.
    """

    def __init__(
        self,
        *,
        topology: Topology,
        region: RegionName,
        stores: Mapping[ShardName, ShardStore],
        catalog: Catalog,
        transport: Transport,
        clock: Clock,
        clock_keeper: ClockKeeper,
        metrics: Metrics,
        token_key: bytes,
        progress: RegionProgress,
        on_commit: Callable[[ShardName], None] = lambda _: None,
    ) -> None:
        self.region = region
        self.topology = topology
        self._catalog = catalog
        self._clock = clock
        self._clock_keeper = clock_keeper
        self.metrics = metrics
        self._key = token_key
        self._existing = ExistingBatches()
        self._deadlines = Deadlines()
        self._tally = Tally(metrics)
        self._forwarder = Forwarder(transport, clock, metrics, token_key)
        self._rerouting = Rerouting(region, self._place_again)
        desks = {name: self._desk(name, store, on_commit) for name, store in stores.items()}
        self._barrier = Barrier({desk.origin: desk for desk in desks.values()}, self._existing)
        self._posts = {name: Post(desk, self._barrier, progress, metrics) for name, desk in desks.items()}
        self._router: Router | None = None
        self._live = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    # -- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the map and begin. Raises what the catalog raises."""
        assert self._router is None, "an engine starts once"
        first = await self._catalog.shard_map()
        self._router = Router(self.topology, self.region, self._catalog, self._clock, first)
        self._tasks = [asyncio.create_task(self._sweep()), asyncio.create_task(self._rerouting.run(self._router))]

    async def close(self) -> None:
        """Finish what waits with an error, and stop. Writes in flight may still commit. Idempotent."""
        self._deadlines.expire_all()
        await cancel_and_wait(*self._tasks)
        await self._forwarder.close()
        await asyncio.gather(*(post.close() for post in self._posts.values()))
        await self._barrier.close()
        if self._router is not None:
            await self._router.close()

    async def __aenter__(self) -> Engine:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- requests -------------------------------------------------------------------------------------------------

    async def execute(self, request: Request) -> Reply:
        """Answer one request.

        Raises :class:`ValueTooLarge` for too many operations or tokens and :class:`InvalidToken`; everything else
        that can go wrong is the result of an operation.
        """
        self._check_size(request)
        session = self.session(request.tokens)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        results: dict[int, Result] = {}

        def take(index: int, result: Result) -> None:
            results[index] = result
            if len(results) == len(request.operations) and not future.done():
                future.set_result(None)

        if request.operations:
            self.submit(
                request.operations,
                session,
                request.consistency,
                request.deadline_seconds,
                take,
                forwarded=request.forwarded,
            )
            await future
        ordered = [results[index] for index in range(len(request.operations))]
        return Reply(results=ordered, token=self.sign(session))

    def submit(
        self,
        operations: Sequence[Operation],
        session: Session,
        consistency: Consistency,
        deadline_seconds: float,
        on_result: OnResult,
        *,
        forwarded: bool = False,
    ) -> None:
        """Start operations; ``on_result`` is called once for each, now or later, in any order.

        The session has grown by what a result depends on before the result is handed over. Deadlines are at most
        ``DEADLINE_SECONDS_MAX``.
        """
        cut = session.cut if consistency is Consistency.SESSION else Cut.EMPTY
        deadline = self._clock.monotonic() + _bounded(deadline_seconds)
        batch = Batch(session, cut, cut.without_region(self.region), deadline, on_result)
        with suppress(ClockTooFarAhead):  # what such a session wrote was refused here too
            self._clock_keeper.observe(session.timestamp)
        elsewhere: dict[tuple[RegionName, ...], list[Pending]] = {}
        writes: dict[ShardName, list[Pending]] = {}
        reads: set[ShardName] = set()
        for index, operation in enumerate(operations):
            pending = batch.add(index, operation)
            try:
                self._place(pending, writes, reads, elsewhere)
            except CallerError as error:
                pending.finish(error)
        self._send(batch, writes, reads)
        if elsewhere:
            self._forward(batch, consistency, elsewhere, forwarded)
        self._deadlines.watch(batch)
        self._live.set()
        batch.seal(self._batch_finished)

    def session(self, tokens: Sequence[str]) -> Session:
        """A session that covers all tokens; raises :class:`InvalidToken`."""
        token = SessionToken.EMPTY
        for text in tokens:
            token = token.join(SessionToken.verify(text, self._key))
        return Session(token)

    def sign(self, session: Session) -> str:
        """The session as a token for any region of the ring."""
        return session.token().sign(self._key)

    # -- placing --------------------------------------------------------------------------------------------------

    def _place(
        self,
        pending: Pending,
        writes: dict[ShardName, list[Pending]],
        reads: set[ShardName],
        elsewhere: dict[tuple[RegionName, ...], list[Pending]],
    ) -> None:
        """Put an operation where it goes next, by the map as it is."""
        assert self._router is not None, "an engine is started before it is asked"
        match self._router.route(pending.operation):
            case Local(shard=shard, id=id):
                pending.id = id
                self._place_locally(pending, shard, writes, reads)
            case Elsewhere(regions=regions):
                elsewhere.setdefault(tuple(regions), []).append(pending)
            case Unassigned(id=id):
                pending.id = id
                self._rerouting.refuse(None, [pending])
            case route:
                assert_never(route)

    def _place_locally(
        self, pending: Pending, shard: ShardName, writes: dict[ShardName, list[Pending]], reads: set[ShardName]
    ) -> None:
        post = self._posts.get(shard)
        if post is None:
            pending.finish(
                Unavailable(f"the map names shard {shard!r}, which this process has not opened: restart it")
            )
            return
        match pending.operation:
            case Get():
                post.reader.put(pending)
                reads.add(shard)
            case Mutate(collection=collection, write=write):
                pending.write = write
                pending.schema = self.topology.collections[collection].schema
                writes.setdefault(shard, []).append(pending)
            case operation:
                assert_never(operation)

    def _send(self, batch: Batch, writes: Mapping[ShardName, Sequence[Pending]], reads: set[ShardName]) -> None:
        for shard, pendings in writes.items():
            self._posts[shard].write(batch, pendings)
        for shard in reads:
            self._posts[shard].reader.kick()

    def _forward(
        self,
        batch: Batch,
        consistency: Consistency,
        elsewhere: Mapping[tuple[RegionName, ...], Sequence[Pending]],
        forwarded: bool,
    ) -> None:
        if not forwarded:
            self._forwarder.forward(batch, consistency, elsewhere)
            return
        for regions, pendings in elsewhere.items():
            error = ZoneNotHosted(
                f"region {self.region} may not hold the zone, and the request was forwarded already; ask "
                f"{' or '.join(regions)}"
            )
            for pending in pendings:
                pending.finish(error)

    def _place_again(self, pending: Pending) -> None:
        """Route an operation that was refused; what now lies elsewhere is not forwarded any more."""
        writes: dict[ShardName, list[Pending]] = {}
        reads: set[ShardName] = set()
        elsewhere: dict[tuple[RegionName, ...], list[Pending]] = {}
        try:
            self._place(pending, writes, reads, elsewhere)
        except CallerError as error:
            pending.finish(error)
        self._send(pending.batch, writes, reads)
        self._forward(pending.batch, Consistency.SESSION, elsewhere, forwarded=True)

    # -- small parts ----------------------------------------------------------------------------------------------

    def _desk(self, name: ShardName, store: ShardStore, on_commit: Callable[[ShardName], None]) -> Desk:
        return Desk(
            store=store,
            clock=self._clock_keeper,
            time=self._clock,
            existing=self._existing,
            metrics=self.metrics,
            on_commit=partial(on_commit, name),
            on_fenced=partial(self._rerouting.refuse, name),
        )

    def _batch_finished(self, batch: Batch) -> None:
        self._deadlines.forget(batch)
        self._tally.add(batch)

    async def _sweep(self) -> None:
        """Expire what is late; sleeps while nothing is in flight."""
        while True:
            await self._live.wait()
            await self._clock.sleep(DEADLINE_SWEEP_SECONDS)
            self._deadlines.expire(self._clock.monotonic())
            if not self._deadlines:
                self._live.clear()

    @staticmethod
    def _check_size(request: Request) -> None:
        if len(request.operations) > BATCH_OPERATIONS_MAX:
            raise ValueTooLarge(
                f"a request of {len(request.operations):,} operations, more than the {BATCH_OPERATIONS_MAX:,} "
                "allowed: send several"
            )
        if len(request.tokens) > SESSION_TOKENS_MAX:
            raise ValueTooLarge(
                f"a request with {len(request.tokens)} session tokens, more than the {SESSION_TOKENS_MAX} allowed: "
                "present the token of the last reply, it covers the earlier ones"
            )


def _bounded(deadline_seconds: float) -> float:
    """The deadline within the limits; what is no number is no time at all."""
    return min(deadline_seconds, DEADLINE_SECONDS_MAX) if deadline_seconds > 0 else 0.0
