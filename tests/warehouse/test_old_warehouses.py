"""Warehouses of older programs are opened by this one, and lose nothing by it.

``tests/warehouses`` holds one of each program; ``make.py`` beside them made them.
"""

import json
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import VENDORS, House, differences, open_house
from patience import PATIENCE
from sandbox_control import stamp

from pipelines.planning.windows import DAY, read_time
from pipelines.warehouse.migration import LAYOUT, migrate
from pipelines.warehouse.paths import Warehouse
from transforms.runner import build_state as state

STORED = Path(__file__).parents[1] / "warehouses"
COMMITS = ("68a0dcf", "304c909", "aa884e9", "97892e8", "273d7f5", "72b6da3")
OLDEST, BEFORE_LAYOUTS, NEWEST = COMMITS[0], "273d7f5", COMMITS[-1]
"""Files of the second, and of all before, do not say which layout they have."""
FIRST = read_time("2026-11-17T03:00:00Z")
SECOND, THIRD = FIRST + DAY, FIRST + 2 * DAY
NEWER = 99
A_CALL_EACH = """
    select min(vendor_call_id) from fact_calls
    where started_at >= '2026-11-16' and started_at < '2026-11-17' group by vendor
"""
"""Those that ``make.py`` took off their vendors' lists before the second night."""
Rows = dict[str, Counter[tuple[str, ...]]]

KILLED = """
import os, signal, sys
from pathlib import Path
from pipelines.warehouse.migration import _take_steps, migrate

raw, lock, kill_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
seen = 0

def trace(frame, event, _):
    global seen
    if frame.f_code is not _take_steps.__code__:
        return None
    seen += 1
    if seen == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return trace

sys.settrace(trace)
migrate(raw, lock)
"""
"""Dies at a line of the transaction, of which it has a few dozen."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("old")
    with open_house(folder, SECOND, days=3, volume=6) as house:
        yield house


@pytest.fixture
def house(world: House, tmp_path: Path) -> House:
    """Give a folder of its own, on the sandbox of all."""
    return House(tmp_path, world.sandbox, world.environment)


def unpack(commit: str, folder: Path) -> Path:
    warehouse = folder / "warehouse"
    with tarfile.open(STORED / f"{commit}.tar.xz") as packed:
        # Python 3.11.2 has no filters.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(warehouse)  # noqa: S202
    return warehouse


def ask(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def change(file: Path, sql: str) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute(sql)


def stored(raw: Path, like: dict[str, list[str]] | None = None) -> Rows:
    """Return all rows of a raw file's tables, of the columns that another has."""
    return {
        table: Counter(ask(raw, f"select {', '.join(names)} from raw.{table}"))
        for table, names in (like or columns(raw)).items()
    }


def columns(raw: Path) -> dict[str, list[str]]:
    found = ask(
        raw,
        "select table_name, list(column_name order by column_index) "
        "from duckdb_columns() where schema_name = 'raw' group by 1",
    )
    return dict(found)


def gone(warehouse: Path) -> list[str]:
    """Return the calls that were no longer listed, for the sandbox to leave out."""
    tables = {"twin": "calls", "whippy": "calls", "zoom": "voice_calls"}
    tables |= {"evovoice": "sessions", "voximplant": "call_sessions"}
    sql = "select record_id from raw.{} where payload is null"
    return [
        one
        for vendor, table in tables.items()
        for (one,) in ask(Warehouse(warehouse).raw(vendor), sql.format(table))
    ]


def truth_apart(
    house: House, now: datetime, days: int, vendors: Sequence[str]
) -> list[str]:
    """Return what the vendors' truth says otherwise.

    The EvoVoice of those programs had neither customers, whose prices rate its calls
    today, nor their logs: of its calls only that they are there is compared.
    """
    wrong = differences(house, now, days, vendors)
    return [one for one in wrong if not one.startswith("evovoice (")]


def told(done: subprocess.CompletedProcess[str]) -> str:
    """Return what was said, which is one sentence and no traceback."""
    assert "Traceback" not in done.stderr
    (sentence,) = done.stderr.splitlines()
    return sentence


