"""The tables in a lake are those of a file, and every reader sees one whole build."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from conftest import House, open_house
from lakes import LakeHouse, differences_of
from patience import PATIENCE
from sandbox_control import control, stamp

from pipelines.planning.windows import DAY, read_time

NOW = read_time("2026-11-17T03:00:00Z")
READ = """
import sys
from pathlib import Path
from pipelines.config.loader import read_config
from pipelines.warehouse.published_queries import confined

place, stop = read_config(Path("none")).warehouse.tables, Path(sys.argv[1])
while not stop.exists():
    with confined(place) as tables:
        rows = set()
        for _ in range(3):
            rows |= set(tables.execute(
                "select as_of::varchar,"
                " (select count(*) from fact_calls where not is_deleted),"
                " (select sum(calls)::bigint from daily_calls) from ops.build_info"
            ).fetchall())
    print(*rows, sep=";", flush=True)
"""


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give the raw files of a first night, and the sandbox that they are from."""
    folder = tmp_path_factory.mktemp("nights")
    with open_house(folder, NOW, days=3, volume=10) as house:
        assert house.run("load", "--now", stamp(NOW)).returncode == 0
        yield house


def load(house: House, now: datetime) -> None:
    """Delete calls at their vendors, move some, and load a night."""
    control(house.sandbox, "clock", now=stamp(now))
    for vendor in ("whippy", "twin", "zoom"):
        calls = house.truth(vendor, now - 2 * DAY, now - DAY)
        first, second = (call["vendor_call_id"] for call in calls[:2])
        control(house.sandbox, "removed", vendor=vendor, ids=[first])
        start = stamp(now - 1.5 * DAY)
        control(house.sandbox, "moved", vendor=vendor, ids=[second], start=start)
    done = house.run("load", "--now", stamp(now))
    assert done.returncode == 0, done.stderr


def build(house: House, now: datetime, *arguments: str) -> None:
    done = house.run("transform", "--now", stamp(now), *arguments)
    assert done.returncode == 0, done.stderr


def file_of(house: House) -> Path:
    return house.folder / "warehouse/build.duckdb"


def test_the_lake_has_the_tables_of_the_file_row_for_row(
    nights: House, lake_house: LakeHouse
) -> None:
    lake = lake_house.in_lake(nights)
    for number in range(3):
        now = NOW + DAY * number
        if number:
            load(nights, now)
        build(nights, now)
        lake_house.copy_raw(nights)
        build(lake, now)
        assert differences_of(file_of(nights), lake_house.lake()) == []
    for house in (nights, lake):
        build(house, now, "--full")
    assert differences_of(file_of(nights), lake_house.lake()) == []
    assert not any(lake_house.folder.rglob("*.duckdb"))


def test_shards_of_a_lake_make_the_tables_of_one_build(
    nights: House, lake_house: LakeHouse
) -> None:
    lake = lake_house.in_lake(nights)
    lake_house.copy_raw(nights)
    split = {"CALLHOUSE__BUILD__SHARD_SIZE": "20", "CALLHOUSE__BUILD__PROCESSES": "2"}
    now = NOW + 3 * DAY
    build(nights, now, "--full")
    done = lake.run("transform", "--profile", "--now", stamp(now), **split)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("shard ") > 4
    assert differences_of(file_of(nights), lake_house.lake()) == []
    assert not (nights.folder / "warehouse/shards").exists()


def test_data_in_s3_are_the_same(nights: House, s3_house: LakeHouse) -> None:
    lake = s3_house.in_lake(nights)
    s3_house.copy_raw(nights)
    for now in (NOW + 4 * DAY, NOW + 5 * DAY):
        for house in (nights, lake):
            build(house, now)
    assert differences_of(file_of(nights), s3_house.lake()) == []
    assert not any(s3_house.folder.rglob("*.parquet"))


