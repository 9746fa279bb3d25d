import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.planning.planner import (
    FRESH,
    BackfillRequest,
    ClockError,
    PastRead,
    days_of,
    history_start,
    plan,
    plan_backfill,
    refuse_earlier,
)
from pipelines.planning.stream import Stream
from pipelines.planning.windows import (
    DAY,
    Interval,
    Window,
    covers,
    merge,
    overlaps,
    read_time,
)

START = read_time("2026-03-01T00:00:00Z")
CALLS = Stream("calls", "calls", "id", "created_at")
ARCHIVE = Stream(
    "archive", "calls", "id", "at", lookback=17 * DAY, availability_delay=13 * DAY
)


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
        (replace(CALLS, min_lookback=CALLS.lookback), timedelta(0), "07"),
        (replace(CALLS, min_lookback=CALLS.lookback), 5 * DAY, "05"),
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


def past(
    first: str,
    when: datetime,
    state: str = "complete",
    *,
    count: int = 1,
    load: int = 0,
) -> list[PastRead]:
    """Return reads of days that follow each other, all made at one time."""
    start = at(f"{first}T00:00:00")
    days = [(start + n * DAY, start + (n + 1) * DAY) for n in range(count)]
    return [
        PastRead("main", "calls", day, "nightly", state, when, load_no=load)
        for day in days
    ]


def test_attempts_are_counted_for_the_day_itself() -> None:
    reads = [
        read
        for day, times in (("03-01", 3), ("03-02", 0), ("03-03", 1), ("03-04", 2))
        for read in past(day, at("03-05T03:00:00"), "failed") * times
    ]
    now, expected = at("03-06T00:05:00"), [4, 1, 2, 3, 1]
    assert [window.attempt for window in plan(CALLS, START, now, reads)] == expected
    windows = plan_backfill(CALLS, days("03-01", "03-05"), now, reads)
    assert [window.attempt for window in windows] == expected[::-1]
    gone = [at(f"03-0{number}T12:00:00") for number in range(1, 6)]
    reads = [replace(one, state="unreachable") for one in reads]
    reads += past("03-01", now, count=5)
    again = plan(
        replace(CALLS, lookback=timedelta()), START, now, reads, suspected=gone
    )
    assert {window.purpose for window in again} == {"recheck"}
    assert [window.attempt for window in again] == [one + 1 for one in expected]


def test_a_purpose_is_of_the_day_itself_and_not_of_those_beside_it() -> None:
    now = at("03-08T00:05:00")
    done, tried = at("03-07T03:00:00"), past("03-06", at("03-07T03:00:00"), "failed")
    assert [
        (f"{window.start:%d}", window.purpose)
        for window in plan(CALLS, START, now, past("03-03", done, count=2) + tried)
    ] == [
        *[("01", "nightly"), ("02", "nightly"), ("04", "lookback"), ("05", "nightly")],
        *[("06", "retry"), ("07", "nightly")],
    ]
    first = past("03-01", done, "failed") + past("03-02", done, count=5)
    assert plan(CALLS, START, now, first)[0].purpose == "retry"


def test_a_window_is_closed_from_a_lookback_after_its_end_on() -> None:
    now = at("03-02T00:05:00")
    for early, windows in ((timedelta(), 0), (timedelta.resolution, 1)):
        reads = past("03-01", at("03-05T00:00:00") - early)
        assert len(plan(CALLS, START, now, reads)) == windows


def test_what_was_read_a_day_ago_is_read_again_by_a_backfill() -> None:
    reads = past("03-01", at("03-02T03:00:00"))
    for early, windows in ((timedelta.resolution, 0), (timedelta(), 1)):
        now = at("03-02T03:00:00") + FRESH - early
        found = plan_backfill(CALLS, days("03-01", "03-01"), now, reads)
        assert len(found) == windows


def test_the_last_read_of_a_window_says_whether_it_is_still_served() -> None:
    """The order of loads counts, whatever the clock said, and not that of the rows."""
    now = at("03-02T00:05:00")
    gone = past("03-01", at("03-02T00:02:00"), "unreachable", load=2)
    for others, windows in (
        (past("03-01", at("03-02T00:03:00"), "failed", load=1), 0),
        (past("03-01", at("03-02T00:01:00"), "failed", load=3), 1),
        (past("03-01", at("03-02T00:01:00"), "failed", load=2), 0),
        (past("03-01", at("03-02T00:03:00"), "failed", load=2), 1),
    ):
        for reads in (gone + others, others + gone):
            assert len(plan(CALLS, START, now, reads)) == windows