@pytest.mark.parametrize(
    "commit",
    [
        pytest.param(one, marks=() if one == OLDEST else pytest.mark.soak)
        for one in COMMITS
    ],
)
def test_an_old_warehouse_goes_on_and_loses_no_version_of_a_record(
    house: House, commit: str
) -> None:
    warehouse = unpack(commit, house.folder)
    raw = {vendor: Warehouse(warehouse).raw(vendor) for vendor in VENDORS}
    had = {vendor: columns(file) for vendor, file in raw.items()}
    before = {vendor: stored(file) for vendor, file in raw.items()}
    unlisted = [one for (one,) in ask(warehouse / "calls.duckdb", A_CALL_EACH)]
    removed = gone(warehouse)
    is_proven = commit not in {OLDEST, NEWEST}
    assert len(removed) == (len(VENDORS) if is_proven else 0)
    # The newest of them waits for a second read that misses a call.
    not_listed = unlisted if commit == NEWEST else removed
    asked = house.run("status")
    assert asked.returncode == 2
    assert told(asked).endswith("; run: callhouse transform")

    house.post("clock", {"now": stamp(SECOND)})
    house.post("removed", {"ids": not_listed})
    try:
        built = house.run("transform", "--now", stamp(SECOND))
        assert built.returncode == 0, built.stderr
        assert {v: stored(raw[v], had[v]) for v in VENDORS} == before
        # The oldest program did not know that a call may vanish: what its vendor had
        # to say of one then, it missed, and the next night reads.
        missed = [] if is_proven else unlisted
        wrong = truth_apart(house, SECOND, 4, VENDORS)
        assert [one for one in wrong if not any(call in one for call in missed)] == []
        deleted = house.query("select vendor_call_id from fact_calls where is_deleted")
        assert {one for (one,) in deleted} == {*removed}
        # The oldest program read no list without its scope; that is open until a load.
        status = house.run("status", "--now", stamp(SECOND))
        assert status.stdout.startswith(("All in, ", "1 of 5 accounts lacks days"))
        # What a vendor's file is asked for by a load is the same for every vendor.
        going_on = VENDORS if commit == OLDEST else ("twin", "whippy")
        chosen = [word for one in going_on for word in ("--vendor", one)]
        night = house.night(THIRD, *chosen)
        assert night.returncode == 0, night.stderr
        assert truth_apart(house, THIRD, 5, going_on) == []
    finally:
        house.post("removed", {"ids": not_listed, "removed": False})
    for vendor, file in raw.items():
        after = stored(file, had[vendor])
        lost = {t: rows - after[t] for t, rows in before[vendor].items()}
        assert not any(lost.values()), vendor
        bytes_before = file.read_bytes()
        migrate(file, Warehouse(warehouse).raw_lock(vendor))
        assert file.read_bytes() == bytes_before
        assert ask(file, "select max(layout) from callhouse.layout") == [(LAYOUT,)]


def test_what_older_programs_said_of_a_window_in_words_becomes_a_reason(
    tmp_path: Path,
) -> None:
    warehouse = unpack(BEFORE_LAYOUTS, tmp_path)
    file = Warehouse(warehouse).raw("zoom")
    change(
        file,
        "update raw.load_windows set state = 'failed' where window_start = "
        "(select max(window_start) from raw.load_windows where state = 'complete')",
    )
    migrate(file, Warehouse(warehouse).raw_lock("zoom"))
    reasons = ask(
        file,
        "select distinct stream, state, reason from raw.load_windows order by all",
    )
    assert reasons == [
        ("engagements", "unreachable", "not_authorized"),
        ("voice_calls", "complete", None),
        ("voice_calls", "failed", "other"),
        ("voice_calls", "unreachable", "expired"),
    ]


