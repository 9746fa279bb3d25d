import itertools
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.plan import ClockError, PastRead, history_start, plan
from pipelines.stream import Stream
from pipelines.windows import DAY, Window, covers, read_time

START = read_time("2026-03-01T00:00:00Z")
CALLS = Stream("calls", "calls", "id", "created_at")
ARCHIVE = Stream("archive", "calls", "id", "at", lookback=17 * DAY, lag=13 * DAY)


def at(text: str) -> datetime:
    return read_time(f"2026-{text}Z")


def read(window: Window, when: datetime, state: str = "complete") -> PastRead:
    interval = (window.start, window.end)
    return PastRead("main", window.stream, interval, window.purpose, state, when)


def night(
    reads: list[PastRead], now: datetime, *, fails: frozenset[int] = frozenset()
) -> list[Window]:
    """Run a night: what was planned is in the ledger, some of it as failed."""
    windows = plan(CALLS, START, now, reads)
    for number, window in enumerate(windows):
        reads.append(read(window, now, "failed" if number in fails else "complete"))
    return windows


def test_the_first_night_reads_the_whole_history_to_the_present_minute() -> None:
    windows = night([], at("03-04T03:00:30"))
    assert [window.start for window in windows] == [START + n * DAY for n in range(4)]
    assert windows[-1].end == at("03-04T02:55:00")
    assert {window.purpose for window in windows} == {"nightly"}


def test_the_next_night_goes_on_and_reads_the_lookback_again() -> None:
    reads: list[PastRead] = []
    night(reads, at("03-10T03:00:00"))
    windows = night(reads, at("03-11T03:00:00"))
    assert [(f"{w.start:%d}", w.purpose) for w in windows] == [
        ("07", "lookback"),
        ("08", "lookback"),
        ("09", "lookback"),
        ("10", "nightly"),
        ("11", "nightly"),
    ]


def test_a_configured_lookback_holds_unless_the_stream_needs_a_longer_one() -> None:
    for stream, configured, first in (
        (CALLS, timedelta(0), "10"),
        (CALLS, 5 * DAY, "05"),
        (replace(CALLS, lookback_is_least=True), timedelta(0), "07"),
        (replace(CALLS, lookback_is_least=True), 5 * DAY, "05"),
    ):
        reads = [
            read(window, at("03-10T03:00:00"))
            for window in plan(stream, START, at("03-10T03:00:00"), [], configured)
        ]
        windows = plan(stream, START, at("03-11T03:00:00"), reads, configured)
        assert f"{windows[0].start:%d}" == first


def test_after_a_missed_week_the_lookback_counts_from_the_last_success() -> None:
    reads: list[PastRead] = []
    night(reads, at("03-10T03:00:00"))
    windows = night(reads, at("03-18T03:00:00"))
    assert windows[0].start == at("03-07T00:00:00")
    assert windows[-1].end == at("03-18T02:55:00")


def test_a_failed_window_is_read_again_however_old_it_has_become() -> None:
    reads: list[PastRead] = []
    night(reads, at("03-10T03:00:00"), fails=frozenset({1}))
    windows = night(reads, at("03-25T03:00:00"))
    assert windows[0].start == at("03-02T00:00:00")
    assert windows[0].purpose == "retry"
    assert windows[0].attempt == 2


def test_an_archive_is_read_when_its_days_have_moved_there() -> None:
    now = at("03-30T03:00:00")
    windows = plan(ARCHIVE, START, now, [])
    assert windows[-1].end == at("03-17T03:00:00")
    done = [read(window, now) for window in windows]
    again = plan(ARCHIVE, START, now + DAY, done)
    assert {f"{window.start:%d}" for window in again} == {
        "13",
        "14",
        "15",
        "16",
        "17",
        "18",
    }


def test_a_stream_priced_by_the_month_begins_with_the_month() -> None:
    by_month = Stream("calls", "calls", "id", "at", whole_months=True)
    windows = plan(by_month, at("03-12T00:00:00"), at("03-14T03:00:00"), [])
    assert windows[0].start == START


def test_a_clock_that_went_back_is_refused() -> None:
    reads: list[PastRead] = []
    night(reads, at("03-10T03:00:00"))
    with pytest.raises(ClockError, match=r"the clock says 2026-03-08 03:00Z"):
        plan(CALLS, START, at("03-08T03:00:00"), reads)


def test_history_begins_where_it_once_began() -> None:
    now = at("05-10T03:00:00")
    assert history_start(date(2026, 1, 5), 30, now, []) == at("01-05T00:00:00")
    assert history_start(None, 30, now, []) == at("04-10T00:00:00")
    old = [read(Window(START, START + DAY, "calls", "nightly"), START + DAY)]
    assert history_start(None, 30, now, old) == START


hours = st.lists(st.integers(1, 100), min_size=1, max_size=8)


@given(hours, st.sets(st.integers(0, 20)))
def test_after_any_nights_all_is_covered_and_each_window_read_once_it_is_old(
    gaps: list[int], fails: set[int]
) -> None:
    reads: list[PastRead] = []
    now = at("03-03T00:00:00")
    for gap in gaps:
        now += timedelta(hours=gap)
        night(reads, now, fails=frozenset(fails))
    now += timedelta(days=1)
    windows = night(reads, now)
    until = now - CALLS.lag
    complete = [one.interval for one in reads if one.state == "complete"]
    assert covers(complete, (START, until))
    old = [
        one.interval
        for one in reads
        if one.state == "complete"
        and one.started_at >= one.interval[1] + CALLS.lookback
    ]
    settled_until = now - CALLS.lookback - DAY
    assert settled_until <= START or covers(old, (START, settled_until))
    assert all(left.end <= right.start for left, right in itertools.pairwise(windows))