def test_the_days_of_missing_records_are_read_after_the_others() -> None:
    now = at("03-12T00:10:00")
    reads = past("03-01", at("03-20T00:00:00"), count=9)
    suspected = [
        *[at("03-02T23:59:59"), at("03-05T00:00:00"), at("03-02T00:00:00")],
        *[at("03-11T12:00:00"), at("03-12T00:04:59"), at("03-12T00:05:00")],
        at("03-13T00:00:00"),
    ]
    windows = plan(CALLS, START, now, reads, suspected=suspected)
    assert [(f"{one.start:%d}", one.purpose) for one in windows] == [
        *[("10", "nightly"), ("11", "nightly"), ("12", "nightly")],
        *[("02", "recheck"), ("05", "recheck")],
    ]
    assert [one.end for one in windows[3:]] == [at("03-03T00:00"), at("03-06T00:00")]
    # Of a day that is not over, the rest is read again.
    known = reads + past("03-10", at("03-20T00:00:00"), count=2)
    known += [replace(known[-1], interval=(at("03-12T00:00:00"), at("03-12T00:05:00")))]
    (today,) = plan(CALLS, START, now, known, suspected=[at("03-12T00:01:00")])
    assert (today.start, today.end) == (at("03-12T00:00:00"), at("03-12T00:05:00"))
    # Nothing is there to be read again of a day that has only begun.
    early = at("03-12T00:05:00")
    assert plan(CALLS, START, early, known, suspected=[early]) == []


@pytest.mark.parametrize("doubtful", [{"unreadable": 1}, {"reason": "unsteady"}])
def test_a_window_whose_read_is_no_proof_is_closed_by_a_second_read(
    doubtful: dict[str, Any],
) -> None:
    reads: list[PastRead] = []
    bad = at("03-08T00:00:00")
    for day, is_read in (("10", True), ("14", True), ("15", True), ("16", False)):
        windows = night(reads, at(f"03-{day}T03:00:00"))
        assert (bad in {window.start for window in windows}) == is_read, day
        reads = [
            replace(one, **doubtful) if one.interval[0] == bad else one for one in reads
        ]
    healthy = [replace(one, unreadable=0, reason=None) for one in reads[:-1]]
    assert bad not in {one.start for one in night(healthy, at("03-16T03:00:00"))}


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
    refuse_earlier(at("03-10T02:52:00"), reads, "acme")
    for now in (at("03-10T02:10:00"), at("03-08T03:00:00")):
        both = f"the clock says {now:%Y-%m-%d %H:%M:%S}Z.*2026-03-10 03:00:00Z"
        with pytest.raises(ClockError, match=both):
            refuse_earlier(now, reads, "acme")
    newest, apart = at("03-10T03:00:00"), timedelta(minutes=10)
    reads.insert(0, replace(reads[0], started_at=newest - 9 * DAY))
    refuse_earlier(newest - apart, reads, "acme")
    with pytest.raises(ClockError, match="acme is not loaded: the clock says"):
        refuse_earlier(newest - apart - timedelta.resolution, reads, "acme")
    refuse_earlier(newest, [], "acme")
    wrong = [replace(one, state="failed", reason="clock") for one in reads]
    refuse_earlier(at("03-08T03:00:00"), wrong, "acme")


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
    until = now - CALLS.availability_delay
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


def backfill(
    reads: list[PastRead],
    stream: Stream,
    order: BackfillRequest,
    now: datetime,
    *,
    fails: frozenset[int] = frozenset(),
) -> list[Window]:
    windows = plan_backfill(stream, order, now, reads)
    for number, window in enumerate(windows):
        reads.append(read(window, now, "failed" if number in fails else "complete"))
    return windows


def days(first: str, last: str, *, is_forced: bool = False) -> BackfillRequest:
    ends = (at(f"{first}T00:00:00"), at(f"{last}T00:00:00") + DAY)
    return BackfillRequest(*ends, is_forced=is_forced)


def test_a_backfill_reads_its_days_newest_first_and_both_ends_of_them() -> None:
    now = at("03-10T03:00:00")
    windows = plan_backfill(CALLS, days("02-27", "03-02"), now, [])
    assert [f"{window.start:%m-%d}" for window in windows] == [
        "03-02",
        "03-01",
        "02-28",
        "02-27",
    ]
    assert {window.purpose for window in windows} == {"backfill"}


def test_a_backfill_may_begin_with_its_oldest_day() -> None:
    order = replace(days("02-27", "03-02"), newest_first=False)
    windows = plan_backfill(CALLS, order, at("03-10T03:00:00"), [])
    assert [f"{window.start:%d}" for window in windows] == ["27", "28", "01", "02"]


def test_a_backfill_of_a_stream_priced_by_the_month_begins_with_the_month() -> None:
    found = [*days_of(BY_MONTH, days("03-03", "03-04"), at("03-10T03:00:00"))]
    assert found == [(START + n * DAY, START + (n + 1) * DAY) for n in range(4)]


