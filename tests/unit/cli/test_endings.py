"""Each way in which a command ends has its exit code and its words."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from atoll.cli import application, main
from atoll.cli.interruption import Interrupted, telling_what_is_left
from atoll.supervisor.directory import RingDirectory


def ending(monkeypatch: pytest.MonkeyPatch, error: BaseException, *arguments: str) -> int:
    """Run a command line whose command ends with ``error``."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(application, "app", fail)
    return application.run(list(arguments))


@pytest.mark.parametrize(
    ("number", "fix"),
    [(errno.EACCES, "run atoll as the owner"), (errno.EROFS, "state_directory"), (errno.ENOSPC, "free some")],
)
def test_refusal_of_the_machine_is_one_line_with_path_and_fix(
    number: int, fix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, os.strerror(number), "/ring/.atoll/ring.json")
    assert ending(monkeypatch, error) == 2
    said = capsys.readouterr().err
    assert "/ring/.atoll/ring.json: " in said
    assert fix in said
    assert "Traceback" not in said


def test_refusal_of_the_machine_is_json_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(monkeypatch, PermissionError(errno.EACCES, "Permission denied", "atoll.toml"), "--json") == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["message"].startswith("atoll.toml: permission denied; ")
    assert said.err == ""


def test_any_other_error_is_a_defect(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(monkeypatch, OSError(errno.EBADF, "Bad file descriptor")) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(130)])
def test_interrupt_is_told(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(monkeypatch, error) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_interrupt_while_loading_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupting:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "atoll.cli.application":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "atoll.cli.application")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_interrupted_start_says_nothing_runs_only_if_so(tmp_path: Path) -> None:
    directory = RingDirectory(tmp_path)
    with pytest.raises(Interrupted, match="nothing is left running"), telling_what_is_left(directory, Path("r.toml")):
        raise KeyboardInterrupt
    with (
        directory.held(),
        pytest.raises(Interrupted, match=r"atoll down -c r\.toml"),
        telling_what_is_left(directory, Path("r.toml")),
    ):
        raise KeyboardInterrupt
