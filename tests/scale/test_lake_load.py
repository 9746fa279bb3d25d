"""Loads into a lake: as whole as into a file, also when they are killed."""

import random
import subprocess
from collections.abc import Iterator

import pytest
from conftest import differences, open_house
from lakes import InLake, LakeHouse
from patience import PATIENCE
from sandbox_control import control, stamp

from pipelines.commands.verify import missing_windows
from pipelines.planning.windows import DAY, read_time
from pipelines.sources import streams_of, vendors
from pipelines.warehouse.ledger import stored_windows, unbalanced
from pipelines.warehouse.opening import is_present

NOW = read_time("2026-11-17T03:00:00Z")
DAYS = 3


@pytest.fixture
def house(
    tmp_path_factory: pytest.TempPathFactory, lake_house: LakeHouse
) -> Iterator[InLake]:
    """Give an empty warehouse whose tables are in a lake, and a sandbox."""
    folder = tmp_path_factory.mktemp("load")
    with open_house(folder, NOW, days=DAYS, volume=10) as house:
        yield lake_house.in_lake(house)


def refuse_torn(house: InLake) -> None:
    """Fail if a window counts as read and has not all of its records."""
    for vendor in vendors():
        raw = house.place.lake(f"raw_{vendor}")
        if not is_present(raw):
            continue
        assert [row for row in unbalanced(raw) if row[3]] == []
        for stream in streams_of(vendor):
            if stream.is_by_own_time:
                assert missing_windows(stored_windows(raw, stream)) == []


def test_a_lake_has_the_calls_that_the_vendors_have(house: InLake) -> None:
    for number in range(3):
        now = NOW + DAY * number
        if number:
            calls = house.truth("whippy", now - 2 * DAY, now - DAY)
            first, second = (call["vendor_call_id"] for call in calls[:2])
            if number == 1:  # it takes a second night to believe it
                control(house.sandbox, "removed", vendor="whippy", ids=[first])
            start = stamp(now - 1.5 * DAY)
            control(house.sandbox, "moved", vendor="whippy", ids=[second], start=start)
        done = house.night(now)
        assert done.returncode == 0, done.stderr
        refuse_torn(house)
    assert differences(house, now, DAYS) == []
    assert house.query("select count(*) from fact_calls where is_deleted") != [(0,)]
    assert not any(house.folder.rglob("*.duckdb"))


def test_a_load_that_is_killed_leaves_all_of_a_window_or_nothing(
    house: InLake,
) -> None:
    chance, killed = random.Random(3), 0  # noqa: S311 - a test's
    for _ in range(8):
        process = house.start("load", "--now", stamp(NOW))
        try:
            process.communicate(timeout=chance.uniform(3, 12))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=PATIENCE)
            killed += 1
        refuse_torn(house)
    assert killed > 1
    done = house.night(NOW)
    assert done.returncode == 0, done.stderr
    refuse_torn(house)
    assert differences(house, NOW, DAYS) == []


def test_commands_that_read_records_read_those_of_the_lake(house: InLake) -> None:
    done = house.night(NOW)
    assert done.returncode == 0, done.stderr
    ((key,),) = house.query("select call_key from fact_calls where vendor = 'zoom'")[:1]
    told = house.run("explain", key)
    assert told.returncode == 0, told.stderr
    assert "first seen" in told.stdout or "version" in told.stdout
    own = house.run("query", "--raw", "select count(*) from raw.zoom__voice_calls")
    assert own.returncode == 0, own.stderr
    checked = house.run("doctor", "--offline", "--now", stamp(NOW))
    assert "wrong" not in checked.stdout.replace("wrong   schedule", "")
    assert "broken" not in checked.stdout
    verified = house.run("verify", "--now", stamp(NOW))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert house.run("quarantine", "list").returncode == 0
    assert house.run("status", "--now", stamp(NOW)).returncode == 0
