"""Read the pages of a list, and raise an error for every page that is not as promised.

dlt's own paginators end without an error on a renamed key, on an error body and on an
empty page before the total, and they skip records if a vendor makes its pages smaller
than asked for (tried with dlt 1.31). Here each of these is an error.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeAlias
from urllib.parse import quote

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


class Key:
    """A key of an answer, as it came: no two are equal, so that none is lost."""

    def __init__(self, name: str) -> None:
        """Keep the name."""
        self.name = name


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
    is_one_record: bool = False
    """True: under the key is one record, not a list of them."""
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
    repeats: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Keys of every answer and the texts allowed there, such as a time zone."""
    warnings: str | None = None
    """Key of what the vendor warns of; None: it never does."""
    check: "Check | None" = None
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


Check: TypeAlias = Callable[[Page, str], None]
"""From (page, the list's name in errors); raises `VendorError` for another answer."""


def with_single_keys(pairs: Mapping[Key, msgspec.Raw], place: str) -> Envelope:
    """Return the keys of an answer; raise `VendorError` for one that stands twice.

    Parsers disagree on which of the two values counts.
    """
    envelope = {key.name: value for key, value in pairs.items()}
    if len(envelope) < len(pairs):
        raise VendorError(
            f"{place} sent a key twice in one answer, so it is not known which of the "
            "two values is meant; the window is open"
        )
    return envelope


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


def by_offset(parameter: str, limit: int, *, total_may_be_low: bool = False) -> Paging:
    """Continue at the number of records that came, until the total is reached.

    The page size is not used, because a vendor may send smaller pages than asked for.
    Without a total, or with one that may be too low, a page with fewer than ``limit``
    records is the last, unless the total promises more.
    """

    def turn(_: Envelope, page: Page, so_far: int) -> Mapping[str, Any] | None:
        more = page.total is not None and so_far < page.total
        if page.total is None or total_may_be_low:
            more = more or len(page.records) >= limit
        return {parameter: so_far} if more and page.records else None

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
    before: list[msgspec.Raw] = []
    for number in range(MOST_PAGES):
        try:
            pairs = client.ask(
                listing.method,
                listing.path,
                dict[Key, msgspec.Raw],
                params=listing.params,
                data=listing.data,
                json=listing.json,
            )
        except VendorError as error:
            if error.is_bad_request and listing.later_error and number:
                raise listing.later_error(str(error)) from None
            raise
        envelope = with_single_keys(pairs, place)
        page = _page(checked(envelope, place), listing, place)
        _check(client, listing, envelope, page, place)
        if page.records and _are_equal(page.records, before):
            raise VendorError(f"{place} sent the same page twice; the window is open")
        so_far += len(page.records)
        before = page.records
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


def _are_equal(page: list[msgspec.Raw], before: list[msgspec.Raw]) -> bool:
    """Return True if two pages have the same records, byte for byte."""
    pairs = zip(page, before, strict=False)
    return len(page) == len(before) and all(bytes(a) == bytes(b) for a, b in pairs)


def _check(
    client: Client, listing: Listing, envelope: Envelope, page: Page, place: str
) -> None:
    """Raise `VendorError` if a page is the answer to another request."""
    if listing.repeats_bounds:
        _check_echo(envelope, listing, place)
    for key, allowed in listing.repeats.items():
        if (repeated := promised(envelope, key, str, place)) not in allowed:
            raise VendorError(
                f"{place} answered with {key} {repeated!r}, so this is the answer to "
                "another request; the window is open"
            )
    if listing.warnings:
        _heed_warnings(client, listing, envelope)
    if listing.check:
        listing.check(page, place)


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


@dataclass
class Fields:
    """The fields that are asked for: ``fewer`` once the vendor has refused ``names``.

    With ``fewer`` "" the refusal is an error. Windows of one account share it.
    """

    names: str
    fewer: str = ""
    parameter: str = "fields"

    def pages(self, client: Client, listing: Listing) -> Iterator[Page]:
        """Yield all pages of a list, as `pages` does, with these fields."""
        names = self.names  # another thread may exchange them meanwhile
        try:
            yield from pages(client, listing.moved({self.parameter: names}))
        except VendorError as error:
            if not error.is_bad_request or not self.fewer or names == self.fewer:
                raise
        else:
            return
        for page in pages(client, listing.moved({self.parameter: self.fewer})):
            self.names = self.fewer
            yield page


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


def only(
    key: str,
    wanted: Collection[str],
    parameter: str,
    advice: str,
    *,
    stops_account: bool = False,
) -> Check:
    """Return a check that no record's ``key`` has a value that is not in ``wanted``.

    A record without the key, or of another shape, goes into the quarantine.
    ``parameter`` is where the wanted values are sent.
    """
    shape: Any = msgspec.defstruct(
        "Record", [("value", str, "")], rename={"value": key}
    )

    def check(page: Page, place: str) -> None:
        for record in page.records:
            try:
                value = msgspec.json.decode(record, type=shape).value
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if value and value not in wanted:
                raise VendorError(
                    f"{place} sent a record whose {key} was not asked for, so it did "
                    f"not understand {parameter!r}; {advice}",
                    stops_account=stops_account,
                )

    return check


def _heed_warnings(client: Client, listing: Listing, envelope: Envelope) -> None:
    """Pass on what an answer warns of to the operator.

    Raises `VendorError` if a warning names a parameter that was sent: the vendor
    ignored it, so this is the answer to another request.
    """
    key = listing.warnings or ""
    warnings: Any = msgspec.json.decode(envelope.get(key, b"[]"))
    sent = {*listing.params, *listing.data}
    for warning in warnings if isinstance(warnings, list) else [warnings]:
        if not warning:
            continue
        text = clean(str(warning))
        if ignored := sorted(sent & {*re.findall(r"\w+", str(warning))}):
            raise VendorError(
                f"{client.vendor} did not heed {', '.join(ignored)}, so that its "
                f"answer may lack records; the window is open (it warns: {text})"
            )
        client.warn(f"{client.vendor} warns: {text}")


def record_of(client: Client, path: str, record_id: str) -> Page:
    """Return a page of one record, which is the whole body of its answer."""
    record = client.ask("GET", f"{path}/{quote(record_id, safe='')}", msgspec.Raw)
    with suppress(msgspec.ValidationError):  # no object at all: for the quarantine
        checked(msgspec.json.decode(record, type=Envelope), f"{client.vendor} {path}")
    return Page([record])


def without(page: Page, keys: Collection[str]) -> Page:
    """Return a page whose records lack some keys: secrets that nobody may store.

    A record without them, or that is no object, stays byte for byte as it came.
    """
    return replace(page, records=[_without(one, keys) for one in page.records])


def _without(record: msgspec.Raw, keys: Collection[str]) -> msgspec.Raw:
    try:
        values = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return record
    left = {key: value for key, value in values.items() if key not in keys}
    if len(left) == len(values):
        return record
    return msgspec.Raw(msgspec.json.encode(left))


def _page(envelope: Envelope, listing: Listing, place: str) -> Page:
    if listing.is_one_record:
        promised(envelope, listing.records, Envelope, place)
        return Page([envelope[listing.records]])
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
