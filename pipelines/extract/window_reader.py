"""Read one window of one stream, again and again until the result can be trusted.

A read is trusted when it has as many records as the vendor's total and every stored
record of the window, or when it has the same records as the read before. A young
window whose list may change between two pages is always read twice: one record that
leaves the list can hide another, and the total is right all the same.

A stored record that does not come is counted, not deleted; the proof of a deletion is
in `pipelines.planning.deletion`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from pipelines.extract.errors import VendorError
from pipelines.extract.pagination import Page
from pipelines.extract.rate_limit import VendorRun
from pipelines.extract.spool import Location, Spool
from pipelines.planning.stream import Stream
from pipelines.planning.windows import (
    DAY,
    EVER_SO_SHORT,
    SECOND,
    Interval,
    Window,
    midnight,
)

if TYPE_CHECKING:
    from pipelines.extract.resources import Read

_T = TypeVar("_T")
Fetch: TypeAlias = Callable[[Window], Iterable[Page]]
Clock: TypeAlias = Callable[[], datetime]
RecordVersion: TypeAlias = tuple[datetime, datetime | None, Location]
"""Event time, time of last change where the record has one, and where the bytes lie."""
Versions: TypeAlias = dict[str, RecordVersion]
StoredTimes: TypeAlias = Callable[[Stream, str, Window], Mapping[str, datetime]]
"""Return event times by record id of what is stored of a stream, account and window."""

UNREADABLE = (ValueError, RecursionError, msgspec.MsgspecError)
"""The errors that `read_keys` raises for a record that cannot be read."""
READS = 3
"""A run reads a window at most this often; if no two reads agree, it is incomplete."""
DIVISIONS = (2, 4, 8, 16)
"""The numbers of parts into which a window is cut if its vendor lists less than it
counts."""
MISPLACED = 5
"""A read fails if this many records lie outside of its window, and more than inside."""
ANY_ZONE = timedelta(hours=14)
"""The largest offset from UTC: a record further outside of its window is wrong."""
MOST_RECORDS = 250_000
"""Of one read of a window: their keys stay in memory until it has ended."""
MOST_BYTES = 1024 * 1024 * 1024
"""Of one read of a window, on disk."""
PACKAGE_BYTES = 24 * 1024 * 1024
"""A load package that has as many bytes of records takes no further window."""
PACKAGE_SECONDS = 20.0
"""Nor does one that took its first window so long ago: a kill can lose what it has."""
COUNTING_PAGES = 3
"""So many pages are asked for a total, for the first may not have it."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
BACKSLASH = ord("\\")
AHEAD = DAY
"""A record dated further ahead of the clock than this cannot be read."""


def utc_now() -> datetime:
    """Return the machine's clock."""
    return datetime.now(UTC)


def _nothing(_: Stream, __: str, ___: Window) -> Mapping[str, datetime]:
    return {}


@dataclass
class Package:
    """How full a load package is; all accounts of a vendor share it."""

    most: int | None = PACKAGE_BYTES
    """Bytes of records that it takes; None: no limit."""
    bytes: int = 0
    """Bytes of the records in it."""
    gave_up: set[str] = field(default_factory=set)
    """Accounts of which this run reads no further window."""
    begun: "dict[str, list[Read]]" = field(default_factory=dict)
    """By account, the windows whose remaining records go into the next package."""
    is_closed: bool = False
    """It ends with a part of a window; the rest must go into another package."""
    taken_at: float | None = None
    """When it took its first window; None: it is empty."""

    @property
    def is_full(self) -> bool:
        """Return True if the package takes no further window."""
        if self.is_closed or self.most is None:
            return self.is_closed
        age = 0.0 if self.taken_at is None else monotonic() - self.taken_at
        return self.bytes >= self.most or age >= PACKAGE_SECONDS


@dataclass(frozen=True)
class ReadOptions:
    """How a source reads windows. The defaults serve a source that is used alone."""

    clock: Clock = utc_now
    keep_going: bool = False
    """True: a window that fails is written into the ledger as failed. False: raise."""
    requests_today: int = 0
    """Requests of the account's daily quota that are used already."""
    load_no: int | None = None
    """The number of the load, greater than those before; None: it has none."""
    run: VendorRun | None = None
    """Waits and clocks of the run, shared by its clients; None: one per client."""
    package: Package | None = None
    """The load package to fill; None: one without a limit."""
    folder: Path | None = None
    """Where records lie while their window is read; None: with temporary files."""
    stored: StoredTimes = _nothing
    """Looks up what is stored of a window; by default nothing is."""
    counts_only: bool = False
    """True: read the vendor's total of each window, and no record."""