def test_a_build_that_is_killed_leaves_no_trace(
    nights: House, lake_house: LakeHouse
) -> None:
    lake = lake_house.in_lake(nights)
    lake_house.copy_raw(nights)
    build(lake, NOW + 6 * DAY)
    as_of = lake_house.query("select as_of from ops.build_info")
    before = lake_house.snapshots()
    later, chance, killed = stamp(NOW + 7 * DAY), random.Random(1), 0  # noqa: S311
    for _ in range(5):
        process = lake.start("transform", "--now", later, "--full")
        try:
            process.communicate(timeout=chance.uniform(1, 10))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=PATIENCE)
            killed += 1
        else:
            break  # a machine that is faster than that
        assert lake_house.query("select as_of from ops.build_info") == as_of
        assert lake_house.snapshots() == before
    assert killed > 1
    for house in (nights, lake):
        build(house, NOW + 8 * DAY)
    assert differences_of(file_of(nights), lake_house.lake()) == []


def test_a_reader_sees_one_whole_build(nights: House, lake_house: LakeHouse) -> None:
    lake, stop = lake_house.in_lake(nights), lake_house.folder / "stop"
    lake_house.copy_raw(nights)
    build(lake, NOW + 10 * DAY)
    with subprocess.Popen(
        [sys.executable, "-c", READ, stop],
        cwd=nights.folder,
        env=lake.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        for number in range(3):
            build(lake, NOW + (11 + number) * DAY, "--full")
            time.sleep(1)
        stop.touch()
        output, errors = reader.communicate(timeout=PATIENCE)
    assert reader.returncode == 0, errors
    assert len({line.partition(",")[0] for line in output.splitlines()}) > 1
    for line in output.splitlines():
        assert ";" not in line, "one reader saw two builds"
        _, calls, by_day = line.strip("()").rsplit(", ", 2)
        assert calls == by_day


def test_old_snapshots_and_their_files_go(nights: House, lake_house: LakeHouse) -> None:
    lake, data = lake_house.in_lake(nights), Path(lake_house.data, "tables")
    lake_house.copy_raw(nights)
    few = {"CALLHOUSE__KEEP_SNAPSHOTS": "1"}
    for number in range(4):
        now = stamp(NOW + (15 + number) * DAY)
        assert lake.run("transform", "--full", "--now", now, **few).returncode == 0
    assert len(lake_house.lake().versions()) == 2
    files = {*data.rglob("*.parquet")}
    lake_house.lake().clean(0)
    assert files <= {*data.rglob("*.parquet")}, "a reader may need them"
    assert len(lake_house.snapshots()) == 1
    before = lake_house.query("from fact_calls order by all")
    lake_house.lake().forget()
    assert lake_house.query("from fact_calls order by all") == before
    left = {*data.rglob("*.parquet")}
    assert 0 < len(left) < len(files) / 3
    named = lake_house.query(
        "select data_file from ducklake_list_files('calls', 'fact_calls')"
    )
    assert {Path(name) for (name,) in named} <= left


def test_a_rollback_shows_the_tables_of_a_snapshot_until_the_next_build(
    nights: House, lake_house: LakeHouse
) -> None:
    lake = lake_house.in_lake(nights)
    first, second = NOW + 20 * DAY, NOW + 21 * DAY
    build(nights, first, "--full")
    copy = lake_house.folder / "first.duckdb"
    shutil.copyfile(file_of(nights), copy)
    lake_house.copy_raw(nights)
    build(lake, first)
    assert "there is no snapshot" in lake.run("rollback").stderr
    load(nights, second)
    lake_house.copy_raw(nights)
    build(lake, second)
    assert "there is no snapshot 'x'" in lake.run("rollback", "x").stderr
    done = lake.run("rollback", "--now", stamp(second))
    assert done.returncode == 0, done.stderr
    assert differences_of(copy, lake_house.lake()) == []
    assert "to undo it: callhouse rollback snapshot-" in done.stdout
    assert "snapshot-" in lake.run("rollback", "--list").stdout
    found = lake.run("doctor", "--offline", "--now", stamp(second)).stdout
    assert "callhouse rollback published the snapshot" in found
    for house in (nights, lake):
        build(house, second + DAY)
    assert differences_of(file_of(nights), lake_house.lake()) == []
