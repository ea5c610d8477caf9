"""The state directory: one holder at a time, whole files, and a wipe that takes only its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from atoll import limits
from atoll.errors import AlreadyRunning, NotRunning
from atoll.server.ring_state import NodeEntry, PartState, Phase, RingState, ServerEntry
from atoll.supervisor.background import running_state, stop, sweep
from atoll.supervisor.backoff import RestartPause
from atoll.supervisor.directory import RingDirectory


@pytest.fixture
def directory(tmp_path: Path) -> RingDirectory:
    made = RingDirectory(tmp_path / ".atoll")
    made.create()
    return made


def state() -> RingState:
    return RingState(
        ring="demo",
        configuration="/somewhere/atoll.toml",
        phase=Phase.RUNNING,
        supervisor=7,
        servers=[ServerEntry(region="tokyo", shard="s1", state=PartState.READY, pid=8, dsn="postgresql://x")],
        nodes=[NodeEntry(region="tokyo", name="n1", grpc="127.0.0.1:1", http="127.0.0.1:2")],
    )


def test_directory_is_readable_by_its_owner_alone(directory: RingDirectory) -> None:
    state().save(directory.state_file)
    assert directory.path.stat().st_mode & 0o777 == 0o700
    assert directory.state_file.stat().st_mode & 0o777 == 0o600


def test_second_holder_is_refused_until_the_first_lets_go(directory: RingDirectory) -> None:
    with directory.held():
        assert directory.is_held()
        with pytest.raises(AlreadyRunning, match="atoll down"), directory.held():
            pass
    assert not directory.is_held()


def test_state_comes_back_as_it_was_saved(directory: RingDirectory) -> None:
    state().save(directory.state_file)
    assert RingState.load(directory.state_file) == state()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ring": "x"}'])
def test_state_that_cannot_be_read_is_no_state(directory: RingDirectory, text: str) -> None:
    directory.state_file.write_text(text)
    assert RingState.load(directory.state_file) is None


def test_state_without_a_living_supervisor_is_not_running(directory: RingDirectory) -> None:
    state().save(directory.state_file)
    with pytest.raises(NotRunning, match="atoll up"):
        running_state(directory)
    with pytest.raises(NotRunning):
        stop(directory)


def test_sweep_removes_the_state_of_a_dead_supervisor(directory: RingDirectory) -> None:
    state().save(directory.state_file)
    sweep(directory)
    assert not directory.state_file.exists()


def test_sweep_leaves_a_living_supervisor_alone(directory: RingDirectory) -> None:
    state().save(directory.state_file)
    with directory.held():
        sweep(directory)
    assert directory.state_file.exists()


def test_wipe_takes_only_what_the_ring_made(directory: RingDirectory) -> None:
    (directory.data / "tokyo-s1").mkdir()
    mine = directory.path / "notes.txt"
    mine.write_text("mine")
    directory.wipe()
    assert list(directory.path.iterdir()) == [mine]


def test_restart_pauses_double_up_to_the_bound() -> None:
    pause = RestartPause()
    pauses = [pause.after(0) for _ in range(12)]
    assert pauses[:3] == [limits.RESTART_SECONDS_MIN * factor for factor in (1, 2, 4)]
    assert pauses[-1] == limits.RESTART_SECONDS_MAX


def test_restart_pause_is_short_again_after_a_long_life() -> None:
    pause = RestartPause()
    for _ in range(5):
        pause.after(0)
    assert pause.after(limits.RESTART_FORGIVEN_SECONDS) == limits.RESTART_SECONDS_MIN
