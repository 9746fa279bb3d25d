"""A warehouse from which rows were deleted by hand is found out, row by row."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import TABLES, VENDORS, House, open_house
from sandbox_control import stamp

from pipelines.planning.windows import read_time

FIRST = read_time("2026-11-09T03:00:00Z")
NOW = read_time("2026-11-17T03:00:00Z")
AT = stamp(NOW)
OLD = "2026-11-11"
"""A day that no night of today reads again."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a history read last week, and once more in one night of today."""
    folder = tmp_path_factory.mktemp("verify")
    with open_house(folder, FIRST, days=2, volume=10) as house:
        assert house.run("load", "--now", stamp(FIRST)).returncode == 0
        assert house.night(NOW).returncode == 0
        kept = house.folder / "kept"
        shutil.copytree(house.folder / "warehouse", kept, symlinks=True)
        yield house


@pytest.fixture(autouse=True)
def whole(house: House) -> Iterator[None]:
    """Leave the warehouse and the sandbox as they were."""
    yield
    shutil.rmtree(house.folder / "warehouse")
    shutil.copytree(house.folder / "kept", house.folder / "warehouse", symlinks=True)
    house.disarm()
    house.undo()


def verify(house: House, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    done = house.run("verify", "--json", "--now", AT, *arguments)
    assert done.returncode in {0, 1}, done.stderr
    verdicts = json.loads(done.stdout)
    return done.returncode, [found for one in verdicts for found in one["findings"]]


def mend(house: House, findings: list[dict[str, Any]]) -> None:
    """Run every remedy, word by word, as an operator would."""
    for remedy in dict.fromkeys(found["remedy"] for found in findings):
        program, *words = remedy.split()
        assert program == "callhouse"
        done = house.run(*words, "--now", AT)
        assert done.returncode == 0, done.stderr


def change(file: Path, sql: str) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(sql)


def raw(house: House, vendor: str) -> Path:
    return house.folder / "warehouse" / "raw" / f"{vendor}.duckdb"


@pytest.mark.soak
def test_a_warehouse_that_was_left_alone_agrees_for_a_request_or_two_a_window(
    house: House,
) -> None:
    done = house.run("verify", "--json", "--now", AT)
    verdicts = json.loads(done.stdout)
    assert (done.returncode, {one["vendor"] for one in verdicts}) == (0, {*VENDORS})
    for one in verdicts:
        assert one["findings"] == []
        assert one["requests"] <= 2 * one["windows"]
        assert one["records"] > 0


@pytest.mark.parametrize(
    "vendor",
    [
        pytest.param(one, marks=() if one == "twin" else pytest.mark.soak)
        for one in VENDORS
    ],
)
def test_a_row_and_a_day_deleted_by_hand_are_named_and_mended_as_told(
    house: House, vendor: str
) -> None:
    table = TABLES[vendor]
    change(
        raw(house, vendor),
        f"delete from raw.{table} where event_at::date = '{OLD}';"
        f"delete from raw.{table} where record_id = (select min(record_id) "
        f"from raw.{table} where event_at::date = '2026-11-16')",
    )
    code, findings = verify(house)
    assert code == 1
    assert {(one["vendor"], one["start"][:10], one["kind"]) for one in findings} == {
        (vendor, OLD, "missing"),
        (vendor, "2026-11-16", "missing"),
    }
    day, row = sorted(findings, key=lambda one: one["start"])
    assert (day["stored"], row["expected"] - row["stored"]) == (0, 1)
    assert f"--vendor {vendor} --from {OLD} --to {OLD}" in day["remedy"]
    mend(house, findings)
    assert verify(house, "--vendor", vendor) == (0, [])


@pytest.mark.soak
def test_a_page_that_the_ledger_never_knew_is_found_by_the_vendors_total(
    house: House,
) -> None:
    change(
        raw(house, "whippy"),
        f"delete from raw.calls where event_at between '{OLD}T08:00:00Z' "
        f"and '{OLD}T18:00:00Z';"
        "update raw.load_windows set rows_inside = 0, rows_distinct = 0, "
        f"vendor_total = 0 where window_start = '{OLD}T00:00:00Z'",
    )
    _, findings = verify(house, "--vendor", "whippy")
    (found,) = findings
    assert (found["kind"], found["start"][:10]) == ("different", OLD)
    assert found["expected"] > found["stored"]
    mend(house, findings)
    assert verify(house, "--vendor", "whippy") == (0, [])


@pytest.mark.soak
@pytest.mark.parametrize(
    "vendor", ["voximplant", pytest.param("zoom", marks=pytest.mark.soak)]
)
def test_a_call_deleted_long_ago_is_found_and_the_remedy_marks_it(
    house: House, vendor: str
) -> None:
    """A vendor that counts fewer: the remedy asks its operator to confirm that.

    The call lies at an edge of its day, so the day beside it counts fewer as well.
    """
    ((gone,),) = house.query(
        f"select min(vendor_call_id) from fact_calls where vendor = '{vendor}'"
        f" and started_at::date = '{OLD}'"
    )
    house.post("removed", {"vendor": vendor, "ids": [gone]})
    _, findings = verify(house, "--vendor", vendor)
    assert {one["kind"] for one in findings} == {"different"}
    assert OLD in {one["start"][:10] for one in findings}
    assert all("--confirm-deletions" in one["remedy"] for one in findings)
    mend(house, findings)
    assert verify(house, "--vendor", vendor) == (0, [])
    deleted = house.query("select vendor_call_id from fact_calls where is_deleted")
    assert deleted == [(gone,)]


def test_a_vendor_that_counts_nothing_is_not_confirmed(house: House) -> None:
    house.post("blank", {"vendor": "whippy"})
    _, findings = verify(house, "--vendor", "whippy")
    assert findings
    assert not any("confirm" in found["remedy"] for found in findings)


@pytest.mark.soak
def test_calls_that_the_published_tables_lack_are_named_by_day(house: House) -> None:
    published = house.folder / "warehouse" / "calls.duckdb"
    there = f"from fact_calls where vendor = 'twin' and started_at::date = '{OLD}'"
    ((calls,),) = house.query(f"select count(*) {there}")
    change(published, f"delete {there}")
    _, findings = verify(house, "--vendor", "twin")
    assert {(one["vendor"], one["kind"]) for one in findings} == {("twin", "unbuilt")}
    assert sum(one["expected"] for one in findings) == calls > 0
    assert {one["remedy"] for one in findings} == {"callhouse transform --full"}
    mend(house, findings)
    assert verify(house, "--vendor", "twin") == (0, [])


def test_only_the_days_that_were_asked_about_are_compared(house: House) -> None:
    change(
        raw(house, "zoom"),
        f"delete from raw.voice_calls where event_at::date = '{OLD}'",
    )
    zoom = ("--vendor", "zoom")
    assert verify(house, *zoom, "--from", "2026-11-12")[0] == 0
    assert verify(house, *zoom, "--from", OLD, "--to", OLD)[0] == 1


def test_a_vendor_that_does_not_answer_is_told_of_and_not_taken_as_agreeing(
    house: House,
) -> None:
    house.post("faults", {"vendor": "whippy", "kind": "html", "times": 1000})
    code, findings = verify(house, "--vendor", "whippy", "--from", OLD)
    assert code == 1
    assert {one["kind"] for one in findings} == {"unknown"}
