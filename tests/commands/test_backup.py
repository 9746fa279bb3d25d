"""A backup and one run give the warehouse that was never lost."""

import fcntl
import json
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import duckdb
import pytest
from clients import client
from conftest import House, copy_of, open_house
from sandbox_control import stamp

from pipelines.commands import backup as backing_up
from pipelines.config.model import Config
from pipelines.planning.windows import DAY, read_time
from pipelines.warehouse.locks import LockedError
from pipelines.warehouse.opening import log_of
from pipelines.warehouse.paths import Warehouse

NOW = read_time("2026-11-17T03:00:00Z")
LAST = NOW + 2 * DAY
VENDOR = ("--vendor", "whippy")
CALLS = "select call_key, total_seconds, cost_total from fact_calls order by all"
LOADING = {"load_id", "first_loaded_at", "last_loaded_at", "seen_at", "last_read_at"}
"""Columns that say when something was loaded or built, and not what."""
OF_LOADS = {
    *("built_loads", "load_windows", "runs", "build_state", "build_info"),
    *("latest_window_reads", "reconciliation"),
    *("field_reads", "vendor_fields", "field_changes"),
}
"""Tables of ``ops`` that tell of each load: two warehouses had other loads."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a warehouse of one vendor after its first run, with a backup of it."""
    folder = tmp_path_factory.mktemp("backup")
    with open_house(folder, NOW, days=3, volume=20) as house:
        assert house.night(NOW, *VENDOR).returncode == 0
        made = house.run("backup", "backups", "--now", stamp(NOW))
        assert made.returncode == 0, made.stderr
        yield house


@pytest.fixture
def lost(house: House, tmp_path: Path) -> House:
    """Give the backup, and no warehouse."""
    other = copy_of(house, tmp_path)
    shutil.rmtree(tmp_path / "warehouse")
    shutil.copytree(house.folder / "backups", tmp_path / "backups")
    return other


def made(house: House) -> Path:
    (found,) = (house.folder / "backups").glob("*Z")
    return found


def contents(house: House) -> dict[str, bytes]:
    """Return the bytes of every file of a warehouse that are not locks."""
    root = house.folder / "warehouse"
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.parent.name != "locks"
    }


@pytest.mark.parametrize(
    ("runs", "irretrievable"),
    [
        pytest.param((LAST,), set(), id="a run"),
        pytest.param(
            (NOW + DAY, LAST), {"call_changes"}, id="two runs", marks=pytest.mark.soak
        ),
    ],
)
def test_a_restored_warehouse_and_one_run_equal_one_that_was_never_lost(
    house: House,
    lost: House,
    tmp_path: Path,
    runs: Sequence[datetime],
    irretrievable: set[str],
) -> None:
    """A version that only a lost run read is in nobody's list any more."""
    kept = copy_of(house, tmp_path / "kept")
    for now in runs:
        assert kept.night(now, *VENDOR).returncode == 0
    done = lost.run("restore", "backups")
    assert done.returncode == 0, done.stderr
    assert "next: callhouse run" in done.stdout
    assert lost.query(CALLS) == house.query(CALLS)
    assert lost.night(LAST, *VENDOR).returncode == 0
    assert len(kept.query(CALLS)) > len(house.query(CALLS))
    with duckdb.connect() as both:
        for name, one in (("kept", kept), ("restored", lost)):
            both.execute(f"attach '{one.published}' as {name} (read_only)")
        tables = both.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = 'kept'"
        ).fetchall()
        compared = [one for one in tables if one[1] not in OF_LOADS | irretrievable]
        assert len(compared) > 25
        for schema, table in compared:
            columns = both.execute(
                "select column_name from duckdb_columns() where database_name = 'kept' "
                "and schema_name = $1 and table_name = $2",
                [schema, table],
            ).fetchall()
            told = ", ".join(f'"{one}"' for (one,) in columns if one not in LOADING)
            for one, other in (("kept", "restored"), ("restored", "kept")):
                differing = both.execute(
                    f"select {told} from {one}.{schema}.{table} except all "
                    f"select {told} from {other}.{schema}.{table}"
                ).fetchall()
                assert differing == [], (schema, table, one)


