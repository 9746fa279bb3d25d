"""Pages of a listing, read strictly: what a vendor promised must arrive.

dlt's own paginators end in silence on a renamed key, on an error body and at an
empty page before the total, and step over records when a vendor caps its pages (each
seen when it was tried, dlt 1.31); here each of these is an error.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any, TypeAlias

import msgspec

from pipelines.extract.client import Client
from pipelines.extract.errors import ExpiredPageError, TooMuchError, VendorError, clean
from pipelines.planning.windows import SECOND, read_time

Envelope: TypeAlias = dict[str, msgspec.Raw]
"""A vendor's answer with its values still unread."""

MOST_PAGES = 100_000
MOST_RECORDS = 2**53
"""A total above this is not a count: not even JavaScript has a whole number there."""
ERRORS = frozenset({"error", "errors"})
RESTARTS = 3
"""So often a window is begun again in one reading because a page token ended."""
ROUND = 1000
"""A list that ends after a multiple of this may end where its vendor stops counting."""


@dataclass(frozen=True)
class Page:
    """Records as they came, byte for byte, and what the vendor says of them all."""

    records: list[msgspec.Raw]
    total: int | None = None
    """How many records the vendor says the whole window has; None: it does not say."""
    part: tuple[datetime, datetime] | None = None
    """Where the window was too much for one question: the part this is a page of."""
    starts_over: bool = False
    """The first page again: the pages of this reading before it are void."""


Turn: TypeAlias = Callable[[Envelope, Page, int], Mapping[str, Any] | None]
"""From (envelope, page, records so far) to what changes for the next page, or None."""

Paging: TypeAlias = Callable[[str], Turn]
"""Begins a reading: from the listing's name in errors to the `Turn` of its pages."""


def one_page(_: str) -> Turn:
    """Read a listing that is answered at once."""
    return lambda *_: None


@dataclass(frozen=True)
class Listing:
    """One question that is answered in pages."""

    path: str
    records: str
    """Key of the records in the envelope; promised on every page."""
    method: str = "GET"
    total: str | None = None
    """Key of the vendor's total."""
    total_is_promised: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    """Form fields; what moves from page to page moves here when there are any."""
    json: Mapping[str, Any] | None = None
    bounds: tuple[str, str] = ("from", "to")
    """What its start and its end are called: in ``json`` where there is one."""
    time_form: str = "%Y-%m-%dT%H:%M:%S+00:00"
    """How a bound is written, as `strftime` takes it."""
    repeats_bounds: bool = False
    """Whether the vendor repeats the bounds that it was asked for, when it does not
    answer another question."""
    asked: Mapping[str, datetime] = field(default_factory=dict)
    """The bounds, by their names."""
    paging: Paging = one_page
    reach: int | None = None
    """Records that its pages can get to; where there are more, it is too much."""
    check: Callable[["Listing", Envelope, Page], None] | None = None
    """Raises `VendorError` for the answer to another question."""
    later_refusal: type[VendorError] | None = None
    """What a refused parameter of a later page means: no other can be at fault."""

    def between(self, start: datetime, end: datetime) -> "Listing":
        """Return the same question about a span of UTC."""
        asked = dict(zip(self.bounds, (start, end), strict=True))
        sent = {
            key: time.astimezone(UTC).strftime(self.time_form)
            for key, time in asked.items()
        }
        bounded = replace(self, asked=asked)
        if self.json is not None:
            return replace(bounded, json={**self.json, **sent})
        return bounded.moved(sent)

    def moved(self, step: Mapping[str, Any]) -> "Listing":
        """Return the same question with other parameters, as for another page."""
        if self.data:
            return replace(self, data={**self.data, **step})
        return replace(self, params={**self.params, **step})


def checked(envelope: Envelope, place: str) -> Envelope:
    """Return an envelope that has no error in it; one beside the data raises.

    What stands beside an error is a part of the data at best.
    """
    for key, value in envelope.items():
        if key.lower() in ERRORS and not _is_nothing(value):
            said = clean(bytes(value).decode(errors="replace"))
            raise VendorError(
                f"{place} sent {key!r} beside its answer, of which the rest may be "
                f"missing; the window is open ({said})"
            )
    return envelope


