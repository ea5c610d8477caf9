"""The commands that the operating pages and the deployments' READMEs tell a stranger to type exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from atoll.cli.application import app

FENCE = re.compile(r"^```\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(?P<code>atoll [^`]+)`")
TYPED = re.compile(r"(?<!--namespace)(?:^|[\s`])atoll (?P<words>[a-z][^#\n`]*)", re.MULTILINE)


def typed_commands(text: str) -> Iterator[list[str]]:
    """The words after ``atoll``, in code blocks and in code within sentences; a line may go on in the next."""
    for match in [*FENCE.finditer(text), *INLINE.finditer(text)]:
        for typed in TYPED.finditer(match["code"]):
            yield typed["words"].split()


def problem(words: list[str]) -> str | None:
    """What is wrong with a command: an unknown name or option."""
    command: Any = typer.main.get_command(app)
    for word in words:
        if not hasattr(command, "commands"):
            break
        if word not in command.commands:
            return f"there is no command {word!r}"
        command = command.commands[word]
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    unknown = [word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word) and word not in known]
    return f"no option {unknown[0]} in {' '.join(words)!r}" if unknown else None


def pages(root: Path) -> list[Path]:
    return [*(root / "docs" / "operating").glob("*.md"), *(root / "deploy").rglob("*.md")]


def test_every_command_on_the_pages_exists(deploy: Path) -> None:
    typed = [(page.name, words) for page in pages(deploy.parent) for words in typed_commands(page.read_text("utf-8"))]
    assert len(typed) > 20
    for name, words in typed:
        assert problem(words) is None, f"{name}: {problem(words)}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("say `atoll status` now", None),
        ("```\natoll down --wipe\n```\n", None),
        ("```\natoll dawn\n```\n", "there is no command 'dawn'"),
        ("`atoll drill cat tokyo`", "there is no command 'cat'"),
        ("`atoll down --whip`", "no option --whip in 'down --whip'"),
    ],
)
def test_commands_that_do_not_exist_are_found(text: str, complaint: str | None) -> None:
    [words] = typed_commands(text)
    assert problem(words) == complaint
