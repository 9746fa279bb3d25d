"""A load that is killed at any point goes on from there: twenty kills in a row.

A hook counts what Python does to files and connections, and kills its own process
at a given count: between any two of a load's steps, not only where time allows.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from conftest import House, exact, open_house, stamp

from pipelines.windows import DAY, read_time

NOW = read_time("2026-11-17T03:00:00Z")
HOOKED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from pipelines.config import read_config
from pipelines import load as loading

vendor, now, last = sys.argv[1], datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])
counted = 0
WATCHED = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}

def hook(event, _):
    global counted
    if event in WATCHED or event.startswith(("sqlite3.", "socket.connect")):
        counted += 1
        if counted == last:
            os.kill(os.getpid(), signal.SIGKILL)

import dlt  # before the hook, or most points are in its import
config = read_config(Path("none"))
(chosen,) = [one for one in config.vendors if one.name == vendor]
sys.addaudithook(hook)
loading.BATCH_WINDOWS = 6
outcome = loading.load(chosen, config, now, lambda *_: None)
print(counted, outcome.is_complete)
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("kills")
    with open_house(folder, NOW, days=6, volume=6) as house:
        yield house


def load(house: House, kill_at: int) -> subprocess.CompletedProcess[str]:
    """Load TWIN's calls, three streams of them, and die at the given count."""
    script = house.folder / "hooked.py"
    script.write_text(HOOKED)
    return subprocess.run(
        [sys.executable, str(script), "twin", stamp(NOW), str(kill_at)],
        cwd=house.folder,
        env={**house.environment, "CALLHOUSE__WAREHOUSE": str(warehouse(house))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def warehouse(house: House) -> Path:
    return house.folder / "warehouse"


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.soak)])
def test_a_load_killed_at_many_points_goes_on_each_time(
    house: House, kills: int
) -> None:
    chance = Random(20)  # noqa: S311
    killed = 0
    while killed < kills:
        done = load(house, chance.randint(1, 1200))
        if done.returncode == 0:  # all of it was in before the point came
            for file in (warehouse(house) / "raw").iterdir():
                file.unlink()
            continue
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
    done = load(house, 0)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "True"
    assert house.run("transform", "--now", stamp(NOW)).returncode == 0
    since = (NOW - 6 * DAY).replace(hour=0)
    truth = house.truth("twin", since - 40 * DAY, NOW - timedelta(minutes=5))
    costs = {call["vendor_call_id"]: exact(call["cost"]) for call in truth}
    due = {
        call["vendor_call_id"] for call in truth if read_time(call["event_at"]) >= since
    }
    held = house.query("select vendor_call_id, cost_total from fact_calls")
    assert due <= {call_id for call_id, _ in held}
    assert [(one, cost) for one, cost in held if costs[one] != cost] == []
    assert len({call_id for call_id, _ in held}) == len(held)
