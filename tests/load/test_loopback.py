"""A load speaks to its vendor and to nobody else: dlt's telemetry is off."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from conftest import House, open_house
from patience import PATIENCE
from sandbox_control import stamp

from pipelines.planning.windows import read_time

NOW = read_time("2026-11-17T03:00:00Z")
LOAD = """
import atexit, sys
from datetime import datetime
from pathlib import Path

asked = set()
atexit.register(lambda: print(*sorted(asked)))  # the first one is called last

def hook(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    asked.add(host)
    if host not in {"127.0.0.1", "localhost"}:
        raise ConnectionError(host)

sys.addaudithook(hook)
from pipelines.config.loader import read_config
from pipelines.load import package
from pipelines.load.loader import load

package.DLT_SETTINGS["RUNTIME__DLTHUB_TELEMETRY"] = sys.argv[2]
config = read_config(Path("none"))
(vendor,) = [one for one in config.vendors if one.name == "whippy"]
now = datetime.fromisoformat(sys.argv[1])
assert load(vendor, config, now, lambda *_: None).is_complete
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("loopback")
    with open_house(folder, NOW, days=1, volume=2) as house:
        yield house


def hosts(house: House, telemetry: str) -> set[str]:
    """Load a vendor, and return every host that the process asked for."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, stamp(NOW), telemetry],
        cwd=house.folder,
        env=house.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return {*done.stdout.split()}


def test_a_load_asks_for_no_host_but_its_vendors(house: House) -> None:
    assert hosts(house, "false") == {"127.0.0.1"}
    assert hosts(house, "true") > {"127.0.0.1"}
