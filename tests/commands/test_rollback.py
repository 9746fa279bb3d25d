"""A snapshot can be published again, as a build is published."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import House, Row, copy_of, open_house
from sandbox_control import stamp

from pipelines.planning.windows import DAY, read_time
from pipelines.warehouse.journal import read_runs
from pipelines.warehouse.paths import Warehouse

NOW = read_time("2026-11-17T03:00:00Z")
VENDOR = ("--vendor", "whippy")
CALLS = "select call_key, total_seconds from fact_calls order by all"
BEFORE_BLOCKS = 3 * 4096
"""Bytes of a DuckDB file before its first block."""
RUNS = [NOW, NOW + DAY, NOW + 2 * DAY]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a warehouse with two snapshots, one of each earlier run."""
    with open_house(tmp_path_factory.mktemp("rollback"), NOW, days=2, volume=9) as one:
        for now in RUNS:
            assert one.night(now, *VENDOR).returncode == 0
        yield one


@pytest.fixture
def own(house: House, tmp_path: Path) -> House:
    return copy_of(house, tmp_path)


def snapshots(house: House) -> list[str]:
    folder = Warehouse(house.folder / "warehouse").snapshots
    return sorted((one.stem for one in folder.iterdir()), reverse=True)


def later(house: House, *arguments: str) -> tuple[int, str, str]:
    now = stamp(RUNS[-1] + timedelta(hours=1))
    done = house.run("rollback", *arguments, "--now", now)
    return done.returncode, done.stdout, done.stderr


def test_the_newest_snapshot_is_published_and_what_it_replaces_is_one(
    own: House,
) -> None:
    newest, calls = snapshots(own)[0], own.query(CALLS)
    code, said, _ = later(own)
    assert (code, newest in said) == (0, True)
    assert "next run or transform publishes newer" in said
    assert len(own.query(CALLS)) < len(calls)
    assert own.query("select as_of from ops.build_info") == [(RUNS[1],)]
    replaced = snapshots(own)[0]
    assert f"rollback {replaced}" in said
    (row,) = [
        row
        for row in read_runs(Warehouse(own.folder / "warehouse")).to_pylist()
        if row["command"] == "rollback"
    ]
    assert (row["outcome"], row["note"]) == (
        "complete",
        f"published the snapshot {newest}",
    )
    assert own.run("rollback", replaced).returncode == 0
    assert own.query(CALLS) == calls
    assert own.run("transform", "--now", stamp(RUNS[-1])).returncode == 0
    assert own.query(CALLS) == calls
    assert own.query("select count(*) from ops.runs where command = 'rollback'") == [
        (2,)
    ]


def test_snapshots_are_listed_with_their_time_and_calls(own: House) -> None:
    listed = own.run("rollback", "--list", "--json")
    assert listed.returncode == 0
    found = json.loads(listed.stdout)
    assert [one["name"] for one in found] == snapshots(own)
    assert [one["as_of"] for one in found] == [stamp(RUNS[1]), stamp(RUNS[0])]
    for one in found:
        assert later(own, one["name"])[0] == 0
        assert own.query("select count(*) from fact_calls") == [(one["calls"],)]


def test_without_a_snapshot_one_sentence_says_so(own: House) -> None:
    assert "no snapshot 'other'" in later(own, "other")[2]
    shutil.rmtree(Warehouse(own.folder / "warehouse").snapshots)
    code, _, said = later(own)
    assert (code, len(said.splitlines())) == (2, 1)
    assert "there is no snapshot in" in said


def test_a_damaged_snapshot_is_refused_and_the_next_older_one_is_named(
    own: House,
) -> None:
    newest, older = snapshots(own)
    for name, expected in (
        (newest, f"callhouse rollback {older}"),
        (older, "no older"),
    ):
        path = Warehouse(own.folder / "warehouse").snapshots / f"{name}.duckdb"
        text = path.read_bytes()
        path.unlink()
        half = len(text) // 2  # it opens, and what is in it cannot be read
        path.write_bytes(text[:half] + bytes(len(text) - half))
        before = own.published.resolve()
        code, _, said = later(own, name)
        assert (code, len(said.splitlines())) == (2, 1)
        assert expected in said
        assert own.published.resolve() == before


def test_damage_that_only_a_full_read_finds_is_refused_too(own: House) -> None:
    newest = snapshots(own)[0]
    path = Warehouse(own.folder / "warehouse").snapshots / f"{newest}.duckdb"
    with duckdb.connect(str(path), read_only=True) as file:
        ((block,),) = file.execute(
            "select max(block_id) from pragma_storage_info('fact_calls') "
            "where column_name = 'call_key' and segment_type = 'VARCHAR'"
        ).fetchall()
        (size,) = file.execute(
            "select block_size from pragma_database_size()"
        ).fetchone()
    text = bytearray(path.read_bytes())
    text[BEFORE_BLOCKS + block * size + size // 2] ^= 0xFF
    path.unlink()  # the published file is the same one
    path.write_bytes(text)
    with duckdb.connect(str(path), read_only=True) as file:
        assert file.execute("select count(*) from fact_calls").fetchone()
    before = own.published.resolve()
    code, _, said = later(own, newest)
    assert (code, len(said.splitlines())) == (2, 1), said
    assert "is damaged" in said
    assert own.published.resolve() == before


def test_the_doctor_says_that_a_snapshot_is_published_until_a_build_is(
    own: House,
) -> None:
    now = stamp(RUNS[-1] + timedelta(hours=2))
    newest = snapshots(own)[0]
    assert later(own)[0] == 0
    code, (one,), states = examined(own, now)
    assert code == 1, "analysts do not see all that is here"
    assert Path(one["file"]).name == own.published.name
    assert f"callhouse rollback published the snapshot {newest}" in one["problem"]
    assert one["remedy"].endswith("callhouse transform")
    assert states == {"I2": "unchecked", "I6": "unchecked", "I9": "unchecked"}
    assert own.run("rollback", snapshots(own)[0], "--now", now).returncode == 0
    assert examined(own, now) == (0, [], {}), "undone, it is the newest build again"


def examined(house: House, now: str) -> tuple[int, list[Row], dict[str, str]]:
    """Return the doctor's exit code, the files not good, the invariants not held."""
    done = house.run("doctor", "--json", "--offline", "--now", now)
    found = json.loads(done.stdout)
    bad = [one for one in found["files"] if one["remedy"]]
    states = {one["name"]: one["state"] for one in found["invariants"]}
    return done.returncode, bad, {n: s for n, s in states.items() if s != "holds"}
