"""The ring of containers: the configuration loads, and what it, Prometheus and the compose file name is one thing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from atoll.configuration import Configuration, load

Documents = Callable[[str], list[Any]]


@pytest.fixture
def compose(documents: Documents) -> dict[str, Any]:
    [compose] = documents("compose/compose.yaml")
    return dict(compose)


@pytest.fixture
def ring(deploy: Path, no_atoll_environment: None) -> Configuration:
    return load(deploy / "compose" / "atoll.toml")


def test_ring_has_three_regions_of_two_shards_that_nobody_must_launch(ring: Configuration) -> None:
    regions = ring.topology().regions.values()
    assert [len(region.shards) for region in regions] == [2, 2, 2]
    assert ring.shards_to_launch() == []


def test_every_database_is_a_service_with_that_database_and_user(
    ring: Configuration, compose: dict[str, Any]
) -> None:
    for dsn in ring.given_dsns().values():
        address = urlsplit(dsn)
        server = compose["services"][address.hostname]
        assert server["image"].startswith("postgres:")
        assert server["environment"]["POSTGRES_USER"] == address.username
        assert server["environment"]["POSTGRES_DB"] == address.path.strip("/")
        assert address.password is None, "passwords are not for files in a repository"


def test_every_server_is_durable_and_has_a_volume_of_its_own(compose: dict[str, Any]) -> None:
    servers = {name: s for name, s in compose["services"].items() if s["image"].startswith("postgres:")}
    assert len(servers) == 6
    for name, server in servers.items():
        assert "synchronous_commit=on" in server["command"]
        assert any(re.fullmatch(r"max_prepared_transactions=[1-9]\d*", part) for part in server["command"])
        assert server["volumes"] == [f"{name}:/var/lib/postgresql"]
        assert name in compose["volumes"]


def test_every_node_is_a_service_that_listens_on_its_own_name(ring: Configuration, compose: dict[str, Any]) -> None:
    nodes = {
        (command[1], command[3]): name
        for name, service in compose["services"].items()
        if (command := service.get("command", [""]))[0] == "--region"
    }
    assert nodes.keys() == {(at.region, at.node) for at in ring.addresses()}
    for at, addresses in ring.addresses().items():
        service = nodes[at.region, at.node]
        assert compose["services"][service]["hostname"] == service
        assert addresses.grpc == f"{service}:7443"
        assert addresses.http == f"{service}:7080", "the image's health check asks port 7080"


def test_prometheus_scrapes_every_node_under_its_region(
    ring: Configuration, compose: dict[str, Any], documents: Documents
) -> None:
    [prometheus] = documents("compose/prometheus.yml")
    [job] = prometheus["scrape_configs"]
    scraped = {
        (config["labels"]["at_region"], config["labels"]["node"]): config["targets"]
        for config in job["static_configs"]
    }
    assert scraped == {(at.region, at.node): [addresses.http] for at, addresses in ring.addresses().items()}


def test_every_mounted_file_exists(deploy: Path, compose: dict[str, Any]) -> None:
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert len(files) == 3 + 2 + 3
    for file in files:
        assert (deploy / "compose" / file).is_file()


def test_nothing_is_published_beyond_loopback(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_image_is_built_from_files_that_exist(deploy: Path) -> None:
    dockerfile = (deploy / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert sources == ["pyproject.toml", "README.md", "LICENSE", "engine"]
    ignore = (deploy / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for source in sources:
        assert (deploy.parent / source).exists()
        assert f"!{source}" in ignore
    assert "USER 10001" in dockerfile
