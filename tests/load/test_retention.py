"""What is too old in quarantine is removed, and what was counted stays counted."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import TABLES, House, Row, copy_of, differences, open_house
from people import FORMS, OTHERS, SUMS, house_of_two_nights, records
from people import House as People
from reading import EVENING
from sandbox_control import stamp

from pipelines.config.model import Config
from pipelines.config.privacy import Privacy
from pipelines.load.retention import apply_retention
from pipelines.planning.windows import DAY, read_time
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.suppression_list import unfinished

NOW = read_time("2026-11-17T03:00:00Z")
ONLY = ("--vendor", "zoom")
DAYS = "CALLHOUSE__PRIVACY__QUARANTINE_DAYS"
MALFORMED: dict[str, object] = {
    "vendor": "zoom",
    "kind": "malformed_record",
    "variant": "all",
    "times": 99,
}


@pytest.fixture(scope="module")
def sandbox_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("retention")
    with open_house(folder, NOW, days=2, volume=8) as house:
        yield house


@pytest.fixture
def house(sandbox_house: House, tmp_path: Path) -> House:
    """Give a warehouse with records in quarantine that came once, a day ago."""
    environment = {**sandbox_house.environment}
    one = replace(sandbox_house, folder=tmp_path, environment=environment)
    one.post("faults", MALFORMED)
    assert one.night(NOW, *ONLY).returncode == 1
    one.disarm()
    assert one.night(NOW + DAY, *ONLY).returncode == 0
    return one


def listed(house: House) -> list[Row]:
    rows: list[Row] = json.loads(house.run("quarantine", "list", "--json").stdout)
    return rows


def stored(house: House) -> list[tuple[str, ...]]:
    raw = Warehouse(house.folder / "warehouse").raw("zoom")
    with duckdb.connect(str(raw), read_only=True) as file:
        return file.execute(
            "select payload, reason from raw.quarantine order by all"
        ).fetchall()


def later(house: House, days: float, *, keep: str = "") -> str:
    house.environment[DAYS] = keep
    done = house.night(NOW + days * DAY, *ONLY)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.soak
def test_the_text_of_old_records_is_removed_and_their_counts_stay(house: House) -> None:
    before, ledger = (
        listed(house),
        house.query(
            "select vendor, window_start, rows_quarantined from ops.load_windows"
            " where rows_quarantined > 0 order by all"
        ),
    )
    rows = stored(house)
    assert rows
    assert later(house, 1.5).count("removed") == 0, "without the setting nothing is"
    assert later(house, 1.6, keep="2").count("removed") == 0, "it is not old enough"
    assert stored(house) == rows
    said = later(house, 2.1, keep="2")
    assert f"zoom: removed the text of {before[0]['records']} records" in said
    after = stored(house)
    assert len(after) == len(rows)
    assert len({payload for payload, _ in after}) == len({one for one, _ in rows})
    assert all(payload.startswith("removed:") for payload, _ in after)
    assert listed(house) == before
    assert ledger == house.query(
        "select vendor, window_start, rows_quarantined from ops.load_windows"
        " where rows_quarantined > 0 order by all"
    )
    assert house.query("select distinct left(payload, 8) from ops.quarantine") == [
        ("removed:",)
    ]
    assert later(house, 2.2, keep="2").count("removed") == 0, "once is enough"
    assert house.query(
        "select vendor, outcome from ops.runs where command = 'retention'"
    ) == [("zoom", "complete")]
    assert house.run("quarantine", "retry").returncode == 0
    assert stored(house) == after, "what has no text cannot be retried"

    # Its vendor lists it once more as it was, and then mended.
    house.post("faults", MALFORMED)
    again = house.night(NOW + 2.3 * DAY, *ONLY)
    assert again.returncode == 1
    assert "new in quarantine" in again.stderr
    assert {payload.startswith("removed:") for payload, _ in stored(house)} == {
        True,
        False,
    }
    house.disarm()
    later(house, 2.4, keep="2")
    assert {one["open"] for one in listed(house)} == {0}
    assert differences(house, NOW + 2.4 * DAY, 2, ("zoom",)) == []


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    with house_of_two_nights(tmp_path_factory.mktemp("people")) as house:
        yield house


@pytest.fixture
def people(first: People, tmp_path: Path) -> People:
    return first.copied(tmp_path)


@pytest.mark.soak
def test_no_byte_of_a_record_removed_from_quarantine_is_left_even_if_it_is_killed(
    people: People,
) -> None:
    broken = {**records("whippy", OTHERS["whippy"], "7005"), "created_at": None}
    broken["from"], text = "+12025550133", re.compile(rb"2025550133")
    people.vendors.listed["whippy"].append(broken)
    assert people.night(EVENING + DAY / 18).returncode == 1
    people.vendors.reset()
    built = {"raw/whippy.duckdb", "build.duckdb"}
    assert built <= people.seen(text)
    warehouse = people.warehouse
    privacy = Privacy(quarantine_days=1)
    later = EVENING + 3 * DAY
    # A run does this before it builds; killed here, it has freed no byte.
    assert not apply_retention(Config(warehouse, (), privacy=privacy), later)
    assert unfinished(warehouse).keys() == {"whippy"}
    assert built <= people.seen(text)
    assert people.run("transform", "--now", stamp(later)).returncode == 0
    assert not unfinished(warehouse)
    left = {one for one in people.seen(text) if not one.startswith("snapshots/")}
    assert left == set(), "snapshots keep it until they are deleted"


RAW_DAYS = "CALLHOUSE__PRIVACY__RAW_DAYS"
NIGHTS = (1, 2, 3)
TWO = ("--vendor", "twin", "--vendor", "evovoice", "--no-audit")
SAME = (
    (
        "select * exclude (customer_number, customer_number_kind, country, "
        "is_recorded, {lineage}) from fact_calls order by call_key"
    ),
    (
        "select * exclude (from_party, to_party, party_name) from fact_call_legs "
        "order by all"
    ),
    "from daily_calls order by all",
    "from daily_costs order by all",
)
"""What must be as if nothing had been removed."""
LINEAGE = "first_loaded_at, last_loaded_at, load_id"
NUMBERS = (
    "select call_key, customer_number, customer_number_kind, is_erased "
    "from fact_calls where started_at {when} order by all"
)
BUILT = (
    "from fact_calls order by all",
    "from fact_call_legs order by all",
    "from ops.call_changes order by all",
)


def answers(house: House, queries: tuple[str, ...]) -> list[list[tuple[object, ...]]]:
    return [house.query(one.format(lineage=LINEAGE)) for one in queries]


def versions(house: House, vendor: str) -> list[tuple[str, int]]:
    raw = Warehouse(house.folder / "warehouse").raw(vendor)
    with duckdb.connect(str(raw), read_only=True) as file:
        return file.execute(
            f"select record_id, count(*) from raw.{TABLES[vendor]} group by all "
            "order by all"
        ).fetchall()


@pytest.mark.soak
def test_calls_lose_their_numbers_night_by_night_and_nothing_else(
    sandbox_house: House, tmp_path: Path
) -> None:
    kept = replace(
        sandbox_house,
        folder=tmp_path / "kept",
        environment={**sandbox_house.environment},
    )
    kept.folder.mkdir()
    assert kept.night(NOW, *TWO).returncode == 0
    house = copy_of(kept, tmp_path / "limited")
    house.environment[RAW_DAYS] = "0.1"
    for night in NIGHTS:
        now = NOW + night * DAY + DAY / 2
        for one in (kept, house):
            done = one.night(now, *TWO)
            assert done.returncode == 0, done.stderr
        assert answers(house, SAME) == answers(kept, SAME)
        until = f"< '{now.date()}'"
        removed = house.query(NUMBERS.format(when=until))
        assert removed
        assert {row[1:3] for row in removed if not row[3]} == {(None, "removed")}
        # A call may start a moment after the time by which its vendor lists it.
        newer = NUMBERS.format(when=f">= '{now.date()} 00:10:00'")
        assert house.query(newer) == kept.query(newer)
        assert any(row[1] for row in house.query(newer)), "there are numbers left"
        for vendor in ("evovoice", "twin"):
            assert versions(house, vendor) == versions(kept, vendor)
    built = answers(house, BUILT)
    assert house.run("transform", "--full", "--now", stamp(now)).returncode == 0
    assert answers(house, BUILT) == built
    again = house.night(now + DAY / 8, *TWO)
    assert "removed" not in again.stderr, "the work is done once a day"


@pytest.mark.soak
def test_no_byte_of_an_old_call_says_who_it_was_and_no_cost_changes(
    people: People,
) -> None:
    warehouse, later = people.warehouse, EVENING + 3 * DAY
    sums = people.query(SUMS)
    config = Config(warehouse, (), privacy=Privacy(raw_days=1))
    assert not apply_retention(config, EVENING + DAY)
    assert not unfinished(warehouse), "the day is not old enough"
    assert not apply_retention(config, later)
    assert people.seen()
    environment = {RAW_DAYS: "1"}
    done = people.run("transform", "--now", stamp(later), **environment)
    assert (done.returncode, "full" in done.stdout) == (0, False)
    assert not people.seen()
    assert not unfinished(warehouse)
    assert people.query(SUMS) == sums
    told = "select distinct customer_number, customer_number_kind, is_erased from {}"
    files = (warehouse.published, *warehouse.snapshots.iterdir())
    assert len(files) > 1
    for file in files:
        assert people.query(told.format("fact_calls"), file) == [
            (None, "removed", False)
        ]


@pytest.mark.soak
def test_calls_that_have_no_raw_file_lose_their_numbers_where_they_are_left(
    people: People,
) -> None:
    warehouse, later = people.warehouse, EVENING + 3 * DAY
    environment = {RAW_DAYS: "1"}
    config = Config(warehouse, (), privacy=Privacy(raw_days=1))
    warehouse.raw("whippy").unlink()
    sums = people.query(SUMS)
    for _ in range(2):
        assert not apply_retention(config, later)
        done = people.run("transform", "--now", stamp(later), **environment)
        assert done.returncode == 1, "the calls are those of an earlier build"
        assert not people.seen()
        assert people.query(SUMS) == sums
        kinds = "select distinct vendor, customer_number_kind from fact_calls"
        assert {kind for _, kind in people.query(kinds)} == {"removed"}
    ((runs,),) = people.query(
        "select count(*) from ops.runs where command = 'retention' "
        "and note like '%have no raw file'"
    )
    assert runs == 1, "once is enough"


@pytest.mark.soak
@pytest.mark.parametrize("days", ["1", pytest.param("", marks=pytest.mark.soak)])
def test_a_call_read_again_is_stored_as_the_setting_says_and_late_costs_come(
    people: People, days: str
) -> None:
    config = Config(people.warehouse, (), privacy=Privacy(raw_days=1))
    assert not apply_retention(config, EVENING + 3 * DAY)
    people.vendors.listed["whippy"].append(records("whippy", FORMS["whippy"], "7008"))
    people.vendors.listed["zoom"][0]["charge"] = "$0.500"
    done = people.run(
        *("run", "--no-audit", "--vendor", "whippy", "--vendor", "zoom"),
        *("--now", stamp(EVENING + DAY / 12)),
        **{RAW_DAYS: days},
    )
    assert done.returncode == 0, done.stderr
    numbers = (
        "select vendor_call_id, customer_number_kind from fact_calls "
        "where vendor = 'whippy' order by all"
    )
    kind = "removed" if days else "e164"
    assert people.query(numbers) == [("7001", kind), ("7002", kind), ("7008", kind)]
    charged = (
        "select cost_total, customer_number_kind from fact_calls "
        "where vendor = 'zoom' and vendor_call_id = '7001'"
    )
    assert people.query(charged) == [(Decimal("0.5"), kind)]
    raw = people.warehouse.raw("whippy")
    count = "select record_id, count(*) from raw.calls group by all order by all"
    again = 0 if days else 1
    assert people.query(count, raw) == [
        ("7001", 2 + again),
        ("7002", 1 + again),
        ("7008", 1),
    ]