def _is_nothing(value: msgspec.Raw) -> bool:
    """Return True for what a vendor may write where there is no error."""
    try:
        return not msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return False


def promised(envelope: Envelope, key: str, shape: type[Any], place: str) -> Any:  # noqa: ANN401
    """Return a key of the envelope, decoded; its absence or another shape raises."""
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
    """Return the first keys; a vendor that changed may have data for keys."""
    return [clean(key) for key in sorted(envelope)[:8]]


def by_offset(parameter: str, limit: int) -> Paging:
    """Go on from as many records as have come, until the total is reached.

    Not by the page size asked for: a vendor may cap its pages and not say so. Where
    there is no total, a page that is empty or not full is the last.
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

    Records missing then show in the vendor's total.
    """

    def begin(place: str) -> Turn:
        numbers = count(first + 1)

        def turn(envelope: Envelope, page: Page, _: int) -> Mapping[str, Any] | None:
            more: bool = promised(envelope, more_key, bool, place)
            return {parameter: next(numbers)} if more and page.records else None

        return turn

    return begin


def pages(client: Client, listing: Listing) -> Iterator[Page]:
    """Read a listing to its end.

    Raises `VendorError` when a promised key is missing or of another shape, when a
    page comes twice, or when the pages never end; `TooMuchError` when the listing has
    more records than its pages reach; and what the listing's ``check`` and
    ``later_refusal`` say.
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
            if error.is_bad_question and listing.later_refusal and number:
                raise listing.later_refusal(str(error)) from None
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
            raise TooMuchError(
                f"{place} has more records than the {listing.reach} that its pages can "
                "reach"
            )
        step = turn(envelope, page, so_far)
        if step is None:
            return
        listing = listing.moved(step)
    raise VendorError(f"{place} had no last page after {MOST_PAGES} pages")


def _digest(page: Page) -> bytes:
    """Return what tells a page from the one before it, which is not kept for that."""
    digest = sha256()
    for record in page.records:
        digest.update(record)
        digest.update(b",")
    return digest.digest()


def _check_echo(envelope: Envelope, listing: Listing, place: str) -> None:
    """Refuse the answer to another question, by the times that it repeats.

    Another form, precision or zone of the same moment makes no difference, and what
    cannot be read proves nothing. A date alone is the day that was asked for.
    """
    for key, asked in listing.asked.items():
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
            f"{asked:%Y-%m-%dT%H:%M:%SZ}, so this is the answer to another question, "
            "perhaps out of a cache; the window is open"
        )


def restarted(read: Callable[[], Iterator[Page]]) -> Iterator[Page]:
    """Read a window, and from its first page again where a page token has ended.

    Pages of two readings are no whole: what came and went in between would be in
    neither or in both, so that the first page again makes those before it void.
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
"""Reads ``[start, end)``; raises `TooMuchError` when that is more than it can get."""


def span_of(client: Client, listing: Listing) -> Span:
    """Return what reads the spans of a listing, each from a second earlier.

    Where it is not known whether the start is part of it, the key removes the copy.
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
    """Read a span, or both its halves where it is too much for one question.

    With ``may_be_capped``, halves must also say whether a list of a round number of
    records was cut short there. Some records come twice then. Every page has the
    total that the vendor gave for the whole: what is asked beyond a half's bounds
    counts in both halves, so theirs have no sum.
    """
    middle = (start + (end - start) / 2).replace(microsecond=0)
    can_be_halved = end - start > shortest and start < middle
    whole, so_far = None, 0
    try:
        for page in read(start, end):
            whole = page.total
            so_far += len(page.records)
            yield page
    except TooMuchError as error:
        if not can_be_halved:
            raise TooMuchError(
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
    """Raise `VendorError` for a record whose ``key`` has a value nobody asked for.

    A record without it, or of another shape, is for the quarantine.
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