DEFAULTS = ReadOptions()


@dataclass
class WindowRecords:
    """The records of one window, as far as its pages have come."""

    spool: Spool | None = None
    """The file of their bytes; None: no record was read."""
    fetched: int = 0
    """Records that came, one that came twice counted twice."""
    bytes: int = 0
    """Bytes of these records."""
    total: int | None = None
    """The vendor's total on the last page; None: it gives none."""
    pages: int = 0
    total_changed: bool = False
    """The vendor's total changed between two pages, so records may be missing."""
    is_bounded: bool = False
    """At least one record has the field that the window filters by."""
    last_read: Versions = field(default_factory=dict)
    """The records of the last read, by record id."""
    all_reads: Versions = field(default_factory=dict)
    """The records of all reads, if none of them can be trusted; else empty."""
    unreadable: list[tuple[int, str, Location]] = field(default_factory=list)
    """Number, reason and location of each record that goes into quarantine."""
    parts: dict[Interval, int] = field(default_factory=dict)
    """Numbers of records by part, if the window was too large for one list."""
    missing: dict[str, datetime] = field(default_factory=dict)
    """Event times, by record id, of the stored records that did not come."""
    known: int = 0
    """How many of the stored records came again."""
    reads_agree: bool = True
    """False: no two reads agreed, and `all_reads` has the records of all of them."""
    counts_more: bool = False
    """The vendor's total is more than it lists, even in the smallest parts."""

    @property
    def distinct(self) -> int:
        """How many different records came, readable or not."""
        return len(self.last_read) + len(self.unreadable)

    @property
    def is_short(self) -> bool:
        """Return True if fewer came than the vendor says there are."""
        few = self.total is not None and self.distinct < self.total
        return few and not self.counts_more

    @property
    def agrees(self) -> bool:
        """Return True if the total did not change, and as many records came."""
        return not self.total_changed and self.total in {None, self.distinct}


