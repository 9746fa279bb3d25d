"""A warehouse moves into a lake and back, without a request, and nothing is lost."""

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import VENDORS, House, differences, open_house
from lakes import InLake, LakeHouse, differences_of
from patience import PATIENCE
from sandbox_control import asked_of, control, stamp

from pipelines.planning.windows import DAY, read_time
from pipelines.warehouse.ledger import past_reads
from pipelines.warehouse.opening import is_present

NOW = read_time("2026-11-17T03:00:00Z")
DAYS = 3


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a warehouse of files with two nights in it."""
    folder = tmp_path_factory.mktemp("loaded")
    with open_house(folder, NOW, days=DAYS, volume=10) as house:
        for now in (NOW, NOW + DAY):
            done = house.night(now)
            assert done.returncode == 0, done.stderr
        yield house


def raw_of(house: House, vendor: str) -> Path:
    return house.folder / f"warehouse/raw/{vendor}.duckdb"


def unequal(house: House, place: LakeHouse) -> list[str]:
    """Compare everything that a warehouse of files and a lake have."""
    found = differences_of(house.folder / "warehouse/build.duckdb", place.lake())
    for vendor in VENDORS:
        found += differences_of(raw_of(house, vendor), place.lake(f"raw_{vendor}"))
    return found


def as_files(house: InLake, folder: Path) -> House:
    """Give a folder of its own for the way back."""
    without = {"CALLHOUSE__WAREHOUSE__KIND": ""}
    return House(folder, house.sandbox, {**house.environment, **without})


@pytest.mark.parametrize("place", ["lake_house", "s3_house"])
def test_a_warehouse_goes_into_a_lake_and_back_and_goes_on(
    loaded: House, place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    own: LakeHouse = request.getfixturevalue(place)
    lake, asked = own.in_lake(loaded), asked_of(loaded.sandbox)
    there = lake.run("warehouse", "copy", "--to", "lake", "--json")
    assert there.returncode == 0, there.stderr
    assert unequal(loaded, own) == []
    again = lake.run("warehouse", "copy", "--to", "lake", "--json")
    assert '"is_new": true' in there.stdout
    assert '"is_new": true' not in again.stdout
    files = as_files(lake, tmp_path / "files")
    files.folder.mkdir()
    back = files.run("warehouse", "copy", "--to", "file")
    assert back.returncode == 0, back.stderr
    assert unequal(files, own) == []
    assert asked_of(loaded.sandbox) == asked
    for house in (replace(lake, folder=tmp_path), files):
        done = house.night(NOW + 2 * DAY)
        assert done.returncode == 0, done.stderr
        assert differences(house, NOW + 2 * DAY, DAYS) == []
    for vendor in VENDORS:
        first = {read.load_no for read in past_reads(raw_of(loaded, vendor))}
        later = {read.load_no for read in past_reads(raw_of(files, vendor))}
        assert first < later
        assert max(first) < min(later - first)


def there(house: House, lakes: LakeHouse, to: str) -> int:
    """Return of how many vendors there is something in the target of a copy."""
    places = [
        raw_of(house, one) if to == "file" else lakes.lake(f"raw_{one}")
        for one in VENDORS
    ]
    return sum(map(is_present, places))


def test_a_copy_that_is_killed_is_finished_by_the_same_command(
    loaded: House, lake_house: LakeHouse, tmp_path: Path
) -> None:
    lake = lake_house.in_lake(loaded)
    files = as_files(lake, tmp_path / "files")
    files.folder.mkdir()
    chance = random.Random(5)  # noqa: S311 - a test's
    for house, to in ((lake, "lake"), (files, "file")):
        killed = 0
        for wanted in range(len(VENDORS)):
            process = house.start("warehouse", "copy", "--to", to)
            while process.poll() is None and there(house, lake_house, to) < wanted:
                time.sleep(0.02)
            time.sleep(chance.uniform(0, 1))
            process.kill()
            process.communicate(timeout=PATIENCE)
            killed += process.returncode == -signal.SIGKILL
            for vendor in VENDORS:
                one = raw_of(house, vendor) if to == "file" else None
                own = lake_house.lake(f"raw_{vendor}")
                if is_present(one or own):
                    assert differences_of(one or raw_of(loaded, vendor), own) == []
        assert killed > 1
        done = house.run("warehouse", "copy", "--to", to)
        assert done.returncode == 0, done.stderr
    assert unequal(files, lake_house) == []


def test_newer_loads_are_not_lost_by_a_copy(
    loaded: House, lake_house: LakeHouse
) -> None:
    lake = lake_house.in_lake(loaded)
    none = lake.run("warehouse", "copy", "--to", "file")
    assert none.returncode == 2
    assert "there is nothing to copy in the lake" in none.stderr
    assert lake.run("warehouse", "copy", "--to", "lake").returncode == 0
    control(lake.sandbox, "clock", now=stamp(NOW + 3 * DAY))
    newer = lake.run("load", "--now", stamp(NOW + 3 * DAY), "--vendor", "whippy")
    assert newer.returncode == 0, newer.stderr
    refused = lake.run("warehouse", "copy", "--to", "lake")
    assert refused.returncode == 2
    assert "the lake raw_whippy" in refused.stderr
    assert "loads that would be lost" in refused.stderr
    done = lake.run("warehouse", "copy", "--to", "lake", "--replace")
    assert done.returncode == 0, done.stderr
    assert unequal(loaded, lake_house) == []
