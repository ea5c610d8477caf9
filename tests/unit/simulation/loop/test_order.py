"""Which handle runs next: by seed, by turn, by priority, or as on a tape."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.simulation.loop.worlds import busy, play

from atoll.errors import InvalidConfiguration
from atoll.simulation.loop.event_loop import SimulationLoop


def order_of(scheduling: str, seed: int = 1, **options: object) -> list[int]:
    order: list[int] = []

    async def story(loop: SimulationLoop) -> None:
        for number in range(20):
            loop.call_soon(order.append, number)
        await asyncio.sleep(1)

    play(story, seed=seed, scheduling=scheduling, **options)
    return order


def test_first_in_first_out_keeps_the_order() -> None:
    assert order_of("fifo") == list(range(20))


@pytest.mark.parametrize("scheduling", ["uniform", "pct:3"])
def test_same_seed_gives_the_same_order(scheduling: str) -> None:
    assert order_of(scheduling) == order_of(scheduling)
    assert sorted(order_of(scheduling)) == list(range(20))


def test_other_seed_gives_another_order() -> None:
    assert len({tuple(order_of("uniform", seed)) for seed in range(5)}) == 5


def test_priorities_of_another_seed_give_another_run() -> None:
    assert len({play(busy, seed=seed, scheduling="pct:3").trace.hexdigest() for seed in range(5)}) == 5


def test_priorities_let_a_spinning_task_step_back() -> None:
    async def story(loop: SimulationLoop) -> None:
        done = asyncio.Event()

        async def spin() -> None:
            while not done.is_set():  # noqa: ASYNC110 - spinning is what it is about
                await asyncio.sleep(0)

        async def finish() -> None:
            done.set()

        await asyncio.gather(*[spin() for _ in range(3)], finish())

    for seed in range(5):
        play(story, seed=seed, scheduling="pct:1")


@pytest.mark.parametrize("scheduling", ["uniform", "fifo", "pct:3"])
def test_recorded_choices_give_the_same_run_again(scheduling: str) -> None:
    recorded = play(busy, seed=3, scheduling=scheduling, record=True)
    repeated = play(busy, seed=3, choices=recorded.choices)
    assert repeated.trace.hexdigest() == recorded.trace.hexdigest()


def test_edited_choices_are_a_run_too() -> None:
    choices = play(busy, seed=3, record=True).choices
    assert order_of("uniform", choices=[1_000]) == [19, *range(19)]
    play(busy, seed=3, choices=choices[: len(choices) // 2])
    play(busy, seed=3, choices=choices[::2])


def test_choices_are_kept_only_when_recorded() -> None:
    assert play(busy).choices == ()


@pytest.mark.parametrize("scheduling", ["random", "pct", "pct:", "pct:0", "pct:-1", "pct:²", "", "fifo:1"])
def test_unknown_policy_is_refused(scheduling: str) -> None:
    with pytest.raises(InvalidConfiguration, match="scheduling is"):
        SimulationLoop(seed=1, scheduling=scheduling)


def test_timers_of_one_moment_become_ready_in_the_order_of_setting() -> None:
    order: list[int] = []

    async def story(loop: SimulationLoop) -> None:
        for number in range(5):
            loop.call_later(1.0, order.append, number)
        loop.call_later(0.5, order.append, 9)
        loop.call_later(0.7, order.append, 8).cancel()
        await asyncio.sleep(2)

    play(story, scheduling="fifo")
    assert order == [9, 0, 1, 2, 3, 4]


def test_cancelled_handles_never_run() -> None:
    ran: list[str] = []

    async def story(loop: SimulationLoop) -> None:
        soon = loop.call_soon(ran.append, "soon")
        soon.cancel()
        timers = [loop.call_later(3600.0, ran.append, "later") for _ in range(2_000)]
        for timer in timers:
            timer.cancel()
        assert soon.cancelled()
        assert all(timer.cancelled() for timer in timers)
        await asyncio.sleep(1)

    loop = play(story)
    assert ran == []
    assert loop.now() == 1.0


def test_mixed_cancelled_timers_leave_the_others_alone() -> None:
    ran: list[int] = []

    async def story(loop: SimulationLoop) -> None:
        timers = [loop.call_later(1.0 + number, ran.append, number) for number in range(1_000)]
        for number, timer in enumerate(timers):
            if number % 100:
                timer.cancel()
        await asyncio.sleep(2_000)

    play(story)
    assert ran == list(range(0, 1_000, 100))
