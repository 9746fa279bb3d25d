"""A span that is too large for one list is read in halves, or is an error."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from vendor_server import Answer, VendorServer

from pipelines.extract.client import Client
from pipelines.extract.errors import ResultTooLargeError
from pipelines.extract.pagination import Listing, Page
from pipelines.extract.spans import (
    ROUND,
    in_halves,
    span_of,
    without_doubtful_totals,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
Ends = tuple[float, float]


def a_round_number(_: datetime, __: datetime) -> Iterator[Page]:
    yield Page([msgspec.Raw(b"{}")] * ROUND)


@pytest.mark.parametrize(
    ("seconds", "lists"),
    [(1, 1), (2, 3), (4, 7)],
)
def test_a_round_number_of_records_is_asked_for_in_halves(
    seconds: int, lists: int
) -> None:
    end = START + timedelta(seconds=seconds)
    found = list(in_halves(a_round_number, START, end, may_be_capped=True))
    assert len(found) == lists


def test_a_round_number_that_cannot_be_halved_is_an_error() -> None:
    """Nothing shows then that the list is whole."""
    end = START + timedelta(seconds=1.5)
    with pytest.raises(ResultTooLargeError, match=f"{ROUND} records may be cut short"):
        list(in_halves(a_round_number, START, end, may_be_capped=True))


def test_a_round_number_is_whole_where_lists_are_not_capped() -> None:
    end = START + timedelta(seconds=1.5)
    assert len(list(in_halves(a_round_number, START, end))) == 1


def page(count: int, total: int | None = None) -> Page:
    return Page([msgspec.Raw(b"{}")] * count, total)


def seconds(*moments: datetime) -> tuple[float, ...]:
    return tuple((moment - START).total_seconds() for moment in moments)


@dataclass
class Vendor:
    """A vendor whose list of a span has one record a second, and reaches so far."""

    reach: int
    asked: list[tuple[float, ...]] = field(default_factory=list)

    def read(self, start: datetime, end: datetime) -> Iterator[Page]:
        self.asked.append(seconds(start, end))
        count = int((end - start).total_seconds())
        yield page(min(count, self.reach), count)
        if count > self.reach:
            raise ResultTooLargeError("acme: too many")


def test_a_span_that_is_too_large_is_read_in_halves_of_whole_seconds() -> None:
    vendor = Vendor(2)
    found = list(in_halves(vendor.read, START, START + 7 * SECOND))
    assert vendor.asked == [
        *[(0, 7), (0, 3), (0, 1), (1, 3), (3, 7), (3, 5), (5, 7)],
    ]
    # Every page has the total of the whole, and the smallest part that it is of.
    assert {one.total for one in found} == {7}
    assert [seconds(*(one.part or ())) for one in found] == [
        *[(), (0, 3), (0, 1), (1, 3), (3, 7), (3, 5), (5, 7)],
    ]


@pytest.mark.parametrize(
    ("length", "shortest", "asked"),
    [
        (1, None, [(0, 1)]),
        (1.5, None, [(0, 1.5)]),
        (2, None, [(0, 2), (0, 1)]),
        (8, 4, [(0, 8), (0, 4)]),
        (8, 8, [(0, 8)]),
        (9, 8, [(0, 9), (0, 4)]),
    ],
)
def test_a_span_of_the_shortest_length_is_not_halved(
    length: float, shortest: int | None, asked: list[Ends]
) -> None:
    vendor = Vendor(0)
    least = () if shortest is None else (shortest * SECOND,)
    sentence = r"acme: too many, between 2026-03-01 00:00:00 and 00:00:0\dZ"
    with pytest.raises(ResultTooLargeError, match=sentence):
        list(in_halves(vendor.read, START, START + length * SECOND, *least))
    assert vendor.asked == asked


@pytest.mark.parametrize(
    ("count", "is_halved"),
    [(0, False), (999, False), (1000, True), (1001, False), (2000, True)],
)
def test_a_list_of_a_round_number_may_have_been_cut_short(
    count: int, *, is_halved: bool
) -> None:
    """The records of all its pages count, and halves that are whole end it."""
    asked: list[tuple[float, ...]] = []

    def read(start: datetime, end: datetime) -> Iterator[Page]:
        asked.append(seconds(start, end))
        if len(asked) > 1:
            yield page(count // 2 + 1)
        else:
            yield page(count // 2)
            yield page(count - count // 2, count)

    found = list(in_halves(read, START, START + 8 * SECOND, may_be_capped=True))
    assert asked == [(0, 8), (0, 4), (4, 8)] if is_halved else [(0, 8)]
    assert {one.total for one in found[1:]} == {count}
    assert len(list(in_halves(read, START, START + 8 * SECOND))) == 1


def test_a_round_list_of_the_shortest_span_is_whole() -> None:
    found = in_halves(
        a_round_number, START, START + 8 * SECOND, 8 * SECOND, may_be_capped=True
    )
    assert len(list(found)) == 1


@pytest.mark.parametrize(
    ("pages_of", "totals"),
    [
        # The length of the page, on every page, is no total.
        ([(2, 2), (2, 2), (1, 1)], [2, None, None]),
        # Once it has been another number than that, it is one.
        ([(2, 5), (2, 5), (1, 5)], [5, 5, 5]),
        ([(2, 2), (2, 5), (5, 5)], [2, 5, 5]),
        ([(2, None), (2, 2)], [None, 2]),
        # One page is the whole list, if it has as many.
        ([(3, 3)], [3]),
        # Here the vendor may have stopped to count.
        ([(2, 9), (2, 9)], [None, None]),
        ([(2, 8), (2, 10)], [8, 10]),
        ([(9, 9)], [None]),
        ([(0, 0), (0, 0)], [0, 0]),
    ],
)
def test_a_total_that_may_be_the_length_of_a_page_is_none(
    pages_of: list[tuple[int, int | None]], totals: list[int | None]
) -> None:
    asked: list[tuple[float, ...]] = []

    def read(start: datetime, end: datetime) -> Iterator[Page]:
        asked.append(seconds(start, end))
        yield from (page(*one) for one in pages_of)

    span = without_doubtful_totals(read, most=9)
    found = list(span(START, START + SECOND))
    assert [one.total for one in found] == totals
    assert [len(one.records) for one in found] == [count for count, _ in pages_of]
    assert asked == [(0, 1)]


def test_a_span_of_a_list_is_asked_for_from_a_second_earlier(
    scripted: VendorServer,
) -> None:
    scripted.answers = [Answer(b'{"items": []}')]
    listing = Listing("/calls", records="items", time_form="%d %H:%M:%S")
    span = span_of(Client("acme", scripted.url), listing)
    assert len(list(span(START, START + SECOND))) == 1
    (asked,) = scripted.got
    assert asked.path == "/calls?from=28+23%3A59%3A59&to=01+00%3A00%3A01"
