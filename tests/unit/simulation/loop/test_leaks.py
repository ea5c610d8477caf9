"""Whoever reaches around the ports is told off, and only then."""

from __future__ import annotations

import asyncio
import datetime
import gc
import importlib
import logging
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from tests.unit.simulation.loop.worlds import play

from atoll.simulation.loop.clocks import EPOCH_MS
from atoll.simulation.loop.errors import SimulationLeak
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.leaks import guarded

LEAKS: dict[str, Callable[[], Any]] = {
    "time.time": lambda: time.time(),
    "time.time_ns": lambda: time.time_ns(),
    "time.monotonic": lambda: time.monotonic(),
    "time.monotonic_ns": lambda: time.monotonic_ns(),
    "time.perf_counter": lambda: time.perf_counter(),
    "time.process_time": lambda: time.process_time(),
    "time.thread_time": lambda: time.thread_time(),
    "time.clock_gettime": lambda: time.clock_gettime(time.CLOCK_MONOTONIC),
    "time.localtime": lambda: time.localtime(),
    "time.gmtime": lambda: time.gmtime(),
    "time.ctime": lambda: time.ctime(),
    "time.strftime": lambda: time.strftime("%H"),
    "time.sleep": lambda: time.sleep(0),
    "datetime.now": lambda: datetime.datetime.now(),
    "datetime.now(UTC)": lambda: datetime.datetime.now(datetime.UTC),
    "datetime.utcnow": lambda: datetime.datetime.utcnow(),
    "datetime.today": lambda: datetime.datetime.today(),
    "date.today": lambda: datetime.date.today(),
    "random.random": lambda: random.random(),
    "random.choice": lambda: random.choice([1, 2]),
    "random.Random": lambda: random.Random(),
    "random.SystemRandom": lambda: random.SystemRandom().random(),
    "secrets.token_hex": lambda: secrets.token_hex(8),
    "secrets.randbelow": lambda: secrets.randbelow(8),
    "os.urandom": lambda: os.urandom(8),
    "os.getrandom": lambda: os.getrandom(8),
    "uuid.uuid1": lambda: uuid.uuid1(),
    "uuid.uuid4": lambda: uuid.uuid4(),
    "threading.Thread": lambda: threading.Thread(target=int).start(),
    "ThreadPoolExecutor": lambda: ThreadPoolExecutor(1).submit(int),
    "socket.socket": lambda: socket.socket(),
    "socket.getaddrinfo": lambda: socket.getaddrinfo("localhost", 80),
    "open": lambda: Path(__file__).read_bytes(),
    "os.listdir": lambda: os.listdir("/"),
    "subprocess.Popen": lambda: subprocess.Popen(["true"]),
    "os.system": lambda: os.system("true"),
    "os.fork": lambda: os.fork(),
    "os.kill": lambda: os.kill(os.getpid(), 0),
}

LEAKS_OF_THE_LOOP: dict[str, Callable[[SimulationLoop], Any]] = {
    "call_soon_threadsafe": lambda loop: loop.call_soon_threadsafe(int),
    "run_in_executor": lambda loop: loop.run_in_executor(None, int),
    "create_connection": lambda loop: loop.create_connection(asyncio.Protocol, "localhost", 80),
    "add_signal_handler": lambda loop: loop.add_signal_handler(signal.SIGTERM, int),
    "add_reader": lambda loop: loop.add_reader(0, int),
    "subprocess_exec": lambda loop: loop.subprocess_exec(asyncio.SubprocessProtocol, "true"),
}


@pytest.mark.parametrize("name", LEAKS)
def test_leak_is_raised_and_told_in_the_words_of_the_caller(name: str) -> None:
    async def story(loop: SimulationLoop) -> None:
        with pytest.raises(SimulationLeak):
            LEAKS[name]()

    with pytest.raises(SimulationLeak, match=r"reaches out of a simulated run, at loop/test_leaks.py:\d+ in"):
        play(story)


@pytest.mark.parametrize("name", LEAKS_OF_THE_LOOP)
def test_loop_refuses_the_real_world(name: str) -> None:
    async def story(loop: SimulationLoop) -> None:
        LEAKS_OF_THE_LOOP[name](loop)

    with pytest.raises(SimulationLeak, match=f"loop.{name}"):
        play(story)


