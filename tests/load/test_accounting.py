"""Each record that came is stored, unchanged or in quarantine, or the run fails."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import TUESDAY
from sandbox_control import control, undo

from pipelines.commands.build import build_and_publish
from pipelines.config.loader import read_config
from pipelines.config.model import Config, Vendor
from pipelines.extract import resources
from pipelines.load.loader import load
from pipelines.sandbox.process import Sandbox
from pipelines.warehouse.ledger import past_reads

LEDGER = """
    select state, reason, rows_received, rows_stored, rows_unchanged, rows_quarantined
    from raw.load_windows
    order by load_no, started_at
"""


@pytest.fixture
def config(world: Sandbox, tmp_path: Path) -> Config:
    environment = {
        **world.environment,
        "CALLHOUSE__WAREHOUSE": str(tmp_path / "warehouse"),
        "CALLHOUSE__HISTORY_DAYS": "1",
    }
    return read_config(Path("none"), environment)


TOLD = LEDGER.replace("raw.", "ops.")
"""The same of what analysts read."""


def whippy(config: Config) -> Vendor:
    return next(one for one in config.vendors if one.name == "whippy")


def ledger(config: Config) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(config.warehouse.raw("whippy")), read_only=True) as file:
        return file.execute(LEDGER).fetchall()


def told(config: Config) -> list[tuple[Any, ...]]:
    """Build, and return what analysts read of the ledger."""
    _, published = build_and_publish(config, TUESDAY)
    with duckdb.connect(str(published), read_only=True) as file:
        return file.execute(TOLD).fetchall()


def test_what_came_is_stored_unchanged_or_in_quarantine(
    world: Sandbox, config: Config
) -> None:
    fault = {"kind": "malformed_record", "variant": "id", "times": None}
    control(world, "faults", vendor="whippy", **fault)
    for _ in range(2):
        load(whippy(config), config, TUESDAY, lambda *_: None, audit=False)
    undo(world, "faults")
    rows = ledger(config)
    assert [row[2] - sum(row[3:]) for row in rows] == [0] * len(rows)
    stored, unchanged, quarantined = (sum(row[at] for row in rows) for at in (3, 4, 5))
    assert stored == unchanged > 0
    assert quarantined > 0
    reads = past_reads(config.warehouse.raw("whippy"))
    assert sum(read.unreadable for read in reads) == quarantined
    assert told(config) == rows


def dropping(*arguments: object) -> Iterator[Any]:
    """Lose the first record of a window on its way to the package."""
    for table in PIECES(*arguments):
        yield table.slice(1)


PIECES = resources._pieces  # noqa: SLF001


def test_a_record_that_is_lost_on_its_way_keeps_its_window_open(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = whippy(config)
    with monkeypatch.context() as patch:
        patch.setattr(resources, "_pieces", dropping)
        result = load(vendor, config, TUESDAY, lambda *_: None)
    assert not result.is_complete
    assert any("records came, but" in error for error in result.errors)
    assert {row[:2] for row in ledger(config) if row[2]} == {("partial", "unbalanced")}
    assert told(config) == ledger(config), "a build passes its checks all the same"
    healed = load(vendor, config, TUESDAY + timedelta(minutes=5), lambda *_: None)
    assert healed.is_complete
