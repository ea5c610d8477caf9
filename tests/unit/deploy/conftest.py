"""What the tests of the deployment files share: the files, read strictly, and the names of all figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import pytest
import yaml

from atoll.metrics import Metrics

DEPLOY = Path(__file__).parents[3] / "deploy"


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that is given twice, which plain YAML lets the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        # The merge key may come with keys that it overrides, so only what is written out counts.
        names = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {name!r}", node.start_mark)
        return super().construct_mapping(node, deep)


def parse_all(text: str) -> list[Any]:
    return list(yaml.load_all(text, StrictLoader))


@pytest.fixture
def documents() -> Callable[[str], list[Any]]:
    """Reads the documents of a YAML file by its path below ``deploy/``."""
    return lambda name: parse_all((DEPLOY / name).read_text(encoding="utf-8"))


@pytest.fixture
def deploy() -> Path:
    return DEPLOY


@pytest.fixture
def figures() -> dict[str, set[str]]:
    """Every time series a node can show, with its labels: counters end in ``_total``, histograms have three each."""
    suffixes = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
    metrics = Metrics()
    found: dict[str, set[str]] = {}
    for collector in vars(metrics).values():
        if collector is metrics.registry:
            continue
        [family] = collector.describe()
        for suffix in suffixes[family.type]:
            extra = {"le"} if suffix == "_bucket" else set()
            found[family.name + suffix] = {*collector._labelnames, *extra}
    return found


@pytest.fixture
def no_atoll_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's shell says of Atoll would win over the files."""
    for name in [name for name in os.environ if name.startswith("ATOLL_")]:
        monkeypatch.delenv(name)
