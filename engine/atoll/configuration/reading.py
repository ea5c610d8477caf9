"""From the file's text and the environment to :class:`Settings`, with every failure told by file, key and fix."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from atoll.configuration.problems import Problems, unknown
from atoll.configuration.settings import Settings, known_keys
from atoll.errors import InvalidConfiguration

_DUPLICATE = re.compile(r"Cannot (overwrite|declare|redefine|mutate)")
_PLACE = re.compile(r"\(at line (\d+), column \d+\)")


def read_settings(file: Path) -> Settings:
    """Read and shape-check ``file``; raises :class:`InvalidConfiguration` with all problems of one stage."""
    problems = Problems(file)
    document = _expand(_parse(file), problems)
    problems.raise_any()
    try:
        return Settings(**document)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problems.add(*_problem_of(detail))
        problems.raise_any()
        raise
    except SettingsError as error:
        raise InvalidConfiguration(f"{file}: an ATOLL_ environment variable does not parse: {error}") from error


def _parse(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        raise InvalidConfiguration(
            f"{file}: no such file: `atoll init` writes one to begin with; or name another"
        ) from None
    except OSError as error:
        raise InvalidConfiguration(f"{file}: cannot be read: {error.strerror}; correct its access rights") from error
    except UnicodeDecodeError as error:
        raise InvalidConfiguration(f"{file}: cannot be read as UTF-8 text: {error}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfiguration(f"{file}: {_syntax_problem(str(error), text)}") from error


def _syntax_problem(message: str, text: str) -> str:
    place = _PLACE.search(message)
    number = int(place[1]) if place else len(text.splitlines())
    line = (text.splitlines() or [""])[min(number, len(text.splitlines()) or 1) - 1].strip()
    if _DUPLICATE.match(message):
        return f"line {number}: duplicate name in {line!r}: it was given before; remove or rename one of the two"
    return f"line {number}: not valid TOML: {message} in {line!r}"


def _expand(document: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Turn the short forms ``nodes = [...]`` and ``shards = [...]`` into tables, so that the environment can add."""
    regions = document.get("regions")
    if not isinstance(regions, Mapping):
        return document
    return {**document, "regions": {name: _expand_region(name, region, problems) for name, region in regions.items()}}


def _expand_region(name: str, region: Any, problems: Problems) -> Any:
    if not isinstance(region, Mapping):
        return region
    return {key: _expand_names(f"regions.{name}.{key}", value, problems) for key, value in region.items()}


def _expand_names(key: str, value: Any, problems: Problems) -> Any:
    if not key.endswith((".nodes", ".shards")):
        return value
    if isinstance(value, str):
        problems.add(key, f'write a list: {key.rpartition(".")[2]} = ["{value}"]')
        return {}
    if not isinstance(value, list):
        return value
    names = [name for name in value if isinstance(name, str)]
    if len(names) < len(value):
        problems.add(key, "a list of names expected; write tables to give a name more than itself")
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.add(key, f"duplicate name {name!r}: remove or rename one of the two")
    return {name: {} for name in names}


def _problem_of(detail: ErrorDetails) -> tuple[str, str]:
    location = tuple(str(part) for part in detail["loc"])
    match detail["type"]:
        case "missing":
            return ".".join(location), "is missing: add it"
        case "extra_forbidden":
            return ".".join(location), unknown("such key,", location[-1], known_keys(location[:-1]))
        case _:
            said = detail["msg"].removeprefix("Input ")
            return ".".join(location), f"{said}, not {_shortened(detail['input'])}"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
