"""What the bench could have wrong in silence: its counter of CPU, its invented past."""

import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from bench.history import write_history
from bench.product import Product
from bench.records import NOW, write_records
from bench.server import serving
from bench.tree import measured

BUSY = "import time\nwhile time.process_time() < 0.5: pass"
LEAVES = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {!r}])"
ORPHANED = LEAVES.format(LEAVES.format(BUSY))
DAYS, CALLS = 20, 300
UNTIL = NOW.replace(hour=0) - timedelta(days=5)


def test_a_grandchild_that_outlives_its_parent_is_counted() -> None:
    cost = measured([sys.executable, "-c", ORPHANED])
    assert cost.cpu >= 0.5
    assert cost.peak > 0


@pytest.mark.soak
def test_an_invented_past_is_one_that_runs_could_have_left(tmp_path: Path) -> None:
    records = tmp_path / "records.ndjson"
    write_records(records, "twin", days=5, a_day=12)
    start = UNTIL - timedelta(days=DAYS)
    with serving("twin", records) as url:
        loaded = Product(tmp_path / "loaded", "twin", url, UNTIL).emptied()
        loaded.load()
        past = Product(tmp_path / "past", "twin", url, start).emptied()
        write_history(past.raw, loaded.raw, CALLS, DAYS, UNTIL)
        past.run("transform", now=NOW - timedelta(days=1))
        assert past.calls() == past.stored("calls") == CALLS
        past.run("doctor", "--offline")
        past.run("load", "--no-audit")
    # Nothing of it is read again, not even to ask for what was pending.
    with duckdb.connect(str(past.raw), read_only=True) as file:
        reads = file.execute(
            "select min(window_start), any_value(state) from raw.load_windows"
            " where started_at >= $1 and requests > 0 group by all",
            [NOW],
        ).fetchall()
    assert reads == [(UNTIL, "complete")]
