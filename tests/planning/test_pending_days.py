"""Which days' pending calls are asked for again, and how: the rule alone."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from pipelines.planning.pending import PendingDay, days_in_doubt, pending_windows
from pipelines.planning.planner import PastRead, plan
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window, read_time

CALLS = Stream("calls", "calls", "id", "at", pending="calls", ids_per_request=10)
HORIZON = timedelta(days=7)


def at(text: str) -> datetime:
    return read_time(f"2026-{text}Z")


def reads(
    first: str, count: int, when: str, purpose: str = "nightly"
) -> list[PastRead]:
    """Return complete reads of days that follow each other, all made at one time."""
    start = at(f"{first}T00:00:00")
    days = [(start + n * DAY, start + (n + 1) * DAY) for n in range(count)]
    return [
        PastRead("main", "calls", day, purpose, "complete", at(when)) for day in days
    ]


def doubts(now: str, past: list[PastRead], stream: Stream = CALLS) -> list[str]:
    """Return the days in doubt of a stream whose nights ran as ``past`` says."""
    planned = plan(stream, at("03-01T00:00:00"), at(now), past)
    days = days_in_doubt(stream, at(now), past, planned, lookback=None, horizon=HORIZON)
    return [f"{start:%m-%d}" for start, _ in days]


def test_days_past_their_lookback_are_in_doubt_until_read_after_the_horizon() -> None:
    past = reads("03-01", 13, "03-14T03:00:00")
    assert doubts("03-14T03:00:00", past) == ["03-07", "03-08", "03-09", "03-10"]
    past += reads("03-07", 1, "03-14T03:00:00", "settle")
    assert doubts("03-15T03:00:00", past) == ["03-07", "03-08", "03-09", "03-10"]
    past += reads("03-07", 1, "03-15T03:00:00", "settle")
    assert doubts("03-15T04:00:00", past) == ["03-08", "03-09", "03-10"]


def test_an_outage_past_the_horizon_ends_with_one_more_question() -> None:
    past = reads("03-01", 13, "03-14T03:00:00")
    late = doubts("03-30T03:00:00", past)
    assert late == ["03-07", "03-08", "03-09", "03-10"]
    past += reads("03-07", 4, "03-30T03:00:00", "settle")
    assert doubts("03-30T04:00:00", past) == []


def test_a_question_about_pending_calls_covers_no_window() -> None:
    asked = reads("03-01", 1, "03-20T03:00:00", "settle")
    windows = plan(CALLS, at("03-01T00:00:00"), at("03-20T04:00:00"), asked)
    assert windows[0].start == at("03-01T00:00:00")


def test_an_archive_is_asked_for_no_day_that_has_not_moved_there() -> None:
    past = reads("03-01", 20, "03-21T03:00:00")
    short = replace(CALLS, lookback=DAY)
    archive = replace(short, availability_delay=13 * DAY)
    assert doubts("03-22T03:00:00", past, short)[-1] == "03-19"
    assert doubts("03-22T03:00:00", past, archive) == []


@pytest.mark.parametrize(
    ("pending", "records", "ids_per_request", "by_id"),
    [(1, 60, 1, True), (2, 60, 1, False), (2, 250, 1, True), (900, 60, 1000, True)],
)
def test_ids_are_sent_where_they_take_no_more_requests_than_the_day(
    pending: int, records: int, ids_per_request: int, *, by_id: bool
) -> None:
    stream = Stream("calls", "calls", "id", "at", ids_per_request=ids_per_request)
    ids = tuple(map(str, range(pending)))
    day = PendingDay("main", at("03-01T00:00:00"), records, ids)
    (window,) = pending_windows(stream, [day], [], page_size=100)
    assert window.ids == (ids if by_id else ())


def test_a_vendor_that_cannot_be_asked_by_id_is_asked_for_the_day() -> None:
    day = PendingDay("main", at("03-01T00:00:00"), 60, ("1",))
    (window,) = pending_windows(replace(CALLS, ids_per_request=0), [day], [], 100)
    assert (window.start, window.end, window.ids) == (day.start, day.end, ())
    assert (window.purpose, window.stream) == ("settle", "calls")


def test_attempts_to_settle_are_those_of_the_day_and_the_stream() -> None:
    past = [
        *reads("03-01", 3, "03-10T03:00:00", "settle"),
        *reads("03-01", 1, "03-11T03:00:00", "settle"),
        *reads("03-02", 2, "03-11T03:00:00"),
    ]
    past += [replace(one, stream="others") for one in past]
    found = [PendingDay("main", at(f"03-0{n}T00:00:00"), 60, ("1",)) for n in (4, 1, 2)]
    windows = pending_windows(CALLS, found, past, page_size=100)
    assert [(f"{one.start:%d}", one.attempt) for one in windows] == [
        *[("04", 1), ("01", 3), ("02", 2)]
    ]


def test_a_day_is_settled_from_the_horizon_after_its_end_on() -> None:
    done = at("03-02T00:00:00") + HORIZON
    for early, days in ((timedelta(), []), (timedelta.resolution, ["03-01"])):
        past = reads("03-01", 1, "03-02T03:00:00")
        past += [replace(past[0], started_at=done - early)]
        found = days_in_doubt(
            CALLS, at("03-05T00:00:00"), past, [], lookback=None, horizon=HORIZON
        )
        assert [f"{start:%m-%d}" for start, _ in found] == days


def test_days_of_another_stream_or_that_failed_settle_nothing() -> None:
    """Neither those that were read nor those that this run will read."""
    past, now = reads("03-01", 2, "03-03T03:00:00"), at("03-08T03:00:00")
    late = reads("03-01", 2, "03-20T03:00:00")
    past += [replace(one, state="failed") for one in late]
    past += [replace(one, stream="others") for one in late]
    past += [replace(one, stream="others") for one in reads("02-01", 9, "03-03T03:00")]
    planned = [Window(*one.interval, stream="others") for one in late]
    in_doubt = partial(days_in_doubt, now=now, lookback=DAY, horizon=HORIZON)
    days = [(at(f"03-0{n}T00:00:00"), at(f"03-0{n + 1}T00:00:00")) for n in (1, 2)]
    # What nobody has read before counts from the first day that was read.
    found = in_doubt(CALLS, reads=past[::-1], planned=planned)
    assert found[:2] == days
    assert found[-1] == (at("03-06T00:00:00"), at("03-07T00:00:00"))
    planned += [Window(*days[0], stream="calls")]
    assert in_doubt(CALLS, reads=past, planned=planned)[0] == days[1]
    assert in_doubt(replace(CALLS, pending=""), reads=past, planned=[]) == []
    assert in_doubt(CALLS, reads=past[2:], planned=[]) == []


def test_parts_of_a_day_make_one_day_in_doubt() -> None:
    day = reads("03-01", 1, "03-02T03:00:00")
    planned = [Window(at("03-01T06:00:00"), at("03-01T07:00:00"), "calls")]
    found = days_in_doubt(
        CALLS, at("03-05T00:00:00"), day, planned, lookback=None, horizon=HORIZON
    )
    assert found == [day[0].interval]
