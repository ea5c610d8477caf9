"""The status tells what is there and what is wrong, within 80 columns."""

from __future__ import annotations

import json
from dataclasses import replace

import orjson
from rich.console import Console

from atoll.causality.cut import Cut
from atoll.cli.status_view import status_view
from atoll.control import NodeStatus, PeerStatus, ShardStatus
from atoll.ids import NodeName, Origin, RegionName, ShardName
from atoll.operating.overview import NodeView, Overview

FRANKFURT, TOKYO = RegionName("frankfurt"), RegionName("tokyo")
N1 = NodeName("n1")
STATUS = NodeStatus(
    ring="demo",
    region=FRANKFURT,
    node=N1,
    map_version=1,
    shards=[
        ShardStatus(
            name=ShardName("s1"),
            answering=True,
            records=17_012,
            log_rows=900,
            log_bytes=120_000,
            ranges=8,
            records_merged=4_711,
        )
    ],
    peers=[PeerStatus(region=TOKYO, connected=True, lag_p50_seconds=0.008, lag_p99_seconds=0.021)],
    cut=Cut({Origin(TOKYO, ShardName("s1")): 7}),
    cut_off_from=[],
)


def overview(status: NodeStatus | None, problem: str = "") -> Overview:
    return Overview(ring="demo", nodes=[NodeView(region=FRANKFURT, node=N1, status=status, problem=problem)])


def printed(shown: Overview, width: int = 80) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for part in status_view(shown):
        console.print(part)
    console.file.close()
    return console.export_text()


def test_healthy_ring_is_told_in_figures() -> None:
    text = printed(overview(STATUS))
    assert "all is well" in text
    for figure in ("17,012", "900 (120 kB)", "4,711", "8.0 ms", "21 ms"):
        assert figure in text


def test_node_that_does_not_answer_is_told_with_its_reason() -> None:
    text = printed(overview(None, "connection refused"))
    assert "no answer" in text
    assert "connection refused" in text


def test_shard_that_does_not_answer_is_a_problem() -> None:
    down = ShardStatus(name=ShardName("s2"), answering=False, problem="starting up")
    shown = overview(replace(STATUS, shards=[*STATUS.shards, down]))
    assert shown.problems() == ["shard frankfurt/s2 does not answer frankfurt/n1: starting up"]


def test_drill_is_told_as_one() -> None:
    shown = overview(replace(STATUS, cut_off_from=[TOKYO]))
    assert "plays dead to tokyo" in shown.problems()[0]
    assert "drill" in printed(shown)


def test_drill_is_one_problem_for_each_region() -> None:
    virginia = RegionName("virginia")
    peers = [*STATUS.peers, PeerStatus(region=virginia, connected=False)]
    shown = overview(replace(STATUS, peers=peers, cut_off_from=[TOKYO, virginia]))
    assert shown.problems() == ["drill: frankfurt plays dead to tokyo, virginia; `atoll drill heal` ends it"]


def test_link_that_the_other_side_of_a_drill_misses_is_no_problem_of_its_own() -> None:
    tokyo = replace(STATUS, region=TOKYO, peers=[], cut_off_from=[FRANKFURT])
    cut = replace(STATUS, peers=[PeerStatus(region=TOKYO, connected=False, problem="a drill")])
    views = [
        NodeView(region=FRANKFURT, node=N1, status=cut),
        NodeView(region=TOKYO, node=N1, status=tokyo),
    ]
    problems = Overview(ring="demo", nodes=views).problems()
    assert problems == ["drill: tokyo plays dead to frankfurt; `atoll drill heal` ends it"]


def test_link_that_is_cut_or_down_does_not_claim_to_be_level() -> None:
    down = replace(STATUS, peers=[PeerStatus(region=TOKYO, connected=False, problem="refused")])
    for status in (replace(STATUS, cut_off_from=[TOKYO]), down):
        [row] = [line for line in printed(overview(status)).splitlines() if line.startswith("frankfurt/n1")]
        assert row.split()[3] == "?"


def test_lag_shows_both_figures_or_neither() -> None:
    def lags(p50: float, p99: float) -> str:
        peer = PeerStatus(region=TOKYO, connected=True, lag_p50_seconds=p50, lag_p99_seconds=p99)
        shown = printed(overview(replace(STATUS, peers=[peer])))
        [row] = [line for line in shown.splitlines() if line.startswith("frankfurt/n1")]
        return " ".join(row.split()[4:])

    assert lags(0, 0.021) == "0.0 ms 21 ms"
    assert lags(0, 0) == "– –"


def test_one_of_a_kind_is_told_in_the_singular() -> None:
    assert "1 region, 1 shard " in printed(overview(STATUS))
    assert "1 problem\n" in printed(overview(None, "refused")).replace(" \n", "\n")


def test_link_that_is_down_is_a_problem() -> None:
    peer = PeerStatus(region=TOKYO, connected=False, problem="refused")
    assert overview(replace(STATUS, peers=[peer])).problems() == ["frankfurt/n1 receives nothing from tokyo: refused"]


def test_status_fits_eighty_columns() -> None:
    assert max(len(line) for line in printed(overview(STATUS)).splitlines()) <= 80


def test_json_holds_every_figure() -> None:
    document = json.loads(orjson.dumps(overview(STATUS).as_json()))
    assert document["healthy"] is True
    assert document["nodes"][0]["shards"][0]["records"] == 17_012
    assert document["nodes"][0]["cut"] == {"tokyo/s1": 7}
