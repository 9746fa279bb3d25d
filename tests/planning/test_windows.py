import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.planning.windows import (
    DAY,
    Interval,
    Window,
    covers,
    day_windows,
    merge,
    overlaps,
    read_dotnet_time,
    read_time,
    split,
    subtract,
    utc,
    whole_days,
)
from transforms.runner import functions, times

EPOCH = read_time("2026-03-01T00:00:00+00:00")
minutes = st.integers(0, 60 * 24 * 40)
intervals = (
    st.tuples(minutes, minutes)
    .filter(lambda p: p[0] < p[1])
    .map(lambda p: (EPOCH + timedelta(minutes=p[0]), EPOCH + timedelta(minutes=p[1])))
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection of the kind that models run on."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        functions.register(connection)
        yield connection


def length(parts: list[Interval]) -> timedelta:
    return sum((end - start for start, end in parts), timedelta())


@given(intervals)
def test_split_covers_an_interval_without_gap_or_overlap(interval: Interval) -> None:
    parts = list(split(interval))
    assert parts[0][0] == interval[0]
    assert parts[-1][1] == interval[1]
    assert all(left[1] == right[0] for left, right in itertools.pairwise(parts))
    assert all(end - start <= DAY for start, end in parts)
    assert all(
        start.date() == (end - timedelta(microseconds=1)).date() for start, end in parts
    )


@given(intervals, st.lists(intervals, max_size=6))
def test_what_is_left_and_what_is_taken_make_the_whole(
    whole: Interval, parts: list[Interval]
) -> None:
    left = subtract(whole, parts)
    assert covers([*left, *parts], whole)
    assert all(not covers(merge(parts), gap) for gap in left)
    taken = subtract(whole, left)
    assert length(left) + length(taken) == whole[1] - whole[0]


@given(st.lists(intervals, max_size=8))
def test_merged_intervals_neither_touch_nor_overlap(parts: list[Interval]) -> None:
    merged = merge(parts)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(merged))
    assert all(covers(merged, part) for part in parts)


def spans(*ends: tuple[int, int]) -> list[Interval]:
    """Return intervals, in days from the epoch."""
    return [(EPOCH + first * DAY, EPOCH + last * DAY) for first, last in ends]


@pytest.mark.parametrize(
    ("parts", "left"),
    [
        ([], [(2, 6)]),
        ([(2, 6)], []),
        ([(0, 9)], []),
        ([(0, 2)], [(2, 6)]),
        ([(6, 9)], [(2, 6)]),
        ([(0, 3), (5, 9)], [(3, 5)]),
        ([(2, 3), (5, 6)], [(3, 5)]),
        ([(5, 6), (2, 3), (3, 4)], [(4, 5)]),
        ([(3, 4), (7, 8)], [(2, 3), (4, 6)]),
        ([(3, 5), (3, 4)], [(2, 3), (5, 6)]),
    ],
)
def test_what_is_left_of_a_span_ends_where_a_part_begins(
    parts: list[tuple[int, int]], left: list[tuple[int, int]]
) -> None:
    (whole,) = spans((2, 6))
    assert subtract(whole, spans(*parts)) == spans(*left)


def test_intervals_that_touch_or_overlap_are_joined_in_order() -> None:
    mixed = spans((6, 7), (0, 4), (1, 2), (4, 5), (9, 9))
    assert merge(mixed) == spans((0, 5), (6, 7), (9, 9))


def test_an_empty_span_has_no_days() -> None:
    assert list(split((EPOCH, EPOCH))) == []
    assert list(split((EPOCH, EPOCH - DAY))) == []


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        *[(0, 1, False), (0, 2, False), (0, 3, True), (2, 4, True), (3, 4, True)],
        *[(3, 9, True), (4, 5, False), (5, 6, False), (0, 9, True)],
    ],
)
def test_intervals_overlap_if_they_share_an_instant_and_not_if_they_touch(
    first: int, last: int, *, expected: bool
) -> None:
    other = (EPOCH + first * DAY, EPOCH + last * DAY)
    middle = (EPOCH + 2 * DAY, EPOCH + 4 * DAY)
    assert overlaps(other, middle) is overlaps(middle, other) is expected