def test_a_backfill_ends_where_the_vendor_has_calls_by_now() -> None:
    windows = plan_backfill(CALLS, days("03-09", "03-20"), at("03-10T03:00:00"), [])
    assert windows[0].end == at("03-10T02:55:00")
    assert (
        plan_backfill(ARCHIVE, days("03-09", "03-20"), at("03-10T03:00:00"), []) == []
    )


def test_the_same_backfill_again_reads_only_what_failed() -> None:
    reads: list[PastRead] = []
    order, now = days("02-20", "03-10"), at("03-10T03:00:00")
    backfill(reads, CALLS, order, now, fails=frozenset({2, 3}))
    again = backfill(reads, CALLS, order, now + timedelta(hours=1))
    assert [f"{w.start:%m-%d}/{w.attempt}" for w in again[1:]] == ["03-08/2", "03-07/2"]
    assert again[0].end > again[0].start == at("03-10T00:00:00"), "more has come today"
    assert plan_backfill(CALLS, order, now + timedelta(hours=1), reads) == []


def test_a_forced_backfill_reads_what_is_settled() -> None:
    reads: list[PastRead] = []
    now = at("03-30T03:00:00")
    backfill(reads, CALLS, days("03-01", "03-05"), now)
    assert plan_backfill(CALLS, days("03-01", "03-05"), now, reads) == []
    forced = days("03-01", "03-05", is_forced=True)
    assert len(plan_backfill(CALLS, forced, now, reads)) == 5


def test_what_is_no_longer_served_is_asked_for_by_force_only() -> None:
    reads: list[PastRead] = []
    now = at("03-30T03:00:00")
    night(reads, now)
    reads = [replace(one, state="unreachable") for one in reads]
    assert plan(CALLS, START, now, reads) == []
    assert plan_backfill(CALLS, days("03-01", "03-10"), now, reads) == []
    forced = days("03-01", "03-10", is_forced=True)
    assert len(plan_backfill(CALLS, forced, now, reads)) == 10
    granted_by_now = replace(CALLS, is_optional=True)
    assert len(plan(granted_by_now, START, now, reads)) == 30


RATES = Stream("rates", "rates", "id", "", is_full_refresh=True)


def test_a_reference_is_read_whole_by_every_night() -> None:
    midnight, now = at("03-02T00:00:00"), at("03-02T03:00:30")
    reads: list[PastRead] = []
    for attempt in (1, 2, 3):
        (window,) = plan(RATES, START, now, reads)
        assert (window.start, window.end) == (midnight, at("03-02T02:56:00"))
        assert (window.purpose, window.attempt) == ("nightly", attempt)
        reads.append(read(window, now))
    assert plan(RATES, START, now + DAY, reads)[0].attempt == 1


def test_a_reference_of_today_is_not_that_of_yesterday_whose_window_ends_now() -> None:
    first, order = at("03-02T00:04:30"), days("03-01", "03-05")
    (window,) = plan_backfill(RATES, order, first, [])
    assert (window.start, window.end) == (START, at("03-02T00:00:00"))
    reads = [read(window, first)]
    (today,) = plan_backfill(RATES, order, first + timedelta(minutes=1), reads)
    assert (today.start, today.end) == (window.end, at("03-02T00:01:00"))
    reads.append(read(today, first + timedelta(minutes=1)))
    assert plan_backfill(RATES, order, first + timedelta(hours=1), reads) == []


def test_a_reference_is_read_once_a_day_by_backfills() -> None:
    rates = RATES
    now, order = at("03-30T03:00:00"), days("03-01", "03-05")
    (window,) = plan_backfill(rates, order, now, [])
    done = [read(window, now)]
    assert plan_backfill(rates, order, now + timedelta(hours=1), done) == []
    assert len(plan_backfill(rates, order, now + DAY, done)) == 1


def test_a_backfill_does_not_move_the_beginning_of_the_history() -> None:
    now = at("05-10T03:00:00")
    reads: list[PastRead] = []
    backfill(reads, CALLS, days("01-01", "04-30"), now)
    assert history_start(None, 5, now, reads) == at("05-05T00:00:00")
    looked_back = [replace(one, purpose="lookback") for one in reads]
    assert history_start(None, 5, now, looked_back) == at("05-05T00:00:00")


def test_a_night_looks_back_at_a_backfill_and_takes_over_none() -> None:
    reads: list[PastRead] = []
    now = at("03-02T03:00:00")
    backfill(reads, CALLS, days("02-20", "02-28"), now, fails=frozenset({0, 5}))
    outside = [w for w in plan(CALLS, START, now + DAY, reads) if w.start < START]
    assert [f"{window.start:%m-%d}" for window in outside] == ["02-27"]
    assert {window.purpose for window in outside} == {"lookback"}