def test_thread_of_asyncio_is_a_leak() -> None:
    async def story(loop: SimulationLoop) -> None:
        await asyncio.to_thread(int)

    with pytest.raises(SimulationLeak, match="run_in_executor"):
        play(story)


def test_leak_that_is_swallowed_ends_the_run_all_the_same() -> None:
    went_on: list[bool] = []

    async def story(loop: SimulationLoop) -> None:
        try:
            time.time()
        except Exception:
            await asyncio.sleep(1)
        went_on.append(True)

    with pytest.raises(SimulationLeak, match=r"time\.time\(\)"):
        play(story)
    assert went_on == []


def test_leak_is_blamed_on_the_innermost_frame_of_atoll() -> None:
    namespace: dict[str, Any] = {"__name__": "atoll.node.writer", "time": time}
    code = compile("def late():\n    return time.time()", "/somewhere/atoll/node/writer.py", "exec")
    exec(code, namespace)

    async def story(loop: SimulationLoop) -> None:
        max([1], key=lambda _: namespace["late"]())

    with pytest.raises(SimulationLeak, match=r"atoll/node/writer\.py:2 in late: take it in through a port"):
        play(story)


def test_everything_works_again_after_the_run() -> None:
    before = {name: getattr(time, name) for name in ("time", "sleep", "monotonic", "localtime")}
    state = random.getstate()

    async def story(loop: SimulationLoop) -> None:
        await asyncio.sleep(1)

    play(story)
    assert {name: getattr(time, name) for name in before} == before
    assert random.getstate() == state
    assert datetime.datetime.now(datetime.UTC).timestamp() == pytest.approx(time.time(), abs=60)
    assert datetime.datetime.utcnow().tzinfo is None
    assert uuid.uuid4() != uuid.uuid4()
    assert Path(__file__).exists()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert asyncio.run(asyncio.sleep(0, "real")) == "real"


def test_other_threads_are_left_alone() -> None:
    answers: list[float] = []
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(10)
        answers.extend([time.time(), random.random(), len(os.listdir("/"))])
        answers.append(datetime.datetime.now().timestamp())
        done.set()

    thread = threading.Thread(target=work)
    thread.start()

    async def story(loop: SimulationLoop) -> None:
        go.set()
        done.wait(10)

    play(story)
    thread.join(10)
    assert len(answers) == 4
    assert answers[0] > EPOCH_MS / 1000


def test_libraries_may_ask_for_the_time_and_get_the_simulated_one() -> None:
    async def story(loop: SimulationLoop) -> None:
        await asyncio.sleep(12)
        registry = prometheus_client.CollectorRegistry()
        prometheus_client.Counter("things", "Things.", registry=registry).inc()
        assert registry.get_sample_value("things_created") == EPOCH_MS / 1000 + 12
        record = logging.LogRecord("atoll", logging.INFO, "", 1, "", None, None)
        assert record.created == EPOCH_MS / 1000 + 12

    play(story)


def test_late_imports_tracebacks_and_seeded_randomness_are_no_leaks() -> None:
    late = "colorsys"
    sys.modules.pop(late, None)

    async def story(loop: SimulationLoop) -> None:
        importlib.import_module(late)
        try:
            raise ValueError("to be shown")
        except ValueError:
            assert "to be shown" in traceback.format_exc()
        assert loop.streams.get("network") is loop.streams.get("network")
        assert random.Random("1:network").random() == loop.streams.get("network").random()
        assert time.gmtime(0).tm_year == 1970
        assert datetime.datetime.fromtimestamp(0, datetime.UTC).year == 1970

    play(story)


def test_function_bound_before_the_run_draws_from_its_seed() -> None:
    drawn: list[float] = []
    bound = random.random

    async def story(loop: SimulationLoop) -> None:
        drawn.append(bound())

    for seed in (1, 1, 2):
        play(story, seed=seed)
    assert drawn[0] == drawn[1] != drawn[2]


def test_two_runs_at_once_are_refused() -> None:
    async def story(loop: SimulationLoop) -> None:
        with pytest.raises(AssertionError, match="one run at a time"), guarded(SimulationLoop(seed=2)):
            pass

    play(story)
