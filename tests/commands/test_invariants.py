"""``callhouse doctor`` finds each invariant that was broken by hand, and no other."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import TUESDAY, House, copy_of, open_house
from sandbox_control import stamp

RAW, BUILD, PUBLISHED = "raw/whippy.duckdb", "build.duckdb", "calls.duckdb"
BACK = """
    insert into raw.calls
    select
        * replace (load_no + 9 as load_no, fetched_at - interval '2 days' as fetched_at)
    from raw.calls
    limit 1
"""
BREAKS = {
    "I2": (RAW, "delete from raw.calls where event_at < '2026-11-17'"),
    "I5": (RAW, BACK),
    "I7": (RAW, "delete from raw.load_windows where window_start = '2026-11-16'"),
    "I8": (RAW, "update raw.load_windows set rows_received = rows_received + 1"),
    "I3": (PUBLISHED, "insert into fact_calls from fact_calls limit 1"),
    "I6": (PUBLISHED, "delete from daily_calls"),
    "I9": (PUBLISHED, "update fact_calls set agent_name = 'nobody'"),
    "I10": (PUBLISHED, "update fact_calls set cost_total = cost_total + 0.000001"),
}
"""What breaks each, in which file; some break others, too."""
ALSO = {
    "I3": {"I3", "I6", "I9"},
    "I10": {"I9", "I10"},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("invariants")
    with open_house(folder, TUESDAY, days=2, volume=6) as house:
        names = ("--vendor", "whippy", "--vendor", "twin")
        assert house.night(TUESDAY, *names).returncode == 0
        yield house


def broken(house: House, *arguments: str, **changed: str) -> tuple[int, dict[str, str]]:
    asks = () if "--verify" in arguments else ("--offline",)
    words = ("doctor", "--json", "--now", stamp(TUESDAY), *asks, *arguments)
    done = house.run(*words, **changed)
    found = {one["name"]: one for one in json.loads(done.stdout)["invariants"]}
    return done.returncode, {
        name: "; ".join(one["where"])
        for name, one in found.items()
        if one["state"] != "holds"
    }


def test_a_healthy_warehouse_breaks_none(house: House) -> None:
    assert broken(house) == (0, {})


@pytest.mark.soak
@pytest.mark.parametrize("mode", ["masked", "hashed"])
def test_protected_numbers_are_no_other_contents(
    house: House, tmp_path: Path, mode: str
) -> None:
    own = copy_of(house, tmp_path)
    shown = {"CALLHOUSE__PRIVACY__PHONE_NUMBERS": mode}
    assert own.run("transform", "--now", stamp(TUESDAY), **shown).returncode == 0
    assert broken(own, **shown) == (0, {})
    with duckdb.connect(str(own.published)) as connection:
        connection.execute("update fact_calls set total_seconds = total_seconds + 1")
    code, found = broken(own, **shown)
    assert (code, found.keys()) == (1, {"I9"})


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_named(house: House, name: str, tmp_path: Path) -> None:
    file, sql = BREAKS[name]
    path = (house.folder / "warehouse" / file).resolve()
    shutil.copy(path, tmp_path / "whole")
    try:
        with duckdb.connect(str(path)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(sql)
        code, found = broken(house)
    finally:
        shutil.copy(tmp_path / "whole", path)
    assert code == 1
    assert found.keys() == ALSO.get(name, {name}), found


@pytest.mark.soak
def test_a_list_that_an_account_may_not_read_has_no_holes(
    house: House, tmp_path: Path
) -> None:
    """Of Zoom's second list each command asks for one window, and is refused."""
    own = copy_of(house, tmp_path)
    assert own.night(TUESDAY, "--vendor", "zoom").returncode == 0
    day = ("--from", f"{TUESDAY:%Y-%m-%d}", "--now", stamp(TUESDAY))
    assert own.run("backfill", "--vendor", "zoom", "--force", *day).returncode == 0
    with duckdb.connect(str(own.folder / "warehouse/raw/zoom.duckdb")) as connection:
        refused = connection.execute(
            "select reason, count(distinct window_start) from raw.load_windows "
            "where stream = 'engagements' group by all"
        ).fetchall()
    assert refused == [("not_authorized", 2)]
    assert broken(own) == (0, {})


def test_what_is_broken_is_named_though_not_all_can_be_checked(
    house: House, tmp_path: Path
) -> None:
    own = copy_of(house, tmp_path)
    with duckdb.connect(str(own.folder / "warehouse" / RAW)) as connection:
        connection.execute(BREAKS["I8"][1])
        connection.execute(
            "update raw.load_windows set rows_stored = null where window_start = "
            "(select min(window_start) from raw.load_windows)"
        )
    code, found = broken(own)
    assert (code, found.keys()) == (1, {"I8"})
    assert "not every record is stored" in found["I8"]
    assert "of an older version" in found["I8"]


def test_what_cannot_be_checked_is_named(house: House, tmp_path: Path) -> None:
    build = house.folder / "warehouse" / BUILD
    build.rename(tmp_path / BUILD)
    try:
        _, found = broken(house)
    finally:
        (tmp_path / BUILD).rename(build)
    assert found.keys() == {"I6", "I9"}
    assert all("is not there to compare with" in where for where in found.values())
