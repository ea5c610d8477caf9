"""The generated wire stubs are what ``make protos`` would make of ``proto/`` today, and pyproject.toml allows no
library that is too old for them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.tidy.source import ENGINE, ROOT

STUBS = ENGINE / "atoll" / "wire" / "v1"
VERSION_LINES = re.compile(r"Protobuf Python Version: (\S+)|GRPC_GENERATED_VERSION = '(\S+)'")

needs_tools = pytest.mark.skipif(
    importlib.util.find_spec("grpc_tools") is None or importlib.util.find_spec("mypy_protobuf") is None,
    reason="grpcio-tools and mypy-protobuf (dependency group lint) are not installed",
)


def generate(protos: Path, into: Path) -> dict[str, str]:
    """Run the generator of ``make protos`` and read what it made."""
    command = [sys.executable, str(ROOT / "proto" / "generate.py"), str(protos), str(into)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return texts(into / "atoll" / "wire" / "v1")


def texts(folder: Path) -> dict[str, str]:
    return {
        file.name: file.read_text(encoding="utf-8") for file in folder.glob("*_pb2*.py*") if file.suffix != ".pyc"
    }


def compare(committed: Mapping[str, str], fresh: Mapping[str, str]) -> list[str]:
    """Complaints about files that are missing, left over, or different."""
    complaints = [f"{name} is missing" for name in sorted(fresh.keys() - committed.keys())]
    complaints += [f"{name} is left over" for name in sorted(committed.keys() - fresh.keys())]
    complaints += [
        f"{name} is stale" for name in sorted(fresh) if name in committed and committed[name] != fresh[name]
    ]
    return [f"{complaint}: run `make protos` and commit the result" for complaint in complaints]


def generated_by() -> dict[str, str]:
    """The versions of protobuf and gRPC that the committed stubs were made for, and demand at import."""
    found = [VERSION_LINES.findall(text) for text in texts(STUBS).values()]
    protobuf = {first for pairs in found for first, _ in pairs if first}
    grpc = {second for pairs in found for _, second in pairs if second}
    assert len(protobuf) == len(grpc) == 1, "all stubs come from one run"
    return {"protobuf": protobuf.pop(), "grpcio": grpc.pop()}


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


@needs_tools
def test_stubs_are_fresh(tmp_path: Path) -> None:
    if version("grpcio-tools") != generated_by()["grpcio"]:
        pytest.skip(
            f"the stubs were made by grpcio-tools {generated_by()['grpcio']}, here is {version('grpcio-tools')}"
        )
    complaints = compare(texts(STUBS), generate(ROOT / "proto", tmp_path))
    assert not complaints, "\n".join(complaints)


@needs_tools
def test_changed_proto_makes_stale_stubs(tmp_path: Path) -> None:
    protos = tmp_path / "proto"
    shutil.copytree(ROOT / "proto", protos)
    changed = protos / "atoll" / "wire" / "v1" / "types.proto"
    changed.write_text(changed.read_text(encoding="utf-8") + "\nmessage Planted {}\n", encoding="utf-8")
    (tmp_path / "out").mkdir()
    complaints = compare(texts(STUBS), generate(protos, tmp_path / "out"))
    assert any("types_pb2.py is stale" in complaint for complaint in complaints)


def test_missing_and_left_over_stubs_are_found() -> None:
    assert [line.partition(":")[0] for line in compare({"a": "", "b": ""}, {"b": "", "c": ""})] == [
        "c is missing",
        "a is left over",
    ]


@pytest.mark.parametrize("library", ["protobuf", "grpcio"])
def test_declared_lower_bound_is_not_older_than_the_stubs(library: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = next(line for line in project["dependencies"] if re.match(rf"{library}\W", line))
    bound = re.search(r">=([\d.]+)", declared)
    assert bound is not None
    assert numbers(bound[1]) >= numbers(generated_by()[library]), f"{declared}: the stubs refuse to import with less"
