"""What a vendor lists long after its time is found, by asking for its totals."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from conftest import FEW, TABLES
from sandbox_control import control, stamp, truth

from pipelines.config.loader import read_config
from pipelines.config.model import Account, Config
from pipelines.load.audit import differences, due_for_count
from pipelines.load.loader import known_reads, load, load_plan
from pipelines.load.turns import clock_from
from pipelines.load.work_plan import WorkPlan, nightly_work, settled_rows
from pipelines.planning.planner import AUDIT, PastRead
from pipelines.planning.windows import DAY, Window, read_time
from pipelines.sandbox.process import Sandbox, running_sandbox
from pipelines.sources import streams_of
from pipelines.warehouse.journal import LoadResult
from pipelines.warehouse.ledger import StoredWindow

NOW = read_time("2026-11-17T03:00:00Z")
WEEK = 7
(CALLS,) = streams_of("whippy")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox(NOW, volume=8) as found:
        yield found


def a_call_of(sandbox: Sandbox, vendor: str, day: datetime) -> str:
    calls = [
        one
        for one in truth(sandbox, vendor, day, day + DAY)
        if one["event_at"][:10] == f"{day:%Y-%m-%d}"
    ]
    return str(min(call["vendor_call_id"] for call in calls))


def night(
    sandbox: Sandbox, config: Config, now: datetime, *, audit: bool
) -> LoadResult:
    control(sandbox, "clock", now=stamp(now))
    (vendor,) = config.vendors
    return load(vendor, config, now, lambda *_: None, audit=audit)


def configured(sandbox: Sandbox, vendor: str, folder: Path) -> Config:
    environment = {
        **sandbox.environment,
        "CALLHOUSE__WAREHOUSE": str(folder),
        "CALLHOUSE__HISTORY_DAYS": "8",
    }
    config = read_config(Path("none"), environment)
    (one,) = (one for one in config.vendors if one.name == vendor)
    return replace(config, vendors=(one,))


def stored(folder: Path, vendor: str, record_id: str) -> int:
    with duckdb.connect(str(folder / "raw" / f"{vendor}.duckdb")) as file:
        found = file.execute(
            f"select count(*) from raw.{TABLES[vendor]} where record_id = '{record_id}'"
        ).fetchall()
    return int(found[0][0])


@pytest.mark.parametrize("vendor", FEW)
def test_a_call_listed_after_its_lookback_is_found_within_a_week(
    sandbox: Sandbox, vendor: str, tmp_path: Path
) -> None:
    day = NOW.replace(hour=0) - 8 * DAY
    late = a_call_of(sandbox, vendor, day)
    control(sandbox, "late", vendor=vendor, ids=[late], days=9)
    config = configured(sandbox, vendor, tmp_path)
    assert night(sandbox, config, NOW, audit=True).is_complete
    assert stored(tmp_path, vendor, late) == 0
    now = NOW + 2 * DAY  # it is listed by now
    # Without the count the window is never read again.
    assert night(sandbox, config, now, audit=False).is_complete
    assert stored(tmp_path, vendor, late) == 0
    for _ in range(WEEK):
        now += DAY
        outcome = night(sandbox, config, now, audit=True)
        assert outcome.is_complete, outcome.errors
        if stored(tmp_path, vendor, late):
            break
    assert stored(tmp_path, vendor, late) == 1
    with duckdb.connect(str(tmp_path / "raw" / f"{vendor}.duckdb")) as file:
        counted = file.execute(
            "select count(*) from raw.load_windows where state = 'counted'"
        ).fetchall()
        alone = file.execute(
            "select _dlt_load_id from raw.load_windows group by all "
            "having bool_and(state = 'counted')"
        ).fetchall()
    assert counted[0][0] > 0
    assert alone == [], "counts are stored with the run's other windows"


def test_counts_are_stored_and_acted_upon_when_nothing_else_is_due(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    now = NOW + 90 * DAY
    control(sandbox, "clock", now=stamp(now))
    day = now.replace(hour=0) - 8 * DAY
    late = a_call_of(sandbox, "whippy", day)
    control(sandbox, "late", vendor="whippy", ids=[late], days=9)
    config = configured(sandbox, "whippy", tmp_path)
    (vendor,) = config.vendors
    assert night(sandbox, config, now, audit=True).is_complete
    now += 7 * DAY
    control(sandbox, "clock", now=stamp(now))
    arguments = vendor, config.warehouse, WorkPlan(()), clock_from(now)
    result = load_plan(*arguments, lambda *_: None, audit=True)
    assert (result.planned, result.is_complete) == (1, True), result.errors
    assert stored(tmp_path, "whippy", late) == 1


@pytest.mark.parametrize("audit", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_days_that_were_asked_for_a_last_time_are_searched_no_more(
    sandbox: Sandbox, tmp_path: Path, *, audit: bool
) -> None:
    now = NOW + 200 * DAY
    config = configured(sandbox, "twin", tmp_path)
    (vendor,) = config.vendors
    vendor = replace(vendor, finality_horizon=2 * DAY)
    config = replace(config, vendors=(vendor,))
    raw, searched = config.warehouse.raw("twin"), []
    for _ in range(4):
        reads = known_reads(config.warehouse, "twin")
        work = nightly_work(vendor, raw, now - 8 * DAY, now, reads)
        searched.append(
            [(now - one.end, one.end - one.start) for _, one in work.settled]
        )
        done = night(sandbox, config, now, audit=audit)
        assert done.is_complete, done.errors
        now += DAY
    age = 2 * DAY + timedelta(hours=NOW.hour)
    assert searched == [[], *[[(age, DAY)]] * 3], "each night one more day is settled"


def test_a_day_whose_pending_calls_were_not_read_is_searched_again() -> None:
    account = Account("twin", "main")
    day = Window(NOW - 9 * DAY, NOW - 8 * DAY, "created_calls", "settle", ids=("a",))
    span = Window(NOW - 30 * DAY, NOW - 8 * DAY, "created_calls", "settle")
    planned, settled = [(account, day)], [(account, span)]
    row = {
        "account": "main",
        "stream": day.stream,
        "window_start": day.start,
        "state": "complete",
    }
    (found,) = settled_rows(planned, settled, [row], NOW, 5)
    assert (found["window_start"], found["window_end"]) == (span.start, span.end)
    assert (found["purpose"], found["state"]) == ("settle", "complete")
    assert found["requests"] == found["rows_fetched"] == 0
    assert found["load_no"] == 5
    assert settled_rows(planned, settled, [{**row, "state": "failed"}], NOW, 5) == []
    assert settled_rows(planned, settled, [], NOW, 5) == []
    others = [(account, replace(day, stream="updated_calls"))]
    assert len(settled_rows(others, settled, [], NOW, 5)) == 1


@pytest.mark.parametrize("vendor", FEW)
def test_a_call_that_moves_to_a_day_no_longer_read_is_never_marked_deleted(
    sandbox: Sandbox, vendor: str, tmp_path: Path
) -> None:
    now = NOW + 30 * DAY
    control(sandbox, "clock", now=stamp(now))
    config = configured(sandbox, vendor, tmp_path)
    assert night(sandbox, config, now, audit=True).is_complete
    moved = a_call_of(sandbox, vendor, now.replace(hour=0) - DAY)
    settled = now.replace(hour=0) - 6 * DAY + timedelta(hours=10)
    control(sandbox, "moved", vendor=vendor, ids=[moved], start=stamp(settled))
    for _ in range(3):
        now += DAY
        outcome = night(sandbox, config, now, audit=False)
        assert (outcome.errors, outcome.deleted) == ((), 0)
    with duckdb.connect(str(tmp_path / "raw" / f"{vendor}.duckdb")) as file:
        file.execute("set TimeZone = 'UTC'")
        newest = file.execute(
            f"select payload is not null, event_at from raw.{TABLES[vendor]} "
            f"where record_id = '{moved}' order by fetched_at desc limit 1"
        ).fetchall()
    assert newest == [(True, settled)]


@pytest.mark.soak
@pytest.mark.parametrize(
    "vendor", ["voximplant", pytest.param("zoom", marks=pytest.mark.soak)]
)
def test_a_settled_call_that_two_days_list_is_marked_when_it_is_gone(
    sandbox: Sandbox, vendor: str, tmp_path: Path
) -> None:
    """The window that brought it need not be the one of its own day."""
    now = NOW + 60 * DAY
    control(sandbox, "clock", now=stamp(now))
    config = configured(sandbox, vendor, tmp_path)
    assert night(sandbox, config, now, audit=True).is_complete
    with duckdb.connect(str(tmp_path / "raw" / f"{vendor}.duckdb")) as file:
        file.execute("set TimeZone = 'UTC'")
        ((edge,), *_) = file.execute(
            f"select record_id from raw.{TABLES[vendor]} "
            "where event_at::date != window_from::date and event_at > $1 "
            "order by event_at",
            [now - 7 * DAY],
        ).fetchall()
    control(sandbox, "removed", vendor=vendor, ids=[edge])
    deleted = 0
    for _ in range(4):  # it is counted within a week, and missed again three days later
        now += 3 * DAY
        outcome = night(sandbox, config, now, audit=True)
        assert outcome.is_complete, outcome.errors
        deleted += outcome.deleted
    assert (deleted, stored(tmp_path, vendor, edge)) == (1, 2)


def window(days_ago: int, *, stored: int = 5, inside: int = 5) -> StoredWindow:
    start = NOW.replace(hour=0) - days_ago * DAY
    read_at = start + 5 * DAY
    return StoredWindow(CALLS, "main", start, start + DAY, read_at, inside, 5, stored)


def test_every_window_is_counted_once_a_week_or_once_a_month() -> None:
    windows = [window(days) for days in range(9, 200)]
    reads: list[PastRead] = []
    counted: dict[datetime, list[datetime]] = {one.start: [] for one in windows}
    for nights in range(60):
        now = NOW + nights * DAY
        asked = due_for_count(windows, reads, now)
        assert len(asked) < len(windows) / 4
        for one in asked:
            counted[one.start].append(now)
            span = (one.start, one.end)
            reads.append(PastRead("main", "calls", span, AUDIT, "counted", now))
    for start, times in counted.items():
        gaps = [after - before for before, after in pairwise(times)]
        least = WEEK if NOW + 60 * DAY - start <= 90 * DAY else 31
        assert max(gaps) <= least * DAY, start


def test_after_an_outage_more_is_due_and_twice_a_day_less() -> None:
    windows = [window(days) for days in range(9, 69)]
    last = PastRead("main", "calls", (NOW, NOW + DAY), AUDIT, "counted", NOW)
    hours = (6, 24, 96, 240)
    due_then = [
        len(due_for_count(windows, [last], NOW + timedelta(hours=h))) for h in hours
    ]
    assert due_then == [3, 10, 40, 60]


def test_only_a_total_that_is_another_than_expected_differs() -> None:
    windows = [window(9), window(10, stored=4), window(11)]
    totals = {
        ("calls", one.start): total
        for one, total in zip(windows, (5, 5, None), strict=True)
    }
    found = [(one.expected, one.counted) for one in differences(windows, totals)]
    assert sorted(found, key=str) == [(4, 5), (5, None)]
