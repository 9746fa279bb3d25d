"""What somebody sees who tries Callhouse without credentials: the friendly world."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import callhouse

NOW = "2026-11-17T03:00:00Z"
VENDORS = ("evovoice", "twin", "voximplant", "zoom")
"""Whose words of an outcome are all known."""
WARNINGS = """
    select
        (select count(*) from ops.quarantine),
        (select count(*) from ops.missing_rates),
        (select count(*) from fact_calls where started_at is null)
"""
COSTS = """
    select
        vendor,
        max(cost_total / total_seconds * 60 * if(currency = 'RUB', 0.011, 1)) < 2,
        min(cost_total) >= 0,
        count(cost_total) > 20
    from fact_calls
    where total_seconds > 60
    group by all
    order by all
"""


def tried(folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Run once with nothing configured; return its JSON and what it says beside it."""
    rates = folder / "config/fx_rates.csv"
    rates.parent.mkdir()
    rates.write_text("date,from_currency,to_currency,rate,source\n")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "CALLHOUSE__HISTORY_DAYS": "1",
    }
    named = [word for vendor in VENDORS for word in ("--vendor", vendor)]
    asked = ("run", "--sandbox", "--json", "--now", NOW, *named, *options)
    done = callhouse(folder, environment, *asked)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    file = folder / "warehouse/calls.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.soak
@pytest.mark.parametrize("world", ["friendly", "hostile"])
def test_a_first_run_has_nothing_to_mend_in_the_friendly_world_alone(
    tmp_path: Path, world: str
) -> None:
    is_friendly = world == "friendly"
    told, errors = tried(tmp_path, *() if is_friendly else ("--world", world))
    notes = [note for vendor in told["loaded"] for note in vendor["notes"]]
    assert (notes == []) == is_friendly
    assert told["field_changes"] == []
    ((quarantined, unpriced, undated),) = query(tmp_path, WARNINGS)
    words = query(tmp_path, "select vendor, field, value from ops.unmapped_values")
    assert (words == [], unpriced == 0) == (is_friendly, is_friendly), words
    assert (quarantined, undated) == (0, 0)
    costs = query(tmp_path, COSTS)
    assert [vendor for vendor, *_ in costs] == [*VENDORS]
    assert all(all(found) for _, *found in costs) == is_friendly
    waits = query(
        tmp_path, "select count(queue_seconds) from fact_calls where vendor = 'zoom'"
    )
    assert (waits != [(0,)]) == is_friendly
    rates = query(tmp_path, "select distinct source from dim_fx_rates")
    assert all("made up" in source for (source,) in rates)
    assert (rates != []) == ("made up" in errors) == is_friendly