def test_a_backup_is_for_its_owner_alone_and_says_what_is_in_it(house: House) -> None:
    manifest = json.loads((made(house) / "manifest.json").read_text())
    assert manifest["loads"].keys() == {"whippy"}
    assert manifest["loads"]["whippy"] > 0
    assert manifest["program"].startswith("callhouse ")
    paths = {one["path"] for one in manifest["files"]}
    assert paths == {"raw/whippy.duckdb", "calls.duckdb", "runs.jsonl", "origin"}
    for path in (made(house), *made(house).rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_no_secret_is_in_a_backup(house: House) -> None:
    secrets = [
        value.encode()
        for name, value in house.environment.items()
        if name.endswith(("KEY", "PASSWORD", "SECRET"))
    ]
    assert len(secrets) >= 4
    for path in made(house).rglob("*"):
        text = path.read_bytes() if path.is_file() else b""
        assert not [secret for secret in secrets if secret in text], path


def test_a_backup_has_what_the_log_of_a_killed_load_has(
    house: House, tmp_path: Path
) -> None:
    one = copy_of(house, tmp_path)
    raw = Warehouse(tmp_path / "warehouse").raw("whippy")
    with client(raw) as program:
        program.ask("create table raw.of_the_log as select 7 as seven")
        program.kill()
    assert log_of(raw).exists()
    before = raw.read_bytes()
    assert one.run("backup", "backups").returncode == 0
    assert raw.read_bytes() == before
    copy = made(one) / "raw" / "whippy.duckdb"
    assert not log_of(copy).exists()
    with duckdb.connect(str(copy), read_only=True) as file:
        assert file.execute("from raw.of_the_log").fetchall() == [(7,)]


def test_a_backup_works_while_an_analyst_reads(house: House, tmp_path: Path) -> None:
    one = copy_of(house, tmp_path)
    with duckdb.connect(str(one.published), read_only=True) as reader:
        reader.execute("from fact_calls limit 1")
        assert one.run_apart("backup", "backups").returncode == 0


@pytest.mark.soak
def test_a_backup_made_during_a_run_can_be_restored(
    house: House, tmp_path: Path
) -> None:
    one = copy_of(house, tmp_path / "one")
    one.post("clock", {"now": stamp(NOW + DAY)})
    run = one.start("run", "--now", stamp(NOW + DAY), *VENDOR)
    number = 0
    while run.poll() is None:
        number += 1
        then = stamp(NOW + timedelta(seconds=number))
        done = one.run("backup", "backups", "--now", then)
        assert done.returncode == 0, done.stderr
    _, errors = run.communicate()
    assert run.returncode == 0, errors
    assert number > 1
    backups = sorted((one.folder / "backups").glob("*Z"))
    for found in backups[:: max(1, len(backups) // 3)]:
        other = copy_of(house, tmp_path / found.name)
        shutil.rmtree(other.folder / "warehouse")
        assert other.run("restore", str(found)).returncode == 0
        built = other.run("transform", "--now", stamp(NOW + DAY))
        assert built.returncode == 0, built.stderr


def test_a_lock_that_is_not_free_in_time_is_named(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_up, "FILE_TIMEOUT", 0.0)
    warehouse = Warehouse(copy_of(house, tmp_path).folder / "warehouse")
    with warehouse.raw_lock("whippy").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LockedError, match="already going on"):
            backing_up.back_up(Config(warehouse, ()), NOW, tmp_path / "backups")
    assert [one.name for one in (tmp_path / "backups").iterdir()] == [".lock"]


@pytest.mark.parametrize("file", ["raw/whippy.duckdb", "calls.duckdb", "runs.jsonl"])
def test_a_damaged_backup_is_refused_by_the_name_of_its_file(
    lost: House, file: str
) -> None:
    path = made(lost) / file
    text = bytearray(path.read_bytes())
    text[len(text) // 2] ^= 1
    path.write_bytes(text)
    done = lost.run("restore", "backups")
    assert done.returncode == 2
    assert str(path) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not lost.published.exists()


def test_a_file_or_a_manifest_that_is_missing_is_named(lost: House) -> None:
    (made(lost) / "origin").unlink()
    done = lost.run("restore", "backups")
    assert (done.returncode, "origin is missing" in done.stderr) == (2, True)
    (made(lost) / "manifest.json").write_text("{")
    done = lost.run("restore", str(made(lost)))
    assert (done.returncode, "manifest.json cannot be read" in done.stderr) == (2, True)


def test_a_file_outside_the_backup_is_refused(lost: House) -> None:
    path = made(lost) / "manifest.json"
    path.write_text(path.read_text().replace('"origin"', '"../origin"'))
    done = lost.run("restore", "backups")
    assert (done.returncode, "outside the backup" in done.stderr) == (2, True)


def test_a_damaged_warehouse_gives_no_backup(house: House, tmp_path: Path) -> None:
    one = copy_of(house, tmp_path)
    raw = Warehouse(tmp_path / "warehouse").raw("whippy")
    raw.write_bytes(raw.read_bytes()[:20_000])
    done = one.run("backup", "backups")
    assert done.returncode == 2
    assert str(raw.relative_to(tmp_path)) in done.stderr
    assert done.stderr.endswith("; no backup was made\n")
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in (tmp_path / "backups").iterdir()] == [".lock"]


@pytest.mark.soak
def test_a_warehouse_that_is_there_is_only_replaced_when_asked(
    house: House, tmp_path: Path
) -> None:
    one = copy_of(house, tmp_path)
    assert one.run("backup", "backups").returncode == 0
    assert one.night(NOW + DAY, *VENDOR).returncode == 0
    before = contents(one)
    refused = one.run("restore", "backups")
    assert (refused.returncode, "--replace" in refused.stderr) == (2, True)
    assert contents(one) == before
    done = one.run("restore", "backups", "--replace")
    assert done.returncode == 0, done.stderr
    assert one.query(CALLS) == house.query(CALLS)
    (aside,) = tmp_path.glob("warehouse.replaced-*")
    assert str(aside) in done.stdout
    moved = tmp_path / "moved"
    moved.mkdir()
    aside.rename(moved / "warehouse")
    assert contents(House(moved, one.sandbox, {})) == before
    again = one.run("restore", "backups")
    assert (again.returncode, "already" in again.stdout) == (0, True)


def test_nothing_is_restored_during_a_run(lost: House) -> None:
    warehouse = Warehouse(lost.folder / "warehouse")
    warehouse.locks.mkdir(parents=True)
    with warehouse.run_lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = lost.run("restore", "backups", "--replace")
    assert done.returncode == 2
    assert "a run is already going on" in done.stderr
    assert not lost.published.exists()


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("warehouse/backups", "in the warehouse itself"), ("file", "is not a folder")],
)
def test_a_place_where_no_backup_can_be_is_refused(
    house: House, tmp_path: Path, folder: str, expected: str
) -> None:
    one = copy_of(house, tmp_path)
    (tmp_path / "file").touch()
    done = one.run("backup", folder)
    assert (done.returncode, expected in done.stderr) == (2, True)


