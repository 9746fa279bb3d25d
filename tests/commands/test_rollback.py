"""A snapshot can be published again, as a build is published."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import House, copy_of, open_house
from sandbox_control import stamp

from pipelines.planning.windows import DAY, read_time
from pipelines.warehouse.journal import read_runs
from pipelines.warehouse.paths import Warehouse

NOW = read_time("2026-11-17T03:00:00Z")
VENDOR = ("--vendor", "whippy")
CALLS = "select call_key, total_seconds from fact_calls order by all"
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
