"""Who is erased is in no byte of a lake, and never was in Postgres."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import open_house
from lakes import InLake, LakeHouse
from patience import PATIENCE
from sandbox_control import control, stamp

from pipelines.planning.windows import DAY, read_time

NOW = read_time("2026-11-17T03:00:00Z")


@pytest.fixture
def house(
    tmp_path_factory: pytest.TempPathFactory, lake_house: LakeHouse
) -> Iterator[InLake]:
    folder = tmp_path_factory.mktemp("erase")
    with open_house(folder, NOW, days=3, volume=10) as house:
        lake = lake_house.in_lake(house)
        done = lake.night(NOW)
        assert done.returncode == 0, done.stderr
        yield lake


def digits_of(house: InLake) -> str:
    """Return the number of somebody with calls at several vendors."""
    ((number,),) = house.query(
        "select customer_number from fact_calls where customer_number is not null"
        " group by all order by count(distinct vendor) desc, count(*) desc, 1 limit 1"
    )
    return str(number).removeprefix("+")


def in_postgres(house: InLake, digits: str) -> list[str]:
    """Search all bytes of Postgres: tables, statistics, log."""
    house.place.postgres.execute("checkpoint")
    files = [one for one in house.place.postgres.folder.rglob("*") if one.is_file()]
    assert any("pg_wal" in one.parts for one in files)
    return [str(one) for one in files if digits.encode() in one.read_bytes()]


def in_data(house: InLake, digits: str) -> list[str]:
    """Search every value of every file of the lake's folder, whoever it belongs to."""
    files = [one for one in Path(house.place.data).rglob("*") if one.is_file()]
    assert files
    found = []
    with duckdb.connect() as connection:
        for file in files:
            rows = connection.read_parquet(str(file)).fetchall()
            if any(digits in re.sub(r"[\s().-]", "", str(row)) for row in rows):
                found.append(str(file))
    return found


def refuse_left(house: InLake, digits: str) -> None:
    assert in_postgres(house, digits) == []
    assert in_data(house, digits) == []
    for file in house.folder.rglob("*"):
        assert not file.is_file() or digits.encode() not in file.read_bytes(), file


def test_a_number_is_in_no_byte_and_stays_so(house: InLake) -> None:
    digits = digits_of(house)
    costs = "select sum(cost_total), count(*) from fact_calls group by currency"
    before = sorted(house.query(costs), key=str)
    assert in_postgres(house, digits) == []
    assert len(in_data(house, digits)) > 2
    done = house.run("erase", f"+{digits}", "--now", stamp(NOW))
    assert done.returncode == 0, done.stderr
    assert "the number is in none of" in done.stdout
    refuse_left(house, digits)
    assert sorted(house.query(costs), key=str) == before
    again = house.night(NOW + DAY)
    assert again.returncode == 0, again.stderr
    refuse_left(house, digits)
    assert "there is no snapshot" not in house.run("rollback", "--list").stderr


def test_an_erasure_that_is_killed_is_finished_by_the_next_build(
    house: InLake,
) -> None:
    digits = digits_of(house)
    process = house.start("erase", f"+{digits}", "--now", stamp(NOW))
    try:
        process.communicate(timeout=9)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate(timeout=PATIENCE)
    done = house.run("erase", f"+{digits}", "--now", stamp(NOW))
    assert done.returncode == 0, done.stderr
    refuse_left(house, digits)


def test_what_a_vendor_erases_itself_goes_with_the_next_run(house: InLake) -> None:
    ((call, number),) = house.query(
        "select vendor_call_id, customer_number from fact_calls where vendor = 'twin'"
        " and customer_number in (select customer_number from fact_calls"
        " where customer_number is not null group by all having count(*) = 1)"
        " order by started_at desc limit 1"
    )
    control(house.sandbox, "erased", vendor="twin", ids=[call])
    done = house.night(NOW + DAY)
    assert done.returncode == 0, done.stderr
    refuse_left(house, number.removeprefix("+"))
    erased = house.query(
        f"select is_erased from fact_calls where vendor_call_id = '{call}'"
    )
    assert erased == [(True,)]
