"""How often a window is read, what of its records counts, and where it is cut."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

import msgspec
import pytest

from pipelines.extract import window_reader as reading
from pipelines.extract.errors import VendorError
from pipelines.extract.pagination import Page
from pipelines.extract.window_reader import (
    PACKAGE_SECONDS,
    Package,
    Reader,
    ReadOptions,
    WindowRecords,
    read_keys,
    reason_of,
)
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window, read_time

START = read_time("2026-03-01T00:00:00Z")
NOW = START + 9 * DAY
SECOND, INSTANT = timedelta(seconds=1), timedelta.resolution
WINDOW = Window(START, START + DAY, "calls")
CALLS = Stream("calls", "calls", "id", "at", updated_at_field="changed")
CHANGES = replace(CALLS, filter_field="changed")
ESTIMATED = replace(CALLS, total_is_exact=False)


def raw(**record: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(record))


def call(number: int, at: datetime = START, **more: object) -> msgspec.Raw:
    return raw(id=f"c{number}", at=at.isoformat(), **more)


def calls(*numbers: int, total: int | None = None, **more: Any) -> Page:  # noqa: ANN401
    return Page([call(number) for number in numbers], total, **more)


@dataclass
class Vendor:
    """A vendor that gives these lists in turn, and nothing after them."""

    lists: Iterable[list[Page]]
    asked: list[Window] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = iter(self.lists)

    def fetch(self, window: Window) -> Iterator[Page]:
        self.asked.append(window)
        found = next(self.left, None)
        assert found is not None, f"the test has no list {len(self.asked)}: {window}"
        yield from found


def read(
    *lists: list[Page],
    stream: Stream = CALLS,
    window: Window = WINDOW,
    now: datetime = NOW,
    **options: Any,  # noqa: ANN401
) -> tuple[WindowRecords, int]:
    """Return what a window had, and how many lists were asked for."""
    vendor = Vendor(lists)
    reader = Reader(stream, "main", vendor.fetch, ReadOptions(**options))
    return reader.read(window, now), len(vendor.asked)


def stored(*numbers: int) -> Callable[..., Mapping[str, datetime]]:
    return lambda *_: {f"c{number}": START for number in numbers}


def test_a_source_that_is_used_alone_reads_records_and_raises() -> None:
    options = ReadOptions()
    assert (options.keep_going, options.requests_today, options.counts_only) == (
        *(False, 0, False),
    )
    assert options.stored(CALLS, "main", WINDOW) == {}


def test_nothing_is_known_of_a_window_before_its_first_page() -> None:
    records, _ = read([])
    numbers = (records.fetched, records.bytes, records.pages, records.known)
    assert numbers == (0, 0, 0, 0)
    assert (records.is_bounded, records.counts_more, records.total) == (
        *(False, False, None),
    )
    assert (records.total_changed, records.reads_agree) == (False, True)


def test_a_package_is_full_with_its_last_byte_or_once_it_is_closed() -> None:
    assert Package().bytes == 0
    assert [Package(10, size).is_full for size in (9, 10, 11)] == [False, True, True]
    assert not Package(None, 10).is_full
    assert Package(None, is_closed=True).is_full
    assert Package(10, 9, is_closed=True).is_full
    old, young = (monotonic() - PACKAGE_SECONDS + later for later in (0, 10))
    assert Package(10, 9, taken_at=old).is_full
    assert not Package(10, 9, taken_at=young).is_full
    assert not Package(None, 9, taken_at=old).is_full


def test_a_list_without_a_total_is_read_once() -> None:
    records, lists = read([calls(1, 2)])
    assert (records.distinct, records.is_short, lists) == (2, False, 1)


def test_a_window_is_read_three_times_if_no_two_lists_agree() -> None:
    young = partial(read, now=START + DAY)
    changing = [[calls(n), calls(n + 1)] for n in (1, 2, 3)]
    records, lists = young(*changing)
    assert (lists, records.reads_agree, records.total) == (3, False, None)
    assert {*records.all_reads} == {"c1", "c2", "c3", "c4"}
    assert {*records.last_read} == {"c3", "c4"}
    # The second and the third agree, or the first and the second.
    for order, count in (((0, 1, 1), 3), ((1, 1), 2)):
        records, lists = young(*(changing[number] for number in order))
        assert (lists, records.reads_agree, records.all_reads) == (count, True, {})
    # The first and the third prove nothing: in between the list was another one.
    assert not young(*(changing[number] for number in (0, 1, 0)))[0].reads_agree


def test_two_lists_that_agree_and_are_short_are_not_relied_on() -> None:
    short = [calls(1, total=2)]
    assert read(short, short, short)[1] == 3
    assert read(short, short, [calls(1, 2, total=2)])[0].reads_agree
    # More than the vendor counts are not too few.
    assert read(*[[calls(1, 2, total=1)]] * 2)[1] == 2


LATE = START + DAY + CALLS.lookback


@pytest.mark.parametrize(
    ("now", "pages", "stream", "ids", "lists"),
    [
        (LATE - INSTANT, 2, CALLS, (), 2),
        (LATE, 2, CALLS, (), 1),
        (LATE - INSTANT, 1, CALLS, (), 1),
        (LATE - INSTANT, 2, replace(CALLS, has_unstable_pages=False), (), 1),
        (LATE - INSTANT, 2, CALLS, ("c0", "c1"), 1),
    ],
    ids=["young", "old", "one page", "pages that stay", "by id"],
)
def test_only_a_young_list_of_several_pages_is_read_twice(
    now: datetime, pages: int, stream: Stream, ids: tuple[str, ...], lists: int
) -> None:
    window = replace(WINDOW, ids=ids)
    whole = [calls(number) for number in range(pages)]
    assert read(*[whole] * lists, stream=stream, window=window, now=now)[1] == lists


def test_totals_of_requests_by_id_are_not_those_of_the_window() -> None:
    window = replace(WINDOW, ids=("c1", "c2", "c3"))
    pages = [calls(1, 2, total=2), calls(3, total=1)]
    records, lists = read(pages, window=window, stored=stored(1, 2, 3, 4))
    assert (records.total, records.agrees, lists) == (None, True, 1)
    # Nor does a list of some records prove that another one is missing.
    assert (records.missing, records.known) == ({}, 0)


def test_a_total_that_comes_or_goes_between_two_pages_has_changed() -> None:
    still = [calls(1, 2)]
    for totals in ((2, None), (None, 2), (2, 3), (3, 2)):
        moving = [calls(n, total=total) for n, total in enumerate(totals)]
        assert read(moving, still)[1] == 2
    assert read([calls(1, total=2), calls(2, total=2)])[1] == 1


def test_what_is_stored_is_looked_up_for_the_stream_the_account_and_the_window() -> (
    None
):
    asked: list[object] = []

    def stored(*of: object) -> dict[str, datetime]:
        asked.extend(of)
        return {}

    read([calls(1)], stored=stored)
    assert asked == [CALLS, "main", WINDOW]


def test_a_list_that_starts_over_forgets_all_that_came_before() -> None:
    first, again = calls(1, 2, total=5), calls(3, total=1, starts_over=True)
    records, _ = read([first, again])
    assert ({*records.last_read}, records.fetched, records.pages) == ({"c3"}, 1, 1)
    assert not records.total_changed


def test_records_are_counted_for_the_part_they_came_in() -> None:
    halves = [(START, START + DAY / 2), (START + DAY / 2, START + DAY)]
    pages = [
        calls(1, 2, part=halves[0]),
        calls(3, part=halves[1]),
        calls(4, 5, 1, part=halves[0]),
    ]
    records, _ = read(pages, now=NOW)
    assert records.parts == {halves[0]: 5, halves[1]: 1}
    assert (records.fetched, records.distinct) == (6, 5)
    assert read([calls(1)])[0].parts == {}


def test_of_the_stored_records_those_that_came_are_known() -> None:
    records, lists = read(*[[calls(1, 2, 3)]] * 2, stored=stored(2, 3, 4))
    assert (records.known, records.missing, lists) == (2, {"c4": START}, 2)
    # One that came in any of the lists that do not agree is not missing.
    lists_of = [[calls(n, 2)] for n in (1, 5, 6)]
    records, _ = read(*lists_of, stored=stored(1, 2, 4, 5))
    assert (records.known, records.missing) == (3, {"c4": START})
    # One that cannot be read may be any of them.
    odd = Page([call(1), raw(at="x")], 2)
    records, lists = read([odd], stored=stored(1, 2))
    assert (records.known, records.missing, lists) == (1, {}, 1)


@pytest.mark.parametrize(
    ("totals", "total", "pages"),
    [((7, 8), 7, 1), ((None, 0, 9), 0, 2), ((None,) * 9, None, 3), ((None,), None, 1)],
)
def test_a_total_is_asked_for_on_three_pages_at_most(
    totals: tuple[int | None, ...], total: int | None, pages: int
) -> None:
    lists = [[calls(n, total=one) for n, one in enumerate(totals)]]
    records, _ = read(*lists, counts_only=True)
    assert (records.total, records.pages, records.fetched) == (total, pages, 0)


def test_a_list_that_is_less_than_its_estimate_is_cut_four_times_at_most() -> None:
    window = replace(WINDOW, end=START + timedelta(seconds=32))
    vendor = Vendor([calls(1, total=99)] for _ in range(3))
    parts = ([calls(number, total=99)] for number in range(2, 99))
    vendor.left = iter([*vendor.left, *parts])
    reader = Reader(ESTIMATED, "main", vendor.fetch, ReadOptions())
    records = reader.read(window, NOW)
    asked = [int((one.end - one.start).total_seconds()) for one in vendor.asked]
    assert asked == [32] * 3 + [16] * 2 + [8] * 4 + [4] * 8 + [2] * 16
    assert [one.start for one in vendor.asked[5:9]] == [
        START + timedelta(seconds=8 * number) for number in range(4)
    ]
    assert (records.distinct, records.fetched) == (31, 1 + 30)
    assert (records.is_short, records.counts_more, records.reads_agree) == (
        *(True, False, False),
    )


def test_a_list_that_is_more_than_its_estimate_is_not_cut_again() -> None:
    short = [calls(1, total=3)]
    halves = [[calls(1, 2, total=9)], [calls(3, total=9)]]
    records, lists = read(short, short, short, *halves, stream=ESTIMATED)
    assert (lists, records.distinct, records.is_short) == (5, 3, False)
    assert not records.counts_more
    # Neither is one of an exact total, nor one that is asked for by ids.
    assert read(short, short, short)[1] == 3
    ids = replace(WINDOW, ids=("c1", "c2"))
    assert read(short, stream=ESTIMATED, window=ids)[1] == 1


def test_a_window_is_cut_at_whole_seconds_into_parts_that_cover_it() -> None:
    window = replace(WINDOW, end=START + timedelta(seconds=7.5))
    vendor = Vendor([calls(1, total=9)] for _ in range(5))
    Reader(ESTIMATED, "main", vendor.fetch, ReadOptions()).read(window, NOW)
    assert [(one.start, one.end) for one in vendor.asked[3:]] == [
        (START, START + 3 * SECOND),
        (START + 3 * SECOND, window.end),
    ]
    assert {one.stream for one in vendor.asked} == {"calls"}


def test_a_list_by_the_time_of_a_change_shows_that_it_was_filtered() -> None:
    inside = raw(id="c1", at=START.isoformat(), changed=START.isoformat())
    for found in ([inside], [inside, call(2)], [call(2), inside]):
        assert read([Page(found)], stream=CHANGES)[0].is_bounded
    for blank in ([call(1)], [call(1, changed=None)]):
        with pytest.raises(VendorError, match="no record came with 'changed'") as error:
            read([Page(blank)], stream=CHANGES)
        assert error.value.stops_account
    # Where ids are asked for, nothing is filtered by time.
    assert read([calls(1)], stream=CHANGES, window=replace(WINDOW, ids=("c1",)))[1] == 1
    assert read([Page([])], stream=CHANGES)[0].distinct == 0


@pytest.mark.parametrize(
    ("changed", "is_answer"),
    [
        (START - SECOND, True),
        (START - SECOND - INSTANT, False),
        (START + DAY + SECOND, True),
        (START + DAY + SECOND + INSTANT, False),
    ],
)
def test_a_second_beyond_a_filters_bounds_is_still_within_them(
    changed: datetime, *, is_answer: bool
) -> None:
    page = Page([call(1, changed=changed.isoformat())])
    if is_answer:
        assert read([page], stream=CHANGES)[0].distinct == 1
        return
    with pytest.raises(VendorError, match="'changed' is outside of the win") as error:
        read([page], stream=CHANGES)
    assert error.value.stops_account


def test_a_change_whose_time_cannot_be_read_is_a_record_all_the_same() -> None:
    inside = call(1, changed=START.isoformat())
    for odd in ("soon", 7, [], "9999-12-31T23:59:59-23:59"):
        pages = [Page([inside, call(2, changed=odd)])]
        records, _ = read(pages, stream=CHANGES)
        assert {one: at for one, (_, at, _) in records.last_read.items()} == {
            "c1": START,
            "c2": None,
        }


def test_a_record_that_was_not_asked_for_by_its_id_is_an_error() -> None:
    window = replace(WINDOW, ids=("c1", "c2"))
    assert read([calls(2)], window=window)[0].distinct == 1
    with pytest.raises(VendorError, match="a record came that was not asked for"):
        read([calls(2, 3)], window=window)


def test_where_records_lie_says_nothing_of_a_list_by_changes_or_by_ids() -> None:
    far = call(1, START - 9 * DAY, changed=START.isoformat())
    assert read([Page([far])], stream=CHANGES)[0].distinct == 1
    assert read([Page([far])], window=replace(WINDOW, ids=("c1",)))[0].distinct == 1
    sentence = "1 of 1 records that came lie outside of the window"
    with pytest.raises(VendorError, match=sentence) as error:
        read([Page([far])])
    assert not error.value.stops_account


@pytest.mark.parametrize(
    ("inside", "outside", "far", "is_answer"),
    [
        (0, 4, 0, True),
        (0, 5, 0, False),
        (4, 5, 0, False),
        (5, 5, 0, True),
        (5, 6, 0, False),
        (1, 0, 1, True),
        (1, 0, 2, False),
        (0, 0, 1, False),
        (2, 1, 2, True),
        (2, 1, 3, True),
        (2, 2, 3, False),
    ],
)
def test_a_list_is_of_another_window_if_most_of_it_lies_outside(
    inside: int, outside: int, far: int, *, is_answer: bool
) -> None:
    """Five outside, or more far away than any time zone is, and more than half."""
    late, later = START + DAY + 2 * SECOND, START + DAY + timedelta(hours=14) + INSTANT
    times = [START] * inside + [late] * outside + [later] * far
    page = Page([call(number, at) for number, at in enumerate(times)])
    if is_answer:
        assert read([page])[0].distinct == len(times)
        return
    with pytest.raises(VendorError, match=f"{outside + far} of {len(times)} records"):
        read([page])


@pytest.mark.parametrize("before", [False, True])
def test_the_days_of_a_window_and_a_second_more_are_not_outside(
    *, before: bool
) -> None:
    """Some vendors list whole days only."""
    window = Window(START + DAY / 3, START + DAY / 2, "calls")
    edge = START - SECOND if before else START + DAY + SECOND
    beyond = edge - INSTANT if before else edge + INSTANT
    pages = [[Page([call(n, at) for n in range(5)])] for at in (edge, beyond)]
    assert read(pages[0], window=window)[0].distinct == 5
    with pytest.raises(VendorError, match="5 of 5 records"):
        read(pages[1], window=window)


def test_a_read_has_so_many_records_and_bytes_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = [len(call(number)) for number in range(3)]
    monkeypatch.setattr(reading, "MOST_BYTES", sum(sizes))
    records, _ = read([calls(0, 1, 2)])
    assert records.bytes == sum(sizes)
    monkeypatch.setattr(reading, "MOST_BYTES", sum(sizes) - 1)
    with pytest.raises(VendorError, match="has more than 250,000 records or 0 MiB"):
        read([calls(0, 1, 2)])
    monkeypatch.undo()
    monkeypatch.setattr(reading, "MOST_RECORDS", 3)
    assert read([calls(0, 1, 2, 2, 1, 0)])[0].distinct == 3
    for fourth in (call(3), raw(id="")):
        with pytest.raises(VendorError, match="has more than 3 records or 1024 MiB, "):
            read([Page([*(call(n) for n in range(3)), fourth])])


def test_a_record_that_cannot_be_read_keeps_its_number_in_the_list() -> None:
    records, _ = read([Page([call(1), raw(id="")]), Page([raw(id="c2"), call(3)])])
    told = [(number, reason) for number, reason, _ in records.unreadable]
    assert told == [
        (2, "ValueError: 'id' is missing or empty"),
        (3, "ValueError: 'at' is missing or not a text"),
    ]
    assert records.distinct == 4


def test_a_record_has_a_time_from_the_year_2000_to_a_day_ahead() -> None:
    first = read_time("2000-01-01T00:00:00Z")
    for at in (first, NOW + DAY):
        assert read_keys(CALLS, bytes(call(1, at)), NOW)[1] == at
    for at in (first - INSTANT, NOW + DAY + INSTANT):
        with pytest.raises(ValueError, match="'at' is not a time a call had"):
            read_keys(CALLS, bytes(call(1, at)), NOW)
    timeless = replace(CALLS, event_time_field="")
    assert read_keys(timeless, b'{"id": 7}', NOW)[:2] == ("7", NOW)


def test_a_reason_is_no_longer_than_its_column() -> None:
    assert reason_of(ValueError("x" * 288)) == "ValueError: " + "x" * 288
    assert reason_of(ValueError("x" * 289)) == "ValueError: " + "x" * 288


def test_of_two_records_of_one_change_the_later_one_counts() -> None:
    same = START.isoformat()
    pages = [Page([call(1, changed=same), call(1, START + SECOND, changed=same)])]
    records, _ = read(pages)
    event_at, changed, _ = records.last_read["c1"]
    assert (event_at, changed) == (START + SECOND, START)
    assert (records.fetched, records.distinct) == (2, 1)


def test_a_record_that_lost_the_time_of_its_change_is_as_new_as_it_came() -> None:
    dated = call(1, changed=START.isoformat())
    records, _ = read([Page([dated, call(1, START + SECOND)])])
    event_at, changed, _ = records.last_read["c1"]
    assert (event_at, changed) == (START + SECOND, START)
    later = call(1, changed=(START + SECOND).isoformat())
    records, _ = read([Page([call(1), later, dated])])
    assert records.last_read["c1"][1] == START + SECOND
