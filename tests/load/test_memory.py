"""However much a vendor sends, loading stays within its bound of memory."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import duckdb
import pytest
from conftest import CALLHOUSE
from patience import PATIENCE
from vendor_server import Answer, VendorServer, vendor_server

from pipelines.planning.windows import DAY, read_time
from pipelines.sources import streams_of

NOW = read_time("2026-11-17T03:00:00Z")
WHIPPY = streams_of("whippy")[0].table
MOST = 512 * 1024
"""KiB of one vendor's load process, DuckDB and dlt included."""
LOAD = """
import sys
from pathlib import Path
from pipelines.config.loader import read_config
from pipelines.load.loader import load
from pipelines.planning.windows import read_time
import os

config = read_config(Path("none"), os.environ)
for _ in range(2):  # the second finds all of it stored
    outcome = load(config.vendors[0], config, read_time(sys.argv[1]), lambda *_: None)
    print(outcome.is_complete, outcome.changed, *outcome.errors, sep="; ")
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if "VmHWM" in line))
"""


@dataclass(frozen=True)
class Sent:
    """What the vendor has of each day."""

    pages: int
    records: int
    """Of a page."""
    length: int
    """Bytes of a record."""
    days: int = 1
    is_complete: bool = True

    @property
    def total(self) -> int:
        return self.pages * self.records

    def answer(self, path: str, body: bytes) -> Answer:
        offset = int(dict(parse_qsl(urlsplit(path).query))["offset"])
        day = read_time(json.loads(body)["after"]) + timedelta(seconds=1)
        came = max(0, min(self.records, self.total - offset))
        if day >= NOW - DAY / 2:  # the day that has just begun
            return Answer(b'{"data": [], "total": 0}')
        records = b",".join(
            self.record(day, number) for number in range(offset, offset + came)
        )
        return Answer(b'{"data": [%s], "total": %d}' % (records, self.total))

    def record(self, day: datetime, number: int) -> bytes:
        at = day + timedelta(milliseconds=number)
        start = f'{{"id": "{day:%d}-{number}", "created_at": "{at.isoformat()}", "x": "'
        return start.encode() + b"x" * (self.length - len(start) - 2) + b'"}'


KIB = 1024
SENT = {
    "windows of 10 MiB": Sent(10, 128, 8 * KIB, days=16),
    "a page of 60 MiB": Sent(1, 30 * KIB, 2 * KIB),
    "many small records": Sent(40, 4_999, 250),
    "a window of 290 MiB": Sent(24, 4_999, 2_500),
    "pages without end": Sent(100_000, 9_999, 110, is_complete=False),
}
LONG = {*SENT} - {"windows of 10 MiB"}
KILLED = """
import os
import signal
from pipelines.load import loader

store, packages = loader.store, []

def killed(*given):
    packages.append(given)
    if len(packages) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    store(*given)

loader.store = killed
"""


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    with vendor_server() as scripted:
        yield scripted


@pytest.mark.soak
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.soak if name in LONG else ())
        for name in SENT
    ],
)
def test_loading_stays_within_its_memory(
    vendor: VendorServer, tmp_path: Path, name: str
) -> None:
    sent = SENT[name]
    done = load(vendor, sent, tmp_path, LOAD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 3, done.stdout
    first, second, used = done.stdout.splitlines()
    if sent.is_complete:
        assert first == f"True; {sent.days * sent.total}"
        assert second == "True; 0"
    else:
        assert "pages without end" in first
    assert int(used) <= MOST, done.stdout


@pytest.mark.soak
def test_a_window_of_several_packages_survives_a_kill(
    vendor: VendorServer, tmp_path: Path
) -> None:
    """What a killed run stored of a window is not the window: it is read again."""
    sent = Sent(24, 251, 16 * KIB)
    done = load(vendor, sent, tmp_path, KILLED + LOAD)
    assert done.returncode == -signal.SIGKILL, done.stderr
    stored = f"select count(*), count(distinct record_id) from raw.{WHIPPY}"
    ledger = "select state, reason from raw.load_windows where rows_fetched > 0"
    raw = tmp_path / "warehouse" / "raw" / "whippy.duckdb"
    with duckdb.connect(str(raw)) as file:
        begun = file.execute(stored).fetchall()[0][0]
        assert 0 < begun < sent.total
        assert file.execute(ledger).fetchall() == [("partial", "begun")]
    done = load(vendor, sent, tmp_path, LOAD)
    first, second, _ = done.stdout.splitlines()
    assert first == f"True; {sent.total - begun}"
    assert second == "True; 0"
    with duckdb.connect(str(raw)) as file:
        assert file.execute(stored).fetchall() == [(sent.total, sent.total)]
        states = file.execute(f"{ledger} order by load_no").fetchall()
        assert states[:2] == [("partial", "begun"), ("complete", None)]


def load(
    vendor: VendorServer, sent: Sent, folder: Path, program: str
) -> subprocess.CompletedProcess[str]:
    """Return the end of a process that loads what a vendor sends."""
    vendor.always = sent.answer
    key = "CALLHOUSE__SOURCES__WHIPPY__"
    environment = {
        **os.environ,
        f"{key}ACCOUNTS__MAIN__API_KEY": "canary-1",
        f"{key}BASE_URL": vendor.url,
        f"{key}REQUESTS_PER_SECOND": "1000",
        f"{key}PAGE_SIZE": str(sent.records),
        "CALLHOUSE__WAREHOUSE": str(folder / "warehouse"),
        "CALLHOUSE__HISTORY_DAYS": str(sent.days),
    }
    return subprocess.run(
        [sys.executable, "-c", program, NOW.isoformat()],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def small_machine() -> Iterator[Path]:
    """Give a control group of 512 MiB, where such groups can be made."""
    root = Path("/sys/fs/cgroup")
    name = f"callhouse-{os.getpid()}"
    for group, limit in (
        (root / "memory" / name, "memory.limit_in_bytes"),
        (root / name, "memory.max"),
    ):
        if not (group.parent / "cgroup.procs").exists():
            continue
        try:
            group.mkdir()
            (group / limit).write_text(str(MOST * KIB))
        except OSError:
            continue
        yield group / "cgroup.procs"
        for _ in range(PATIENCE * 20):
            if not (group / "cgroup.procs").read_text():
                break
            time.sleep(0.05)  # who forked the loads is ending
        group.rmdir()
        return
    pytest.skip("no group of bounded memory can be made here")


@pytest.mark.soak
def test_512_mib_are_enough_for_a_first_run(
    small_machine: Path, tmp_path: Path
) -> None:
    """Of all processes together; one more would be killed."""
    enter = 'echo $$ > "$0" && exec "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", enter, small_machine, CALLHOUSE, "run", "--sandbox"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
