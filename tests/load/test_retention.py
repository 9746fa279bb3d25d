"""What is too old in quarantine is removed, and what was counted stays counted."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from conftest import House, Row, open_house
from sandbox_control import stamp

from pipelines.planning.windows import DAY, read_time
from pipelines.warehouse.paths import Warehouse

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


def has_any(file: Path, texts: set[bytes]) -> bool:
    content = file.read_bytes()
    return any(text in content for text in texts)


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


def test_no_byte_of_a_removed_record_is_left(house: House) -> None:
    warehouse = Warehouse(house.folder / "warehouse")
    files = (warehouse.raw("zoom"), warehouse.build, warehouse.published)
    stored_payloads = {payload.encode()[:40] for payload, _ in stored(house)}
    had = [one for one in files if has_any(one, stored_payloads)]
    assert warehouse.published in had, "a file may also have them compressed"
    later(house, 2.5, keep="1")
    for file in files:
        assert not has_any(file, stored_payloads)
    assert not (warehouse.privacy / "retention.pending").exists()


def test_the_build_file_is_freed_by_the_next_build_if_this_one_was_killed(
    house: House,
) -> None:
    warehouse = Warehouse(house.folder / "warehouse")
    text = {payload.encode()[:40] for payload, _ in stored(house)}
    mark = warehouse.privacy / "retention.pending"
    script = (
        "from pathlib import Path; from datetime import datetime, UTC;"
        "from pipelines.config.loader import read_config;"
        "from pipelines.load.retention import apply_retention;"
        "apply_retention(read_config(Path('none')), datetime(2026, 12, 1, tzinfo=UTC))"
    )
    house.environment[DAYS] = "1"
    done = house.run_python(script)
    assert done.returncode == 0, done.stderr
    assert mark.exists()
    assert has_any(warehouse.published, text)
    assert house.run("transform", "--now", stamp(NOW + 9 * DAY)).returncode == 0
    assert not mark.exists()
    for file in (warehouse.build, warehouse.published):
        assert not has_any(file, text)
