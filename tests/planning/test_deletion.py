"""What proves that a record is deleted, and what does not: the rule alone."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.planning.deletion import (
    FEW,
    Missing,
    StreamReads,
    Suspicion,
    WindowRead,
    days_beside,
    is_confirmed,
    judge,
)
from pipelines.planning.windows import DAY, Interval, read_time

MONDAY = read_time("2026-03-02T00:00:00Z")
NIGHT = MONDAY + 4 * DAY + timedelta(hours=3)
NOON = timedelta(hours=12)
INSTANT = timedelta.resolution


def day(number: int, listed: int = 20, known: int = 20) -> WindowRead:
    """Return a complete reading of a day, counted from Monday."""
    start = MONDAY + number * DAY
    return WindowRead((start, start + DAY), NIGHT, listed, known)


def reads(*days: WindowRead, expired: tuple[Interval, ...] = ()) -> StreamReads:
    return StreamReads(days, NIGHT, expired)


WEEK = reads(*(day(number) for number in range(-1, 4)), day(4, 2, 2))


def missing(number: int, at: datetime = MONDAY + DAY + NOON) -> Missing:
    return Missing(f"c{number}", at)


def earlier(one: Missing, hours: float, *, is_believed: bool = True) -> Suspicion:
    since = NIGHT - timedelta(hours=hours)
    return Suspicion("main", "calls", one.record_id, one.event_at, since, is_believed)


def test_missing_once_is_suspected_and_twice_is_deleted() -> None:
    one = missing(1)
    assert judge([one], {}, WEEK).suspected == (one,)
    assert judge([one], {"c1": earlier(one, 20)}, WEEK).deleted == (one,)


@pytest.mark.parametrize(
    ("hours", "is_believed"), [(19.9, True), (24, False), (0.001, True)]
)
def test_two_readings_too_near_or_not_believed_prove_nothing(
    hours: float,
    is_believed: bool,  # noqa: FBT001 - pytest's own parameter
) -> None:
    one = missing(1)
    before = {"c1": earlier(one, hours, is_believed=is_believed)}
    judgment = judge([one], before, WEEK)
    assert (judgment.deleted, judgment.suspected) == ((), (one,))


def test_without_a_window_that_still_has_its_records_nothing_is_believed() -> None:
    one = missing(1)
    blank = reads(*(day(number, 0, 0) for number in range(5)))
    judgment = judge([one], {"c1": earlier(one, 24)}, blank)
    assert (judgment.doubted, judgment.doubt) == ((one,), "no_control")
    # What is new in a window shows nothing of what was stored before.
    fresh = reads(*(day(number, 9, 0) for number in range(5)))
    assert judge([one], {"c1": earlier(one, 24)}, fresh).doubt == "no_control"


@pytest.mark.parametrize(
    ("listed", "count", "is_believed"),
    [(0, 3, True), (0, 4, False), (90, 10, True), (89, 11, False)],
)
def test_many_at_once_are_not_believed(
    listed: int,
    count: int,
    is_believed: bool,  # noqa: FBT001 - pytest's own parameter
) -> None:
    few = reads(day(0, listed, 1), day(1, 0, 0), day(2, 0, 0))
    found = [missing(number) for number in range(count)]
    assert bool(judge(found, {}, few).suspected) is is_believed


def test_a_few_each_night_do_not_add_up_to_many() -> None:
    found = [missing(number) for number in range(2 * FEW)]
    few = reads(day(0, 1, 1), day(1, 0, 0), day(2, 0, 0))
    before = {one.record_id: earlier(one, 24) for one in found[:FEW]}
    judgment = judge(found, before, few)
    assert judgment.deleted == tuple(found[:FEW])
    assert judgment.suspected == tuple(found[FEW:])


def test_a_record_counts_as_missing_only_with_the_days_beside_it_read() -> None:
    one = missing(1)
    alone = reads(day(1))
    assert judge([one], {"c1": earlier(one, 24)}, alone).doubt == "not_surrounded"
    beside = days_beside([one], alone)
    assert beside == [(MONDAY, MONDAY + DAY), (MONDAY + 2 * DAY, MONDAY + 3 * DAY)]
    around = reads(day(0), day(1), day(2))
    assert days_beside([one], around) == []
    assert judge([one], {"c1": earlier(one, 24)}, around).deleted == (one,)


def test_nothing_is_asked_for_beyond_now_nor_of_what_is_no_longer_served() -> None:
    now = missing(1, NIGHT - timedelta(hours=1))
    assert days_beside([now], reads(day(3), day(4))) == []
    gone = ((MONDAY - DAY, MONDAY),)
    first = missing(1, MONDAY)
    assert days_beside([first], reads(day(0), day(1), expired=gone)) == []


def test_an_operator_confirms_what_lies_in_his_span_and_no_more() -> None:
    inside, outside = missing(1), missing(2, MONDAY + NOON)
    blank = reads(*(day(number, 0, 0) for number in range(-1, 4)))
    judgment = judge([inside, outside], {}, blank, (MONDAY + DAY, MONDAY + 2 * DAY))
    assert (judgment.deleted, judgment.doubted) == ((inside,), (outside,))


def test_an_operators_span_has_its_start_and_not_its_end() -> None:
    span = (MONDAY + DAY, MONDAY + 2 * DAY)
    found = [missing(n, at) for n, at in enumerate([*span, span[0] - INSTANT])]
    assert [is_confirmed(one, span) for one in found] == [True, False, False]
    assert not is_confirmed(found[0], None)
    before = {one.record_id: earlier(one, 24) for one in found}
    judgment = judge(found, before, WEEK)
    assert (judgment.deleted, judgment.suspected) == (tuple(found), ())
    sure = judgment.only_confirmed(span)
    assert (sure.deleted, sure.suspected) == ((found[0],), (found[1], found[2]))
    assert judgment.only_confirmed(None).deleted == ()


def test_a_judgment_says_of_how_many_records_it_is() -> None:
    judgment = judge([missing(1), missing(2)], {}, WEEK)
    assert (judgment.stored, judgment.doubt) == (5 * 20 + 2 + 2, "")
    assert judge([], {}, reads(day(0, 5, 0))).doubt == ""


def test_a_stream_is_silent_if_windows_were_read_and_listed_nothing() -> None:
    assert reads(day(0, 0, 0), day(1, 0, 0)).is_silent
    assert not reads(day(0, 0, 0), day(1, 1, 0)).is_silent
    assert not reads().is_silent


def test_the_second_read_counts_from_the_last_one_of_the_records_own_window() -> None:
    """A window begins with its start, and the next one with its end."""
    one = missing(1, MONDAY + DAY)
    own, later = day(1), replace(day(1), started_at=NIGHT + timedelta(hours=1))
    others = [replace(day(n), started_at=NIGHT + 2 * DAY) for n in (0, 2)]
    edge = missing(2, MONDAY + 2 * DAY - INSTANT)
    for parts, at in (([own], NIGHT), ([later, own], later.started_at)):
        for found in (one, edge):
            assert reads(*others, *parts).started_at(found.event_at) == at


def test_days_beside_are_whole_days_in_order_and_end_with_now() -> None:
    """Ids stand in another order than times, and two records lie in one day."""
    found = [
        missing(number, MONDAY + days * DAY + NOON)
        for number, days in enumerate((40, 20, 30, 0, 10, 20))
    ]
    late = StreamReads((), MONDAY + 41 * DAY + NOON / 2)
    assert [
        (start - MONDAY, end - start) for start, end in days_beside(found, late)
    ] == [
        *[((n + step) * DAY, DAY) for n in (0, 10, 20, 30) for step in (-1, 0, 1)],
        *[(39 * DAY, DAY), (40 * DAY, DAY), (41 * DAY, NOON / 2)],
    ]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 239)), max_size=12),
    st.sets(st.integers(0, 9)),
    st.sets(st.integers(0, 11)),
    st.integers(0, 40),
)
def test_a_missing_record_is_deleted_suspected_or_doubted_and_only_one_of_them(
    found: list[tuple[int, int]], seen: set[int], read_days: set[int], listed: int
) -> None:
    some = {n: missing(n, MONDAY + hours * DAY / 24) for n, hours in found}
    before = {f"c{n}": earlier(missing(n), 24) for n in seen}
    parts = [replace(day(n, listed, listed), started_at=NIGHT) for n in read_days]
    those = StreamReads(tuple(parts), MONDAY + 12 * DAY)
    judgment = judge([*some.values()], before, those)
    told = [*judgment.deleted, *judgment.suspected, *judgment.doubted]
    assert sorted(told, key=str) == sorted(some.values(), key=str)
    assert {one.record_id for one in judgment.deleted} <= before.keys()
    sure = [*judgment.deleted, *judgment.suspected]
    assert not any(those.unread_around(one.event_at) for one in sure)
    assert bool(judgment.doubted) <= bool(judgment.doubt)