def test_a_file_says_its_layout_from_its_first_load_on(house: House) -> None:
    house.post("clock", {"now": stamp(SECOND)})
    done = house.run("run", "--vendor", "whippy", "--now", stamp(SECOND))
    assert done.returncode == 0, done.stderr
    warehouse = house.folder / "warehouse"
    layout = "select layout, program from callhouse.layout"
    assert ask(Warehouse(warehouse).raw("whippy"), layout) == [(LAYOUT, state.PROGRAM)]
    ours = state.Stamp(state.LAYOUT, state.PROGRAM)
    for name in ("build.duckdb", "calls.duckdb"):
        assert state.read_stamp(warehouse / name) == ours


def test_files_of_a_newer_program_are_refused_in_a_sentence_and_left_alone(
    house: House,
) -> None:
    warehouse = unpack(NEWEST, house.folder)
    published = warehouse / "calls.duckdb"
    newer = Warehouse(warehouse).raw("twin")
    migrate(newer, Warehouse(warehouse).raw_lock("twin"))
    change(
        newer, f"insert into callhouse.layout values ({NEWER}, 'callhouse 9', now())"
    )
    untouched = newer.read_bytes(), published.read_bytes()
    house.post("clock", {"now": stamp(THIRD)})
    for command in (("transform",), ("run", "--vendor", "twin")):
        done = house.run(*command, "--now", stamp(THIRD))
        assert done.returncode == 2
        sentence = done.stderr.splitlines()[-1]
        assert f"twin.duckdb has layout {NEWER}, written by callhouse 9" in sentence
        assert "Traceback" not in done.stderr
    both = ("--vendor", "twin", "--vendor", "whippy")
    loaded = house.run("load", "--json", "--now", stamp(THIRD), *both)
    assert loaded.returncode == 1
    errors = {
        one["vendor"]: one["errors"] for one in json.loads(loaded.stdout)["loaded"]
    }
    (sentence,) = errors.pop("twin")
    assert f"layout {NEWER}" in sentence
    assert errors == {"whippy": []}
    assert (newer.read_bytes(), published.read_bytes()) == untouched


@pytest.mark.soak
def test_tables_built_by_a_newer_program_are_refused_and_built_anew(
    house: House,
) -> None:
    warehouse = unpack(NEWEST, house.folder)
    for name in ("build.duckdb", "calls.duckdb"):
        change(
            warehouse / name,
            "create or replace table ops.build_state as select fingerprint, "
            f"{NEWER} as layout, 'callhouse 9' as program from ops.build_state",
        )
    for command in (("status",), ("query", "select 1"), ("explain", "zoom:main:1")):
        done = house.run(*command)
        assert done.returncode == 2
        assert f"has layout {NEWER}, written by callhouse 9" in told(done)
    built = house.run("transform", "--json", "--now", stamp(SECOND))
    assert json.loads(built.stdout)["full"] is True
    assert house.run("query", "select 1").returncode == 0
    ours = state.Stamp(state.LAYOUT, state.PROGRAM)
    assert state.read_stamp(warehouse / "build.duckdb") == ours


@pytest.mark.soak
def test_a_migration_killed_at_any_line_has_happened_whole_or_not_at_all(
    tmp_path: Path,
) -> None:
    warehouse = unpack(OLDEST, tmp_path)
    lock = Warehouse(warehouse).raw_lock("zoom")
    old = Warehouse(warehouse).raw("zoom")
    had, before = columns(old), stored(old)
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    killed = 0
    for kill_at in range(1, 100, 3):
        raw = tmp_path / f"{kill_at}.duckdb"
        shutil.copyfile(old, raw)
        command = [sys.executable, str(script), str(raw), str(lock), str(kill_at)]
        if not subprocess.run(command, check=False, timeout=PATIENCE).returncode:
            break
        killed += 1
        is_done = ("callhouse", "layout") in names(raw)
        assert is_done == ("reason" in columns(raw)["load_windows"])
        assert stored(raw, had) == before
        migrate(raw, lock)
        assert stored(raw, had) == before
        assert {"split_of", "reason"} <= {*columns(raw)["load_windows"]}
        assert ask(raw, "select layout from callhouse.layout") == [(LAYOUT,)]
    assert killed >= 5


def names(raw: Path) -> set[tuple[str, str]]:
    return {*ask(raw, "select schema_name, table_name from duckdb_tables()")}
