"""Errors that nobody waits for are kept; the end of a world is silent."""

from __future__ import annotations

import asyncio
import gc

from tests.unit.simulation.loop.worlds import play

from atoll.simulation.loop.event_loop import SimulationLoop


async def fail() -> None:
    raise ValueError("nobody listens")


def test_error_of_a_forgotten_task_is_a_failure() -> None:
    async def story(loop: SimulationLoop) -> None:
        loop.spawn(loop.host("tokyo/n1"), fail(), "forgotten")
        await asyncio.sleep(1)

    failures = play(story).failures
    assert [str(failure) for failure in failures] == [
        "0.000 s, tokyo/n1: Task exception was never retrieved (forgotten): ValueError: nobody listens"
    ]


def test_error_of_a_callback_is_a_failure_and_the_run_goes_on() -> None:
    async def story(loop: SimulationLoop) -> None:
        def callback() -> None:
            raise ValueError("nobody listens")

        loop.call_on(loop.host("tokyo/n1"), 2.0, callback)
        await asyncio.sleep(3)

    loop = play(story)
    assert loop.now() == 3.0
    (failure,) = loop.failures
    assert (failure.at, failure.host, str(failure.error)) == (2.0, "tokyo/n1", "nobody listens")
    assert failure.source.endswith("callback")


def test_error_that_only_garbage_holds_is_a_failure_in_the_end() -> None:
    async def story(loop: SimulationLoop) -> None:
        holder: list[object] = []
        holder += [holder, asyncio.create_task(fail())]
        await asyncio.sleep(1)

    loop = play(story)
    assert [str(failure.error) for failure in loop.failures] == ["nobody listens"]


def test_error_that_was_waited_for_is_none() -> None:
    async def story(loop: SimulationLoop) -> None:
        await asyncio.gather(fail(), return_exceptions=True)

    assert play(story).failures == []


def test_error_of_a_process_that_died_is_none() -> None:
    async def story(loop: SimulationLoop) -> None:
        host, kept = loop.host("tokyo/n1"), list[object]()
        kept.append(loop.spawn(host, fail(), "failed before"))
        await asyncio.sleep(1)
        loop.crash(host)
        kept.clear()

    assert play(story).failures == []


def test_failure_is_part_of_the_trace() -> None:
    async def quiet(loop: SimulationLoop) -> None:
        await asyncio.sleep(1)

    async def failing(loop: SimulationLoop) -> None:
        loop.call_later(0.5, fail().throw, ValueError())
        await asyncio.sleep(1)

    events = play(failing, record=True).trace.events
    assert [(event.kind, event.at) for event in events] == [("failure", 0.5)]
    assert play(quiet, record=True).trace.events == []


def test_exception_handler_of_the_code_takes_precedence() -> None:
    told: list[str] = []

    async def story(loop: SimulationLoop) -> None:
        loop.set_exception_handler(lambda _, context: told.append(context["message"]))
        assert loop.get_exception_handler() is not None
        loop.create_task(fail())
        await asyncio.sleep(1)

    assert play(story).failures == []
    assert told == ["SimulationTask exception was never retrieved"]


def test_end_of_a_world_is_silent_and_changes_nothing() -> None:
    """Warnings and unraisable errors fail this test by themselves."""
    last_words: list[str] = []

    async def story(loop: SimulationLoop) -> None:
        async def stubborn(name: str) -> None:
            try:
                await asyncio.sleep(100)
            finally:
                last_words.append(name)
                loop.trace.note("call", "harness", "still here")
                loop.call_soon(last_words.append, "scheduled")
                await asyncio.sleep(1)
                last_words.append("went on")

        async def failing() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                raise ValueError("in the end")

        for number in range(10):
            loop.spawn(loop.host("tokyo/n1"), stubborn(f"dead {number}"), "stubborn")
            loop.create_task(stubborn(f"left {number}"))
            loop.create_task(failing())
        loop.pause(loop.host("tokyo/n2"))
        loop.spawn(loop.host("tokyo/n2"), stubborn("never began"), "stubborn")
        await asyncio.sleep(1)
        loop.crash(loop.host("tokyo/n1"))

    first = play(story, record=True)
    order = list(last_words)
    last_words.clear()
    second = play(story, record=True)
    gc.collect()
    assert order == last_words == [f"{kind} {number}" for number in range(10) for kind in ("dead", "left")]
    assert first.failures == second.failures == []
    assert first.trace.events == []
    assert first.trace.hexdigest() == second.trace.hexdigest()
