"""Read the pages of a list, and raise an error for every page that is not as promised.

dlt's own paginators end without an error on a renamed key, on an error body and on an
empty page before the total, and they skip records if a vendor makes its pages smaller
than asked for (tried with dlt 1.31). Here each of these is an error.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeAlias

import msgspec

from pipelines.extract.client import Client
from pipelines.extract.errors import (
    ExpiredPageError,
    ResultTooLargeError,
    VendorError,
    clean,
)
from pipelines.planning.windows import read_time

Envelope: TypeAlias = dict[str, msgspec.Raw]
"""A JSON object of a vendor, its values not decoded yet."""

MOST_PAGES = 100_000
MOST_RECORDS = 2**53
"""A larger total is an error: JSON numbers are exact up to here."""
ERRORS = frozenset({"error", "errors"})
RESTARTS = 3
"""So often a window is read from its first page again because a page token expired."""
ROUND = 1000
"""A list with a multiple of so many records may have been cut short by its vendor."""


@dataclass(frozen=True)
class Page:
    """One page: records byte for byte as they came, and the vendor's total."""

    records: list[msgspec.Raw]
    total: int | None = None
    """The vendor's number of records in the whole window; None: it gives none."""
    part: tuple[datetime, datetime] | None = None
    """The part of the window that this is a page of; None: the whole window."""
    starts_over: bool = False
    """True: the window is read again from here, and the pages before are void."""


@dataclass(frozen=True)
class Listing:
    """One request whose result comes in pages."""

    path: str
    records: str
    """Key of the records in the envelope; every page must have it."""
    method: str = "GET"
    total: str | None = None
    """Key of the vendor's total; None: it gives none."""
    total_is_promised: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    """Form fields; if there are any, the page's parameter is one of them."""
    json: Mapping[str, Any] | None = None
    echoed: Mapping[str, datetime] = field(default_factory=dict)
    """Times that the request has, by the key in which the response repeats them."""

    def moved(self, step: Mapping[str, Any]) -> "Listing":
        """Return the same request for another page."""
        if self.data:
            return replace(self, data={**self.data, **step})
        return replace(self, params={**self.params, **step})


Turn: TypeAlias = Callable[[Envelope, Page, int], Mapping[str, Any] | None]
"""From (envelope, page, records so far) to what changes for the next page, or None."""


def checked(envelope: Envelope, place: str) -> Envelope:
    """Return the envelope; raise `VendorError` if it has an error beside the data.

    The data beside an error may be incomplete.
    """
    for key, value in envelope.items():
        if key.lower() in ERRORS and not _is_nothing(value):
            message = clean(bytes(value).decode(errors="replace"))
            raise VendorError(
                f"{place} sent {key!r} beside its answer, of which the rest may be "
                f"missing; the window is open ({message})"
            )
    return envelope


def _is_nothing(value: msgspec.Raw) -> bool:
    """Return True for a value that means no error, such as null, 0, "" or []."""
    try:
        return not msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return False


def promised(envelope: Envelope, key: str, shape: type[Any], place: str) -> Any:  # noqa: ANN401
    """Return a decoded key; raise `VendorError` if it is absent or of another shape."""
    if key not in envelope:
        raise VendorError(
            f"{place} answered without {key!r}: its envelope changed, or it hides "
            f"an error (keys: {', '.join(_keys(envelope)) or 'none'})"
        )
    try:
        return msgspec.json.decode(envelope[key], type=shape, strict=False)
    except (msgspec.DecodeError, ValueError) as error:
        raise VendorError(
            f"{place} sent {key!r} in another shape: {clean(str(error))}"
        ) from None


def _keys(envelope: Envelope) -> list[str]:
    """Return up to eight keys, made fit for a log: a key may be personal data."""
    return [clean(key) for key in sorted(envelope)[:8]]


def by_offset(parameter: str, limit: int) -> Turn:
    """Continue at the number of records that came, until the total is reached.

    The page size is not used, because a vendor may send smaller pages than asked for.
    Without a total, a page with fewer than ``limit`` records is the last.
    """

    def turn(_: Envelope, page: Page, so_far: int) -> Mapping[str, Any] | None:
        if page.total is not None:
            more = so_far < page.total and bool(page.records)
        else:
            more = len(page.records) >= limit
        return {parameter: so_far} if more else None

    return turn


def by_token(parameter: str, key: str, place: str) -> Turn:
    """Continue with the token of each page until it is empty; it must be there."""

    def turn(envelope: Envelope, _: Page, __: int) -> Mapping[str, Any] | None:
        token: str | None = promised(envelope, key, str | None, place)  # type: ignore[arg-type]
        return {parameter: token} if token else None

    return turn


def by_page(parameter: str, more_key: str, place: str, first: int = 0) -> Turn:
    """Count pages up while the vendor says that there are more, or up to an empty page.

    Records that are missing then show in the vendor's total.
    """
    number = first

    def turn(envelope: Envelope, page: Page, _: int) -> Mapping[str, Any] | None:
        nonlocal number
        number += 1
        more: bool = promised(envelope, more_key, bool, place)
        return {parameter: number} if more and page.records else None

    return turn


