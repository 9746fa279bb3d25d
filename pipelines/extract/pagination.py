"""Read the pages of a list, and raise an error for every page that is not as promised.

dlt's own paginators end without an error on a renamed key, on an error body and on an
empty page before the total, and they skip records if a vendor makes its pages smaller
than asked for (tried with dlt 1.31). Here each of these is an error.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any, TypeAlias

import msgspec

from pipelines.extract.client import Client
from pipelines.extract.errors import (
    ExpiredPageError,
    ResultTooLargeError,
    VendorError,
    clean,
)
from pipelines.planning.windows import SECOND, read_time

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


Turn: TypeAlias = Callable[[Envelope, Page, int], Mapping[str, Any] | None]
"""From (envelope, page, records so far) to what changes for the next page, or None."""

Paging: TypeAlias = Callable[[str], Turn]
"""Called once a read: from the list's name in errors to the `Turn` of its pages."""


def one_page(_: str) -> Turn:
    """Read a list that comes in one page."""
    return lambda *_: None


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
    bounds: tuple[str, str] = ("from", "to")
    """The parameters of the start and the end; keys of ``json`` if there is one."""
    time_form: str = "%Y-%m-%dT%H:%M:%S+00:00"
    """How a bound is written, as a format of `strftime`."""
    repeats_bounds: bool = False
    """True: the response repeats the bounds of the request, so they are compared."""
    bounds_sent: Mapping[str, datetime] = field(default_factory=dict)
    """The bounds, by their parameters; `between` sets them."""
    paging: Paging = one_page
    reach: int | None = None
    """How many records its pages can reach; if there are more, it is too large."""
    check: Callable[["Listing", Envelope, Page], None] | None = None
    """Raises `VendorError` if a page answers another request."""
    later_error: type[VendorError] | None = None
    """The error for a rejected later page: only its page token can be at fault."""

    def between(self, start: datetime, end: datetime) -> "Listing":
        """Return the same request for the records of ``[start, end)``."""
        bounds = dict(zip(self.bounds, (start, end), strict=True))
        sent = {
            key: time.astimezone(UTC).strftime(self.time_form)
            for key, time in bounds.items()
        }
        bounded = replace(self, bounds_sent=bounds)
        if self.json is not None:
            return replace(bounded, json={**self.json, **sent})
        return bounded.moved(sent)

    def moved(self, step: Mapping[str, Any]) -> "Listing":
        """Return the same request with other parameters, as for another page."""
        if self.data:
            return replace(self, data={**self.data, **step})
        return replace(self, params={**self.params, **step})


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


def by_offset(parameter: str, limit: int) -> Paging:
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

    return lambda _: turn


def by_token(parameter: str, key: str) -> Paging:
    """Follow the token until it is empty; a missing token is an error."""

    def begin(place: str) -> Turn:
        def turn(envelope: Envelope, _: Page, __: int) -> Mapping[str, Any] | None:
            token: str | None = promised(envelope, key, str | None, place)  # type: ignore[arg-type]
            return {parameter: token} if token else None

        return turn

    return begin


def by_page(parameter: str, more_key: str, first: int = 0) -> Paging:
    """Count pages while the vendor says that there are more; an empty one is the last.

    Records that are missing then show in the vendor's total.
    """

    def begin(place: str) -> Turn:
        numbers = count(first + 1)

        def turn(envelope: Envelope, page: Page, _: int) -> Mapping[str, Any] | None:
            more: bool = promised(envelope, more_key, bool, place)
            return {parameter: next(numbers)} if more and page.records else None

        return turn

    return begin


def pages(client: Client, listing: Listing) -> Iterator[Page]:
    """Yield all pages of a list.

    Raises `VendorError` if a promised key is missing or of another shape, if a page
    comes twice, or after `MOST_PAGES` pages; `ResultTooLargeError` if the list has more
    records than its pages reach; and what the list's ``check`` and ``later_error`` say.
    """
    place = f"{client.vendor} {listing.path}"
    turn = listing.paging(place)
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
            if error.is_bad_request and listing.later_error and number:
                raise listing.later_error(str(error)) from None
            raise
        page = _page(checked(envelope, place), listing, place)
        if listing.repeats_bounds:
            _check_echo(envelope, listing, place)
        if listing.check:
            listing.check(listing, envelope, page)
        digest = _digest(page)
        if page.records and digest == before:
            raise VendorError(f"{place} sent the same page twice; the window is open")
        so_far += len(page.records)
        before = digest
        yield page
        if listing.reach is not None and max(page.total or 0, so_far) > listing.reach:
            raise ResultTooLargeError(
                f"{place} has more records than the {listing.reach} that its pages can "
                "reach"
            )
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
    for key, asked in listing.bounds_sent.items():
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


def span_of(client: Client, listing: Listing) -> Span:
    """Return the function that reads a span of a list, each from a second earlier.

    A vendor may leave out the start; a record that then comes twice is stored once.
    """

    def read(start: datetime, end: datetime) -> Iterator[Page]:
        return pages(client, listing.between(start - SECOND, end))

    return read


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
    halves cannot be added.
    """
    middle = (start + (end - start) / 2).replace(microsecond=0)
    can_be_halved = end - start > shortest and start < middle
    whole, so_far = None, 0
    try:
        for page in read(start, end):
            whole = page.total
            so_far += len(page.records)
            yield page
    except ResultTooLargeError as error:
        if not can_be_halved:
            raise ResultTooLargeError(
                f"{error}, between {start:%Y-%m-%d %H:%M:%S} and {end:%H:%M:%S}Z"
            ) from None
    else:
        is_round = so_far > 0 and so_far % ROUND == 0
        if not (may_be_capped and is_round and can_be_halved):
            return
    for part in ((start, middle), (middle, end)):
        for page in in_halves(read, *part, shortest, may_be_capped=may_be_capped):
            yield replace(page, total=whole, part=page.part or part)


def refuse_others(
    page: Page, key: str, wanted: Collection[str], sentence: str, *, stops_account: bool
) -> None:
    """Raise `VendorError` for a record whose ``key`` has a value not in ``wanted``.

    A record without the key, or of another shape, goes into the quarantine.
    """
    shape: Any = msgspec.defstruct(
        "Record", [("value", str, "")], rename={"value": key}
    )
    for record in page.records:
        try:
            value = msgspec.json.decode(record, type=shape).value
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if value and value not in wanted:
            raise VendorError(sentence, stops_account=stops_account)


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
