"""Tasks that come back: a part that crashes is logged and begun again after a delay, and stopping leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from atoll.node.waiting import cancel_and_wait
from atoll.ports import Clock, Entropy
from atoll.replication.backoff import Backoff

_log = structlog.get_logger(__name__)


class RestartingTasks:
    """Owns the tasks of one service. :meth:`stop` ends them all and waits for each."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, part: Callable[[], Awaitable[None]]) -> None:
        """Run ``part`` until it returns; each time it raises, again after a jittered delay."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._keep(name, part), name=name))

    async def stop(self) -> None:
        """Cancel every task and wait until it has ended. Idempotent."""
        tasks, self._tasks = self._tasks, []
        await cancel_and_wait(*tasks)

    async def _keep(self, name: str, part: Callable[[], Awaitable[None]]) -> None:
        backoff = Backoff()
        while True:
            try:
                return await part()
            except Exception:
                _log.exception("a part of the node crashed and is begun again", part=name)
            await self._clock.sleep(self._entropy.uniform(0, backoff.ceiling_seconds))
            backoff = backoff.failed()


class Trouble:
    """A condition that is logged when it begins, when it changes its kind, and when it ends; never each time."""

    def __init__(self, what: str, **context: str) -> None:
        self._what = what
        self._context = context
        self._kind: str | None = None
        self.problem = ""
        self.backoff = Backoff()

    def failed(self, error: BaseException) -> float:
        """Note a failure; returns the longest delay before the next attempt, in seconds."""
        kind = type(error).__name__
        self.problem = str(error) or kind
        if kind != self._kind:
            self._kind = kind
            _log.warning(f"{self._what} fails and is tried again", problem=self.problem, kind=kind, **self._context)
        ceiling_seconds = self.backoff.ceiling_seconds
        self.backoff = self.backoff.failed()
        return ceiling_seconds

    def mended(self) -> None:
        """Note a success."""
        if self._kind is not None:
            _log.info(f"{self._what} works again", **self._context)
        self._kind = None
        self.problem = ""
        self.backoff = self.backoff.succeeded()
