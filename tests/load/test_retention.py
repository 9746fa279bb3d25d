"""What is too old in quarantine is removed, and what was counted stays counted."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from conftest import House, Row, open_house
from people import OTHERS, house_of_two_nights, records
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


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    with house_of_two_nights(tmp_path_factory.mktemp("people")) as house:
        yield house


@pytest.fixture
def people(first: People, tmp_path: Path) -> People:
    return first.copied(tmp_path)


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