@dataclass(frozen=True)
class Reader:
    """Reads windows of one stream and account."""

    stream: Stream
    account: str
    fetch: Fetch
    options: ReadOptions

    def read(self, window: Window, now: datetime) -> WindowRecords:
        """Read a window up to `READS` times, until the result can be trusted.

        Raises `VendorError` for whatever the vendor answers that cannot be loaded.
        """
        if self.options.counts_only:
            return self._count(window)
        stored = self._stored(window, now)
        spool = Spool(self.options.folder)
        reads: list[WindowRecords] = []
        for _ in range(READS):
            records = self._read_pages(window, now, spool)
            _compare(records, stored)
            is_stable = not self._may_shift(window, records, now)
            if records.agrees and is_stable and not records.missing:
                return records
            is_repeated = (
                reads and reads[-1].last_read.keys() == records.last_read.keys()
            )
            if is_repeated and not records.is_short:
                return records
            reads.append(records)
        records.all_reads = _newest(one.last_read for one in reads)
        records.reads_agree = False
        if records.is_short and not self.stream.total_is_exact and not window.ids:
            records = self._read_in_parts(window, records, now, spool)
        _compare(records, stored)
        return records

    def _read_in_parts(
        self, window: Window, records: WindowRecords, now: datetime, spool: Spool
    ) -> WindowRecords:
        """Read a window in smaller and smaller parts, until they add no record.

        If fewer records come than the total says, either the list is cut short or the
        total is an estimate. Parts that add no record prove that it is the total.
        """
        found = records.all_reads
        for count in DIVISIONS:
            before = len(found)
            for part in _parts(window, count):
                one = self._read_pages(part, now, spool)
                records.fetched += one.fetched
                found = _newest([found, one.last_read])
            records.last_read = records.all_reads = found
            if not records.is_short:
                break
            if len(found) == before:
                records.counts_more = True
                break
        return records

    def _count(self, window: Window) -> WindowRecords:
        records = WindowRecords()
        for page in self.fetch(window):
            records.pages += 1
            records.total = page.total
            if records.total is not None or records.pages == COUNTING_PAGES:
                break
        return records

    def _may_shift(self, window: Window, records: WindowRecords, now: datetime) -> bool:
        is_young = now < window.end + self.stream.lookback
        return (
            self.stream.has_unstable_pages
            and is_young
            and records.pages > 1
            and not window.ids
        )

    def _stored(self, window: Window, now: datetime) -> Mapping[str, datetime]:
        """Return the stored records that this window must list, if any must."""
        if not self.stream.lists_all(window, now):
            return {}
        return self.options.stored(self.stream, self.account, window)

    def _read_pages(self, window: Window, now: datetime, spool: Spool) -> WindowRecords:
        records = WindowRecords(spool)
        for page in self.fetch(window):
            if page.starts_over:
                records = WindowRecords(spool)
            # For records asked for by id the total is that of one request.
            total = None if window.ids else page.total
            records.total_changed |= records.pages > 0 and total != records.total
            records.total = total
            records.pages += 1
            if page.part is not None:
                known = records.parts.get(page.part, 0)
                records.parts[page.part] = known + len(page.records)
            for record in page.records:
                self._add(records, spool, bytes(record), window, now)
                _check_size(window, records)
        if (
            self.stream.filter_field
            and records.last_read
            and not (records.is_bounded or window.ids)
        ):
            raise VendorError(
                f"{window}: no record came with {self.stream.filter_field!r}, so "
                "nothing shows that the vendor filtered by it, and changes may be "
                "missed; make it one of fields in config.toml, where the vendor allows "
                "it",
                stops_account=True,
            )
        if self.stream.is_by_own_time and not window.ids:
            _check_times(window, records)
        return records

    def _add(
        self,
        records: WindowRecords,
        spool: Spool,
        record: bytes,
        window: Window,
        now: datetime,
    ) -> None:
        records.fetched += 1
        records.bytes += len(record)
        try:
            keys = read_keys(self.stream, record, now)
            record.decode()
        except UNREADABLE as error:
            one = (records.fetched, reason_of(error), spool.add(record))
            records.unreadable.append(one)
            return
        if self.stream.filter_field:
            self._check_bound(records, window, keys)
        if window.ids and keys.record_id not in window.ids:
            raise VendorError(
                f"{window}: a record came that was not asked for, so the vendor did "
                "not filter by id"
            )
        found = (keys.event_at, keys.updated_at, spool.add(record))
        before = records.last_read.get(keys.record_id)
        records.last_read[keys.record_id] = _newer(before, found)

    def _check_bound(
        self, records: WindowRecords, window: Window, keys: "RecordKeys"
    ) -> None:
        """Raise `VendorError` for a record outside of the window it was filtered by."""
        records.is_bounded |= keys.is_filtered
        moment = keys.filtered_at
        if moment is None or window.start - SECOND <= moment <= window.end + SECOND:
            return
        raise VendorError(
            f"{window}: a record came whose {self.stream.filter_field!r} is outside of "
            "the window, so the vendor filtered by another date; check the name of "
            "the date-field parameter in config.toml",
            stops_account=True,
        )


def _compare(records: WindowRecords, stored: Mapping[str, datetime]) -> None:
    """Note which stored records came again, and which are missing.

    A record that cannot be read may be any of them, so then none is missing.
    """
    known = records.all_reads or records.last_read
    records.missing = {} if records.unreadable else _without(stored, known)
    records.known = sum(one in known for one in stored)


def _check_size(window: Window, records: WindowRecords) -> None:
    """Raise `VendorError` for more records, or bytes, than one window may hold."""
    if records.distinct > MOST_RECORDS or records.bytes > MOST_BYTES:
        raise VendorError(
            f"{window} has more than {MOST_RECORDS:,} records or "
            f"{MOST_BYTES >> 20} MiB, more than one window may hold, so its vendor "
            "may be sending pages without end; the window is open"
        )


def _check_times(window: Window, records: WindowRecords) -> None:
    """Raise `VendorError` if most records lie outside of the window.

    Some may: a vendor can filter in another time zone, or by another field. What counts
    are the UTC days of the window, because some vendors only list whole days.
    """
    first, last = midnight(window.start), midnight(window.end - EVER_SO_SHORT) + DAY
    times = [at for at, _, _ in records.last_read.values()]
    outside = _beyond(times, first - SECOND, last + SECOND)
    far = len(_beyond(outside, first - ANY_ZONE, last + ANY_ZONE))
    most = len(times) // 2
    if far > most or (len(outside) >= MISPLACED and len(outside) > most):
        raise VendorError(
            f"{window}: {len(outside)} of {len(times)} records that came lie outside "
            "of the window, so this is the list of another window, perhaps from a "
            "cache; the window stays open and is read again in the next run"
        )


def _beyond(
    times: Iterable[datetime], first: datetime, last: datetime
) -> list[datetime]:
    return [at for at in times if at < first or at > last]


