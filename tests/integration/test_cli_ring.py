"""A whole ring from the command line: started, used, hurt, stopped, started again. Real processes, real Postgres."""

from __future__ import annotations

import json
import os
import shutil
import signal
import urllib.request
from collections.abc import Iterator

import pytest
from tests.fixtures.command_line import SMALL_RING, RingFolder, run_atoll, wait_until


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RingFolder]:
    folder = RingFolder(tmp_path_factory.mktemp("ring"))
    (folder.path / "atoll.toml").write_text(SMALL_RING, encoding="utf-8")
    folder.atoll("up")
    yield folder
    run_atoll("down", "--wipe", "--yes", cwd=folder.path)
    assert folder.processes() == {}
    shutil.rmtree(folder.path, ignore_errors=True)


def all_ready(ring: RingFolder) -> bool:
    return all(part["state"] == "ready" for part in [*ring.state["servers"], *ring.state["nodes"]])


def fetch(address: str, path: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as response:
        return response.status, response.read()


# -- what people ask of it ----------------------------------------------------------------------------------------


def test_second_start_is_refused(ring: RingFolder) -> None:
    assert ring.json("up", code=4)["error"]["code"] == "already_running"


def test_status_is_healthy_and_complete(ring: RingFolder) -> None:
    status = ring.json("status")
    assert status["healthy"] is True
    assert [node["region"] for node in status["nodes"]] == ["oslo", "lima"]
    assert all(shard["answering"] for node in status["nodes"] for shard in node["shards"])
    assert "all is well" in ring.atoll("status")


def test_record_written_in_one_region_is_read_in_the_other(ring: RingFolder) -> None:
    ring.atoll("put", "cities", "Bergen", "--country", "NO", "motto=rain", "visits=0", "--region", "oslo")
    ring.atoll("update", "cities", "Bergen", "--zone", "north", "--increment", "visits=3", "--add", "tags=fish")
    ring.json("verify", "--wait", "20")
    record = ring.json("get", "cities", "Bergen", "--country", "NO", "--region", "lima")
    assert record == {"motto": "rain", "tags": ["fish"], "visits": 3}


def test_deleted_record_is_absent_and_says_so_by_its_exit_code(ring: RingFolder) -> None:
    ring.atoll("put", "notes", "gone", "text=x")
    ring.atoll("get", "notes", "gone")
    ring.atoll("delete", "notes", "gone")
    assert ring.json("get", "notes", "gone", code=1) is None


def test_whole_record_can_be_given_as_json(ring: RingFolder) -> None:
    ring.atoll("put", "notes", "whole", "--value", '{"list": [1, 2], "deep": {"a": null}}')
    assert ring.json("get", "notes", "whole") == {"deep": {"a": None}, "list": [1, 2]}


def test_record_of_a_zone_that_a_region_may_not_hold_is_reached_through_it(ring: RingFolder) -> None:
    ring.atoll("put", "secrets", "one", "text=hidden", "--region", "lima")
    assert ring.json("get", "secrets", "one", "--region", "lima") == {"text": "hidden"}
    where = ring.json("where", "secrets", "one")
    assert where["oslo"]["shard"] == "s1"
    assert where["lima"]["shard"] is None


@pytest.mark.parametrize(
    ("command", "code", "error"),
    [
        (["get", "towns", "x"], 2, "unknown_collection"),
        (["get", "cities", "x"], 2, "unknown_zone"),
        (["get", "cities", "x", "--country", "ZZ"], 2, "unknown_zone"),
        (["put", "notes", "x", "--value", "[1]"], 2, "invalid_value"),
        (["update", "notes", "x"], 2, "invalid_value"),
        (["update", "cities", "x", "--zone", "north", "visits=three"], 2, "wrong_rule"),
        (["get", "notes", "x", "--region", "mars"], 2, "invalid_configuration"),
        (["put", "notes", "k" * 1025, "a=1"], 2, "invalid_key"),
    ],
)
def test_bad_request_is_a_typed_error(ring: RingFolder, command: list[str], code: int, error: str) -> None:
    assert ring.json(*command, code=code)["error"]["code"] == error


def test_every_node_answers_over_http(ring: RingFolder) -> None:
    for node in ring.state["nodes"]:
        assert fetch(node["http"], "/health/live")[0] == 200
        assert json.loads(fetch(node["http"], "/health/ready")[1])["status"] == "ready"
        metrics = fetch(node["http"], "/metrics")[1].decode()
        assert "atoll_commit_seconds_bucket" in metrics
        assert "atoll_link_up" in metrics


def test_cut_region_goes_on_alone_and_heals(ring: RingFolder) -> None:
    ring.atoll("drill", "cut", "lima")
    status = ring.json("status", code=1)
    assert status["problems"] == ["drill: lima plays dead to oslo; `atoll drill heal` ends it"]
    ring.atoll("put", "notes", "alone", "by=lima", "--region", "lima")
    assert ring.json("get", "notes", "alone", "--region", "lima") == {"by": "lima"}
    assert ring.json("get", "notes", "alone", "--region", "oslo", code=1) is None
    differences = ring.json("verify", code=1)["differences"]
    assert any("notes/alone" in line for line in differences)
    assert ring.atoll("drill", "heal").strip() == "healed: lima"
    assert ring.atoll("drill", "heal").strip() == "nothing was cut"
    assert ring.json("verify", "--wait", "20")["verdict"] == "converged: 2 of 2 regions identical"


# -- what happens to it -------------------------------------------------------------------------------------------


def test_node_that_is_killed_is_started_again(ring: RingFolder) -> None:
    ring.atoll("put", "notes", "before-node", "n=1")
    node = ring.state["nodes"][0]
    os.kill(node["pid"], signal.SIGKILL)
    wait_until(lambda: ring.state["nodes"][0]["pid"] not in (None, node["pid"]) and all_ready(ring))
    assert ring.state["nodes"][0]["restarts"] == node["restarts"] + 1
    assert ring.json("get", "notes", "before-node") == {"n": 1}


def test_postgres_that_is_killed_is_started_again(ring: RingFolder) -> None:
    ring.atoll("put", "notes", "before-postgres", "n=1")
    server = ring.state["servers"][0]
    os.kill(server["pid"], signal.SIGKILL)
    wait_until(lambda: ring.state["servers"][0]["pid"] not in (None, server["pid"]) and all_ready(ring))
    assert ring.state["servers"][0]["dsn"] == server["dsn"]
    wait_until(lambda: run_atoll("get", "notes", "before-postgres", cwd=ring.path).returncode == 0)
    assert ring.json("verify", "--wait", "30")["identical"]


def test_stop_leaves_no_process_and_start_finds_the_data(ring: RingFolder) -> None:
    ring.atoll("put", "notes", "kept", "n=7")
    assert ring.json("down") == {"stopped": True, "wiped": False}
    assert ring.processes() == {}
    ring.atoll("status", code=4)
    ring.atoll("down", code=4)
    ring.atoll("up")
    assert ring.json("get", "notes", "kept") == {"n": 7}


def test_killed_supervisor_takes_everything_with_it_and_the_next_start_sweeps(ring: RingFolder) -> None:
    ring.atoll("put", "notes", "survivor", "n=8")
    os.kill(ring.state["supervisor"], signal.SIGKILL)
    wait_until(lambda: ring.processes() == {})
    assert "atoll up" in ring.json("status", code=4)["error"]["message"]
    ring.atoll("up")
    assert ring.json("get", "notes", "survivor") == {"n": 8}


def test_wipe_removes_the_data(ring: RingFolder) -> None:
    assert ring.json("down", "--wipe", "--yes") == {"stopped": True, "wiped": True}
    assert not (ring.path / ".atoll").exists()
    ring.atoll("up")
    ring.atoll("get", "notes", "kept", code=1)
