"""The manifests of one region: strict YAML, and names that fit each other. Their shape is for kubernetes-validate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.deploy.conftest import parse_all

from atoll.configuration import Configuration, load
from atoll.errors import InvalidConfiguration
from atoll.limits import NODE_STOP_SECONDS_MAX

FILES = ["namespace.yaml", "token-key.yaml", "shards.yaml", "configuration.yaml", "nodes.yaml"]

Manifests = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture
def manifests(documents: Callable[[str], list[Any]], deploy: Path) -> Manifests:
    """All of them by kind and name."""
    assert sorted(file.name for file in (deploy / "kubernetes").glob("*.yaml")) == sorted(FILES)
    found = [document for file in FILES for document in documents(f"kubernetes/{file}")]
    by_name = {(document["kind"], document["metadata"]["name"]): document for document in found}
    assert len(by_name) == len(found)
    return by_name


@pytest.fixture
def container(manifests: Manifests) -> dict[str, Any]:
    [container] = manifests["StatefulSet", "frankfurt"]["spec"]["template"]["spec"]["containers"]
    return dict(container)


@pytest.fixture
def ring(
    manifests: Manifests,
    container: dict[str, Any],
    tmp_path: Path,
    no_atoll_environment: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Configuration:
    """The configuration as a node's container reads it, with its variables."""
    for variable in container["env"]:
        name = variable["name"]
        if name.endswith("__DSN"):
            monkeypatch.setenv(name, f"postgresql://atoll@{variable['valueFrom']['secretKeyRef']['name']}/atoll")
    file = tmp_path / "atoll.toml"
    file.write_text(manifests["ConfigMap", "atoll"]["data"]["atoll.toml"], encoding="utf-8")
    return load(file)


def test_all_is_in_one_namespace(manifests: Manifests) -> None:
    for (kind, _), manifest in manifests.items():
        if kind != "Namespace":
            assert manifest["metadata"]["namespace"] == "atoll"


def test_every_pod_is_a_configured_node_at_its_own_name(manifests: Manifests, ring: Configuration) -> None:
    nodes = manifests["StatefulSet", "frankfurt"]["spec"]
    service = manifests["Service", nodes["serviceName"]]
    assert service["spec"]["clusterIP"] == "None"
    pods = [f"frankfurt-{ordinal}" for ordinal in range(nodes["replicas"])]
    here = {at.node: addresses for at, addresses in ring.addresses().items() if at.region == "frankfurt"}
    assert sorted(here) == pods
    for pod in pods:
        host = f"{pod}.{service['metadata']['name']}.atoll.svc.cluster.local"
        assert here[pod] == (f"{host}:7443", f"{host}:7080")


def test_every_shard_of_the_region_is_a_cluster_whose_secret_gives_its_database(
    manifests: Manifests, ring: Configuration
) -> None:
    region = next(region for name, region in ring.topology().regions.items() if name == "frankfurt")
    for shard in region.shards:
        cluster = manifests["Cluster", f"frankfurt-{shard.name}"]
        assert shard.dsn == f"postgresql://atoll@{cluster['metadata']['name']}-app/atoll"
    assert sum(kind == "Cluster" for kind, _ in manifests) == len(region.shards)


def test_no_shard_has_a_standby_that_could_be_promoted(manifests: Manifests) -> None:
    for (kind, _), manifest in manifests.items():
        if kind == "Cluster":
            assert manifest["spec"]["instances"] == 1
            assert manifest["spec"]["postgresql"]["parameters"]["synchronous_commit"] == "on"


def test_selectors_select_the_nodes(manifests: Manifests) -> None:
    labels = manifests["StatefulSet", "frankfurt"]["spec"]["template"]["metadata"]["labels"]
    assert manifests["StatefulSet", "frankfurt"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["Service", "frankfurt"]["spec"]["selector"] == labels
    assert manifests["PodDisruptionBudget", "frankfurt"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["NetworkPolicy", "frankfurt"]["spec"]["podSelector"]["matchLabels"] == labels


def test_probes_ask_the_ports_that_a_node_serves(container: dict[str, Any], ring: Configuration) -> None:
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert container["readinessProbe"]["grpc"]["port"] == ports["grpc"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": ports["http"]}


def test_pod_is_given_longer_than_a_node_takes_to_stop(manifests: Manifests) -> None:
    pod = manifests["StatefulSet", "frankfurt"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > NODE_STOP_SECONDS_MAX


def test_token_key_that_was_not_replaced_is_refused(
    manifests: Manifests, ring: Configuration, container: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    [variable] = [variable for variable in container["env"] if variable["name"] == "ATOLL_TOKEN_KEY"]
    reference = variable["valueFrom"]["secretKeyRef"]
    key = manifests["Secret", reference["name"]]["stringData"][reference["key"]]
    monkeypatch.setenv("ATOLL_TOKEN_KEY", key)
    with pytest.raises(InvalidConfiguration, match="token_key"):
        load(ring.file)


def test_key_given_twice_is_found() -> None:
    assert parse_all("a: &x {b: 1}\nc: {<<: *x, b: 2}") == [{"a": {"b": 1}, "c": {"b": 2}}]
    with pytest.raises(yaml.YAMLError, match="duplicate key 'b'"):
        parse_all("a: {b: 1, c: 2, b: 3}")
