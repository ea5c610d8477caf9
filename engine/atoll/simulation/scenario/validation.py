"""From a parsed table to its model, with every failure told by key and fix; and short forms made long before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from atoll.configuration.problems import Problems, unknown
from atoll.simulation.scenario.tables import TABLES, WRITTEN_OTHERWISE

Model = TypeVar("Model", bound=BaseModel)

Path = tuple[str | int, ...]


def validated(model: type[Model], table: Mapping[str, Any], problems: Problems, at: Path = ()) -> Model | None:
    """The table as ``model``; ``None`` if it is not one, and ``problems`` know why."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problems.add(*_problem_of(detail, at, model))
        return None


def key_of(path: Path) -> str:
    """``fault #2.region``: tables of an array are counted from one, as people do."""
    key = ""
    for part in path:
        key += f" #{part + 1}" if isinstance(part, int) else f".{part}" if key else part
    return key


def _problem_of(detail: ErrorDetails, at: Path, model: type[BaseModel]) -> tuple[str, str]:
    path = (*at, *detail["loc"])
    match detail["type"]:
        case "missing":
            return key_of(path), "is missing: add it"
        case "extra_forbidden":
            return key_of(path), unknown("such key,", str(path[-1]), _known_keys(path[:-1], at, model))
        case "value_error":
            return key_of(path), f"{detail['msg'].removeprefix('Value error, ')}, not {_shortened(detail['input'])}"
        case _:
            return key_of(path), f"{detail['msg'].removeprefix('Input ')}, not {_shortened(detail['input'])}"


def _known_keys(path: Path, at: Path, model: type[BaseModel]) -> list[str]:
    table = model if path == at else TABLES[_pattern(path)]
    names = [field.alias or name for name, field in table.model_fields.items() if name not in WRITTEN_OTHERWISE]
    return [*names, "fault"] if table is TABLES[()] and "fault" not in names else names


def _pattern(path: Path) -> tuple[str, ...]:
    return tuple("*" if isinstance(part, int) or depth == 2 else part for depth, part in enumerate(path))


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# -- short forms --------------------------------------------------------------------------------------------------


def expanded(document: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """The document with the short forms of ``ring.regions``, ``ring.zones`` and ``network.latency`` made long."""
    whole = dict(document)
    if isinstance(ring := whole.get("ring"), Mapping):
        whole["ring"] = _expanded_ring(ring, problems)
    network = whole.get("network")
    if isinstance(network, Mapping) and isinstance(network.get("latency"), Mapping):
        whole["network"] = {**network, "latency": None, "round_trips_ms": network["latency"]}
    for name in WRITTEN_OTHERWISE:
        for table in ("ring", "network"):
            if isinstance(document.get(table), Mapping) and name in document[table]:
                problems.add(f"{table}.{name}", f"no such key, {name!r}")
    return whole


def _expanded_ring(ring: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    whole = dict(ring)
    regions = whole.get("regions")
    if regions == "any":
        whole.update(regions={}, any_regions=True)
    elif isinstance(regions, str):
        problems.add("ring.regions", f'write a list: regions = ["{regions}"], or "any" to have a ring drawn')
        whole["regions"] = {}
    elif isinstance(regions, Sequence):
        whole["regions"] = _named("ring.regions", regions, problems)
    if isinstance(whole.get("zones"), int) and not isinstance(whole["zones"], bool):
        whole.update(zones={}, any_zones=whole["zones"])
    return whole


def _named(key: str, names: Sequence[Any], problems: Problems) -> dict[str, Any]:
    texts = [name for name in names if isinstance(name, str)]
    if len(texts) < len(names):
        problems.add(key, "a list of names expected; write tables to give a region more than its name")
    for name in sorted({name for name in texts if texts.count(name) > 1}):
        problems.add(key, f"duplicate name {name!r}: remove or rename one of the two")
    return {name: {} for name in texts}
