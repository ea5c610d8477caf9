"""The simulator's speed: seconds of simulated time per real second, and which layer the processor spends them in.

Run with ``python benchmarks/simulation.py [scenario]``; without one it is ``calm-sea``: three regions of two shards
at 50 operations a second. Times are of this process's own processor, so that what else runs on the machine disturbs
little; the best of several runs is the least disturbed one. Shares come from one more run, in which a timer of the
kernel looks where it is: a sample belongs to the innermost module of Atoll on the stack, libraries to who calls them.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections import Counter
from pathlib import PurePath
from time import process_time
from types import FrameType
from unittest.mock import patch

import atoll
from atoll.simulation import running
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.result import RunResult
from atoll.simulation.scenario.library import find
from atoll.simulation.scenario.reading import load_scenario
from atoll.simulation.scenario.scenario import Scenario

SEED, REPEATS, SAMPLE_SECONDS = 7, 3, 0.004
PACKAGE = str(PurePath(atoll.__file__).parent)


class CountingLoop(SimulationLoop):
    """Remembers how many handles the last run took."""

    handles = 0

    def close(self) -> None:
        CountingLoop.handles = self.steps
        super().close()


class Sampler:
    """Counts samples by layer, from a signal, and the seconds of collections, which no signal interrupts."""

    def __init__(self) -> None:
        self.samples: Counter[str] = Counter()
        self.collecting_seconds = 0.0
        self._collection_began = 0.0

    def look(self, _: int, frame: FrameType | None) -> None:
        while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
            frame = frame.f_back
        self.samples["outside" if frame is None else layer_of(frame.f_code.co_filename)] += 1

    def collection(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collection_began = process_time()
        else:
            self.collecting_seconds += process_time() - self._collection_began


def main() -> None:
    """Measure and print."""
    name = sys.argv[1] if len(sys.argv) > 1 else "calm-sea"
    scenario = load_scenario(find(name))
    with patch.object(running, "SimulationLoop", CountingLoop):
        running.run(scenario, SEED)  # imports, and whatever is made once a process
        seconds, result = min((timed(scenario) for _ in range(REPEATS)), key=lambda measured: measured[0])
        print_speed(name, seconds, result)
        print_shares(scenario)


def timed(scenario: Scenario) -> tuple[float, RunResult]:
    """Seconds of processor time, and what came out."""
    began = process_time()
    result = running.run(scenario, SEED)
    return process_time() - began, result


def print_speed(name: str, seconds: float, result: RunResult) -> None:
    """The figures of the best run."""
    print(f"{name}, seed {SEED}: {result.verdict}, trace {result.trace_hash[:12]}")
    print(f"{'simulated seconds per real second':40} {result.simulated_seconds / seconds:8.2f}")
    print(f"{'real seconds':40} {seconds:8.2f}")
    print(f"{'operations':40} {len(result.history):8,}")
    print(f"{'messages':40} {result.messages:8,}")
    print(f"{'handles':40} {CountingLoop.handles:8,}")
    print(f"{'handles per real second':40} {CountingLoop.handles / seconds:8,.0f}")


def print_shares(scenario: Scenario) -> None:
    """Where the processor was, in one more run."""
    sampler = Sampler()
    gc.callbacks.append(sampler.collection)
    before = signal.signal(signal.SIGPROF, sampler.look)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)
    try:
        seconds, _ = timed(scenario)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        gc.callbacks.remove(sampler.collection)
    collecting = sampler.collecting_seconds / seconds
    print(f"{'share of collecting garbage':40} {collecting:8.1%}")
    for layer, samples in sampler.samples.most_common():
        print(f"{f'share of {layer}':40} {samples / sampler.samples.total() * (1 - collecting):8.1%}")


def layer_of(path: str) -> str:
    """``simulation/storage`` or ``node``: the simulator by its parts, the engine by its packages."""
    parts = PurePath(path).relative_to(PACKAGE).parts[:-1] or ("the rest",)
    return "/".join(parts[: 2 if parts[0] == "simulation" else 1])


if __name__ == "__main__":
    main()