BY_MONTH = Stream("months", "calls", "id", "at", whole_months=True)
STREAMS = (CALLS, ARCHIVE, BY_MONTH, replace(CALLS, lookback=timedelta()))


@dataclass
class Life:
    """An account's stream through nights and backfills, some of which fail."""

    stream: Stream
    start: datetime
    now: datetime
    served_from: datetime
    """The vendor has nothing older, and says so."""
    reads: list[PastRead] = field(default_factory=list)

    @property
    def begin(self) -> datetime:
        """Where the history begins for the stream."""
        return self.start.replace(day=1) if self.stream.whole_months else self.start

    def ask(self, windows: list[Window], fails: frozenset[int], most: int) -> None:
        """Read windows, up to where the command was killed."""
        for number, window in enumerate(windows[:most]):
            state = "failed" if number in fails else "complete"
            if window.start < self.served_from:
                state = "unreachable"
            self.reads.append(read(window, self.now, state))

    def gone(self) -> list[Interval]:
        return [one.interval for one in self.reads if one.state == "unreachable"]

    def held(self, *, settled: bool) -> list[Interval]:
        again = self.stream.lookback if settled else -400 * DAY
        return [
            one.interval
            for one in self.reads
            if one.state == "complete" and one.started_at >= one.interval[1] + again
        ]


events = st.lists(
    st.tuples(
        st.integers(0, 90),  # hours until then
        st.one_of(
            st.none(),  # a night
            st.tuples(st.integers(-45, 20), st.integers(1, 40), st.booleans()),
        ),
        st.frozensets(st.integers(0, 40), max_size=5),
        st.integers(0, 60),  # windows until it is killed
    ),
    max_size=7,
)
lives = st.builds(
    lambda stream, day, served: Life(
        stream, day, day + 2 * DAY, min(day, day + served * DAY)
    ),
    st.sampled_from(STREAMS),
    st.dates(date(2026, 1, 2), date(2026, 12, 30)).map(
        lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC)
    ),
    st.integers(-60, 0),
)


@given(lives, events)
def test_after_any_nights_and_backfills_one_good_night_makes_all_good(
    life: Life, events: list[Any]
) -> None:
    for hours, ordered, fails, most in events:
        life.now += timedelta(hours=hours)
        if ordered is None:
            windows = plan(life.stream, life.start, life.now, life.reads)
        else:
            first, length, forced = ordered
            begin = life.start + first * DAY
            order = BackfillRequest(begin, begin + length * DAY, is_forced=forced)
            windows = plan_backfill(life.stream, order, life.now, life.reads)
            if not forced:
                assert not any(covers(life.gone(), (w.start, w.end)) for w in windows)
        life.ask(windows, fails, most)
    life.now += timedelta(hours=1)
    before, gone = merge(life.held(settled=False)), life.gone()
    windows = plan(life.stream, life.start, life.now, life.reads)
    asked = [(window.start, window.end) for window in windows]
    life.ask(windows, frozenset(), len(windows))
    until = life.now - life.stream.availability_delay
    if life.begin < until:
        everything = [*life.held(settled=False), *life.gone()]
        assert covers(everything, (life.begin, until.replace(second=0, microsecond=0)))
    done = [*life.held(settled=True), *life.gone(), *asked]
    assert all(covers(done, held) for held in before), "settled, or read in this run"
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(asked))
    assert all(
        start.date() == (end - timedelta.resolution).date() for start, end in asked
    )
    assert not any(overlaps(one, other) for one in asked for other in gone)
    outside = [one for one in asked if one[0] < life.begin]
    assert all(covers(before, one) for one in outside), "no backfill is taken over"


@given(lives, events)
def test_nights_ask_the_same_whatever_is_backfilled_outside_of_their_history(
    life: Life, events: list[Any]
) -> None:
    alone = replace(life, reads=[])
    for hours, ordered, fails, most in events:
        life.now = alone.now = life.now + timedelta(hours=hours)
        if ordered is None:
            known, unknown = (
                plan(one.stream, one.start, one.now, one.reads) for one in (life, alone)
            )
            own = [window for window in known if window.start >= life.begin]
            assert own == unknown
            life.ask(known, frozenset(), len(known))
            alone.ask(unknown, frozenset(), len(unknown))
        else:
            first, length, forced = ordered
            end = life.begin - (first + 45) * DAY
            order = BackfillRequest(end - length * DAY, end, is_forced=forced)
            windows = plan_backfill(life.stream, order, life.now, life.reads)
            life.ask(windows, fails, most)