def pages(
    client: Client, listing: Listing, turn: Turn, *, tokens_end: bool = False
) -> Iterator[Page]:
    """Yield all pages of a list.

    Raises `VendorError` if a key is missing or of another shape, if a page comes
    twice, or after `MOST_PAGES` pages. ``tokens_end``: page tokens expire soon, so a
    later page that is rejected raises `ExpiredPageError`.
    """
    place = f"{client.vendor} {listing.path}"
    so_far = 0
    before = b""
    for number in range(MOST_PAGES):
        try:
            envelope = client.ask(
                listing.method,
                listing.path,
                Envelope,
                params=listing.params,
                data=listing.data,
                json=listing.json,
            )
        except VendorError as error:
            if error.is_bad_request and tokens_end and number:
                raise ExpiredPageError(str(error)) from None
            raise
        page = _page(checked(envelope, place), listing, place)
        _check_echo(envelope, listing, place)
        digest = _digest(page)
        if page.records and digest == before:
            raise VendorError(f"{place} sent the same page twice; the window is open")
        so_far += len(page.records)
        before = digest
        yield page
        step = turn(envelope, page, so_far)
        if step is None:
            return
        listing = listing.moved(step)
    raise VendorError(f"{place} had no last page after {MOST_PAGES} pages")


def _digest(page: Page) -> bytes:
    """Return a digest of a page, to compare it with the next one."""
    digest = sha256()
    for record in page.records:
        digest.update(record)
        digest.update(b",")
    return digest.digest()


def _check_echo(envelope: Envelope, listing: Listing, place: str) -> None:
    """Raise `VendorError` if the times that a response repeats are not those asked for.

    Format, precision and zone may differ by up to a minute, and a date alone may be
    the day of the time. A value that is not a time is ignored.
    """
    for key, asked in listing.echoed.items():
        try:
            text = msgspec.json.decode(envelope.get(key, b""), type=str)
            echo = read_time(text, "UTC")
        except (ValueError, OverflowError, msgspec.MsgspecError):
            continue
        is_date = len(text.strip()) == len("2026-03-01")
        of_day = abs(echo - asked) < timedelta(days=1)
        if abs(echo - asked) < timedelta(minutes=1) or (is_date and of_day):
            continue
        raise VendorError(
            f"{place} answered for {key!r} {echo:%Y-%m-%dT%H:%M:%SZ} and was asked for "
            f"{asked:%Y-%m-%dT%H:%M:%SZ}, so this is the answer to another request, "
            "perhaps from a cache; the window is open"
        )


def restarted(read: Callable[[], Iterator[Page]]) -> Iterator[Page]:
    """Yield the pages of a window; start again from the first if a token expires.

    The pages before are void then (`Page.starts_over`): pages of two reads may lack a
    record that moved in between, or have it twice.
    """
    for restart in range(1 + RESTARTS):
        try:
            for number, page in enumerate(read()):
                yield replace(page, starts_over=restart > 0 and number == 0)
        except ExpiredPageError as error:
            sentence = f"{error}; the window was begun again {restart} times"
        else:
            return
    raise VendorError(sentence)


Span: TypeAlias = Callable[[datetime, datetime], Iterator[Page]]
"""Reads ``[start, end)``; raises `ResultTooLargeError` where that is too much."""


def in_halves(
    read: Span,
    start: datetime,
    end: datetime,
    shortest: timedelta = timedelta(seconds=1),
) -> Iterator[Page]:
    """Yield the pages of a span, or of both its halves if it is too large for one list.

    Records at the edge of a half may come twice. Every page has the total of the whole
    span, because the totals of overlapping halves cannot be added.
    """
    whole = None
    try:
        for page in read(start, end):
            whole = page.total
            yield page
    except ResultTooLargeError:
        middle = (start + (end - start) / 2).replace(microsecond=0)
        if end - start <= shortest or not start < middle:
            raise
    else:
        return
    for part in ((start, middle), (middle, end)):
        for page in in_halves(read, *part, shortest):
            yield replace(page, total=whole, part=page.part or part)


def may_be_capped(
    records: int,
    start: datetime,
    end: datetime,
    shortest: timedelta = timedelta(seconds=1),
) -> bool:
    """Return True if a list of ``[start, end)`` may be cut short: read its halves."""
    return records > 0 and records % ROUND == 0 and end - start > shortest


def _page(envelope: Envelope, listing: Listing, place: str) -> Page:
    records = promised(envelope, listing.records, list[msgspec.Raw], place)
    if listing.total is None:
        return Page(records)
    if listing.total not in envelope and not listing.total_is_promised:
        return Page(records)
    total: int = promised(envelope, listing.total, int, place)
    if not 0 <= total <= MOST_RECORDS:
        raise VendorError(
            f"{place} sent a {listing.total!r} that counts nothing; the window is open"
        )
    return Page(records, total)
