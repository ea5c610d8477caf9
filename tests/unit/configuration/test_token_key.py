"""The key of session tokens: given outright, or in a private file that is made once and then kept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from atoll.configuration import Configuration, ensure_token_key, load, read_token_key
from atoll.errors import InvalidConfiguration

BASE = 'ring = "demo"\n[regions.here]\nshards = ["s1"]\n'


def configured(directory: Path, head: str = "") -> Configuration:
    file = directory / "atoll.toml"
    file.write_text(head + BASE, encoding="utf-8")
    return load(file)


def test_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    key = ensure_token_key(configuration)
    assert len(key) == 32
    assert ensure_token_key(configuration) == read_token_key(configuration) == key
    assert stat.S_IMODE(configuration.token_key_file.stat().st_mode) == 0o600
    assert [path.name for path in configuration.state_directory.iterdir()] == ["token.key"]


def test_two_rings_get_different_keys(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert ensure_token_key(configured(tmp_path / "a")) != ensure_token_key(configured(tmp_path / "b"))


def test_key_in_the_configuration_leaves_no_file(tmp_path: Path) -> None:
    configuration = configured(tmp_path, f'token_key = "{"0f" * 32}"\n')
    assert ensure_token_key(configuration) == b"\x0f" * 32
    assert not configuration.state_directory.exists()


def test_missing_key_file_is_an_error_for_a_reader(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="`atoll up` makes it"):
        read_token_key(configured(tmp_path, 'token_key_file = "keys/mine"\n'))


@pytest.mark.parametrize("content", ["", "0f" * 31, "not hexadecimal", "käse"])
def test_key_file_with_something_else_in_it_is_refused(tmp_path: Path, content: str) -> None:
    configuration = configured(tmp_path, 'token_key_file = "mine"\n')
    (tmp_path / "mine").write_text(content, encoding="utf-8")
    with pytest.raises(InvalidConfiguration, match="token_key_file"):
        ensure_token_key(configuration)