def _parts(window: Window, count: int) -> list[Window]:
    """Cut a window into parts of the same length, in whole seconds."""
    length = window.end - window.start
    cuts = [
        (window.start + length * number / count).replace(microsecond=0)
        for number in range(1, count)
    ]
    bounds = [window.start, *cuts, window.end]
    return [
        replace(window, start=start, end=end)
        for start, end in pairwise(bounds)
        if start < end
    ]


class RecordKeys(NamedTuple):
    """The keys of a record that decide where it is stored."""

    record_id: str
    event_at: datetime
    updated_at: datetime | None
    """None: it has no such time, or none that can be read, which the models report."""
    filtered_at: datetime | None
    """The time that the window filters by; None as above."""
    is_filtered: bool
    """The record has the key of that time, whatever it says."""


def read_keys(stream: Stream, record: bytes, now: datetime) -> RecordKeys:
    """Return the keys of a record; nothing else of it is decoded.

    ``now`` is the event time of a stream that has none. Raises one of `UNREADABLE`,
    whose text never quotes a value of the record.
    """
    if BACKSLASH in record and b"\\ud" in record.lower():
        msgspec.json.decode(record)  # raises on half a surrogate pair
    found = _decoder(
        stream.primary_key,
        stream.event_time_field,
        stream.updated_at_field,
        stream.filter_field,
    ).decode(record)
    identity = found.identity
    if type(identity) is not str and type(identity) is not int:
        _refuse_strange(stream.primary_key, identity)
    if not identity:
        raise ValueError(f"{stream.primary_key!r} is missing or empty")
    event_at = now
    if stream.event_time_field:
        if not isinstance(found.event, str):
            raise ValueError(f"{stream.event_time_field!r} is missing or not a text")
        try:
            event_at = stream.read_time(found.event)
        except (ValueError, OverflowError):
            raise ValueError(f"{stream.event_time_field!r} is not a time") from None
    if not EARLIEST <= event_at <= now + AHEAD:
        raise ValueError(f"{stream.event_time_field!r} is not a time a call had")
    updated_at = _time(stream, found.updated)
    filtered: tuple[object, datetime | None]
    if stream.filter_field == stream.event_time_field:
        filtered = found.event, event_at
    elif stream.filter_field == stream.updated_at_field:
        filtered = found.updated, updated_at
    else:
        filtered = found.filtered, _time(stream, found.filtered)
    value, filtered_at = filtered
    return RecordKeys(
        str(identity), event_at, updated_at, filtered_at, value is not None
    )


@cache
def _decoder(
    identity: str, event: str, updated: str, filtered: str
) -> msgspec.json.Decoder[Any]:
    """Return what decodes these keys of a record, and nothing else of it.

    A key that is absent, or "", or that another of them has already, is None.
    """
    roles = {"identity": identity, "event": event, "updated": updated}
    roles["filtered"] = filtered
    own: dict[str, str] = {}
    for role, key in roles.items():
        if key and key not in own.values():
            own[role] = key
    fields = [(role, Any, None) for role in own]
    others: dict[str, Any] = {role: None for role in roles if role not in own}
    shape = msgspec.defstruct("Keys", fields, rename=own, namespace=others)
    return msgspec.json.Decoder(shape)


def _refuse_strange(name: str, value: object) -> None:
    """Raise `msgspec.ValidationError` for a key that is neither text nor an integer."""
    try:
        msgspec.convert(value, str | int | None)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{name!r}: {error}") from None


def _time(stream: Stream, text: object) -> datetime | None:
    """Return a time that a record may lack; None: it does, or it is no time."""
    if not isinstance(text, str):
        return None
    try:
        return stream.read_time(text)
    except (ValueError, OverflowError):
        return None


def reason_of(error: Exception) -> str:
    """Return why a record could not be read, in at most 300 characters."""
    return f"{type(error).__name__}: {error}"[:300]


def _newest(reads: Iterable[Versions]) -> Versions:
    union: Versions = {}
    for last_read in reads:
        for record_id, found in last_read.items():
            union[record_id] = _newer(union.get(record_id), found)
    return union


def _newer(known: RecordVersion | None, later: RecordVersion) -> RecordVersion:
    """Return the newer of two versions of a record; ``later`` came after ``known``.

    One without a time of change counts as changed when it came: a record that its
    vendor has erased may have lost that time, too.
    """
    if known is None or known[1] is None:
        return later
    if later[1] is None:
        return (later[0], known[1], later[2])
    return later if later[1] >= known[1] else known


def _without(all_of: Mapping[str, _T], those: Mapping[str, object]) -> dict[str, _T]:
    return {one: found for one, found in all_of.items() if one not in those}
