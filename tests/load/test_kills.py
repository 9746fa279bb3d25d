"""A load that is killed at any point goes on from there, and a publish is whole.

A hook counts what Python does to files and connections, and kills its own process
at a given count: between any two of a load's steps, not only where time allows.
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import duckdb
import pytest
from clients import client
from conftest import House, exact, open_house
from patience import PATIENCE
from sandbox_control import stamp

from pipelines.planning.windows import DAY, read_time
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import publish
from pipelines.warehouse.published_queries import rows_of_sql

NOW = read_time("2026-11-17T03:00:00Z")
HOOKED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from pipelines.config.loader import read_config
from pipelines.load import loader as loading

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
DAYS = "select day, count(*) as calls from calls group by all"


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
        timeout=PATIENCE,
        check=False,
    )


def warehouse(house: House) -> Path:
    return house.folder / "warehouse"


@pytest.mark.soak
@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.soak)])
def test_a_load_killed_at_many_points_goes_on_each_time(
    house: House, kills: int
) -> None:
    chance = Random(20)  # noqa: S311
    killed = 0
    for _ in range(10 * kills):
        if killed == kills:
            break
        done = load(house, chance.randint(1, 1200))
        if done.returncode == 0:  # all of it was in before the point came
            for file in (warehouse(house) / "raw").iterdir():
                file.unlink()
            continue
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
    assert killed == kills
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


PUBLISH = """
import os, signal, sys
from pathlib import Path
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import publish
from pipelines.planning.windows import read_time

work, last, counted = Path(sys.argv[1]), int(sys.argv[2]), 0

def hook(event, _):
    global counted
    if event == "open" or event.startswith(("os.", "shutil.")):
        counted += 1
        if counted == last:
            os.kill(os.getpid(), signal.SIGKILL)

warehouse = Warehouse(work)
sys.addaudithook(hook)
publish(warehouse.build, warehouse, read_time("2026-11-17T03:00:00Z"), 2)
"""


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.soak)])
def test_a_publish_killed_at_any_point_leaves_a_whole_file(
    tmp_path: Path, step: int
) -> None:
    """A log that a client left lies beside the old file each time."""
    before = tmp_path / "before"
    before.mkdir()
    with duckdb.connect(str(before / "calls.duckdb")) as connection:
        connection.execute("create table calls as select 1 as day from range(10)")
    shutil.copy(before / "calls.duckdb", before / "build.duckdb")
    with duckdb.connect(str(before / "build.duckdb")) as connection:
        connection.execute("insert into calls from range(5)")
        connection.execute("update calls set day = 2")
    with client(before / "calls.duckdb") as analyst:
        analyst.ask("delete from calls")
        analyst.kill()
    for point in range(1, 1000, step):
        work = tmp_path / str(point)
        shutil.copytree(before, work)
        published = work / "calls.duckdb"
        status = subprocess.run(
            [sys.executable, "-c", PUBLISH, str(work), str(point)], check=False
        ).returncode
        found = [(row["day"], row["calls"]) for row in rows_of_sql(published, DAYS)]
        assert found in ([(1, 10)], [(2, 15)])
        with duckdb.connect(str(published), read_only=True) as connection:
            seen = connection.execute(DAYS).fetchall()
        # An old file may still have the log that is its own.
        assert seen == found or (found == [(1, 10)] and seen == [])
        publish(work / "build.duckdb", Warehouse(work), NOW, 2)
        with duckdb.connect(str(published), read_only=True) as connection:
            assert connection.execute(DAYS).fetchall() == [(2, 15)]
        if status != -signal.SIGKILL:
            break
    assert status == 0
    assert point > 20