def test_whole_days_have_the_first_and_the_last_of_them_in_full() -> None:
    now = EPOCH + timedelta(hours=30)
    day = EPOCH.replace(tzinfo=None)
    assert whole_days(None, None, now) is None
    assert whole_days(day, day, now) == (EPOCH, EPOCH + DAY)
    assert whole_days(day, None, now) == (EPOCH, now)
    assert whole_days(None, day, now) == (read_time("2000-01-01T00:00Z"), EPOCH + DAY)
    # A last day that is still to come ends with the day that begins now.
    assert whole_days(day, day + 9 * DAY, now) == (EPOCH, now + DAY)


def test_days_stay_utc_days_across_a_change_of_summer_time() -> None:
    days = list(
        split(
            (
                read_time("2026-03-28T12:00:00+01:00"),
                read_time("2026-03-30T00:00:00+02:00"),
            )
        )
    )
    assert [f"{start:%d %H:%M}" for start, _ in days] == ["28 11:00", "29 00:00"]


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-03-02T15:04:05Z", None, "2026-03-02 15:04:05+00:00"),
        ("2026-03-02T15:04:05.1230000Z", None, "2026-03-02 15:04:05.123000+00:00"),
        ("2026-03-02T15:04:05-08:00", None, "2026-03-02 23:04:05+00:00"),
        ("2026-03-02 15:04:05", "UTC", "2026-03-02 15:04:05+00:00"),
        ("2026-07-01 12:00:00", "Europe/Berlin", "2026-07-01 10:00:00+00:00"),
        ("2026-03-02T15:04Z", None, "2026-03-02 15:04:00+00:00"),
        ("20260302T150405Z", None, "2026-03-02 15:04:05+00:00"),
        ("2026-03-02T15:04:05,5Z", None, "2026-03-02 15:04:05.500000+00:00"),
        ("2026-03-02 15:04:05 +0000", None, "2026-03-02 15:04:05+00:00"),
        ("2026-03-02 15:04:05 UTC", None, "2026-03-02 15:04:05+00:00"),
        ("2026-03-02t15:04:05z", None, "2026-03-02 15:04:05+00:00"),
        ("2026-03-02T16:04:05+01", None, "2026-03-02 15:04:05+00:00"),
        ("2026-03-02T15:04:05.123456789Z", None, "2026-03-02 15:04:05.123456+00:00"),
        ("2026-03-02T24:00:00Z", None, "2026-03-03 00:00:00+00:00"),
        ("2026-12-31T24:00", "UTC", "2027-01-01 00:00:00+00:00"),
        ("2026-W10-1T15:04:05Z", None, "2026-03-02 15:04:05+00:00"),
        ("2026-03-02T16:04:05+01:00[Europe/Berlin]", None, "2026-03-02 15:04:05+00:00"),
        ("2026-03-02", "UTC", "2026-03-02 00:00:00+00:00"),
    ],
)
def test_a_time_is_read_as_utc(text: str, zone: str | None, expected: str) -> None:
    assert str(read_time(text, zone)) == expected


DATES = ("2026-03-02", "20260302", "2026-W10-1", "2026W101", "2024-02-29", "2026-12-31")
ODD_DATES = ("2026-02-30", "0001-01-01", "9999-12-31", "2026-3-2", "02.03.2026", "soon")
CLOCKS = ("10", "10:00", "1000", "10:00:00", "100000", "10:00:00,5", "10:00:00.123456")
ODD_CLOCKS = ("24:00:00", "24:00", "2400", "24:00:01", "25:00", "10:00:60", "1:00", "")
FRACTIONS = ("10:00:00.1234567", "10:00:00.123456789", "100000.5", "24:00:00.000")
OFFSETS = ("", "Z", "z", " Z", "+00", "+0000", "-08:00", " +05:30", "UTC", " GMT")
ODD_OFFSETS = ("+23:59", "+24:00", "+1", "CET", "+01:00[Europe/Berlin]", "[UTC]", "+99")
iso = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(DATES + ODD_DATES),
    st.sampled_from(["T", " ", "t", "_", "", "x"]),
    st.sampled_from(CLOCKS + ODD_CLOCKS + FRACTIONS),
    st.sampled_from(OFFSETS + ODD_OFFSETS),
)
vendor_texts = st.one_of(
    iso,
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.datetimes().map(str),
    st.text("0123456789-:+TZ ,.W", max_size=30),
    st.sampled_from(
        [*DATES, "", " 2026-03-02T10:00Z ", "infinity", f"{1772445600}000"]
    ),
)


