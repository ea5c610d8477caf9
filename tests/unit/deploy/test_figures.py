"""The dashboard and the alerts name figures and labels that a node really has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Documents = Callable[[str], list[Any]]

FIGURE = re.compile(r"\batoll_\w+")
BY = re.compile(r"\b(?:by|on)\s*\((?P<names>[^()]*)\)")
LEGEND = re.compile(r"\{\{\s*(?:\$labels\.)?(?P<name>\w+)\s*\}\}")
TARGET_LABELS = {"at_region", "node", "instance", "job"}
"""What prometheus.yml and Prometheus itself add to every series."""


def unknown(expression: str, text: str, figures: dict[str, set[str]]) -> set[str]:
    """The figures in ``expression`` that no node has, and the labels in it or in ``text`` that none of them has."""
    named = set(FIGURE.findall(expression))
    labels = {label.strip() for match in BY.finditer(expression) for label in match["names"].split(",") if label}
    labels |= set(LEGEND.findall(text))
    known = TARGET_LABELS.union(*(figures.get(name, set()) for name in named))
    if "label_replace(" in expression:
        known |= set(re.findall(r'label_replace\([^,]+, "(\w+)"', expression))
    return {*(named - figures.keys()), *(labels - known)}


def dashboard_targets(deploy: Path) -> Iterator[tuple[str, str, str]]:
    """Title, expression and legend of everything on the dashboard."""
    dashboard = json.loads((deploy / "grafana" / "atoll.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def test_dashboard_names_only_figures_that_exist(deploy: Path, figures: dict[str, set[str]]) -> None:
    targets = list(dashboard_targets(deploy))
    assert len(targets) > 15
    for title, expression, legend in targets:
        assert not unknown(expression, legend, figures), title


def test_dashboard_shows_what_an_operator_asks_first(deploy: Path) -> None:
    shown = " ".join(expression for _, expression, _ in dashboard_targets(deploy))
    for name in ("replication_lag_seconds", "commit_seconds", "group_records", "lane_queue", "operations_total"):
        assert f"atoll_{name}" in shown
    for name in ("link_up", "shard_up", "inbox_batches", "refused_rows_total", "unacknowledged_batches"):
        assert f"atoll_{name}" in shown


def test_dashboard_asks_the_data_source_that_is_provisioned(deploy: Path, documents: Documents) -> None:
    [provisioned] = documents("grafana/datasource.yaml")
    [source] = provisioned["datasources"]
    dashboard = json.loads((deploy / "grafana" / "atoll.json").read_text(encoding="utf-8"))
    used = {panel["datasource"]["uid"] for panel in dashboard["panels"]}
    assert used == {source["uid"]}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_alerts_name_only_figures_that_exist(documents: Documents, figures: dict[str, set[str]]) -> None:
    [rules] = documents("prometheus/alerts.yaml")
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    assert alerts
    for alert in alerts:
        assert not unknown(alert["expr"], alert["annotations"]["summary"], figures), alert["alert"]


def test_every_alert_says_how_grave_it_is_and_what_to_do(documents: Documents) -> None:
    [rules] = documents("prometheus/alerts.yaml")
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "action"}


def test_every_alert_has_a_test_of_its_own(deploy: Path, documents: Documents) -> None:
    [rules] = documents("prometheus/alerts.yaml")
    tested = (deploy / "prometheus" / "alerts.test.yaml").read_text(encoding="utf-8")
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert rule["alert"] in tested


def test_every_figure_is_explained_to_operators(deploy: Path) -> None:
    from atoll.metrics import Metrics

    text = (deploy.parent / "docs" / "operating" / "monitoring.md").read_text(encoding="utf-8")
    metrics = Metrics()
    for collector in vars(metrics).values():
        if collector is not metrics.registry:
            [family] = collector.describe()
            assert family.name in text, f"docs/operating/monitoring.md says nothing of {family.name}"


def test_monitoring_page_names_only_figures_that_exist(deploy: Path, figures: dict[str, set[str]]) -> None:
    text = (deploy.parent / "docs" / "operating" / "monitoring.md").read_text(encoding="utf-8")
    known = {*figures, *(re.sub("_(total|bucket|sum|count)$", "", name) for name in figures)}
    assert set(FIGURE.findall(text)) <= known


@pytest.mark.parametrize(
    ("expression", "legend", "complaint"),
    [
        ("atoll_link_up == 0", "{{region}} {{at_region}}", set()),
        ("atoll_no_such == 0", "", {"atoll_no_such"}),
        ("sum by (zone) (atoll_link_up)", "", {"zone"}),
        ("atoll_link_up", "{{shard}}", {"shard"}),
        ("rate(atoll_operations[1m])", "", {"atoll_operations"}),
    ],
)
def test_wrong_names_are_found(
    expression: str, legend: str, complaint: set[str], figures: dict[str, set[str]]
) -> None:
    assert unknown(expression, legend, figures) == complaint
