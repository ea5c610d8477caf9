"""What is to be done: the pool of handles that are ready, the heap of timers, and the time that is now.

Time is a whole number of nanoseconds, so that equal durations are equal. Handles of a paused host are parked; those
of a life that ended are buried: kept until the end of the run, since freeing them could run a destructor.
"""

from __future__ import annotations

import itertools
from heapq import heapify, heappop, heappush

from atoll.simulation import limits
from atoll.simulation.loop.handles import SimulationHandle, SimulationTimerHandle
from atoll.simulation.loop.hosts import Host, Life

Handle = SimulationHandle | SimulationTimerHandle


class Agenda:
    """The state that the loop schedules from. ``ready`` is the same list all the time, in order of readiness."""

    def __init__(self) -> None:
        self.true_ns = 0
        self.ready: list[Handle] = []
        self._timers: list[tuple[int, int, SimulationTimerHandle]] = []
        self._cancelled_timers = 0
        self._sequence = itertools.count()
        self._graveyard: list[object] = []

    def enqueue(self, handle: Handle) -> None:
        """The handle may run now, if its life goes on and its host is not paused."""
        life = handle.life
        if life.running:
            self.ready.append(handle)
        else:
            (self._graveyard if life.ended else life.host.parked).append(handle)

    def set_timer(self, due_ns: int, handle: SimulationTimerHandle) -> None:
        """The handle may run from ``due_ns`` on. Timers of one moment become ready in the order of setting."""
        if due_ns > self.true_ns:
            handle.agenda = self
            heappush(self._timers, (due_ns, next(self._sequence), handle))
        else:
            self.enqueue(handle)

    def timer_cancelled(self) -> None:
        """Called by each timer that is cancelled while it waits; rebuilds the heap when most have been."""
        self._cancelled_timers += 1
        if limits.CANCELLED_TIMERS_MAX < self._cancelled_timers > len(self._timers) // 2:
            self._timers = [entry for entry in self._timers if not entry[2]._cancelled]
            heapify(self._timers)
            self._cancelled_timers = 0

    def advance(self) -> bool:
        """Jump to the next timer of a life that goes on, and make ready what is due then; false if there is none."""
        timers, now_ns = self._timers, -1
        while timers and (now_ns < 0 or timers[0][0] <= now_ns):
            due_ns, _, handle = heappop(timers)
            handle.agenda = None
            if handle._cancelled:
                self._cancelled_timers -= 1
            elif handle.life.ended:
                self._graveyard.append(handle)
            else:
                self.true_ns = now_ns = due_ns
                self.enqueue(handle)
        return now_ns >= 0

    def end_life(self, life: Life) -> None:
        """Bury all that the life had ready or parked; its timers follow when they come up."""
        life.ended, life.running, life.host.paused = True, False, False
        self._graveyard += life.host.parked
        self._graveyard += [handle for handle in self.ready if handle.life is life]
        life.host.parked.clear()
        self.ready[:] = [handle for handle in self.ready if handle.life is not life]

    def park(self, host: Host) -> None:
        host.paused, host.present.running = True, False
        host.parked += [handle for handle in self.ready if handle.life is host.present]
        self.ready[:] = [handle for handle in self.ready if handle.life is not host.present]

    def unpark(self, host: Host) -> None:
        host.paused, host.present.running = False, True
        self.ready += host.parked
        host.parked.clear()

    def bury(self, *remains: object) -> None:
        """Keep what belongs to a life that ended."""
        self._graveyard += remains

    def clear(self) -> None:
        self.ready.clear()
        self._timers.clear()
        self._graveyard.clear()