def test_nothing_can_be_backed_up_or_restored_from_nothing(lost: House) -> None:
    for command in ("backup", "restore"):
        done = lost.run(command, "nowhere")
        assert (done.returncode, "there is no" in done.stderr) == (2, True)


KILLED = """
import os, signal, sys

last, counted = int(sys.argv[1]), 0
WATCHED = {"open", "ctypes.dlsym"}

def hook(event, arguments):
    global counted
    if not (event in WATCHED or event.startswith(("os.", "shutil."))):
        return
    if event == "open" and not isinstance(arguments[2], int):
        return
    if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
        return
    counted += 1
    if counted == last:
        os.kill(os.getpid(), signal.SIGKILL)

from pathlib import Path
from pipelines.commands import backup, restore
from pipelines.config.loader import read_config
from pipelines.planning.windows import read_time

config, now = read_config(Path("none")), read_time("2026-11-18T03:00:00Z")
folder = Path("backups").absolute()
work = {
    "backup": lambda: backup.back_up(config, now, folder),
    "restore": lambda: restore.restore(config, now, folder, replace=True),
}[sys.argv[2]]
sys.addaudithook(hook)
work()
"""


def killed(house: House, command: str, point: int) -> int:
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(point), command],
        cwd=house.folder,
        env=house.environment,
        check=False,
    ).returncode


EVERY = [20, pytest.param(1, marks=pytest.mark.soak)]
"""Of how many points of a command one is tried."""


@pytest.mark.soak
@pytest.mark.parametrize("step", EVERY)
def test_a_killed_backup_leaves_no_backup_and_the_next_one_is_whole(
    house: House, tmp_path: Path, step: int
) -> None:
    one = copy_of(house, tmp_path)
    before = contents(one)
    for point in count(1, step):
        status = killed(one, "backup", point)
        found = [*(tmp_path / "backups").glob("*Z")]
        assert contents(one) == before
        if found:
            break
        assert status == -signal.SIGKILL
    assert point > 20
    other = copy_of(one, tmp_path / "other")
    done = other.run("restore", str(found[0]), "--replace")
    assert done.returncode == 0, done.stderr
    again = one.run("backup", "backups")
    assert again.returncode == 0, again.stderr
    assert not [*(tmp_path / "backups").glob("*.incoming")]


@pytest.mark.soak
@pytest.mark.parametrize("step", EVERY)
def test_a_killed_restore_leaves_the_old_warehouse_or_the_restored_one(
    house: House, lost: House, tmp_path: Path, step: int
) -> None:
    newer = copy_of(house, tmp_path / "newer")
    assert newer.night(NOW + DAY, *VENDOR).returncode == 0
    old, backed_up = newer.query(CALLS), house.query(CALLS)
    assert old != backed_up
    seen = set()
    for point in count(1, step):
        one = copy_of(newer, tmp_path / str(point))
        shutil.copytree(lost.folder / "backups", one.folder / "backups")
        status = killed(one, "restore", point)
        found = one.query(CALLS)
        assert found in (old, backed_up)
        seen.add(found == old)
        done = one.run("restore", "backups", "--replace")
        assert done.returncode == 0, done.stderr
        assert one.query(CALLS) == backed_up
        assert not (one.folder / "warehouse.incoming").exists()
        kept = [
            House(path, one.sandbox, {})
            for path in one.folder.glob("warehouse.replaced-*")
        ]
        files = [path.folder / "calls.duckdb" for path in kept]
        calls = [asked(path) for path in files]
        assert old in calls
        if status == 0:
            break
        assert status == -signal.SIGKILL
        shutil.rmtree(one.folder)
    assert point > 20
    assert seen == {True, False}


def asked(file: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(CALLS).fetchall()
