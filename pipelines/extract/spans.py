"""Read a span of time in halves where it has more records than one list can give."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from pipelines.extract.client import Client
from pipelines.extract.errors import ResultTooLargeError
from pipelines.extract.pagination import Listing, Page, pages
from pipelines.planning.windows import SECOND

ROUND = 1000
"""A list with a multiple of so many records may have been cut short by its vendor."""

Span: TypeAlias = Callable[[datetime, datetime], Iterator[Page]]
"""Reads ``[start, end)``; raises `ResultTooLargeError` where that is too much."""


def span_of(
    client: Client,
    listing: Listing,
    read: Callable[[Client, Listing], Iterator[Page]] = pages,
) -> Span:
    """Return the function that reads a span of a list, each from a second earlier.

    A vendor may leave out the start; a record that then comes twice is stored once.
    """
    return lambda start, end: read(client, listing.between(start - SECOND, end))


def without_doubtful_totals(read: Span, most: int) -> Span:
    """Return the same span, whose pages have a total only if it surely is one.

    What a vendor sends as the total may be the length of the page. Exactly ``most`` may
    be where it stopped to count.
    """

    def span(start: datetime, end: datetime) -> Iterator[Page]:
        so_far, is_total = 0, False
        for page in read(start, end):
            so_far += len(page.records)
            is_total = is_total or page.total != len(page.records)
            total = page.total if is_total or so_far == len(page.records) else None
            yield replace(page, total=None if total == most else total)

    return span


def in_halves(
    read: Span,
    start: datetime,
    end: datetime,
    shortest: timedelta = SECOND,
    *,
    may_be_capped: bool = False,
) -> Iterator[Page]:
    """Yield the pages of a span, or of both its halves if it is too large for one list.

    With ``may_be_capped`` the halves are also read if the list has a round number of
    records, because the vendor may have cut it short. Some records come twice then.
    Every page has the total of the whole span, because the totals of overlapping
    halves cannot be added. Raises `ResultTooLargeError` if a span cannot be halved.
    """
    middle = (start + (end - start) / 2).replace(microsecond=0)
    can_be_halved = end - start > shortest and start < middle
    place = f"between {start:%Y-%m-%d %H:%M:%S} and {end:%H:%M:%S}Z"
    whole, so_far = None, 0
    try:
        for page in read(start, end):
            whole = page.total
            so_far += len(page.records)
            yield page
    except ResultTooLargeError as error:
        if not can_be_halved:
            raise ResultTooLargeError(f"{error}, {place}") from None
    else:
        is_round = so_far > 0 and so_far % ROUND == 0
        if not (may_be_capped and is_round and end - start > shortest):
            return
        if not can_be_halved:
            raise ResultTooLargeError(
                f"a list of {so_far} records may be cut short, {place}"
            )
    for part in ((start, middle), (middle, end)):
        for page in in_halves(read, *part, shortest, may_be_capped=may_be_capped):
            yield replace(page, total=whole, part=page.part or part)