def loaded(text: str | None, zone: str | None) -> datetime | None:
    try:
        return None if text is None else read_time(text, zone)
    except ValueError:
        return None


@given(
    st.lists(st.one_of(st.none(), iso, vendor_texts), min_size=1, max_size=5),
    st.sampled_from([None, "UTC"]),
)
def test_models_read_the_times_that_the_loader_reads_and_no_others(
    connection: duckdb.DuckDBPyConnection, sent: list[str | None], zone: str | None
) -> None:
    found = connection.execute(
        "select read_time(text, $2) from unnest($1::varchar[]) as sent(text)",
        [sent, zone],
    ).fetchall()
    assert [one for (one,) in found] == [loaded(text, zone) for text in sent]


@given(st.one_of(iso, vendor_texts), st.sampled_from([None, "UTC", "Europe/Berlin"]))
def test_the_short_way_reads_no_time_in_another_way_than_the_long_one(
    text: str, zone: str | None
) -> None:
    short = loaded(text, zone)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(times, "_USUAL", set())
        assert loaded(text, zone) == short


def test_a_time_without_zone_is_refused_unless_the_vendor_names_one() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        read_time("2026-03-02 15:04:05")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/Date(1772454600000)/", "2026-03-02 12:30:00+00:00"),
        ("/Date(1772454600000+0100)/", "2026-03-02 12:30:00+00:00"),
        ("/Date(1772454600123-0800)/", "2026-03-02 12:30:00.123000+00:00"),
        ("/Date(-1)/", "1969-12-31 23:59:59.999000+00:00"),
        ("2026-03-02T12:30:00", "2026-03-02 12:30:00+00:00"),
        ("2026-03-02T12:30:00+01:00", "2026-03-02 11:30:00+00:00"),
    ],
)
def test_a_dotnet_time_counts_from_the_epoch_whatever_its_offset(
    text: str, expected: str
) -> None:
    assert str(read_dotnet_time(text)) == expected


@pytest.mark.parametrize("text", ["/Date()/", "/Date(1e3)/", " /Date(1)/", "/Date(1)"])
def test_what_only_looks_like_a_dotnet_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a time in ISO 8601"):
        read_dotnet_time(text)


def test_a_moment_without_a_zone_is_not_in_utc() -> None:
    with pytest.raises(ValueError, match="2026-01-01T00:00:00 has no time zone"):
        utc(datetime(2026, 1, 1))  # noqa: DTZ001 - the point


def test_a_window_needs_zones_and_an_order() -> None:
    naive = EPOCH.replace(tzinfo=None)
    for ends in ((naive, naive + DAY), (EPOCH, naive + DAY), (naive, EPOCH + DAY)):
        with pytest.raises(ValueError, match="a window needs zoned times, got calls"):
            Window(*ends, "calls")
    for end in (EPOCH, EPOCH - DAY):
        with pytest.raises(ValueError, match="a window ends after it starts, got"):
            Window(EPOCH, end, "calls")


def test_a_window_by_ids_says_so_and_asks_for_as_many_at_once_as_it_may() -> None:
    window = Window(EPOCH, EPOCH + DAY, "calls", ids=("a", "b", "c"))
    assert str(window) == "calls 2026-03-01 00:00..2026-03-02 00:00Z (3 by id)"
    assert window.named("id", 2) == [{"id": "a,b"}, {"id": "c"}]
    assert window.named("id", 3, ";") == [{"id": "a;b;c"}]
    assert window.attempt == 1
    assert Window(EPOCH, EPOCH + DAY, "calls").named("id", 2) == [{}]


def test_day_windows_leave_out_the_end() -> None:
    days = day_windows("calls", "2026-03-01", "2026-03-03")
    assert [str(day) for day in days] == [
        "calls 2026-03-01 00:00..2026-03-02 00:00Z",
        "calls 2026-03-02 00:00..2026-03-03 00:00Z",
    ]
