"""A ring that was started for one process's sake ends with it, even when that process is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.fixtures.command_line import SMALL_RING, RingFolder, wait_until

STARTER = """
import sys, time
from pathlib import Path
from atoll.supervisor.background import start_in_background
from atoll.supervisor.directory import RingDirectory
folder = Path(sys.argv[1])
start_in_background(folder / "atoll.toml", RingDirectory(folder / ".atoll"), tied=True)
print("running", flush=True)
time.sleep(600)
"""


def test_ring_tied_to_a_process_ends_with_it(tmp_path: Path) -> None:
    ring = RingFolder(tmp_path)
    (tmp_path / "atoll.toml").write_text(SMALL_RING, encoding="utf-8")
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "running\n"
        assert len(ring.processes()) >= 5
        os.kill(starter.pid, signal.SIGKILL)

    wait_until(lambda: ring.processes() == {})
    assert not (tmp_path / ".atoll" / "ring.json").exists()
