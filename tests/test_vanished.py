"""A call that its vendor no longer lists is marked, kept, and left out of sums."""

import shutil
from collections.abc import Iterator
from datetime import timedelta

import duckdb
import pytest
from conftest import LAG, VENDORS, House, differences, open_house, stamp

from pipelines.windows import DAY, read_time

NOW = read_time("2026-11-17T03:00:00Z")
TABLE = "select vendor, count(*) from fact_calls where is_deleted group by all"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("vanished")
    with open_house(folder, NOW, days=3, volume=20) as house:
        assert house.night(NOW).returncode == 0
        yield house


def ids_of(house: House, vendor: str, day: str) -> list[str]:
    rows = house.query(
        "select vendor_call_id from fact_calls where not is_deleted and vendor = "
        f"'{vendor}' and started_at::date = '{day}' order by 1"
    )
    return [call_id for (call_id,) in rows]


def test_calls_gone_are_marked_and_left_out_and_return_when_listed_again(
    house: House,
) -> None:
    """Every third call of a Monday, and all of them at one vendor."""
    gone = {vendor: ids_of(house, vendor, "2026-11-16")[::3] for vendor in VENDORS}
    gone["whippy"] = ids_of(house, "whippy", "2026-11-16")
    ids = [one for found in gone.values() for one in found]
    assert min(map(len, gone.values())) > 0
    house.post("removed", {"ids": ids})
    assert house.night(NOW + timedelta(hours=1)).returncode == 0
    assert dict(house.query(TABLE)) == {v: len(found) for v, found in gone.items()}
    assert differences(house, NOW + timedelta(hours=1), 3) == []
    (counted,) = house.query("select sum(calls) from daily_calls")
    (held,) = house.query("select count(*) from fact_calls where not is_deleted")
    assert counted == held

    before = house.query("select * from fact_calls order by call_key")
    assert house.night(NOW + timedelta(hours=1)).returncode == 0
    assert house.query("select * from fact_calls order by call_key") == before

    house.post("removed", {"ids": ids, "removed": False})
    later = NOW + timedelta(hours=2)
    assert house.night(later).returncode == 0
    assert house.query(TABLE) == []
    assert differences(house, later, 3) == []


def test_a_call_that_moves_between_windows_is_not_taken_for_gone(house: House) -> None:
    """TWIN's calls leave the window of the time of their last change every night."""
    for night in (1, 2, 3):
        done = house.night(NOW + night * DAY, "--vendor", "twin")
        assert done.returncode == 0, done.stderr
    assert house.query(TABLE) == []
    truth = house.truth("twin", NOW, NOW + 3 * DAY - LAG)
    held = house.query("select vendor_call_id from fact_calls where vendor = 'twin'")
    assert {call["vendor_call_id"] for call in truth} <= {one for (one,) in held}


def test_another_machine_with_the_raw_files_alone_goes_on_from_them(
    house: House,
) -> None:
    """All else in a warehouse is made from them: the tables, and what to ask next."""
    moved = house.folder / "moved"
    shutil.copytree(house.folder / "warehouse" / "raw", moved / "raw")
    now = NOW + 3 * DAY
    zoom = "select call_key, cost_total from fact_calls where vendor = 'zoom'"
    before = set(house.query(zoom))
    there = {"CALLHOUSE__WAREHOUSE": str(moved)}
    house.post("clock", {"now": stamp(now)})
    done = house.run("run", "--vendor", "zoom", "--now", stamp(now), **there)
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(moved / "calls.duckdb"), read_only=True) as connection:
        held = set(connection.execute(zoom).fetchall())
        purposes = connection.execute(
            "select distinct purpose from ops.load_windows where vendor = 'zoom' "
            f"and started_at >= '{now}'"
        ).fetchall()
    assert {key for key, _ in before} <= {key for key, _ in held}
    assert {key for key, _ in held} >= {
        f"zoom:{call['account']}:{call['vendor_call_id']}"
        for call in house.truth("zoom", NOW, now - LAG)
    }
    assert ("lookback",) in purposes
