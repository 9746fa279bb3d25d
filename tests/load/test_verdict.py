"""What a run concludes of several streams of one account, together."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from raw_files import NOW, RawFiles, Record

from pipelines.config.model import Account
from pipelines.load.absences import RunReads, missing_in, verdict_on
from pipelines.load.audit import near
from pipelines.planning.deletion import judge
from pipelines.planning.planner import PastRead
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY
from pipelines.sources.zoom import ENGAGEMENTS, VOICE_CALLS
from pipelines.warehouse.ledger import StoredWindow
from pipelines.warehouse.paths import Warehouse

ACCOUNT = Account("zoom", "main")
LISTS = (VOICE_CALLS, replace(ENGAGEMENTS, complete_for=timedelta.max))
"""As if both proved that a record is gone."""
DAYS = [NOW - days * DAY for days in (5, 4, 3, 2, 1)]
GONE = {VOICE_CALLS.name: DAYS[1], ENGAGEMENTS.name: DAYS[3]}
"""By stream: the start of the day whose call is no longer listed."""
ABSENCES = (
    "account varchar, record varchar, record_id varchar, read_at timestamptz,"
    " event_at timestamptz, since timestamptz, state varchar,"
    " _dlt_load_id varchar, load_no bigint"
)


def at(day: datetime) -> datetime:
    return day + timedelta(hours=12)


def call(day: datetime, version: str) -> Record:
    return "main", f"{day:%d}", at(day), {"version": version}


def store(raw: RawFiles, stream: Stream) -> None:
    """Store a call a day; one of them was missing in an earlier, believable run."""
    raw.load("zoom", [call(day, "first") for day in DAYS], stream.table)
    gone, before = GONE[stream.name], NOW - DAY
    row = ("main", stream.table, f"{gone:%d}", before, at(gone), before, "suspected")
    raw.write("zoom", "absences", ABSENCES, [row])


def read(stream: Stream, day: datetime, came: int) -> dict[str, Any]:
    """Return the ledger's row of a day that was read completely."""
    return {
        "account": "main",
        "stream": stream.name,
        "window_start": day,
        "window_end": day + DAY,
        "purpose": "recheck",
        "state": "complete",
        "reason": None,
        "rows_fetched": came,
        "rows_inside": came,
        "rows_known": came,
        "rows_quarantined": 0,
        "started_at": NOW,
        "load_no": 9,
    }


def test_deletions_in_several_lists_of_an_account_are_all_counted_around(
    tmp_path: Path,
) -> None:
    raw = RawFiles(tmp_path)
    for stream in LISTS:
        store(raw, stream)
    run = RunReads(NOW, first_load=raw.loads + 1)
    for stream in LISTS:
        came = [day for day in DAYS if day != GONE[stream.name]]
        raw.load("zoom", [call(day, "again") for day in came], stream.table)
        run.rows += [read(stream, day, came.count(day)) for day in DAYS]
    file, first = Warehouse(tmp_path).raw("zoom"), min(GONE.values())
    window = StoredWindow(VOICE_CALLS, "main", *month_before(first), 1, 1, 1)
    for lists in (LISTS, LISTS[::-1]):
        places = [(ACCOUNT, stream) for stream in lists]
        found = [*missing_in(file, places, run, NOW, None)]
        verdict = verdict_on(file, found, run, NOW, None)
        assert verdict.deleted == len(LISTS)
        assert sorted(verdict.proven["main"]) == [at(day) for day in GONE.values()]
        assert near([window], verdict.proven["main"], NOW) == [window]


def month_before(day: datetime) -> tuple[datetime, datetime, datetime]:
    """Return a day, and when it was read, that only the first call is near to."""
    return day - 31 * DAY, day - 30 * DAY, day - 20 * DAY


@pytest.mark.parametrize(
    ("last_days", "found"),
    [
        # Both days beside are still listed whole, and one of them was not read.
        (6, ("doubted", "not_surrounded")),
        # The day before is no longer listed whole, so it need not be read.
        (5, ("suspected", "")),
    ],
)
def test_a_day_beside_that_the_vendor_has_begun_to_forget_is_not_waited_for(
    tmp_path: Path, last_days: int, found: tuple[str, str]
) -> None:
    stream = replace(VOICE_CALLS, complete_for=last_days * DAY - timedelta(hours=1))
    raw, days = RawFiles(tmp_path), [NOW - number * DAY for number in (5, 4, 3)]
    raw.load("zoom", [call(day, "first") for day in days], stream.table)
    run = RunReads(NOW, first_load=raw.loads + 1)
    raw.load("zoom", [call(days[1], "again"), call(days[2], "again")], stream.table)
    run.rows = [
        read(stream, day, came) for day, came in zip(days, (0, 1, 1), strict=True)
    ]
    file = Warehouse(tmp_path).raw("zoom")
    ((*_, reads, missing),) = missing_in(file, [(ACCOUNT, stream)], run, NOW, None)
    judged = judge(missing, {}, reads)
    state, doubt = found
    assert [one.record_id for one in getattr(judged, state)] == [f"{days[0]:%d}"]
    assert judged.doubt == doubt


@pytest.mark.parametrize(
    ("stored_days_ago", "asked_hours_ago", "opened"),
    [
        (40, None, [20, 5]),  # the two that no lookback reads again
        (40, 19, [20, 5]),
        (40, 20, []),  # asked in an earlier run, too
        (8, None, []),  # a day that can be a control: absences.py has it read
        (None, None, []),  # an account without calls
    ],
)
def test_an_empty_day_that_nothing_can_check_is_asked_for_in_another_run(
    tmp_path: Path,
    stored_days_ago: int | None,
    asked_hours_ago: int | None,
    opened: list[int],
) -> None:
    stream = replace(VOICE_CALLS, complete_for=12 * DAY)
    raw, file = RawFiles(tmp_path), Warehouse(tmp_path).raw("zoom")
    if stored_days_ago:
        raw.load("zoom", [call(NOW - stored_days_ago * DAY, "first")], stream.table)
    run = RunReads(NOW, first_load=raw.loads + 1)
    days = {ago: NOW - ago * DAY for ago in (20, 5, 2)}
    run.rows = [read(stream, day, 0) for day in days.values()]
    past = [
        PastRead(
            *("main", stream.name, (day, day + DAY), "nightly", "partial"),
            NOW - timedelta(hours=asked_hours_ago),
            reason="silent",
        )
        for day in days.values()
        if asked_hours_ago
    ]
    found = [*missing_in(file, [(ACCOUNT, stream)], run, NOW, None)]
    verdict = verdict_on(file, found, run, NOW, None, past=past)
    rows = verdict.tables["load_windows"].to_pylist() if verdict.tables else []
    assert [row["window_start"] for row in rows] == [days[ago] for ago in opened]
    assert {row["reason"] for row in rows} <= {"silent"}
    assert verdict.windows == -len(opened)
    assert len(verdict.errors) == bool(opened)
