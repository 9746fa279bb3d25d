"""One window of one stream, read until what came can be relied on.

A reading is relied on when it agrees with the vendor's total and has every record
that is stored of the window, or when it says the same as the one before. A young
window whose records come and go between its pages is always read twice: one that
goes hides another, and the total agrees all the same.

A stored record that does not come is counted, not deleted:
`pipelines.planning.deletion` says what proves that.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec

from pipelines.extract.copies import Copies, Copy
from pipelines.extract.errors import VendorError
from pipelines.extract.pagination import Page
from pipelines.extract.rate_limit import VendorRun
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Interval, Window

if TYPE_CHECKING:
    from pipelines.extract.resources import Read

_T = TypeVar("_T")
Fetch: TypeAlias = Callable[[Window], Iterable[Page]]
Clock: TypeAlias = Callable[[], datetime]
_Copy: TypeAlias = tuple[datetime, datetime | None, Copy]
"""Event time, version, where the payload lies."""
Kept: TypeAlias = dict[str, _Copy]
Held: TypeAlias = Callable[[Stream, str, Window], Mapping[str, datetime]]
"""From stream, account and window to the records stored of it: event times by id."""

UNREADABLE = (ValueError, RecursionError, msgspec.MsgspecError)
"""What `read_keys` raises of a record that cannot be read."""
READS = 3
"""A set that moved while it was paged is read again this often, then left open."""
DIVISIONS = (2, 4, 8, 16)
"""Into so many parts a window is cut where its vendor counts more than it lists."""
MISPLACED = 5
"""So many records outside of the window, and more than inside it, are too many."""
ANY_ZONE = timedelta(hours=14)
"""No time zone is further from UTC: what lies further outside was not asked for."""
MOST_RECORDS = 250_000
"""Of one reading of a window: their keys stay in memory until it has been read."""
MOST_BYTES = 1024 * 1024 * 1024
"""Of one reading of a window, on disk."""
PACKAGE_BYTES = 24 * 1024 * 1024
"""A load package that holds more takes no further window."""
COUNTING_PAGES = 3
"""Where the first page has no total, the second or third may."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = DAY
"""A call dated further ahead of the clock than this was not dated by a clock."""


def utc_now() -> datetime:
    """Return the machine's clock."""
    return datetime.now(UTC)


def _nothing(_: Stream, __: str, ___: Window) -> Mapping[str, datetime]:
    return {}


@dataclass
class Package:
    """How far a load package has come; all accounts of a vendor share it."""

    most: int | None = PACKAGE_BYTES
    """None: it takes all windows."""
    bytes: int = 0
    """How long the records are that it has got."""
    gave_up: set[str] = field(default_factory=set)
    """Accounts that are not to be asked any more in this run."""
    begun: "dict[str, list[Read]]" = field(default_factory=dict)
    """By account, windows of which the next package stores the rest."""
    is_closed: bool = False
    """A portion of a window is in it, whose rest must go into another package."""

    @property
    def is_full(self) -> bool:
        """Return True if it takes no further window."""
        is_big = self.most is not None and self.bytes >= self.most
        return is_big or self.is_closed


@dataclass(frozen=True)
class Terms:
    """What a loader tells a source besides the windows; alone, it needs none."""

    clock: Clock = utc_now
    keep_going: bool = False
    """Whether a failed window goes into the ledger as such, instead of raising."""
    requests_today: int = 0
    """What is spent of the account's daily quota."""
    load_no: int | None = None
    """The number of the load, greater than those before; None: nobody counts them."""
    run: VendorRun | None = None
    """What the run has gone through so far; None: a client counts for itself."""
    package: Package | None = None
    """What the load package has got so far; None: it takes all windows."""
    folder: Path | None = None
    """Where records wait until their window is read; None: with temporary files."""
    held: Held = _nothing
    counts_only: bool = False
    """Whether only the vendor's total is asked for; no record comes then."""


ALONE = Terms()


@dataclass
class Pile:
    """Records of one window while its pages come in."""

    copies: Copies | None = None
    """Where their payloads lie; None before the first reading."""
    fetched: int = 0
    bytes: int = 0
    """How long these records are together."""
    total: int | None = None
    pages: int = 0
    moved: bool = False
    """The vendor's total changed between two pages: what came may have holes."""
    is_bounded: bool = False
    """A record has the time that the window is on."""
    kept: Kept = field(default_factory=dict)
    """By record id."""
    seen: Kept = field(default_factory=dict)
    """The same of all readings, where none can be relied on."""
    refused: list[tuple[int, str, Copy]] = field(default_factory=list)
    """Record number, reason, where the payload lies."""
    parts: dict[Interval, int] = field(default_factory=dict)
    """Records by part, where the window was too much for one question."""
    missing: dict[str, datetime] = field(default_factory=dict)
    """Stored records, by id, that did not come: event times."""
    known: int = 0
    """How many of the stored records came again."""
    is_steady: bool = True
    """Whether two readings agreed; else all that came in any of them is here."""
    counts_more: bool = False
    """The vendor's total is more than it lists, however finely it is asked."""

    @property
    def distinct(self) -> int:
        """How many records came, readable or not."""
        return len(self.kept) + len(self.refused)

    @property
    def is_short(self) -> bool:
        """Return True if fewer came than the vendor says there are."""
        few = self.total is not None and self.distinct < self.total
        return few and not self.counts_more

    @property
    def agrees(self) -> bool:
        """Return True if as many came as the vendor said all the while."""
        return not self.moved and self.total in {None, self.distinct}


@dataclass(frozen=True)
class Reader:
    """Reads windows of one stream and account."""

    stream: Stream
    account: str
    fetch: Fetch
    terms: Terms

    def read(self, window: Window, now: datetime) -> Pile:
        """Read a window until it can be relied on, or has been read too often.

        Raises `VendorError`.
        """
        if self.terms.counts_only:
            return self._count(window)
        stored = self._held(window, now)
        copies = Copies(self.terms.folder)
        piles: list[Pile] = []
        for _ in range(READS):
            pile = self._drain(window, now, copies)
            _compare(pile, stored)
            calm = not self._may_shift(window, pile, now)
            if pile.agrees and calm and not pile.missing:
                return pile
            is_repeated = piles and piles[-1].kept.keys() == pile.kept.keys()
            if is_repeated and not pile.is_short:
                return pile
            piles.append(pile)
        pile.seen = _newest(one.kept for one in piles)
        pile.is_steady = False
        if pile.is_short and not self.stream.total_is_exact and not window.ids:
            pile = self._divided(window, pile, now, copies)
        _compare(pile, stored)
        return pile

    def _divided(
        self, window: Window, pile: Pile, now: datetime, copies: Copies
    ) -> Pile:
        """Read a window in finer and finer parts, until these find nothing more.

        An estimated total may be wrong for ever, and a list may be cut short: where
        the parts of a window have no record that the whole had not, it is the total.
        """
        found = pile.seen
        for count in DIVISIONS:
            before = len(found)
            for part in _parts(window, count):
                one = self._drain(part, now, copies)
                pile.fetched += one.fetched
                found = _newest([found, one.kept])
            pile.kept = pile.seen = found
            if not pile.is_short:
                break
            if len(found) == before:
                pile.counts_more = True
                break
        return pile

    def _count(self, window: Window) -> Pile:
        pile = Pile()
        for page in self.fetch(window):
            pile.pages += 1
            pile.total = page.total
            if pile.total is not None or pile.pages == COUNTING_PAGES:
                break
        return pile

    def _may_shift(self, window: Window, pile: Pile, now: datetime) -> bool:
        is_young = now < window.end + self.stream.lookback
        return self.stream.shifts and is_young and pile.pages > 1 and not window.ids

    def _held(self, window: Window, now: datetime) -> Mapping[str, datetime]:
        """Return the stored records that this window must list, if any must."""
        if not self.stream.lists_all(window, now):
            return {}
        return self.terms.held(self.stream, self.account, window)

    def _drain(self, window: Window, now: datetime, copies: Copies) -> Pile:
        pile = Pile(copies)
        for page in self.fetch(window):
            if page.starts_over:
                pile = Pile(copies)
            # Of records asked for by id the vendor counts one request at a time.
            total = None if window.ids else page.total
            pile.moved |= pile.pages > 0 and total != pile.total
            pile.total = total
            pile.pages += 1
            if page.part is not None:
                known = pile.parts.get(page.part, 0)
                pile.parts[page.part] = known + len(page.records)
            for record in page.records:
                self._add(pile, copies, bytes(record), window, now)
        if self.stream.bounded_by and pile.kept and not (pile.is_bounded or window.ids):
            raise VendorError(
                f"{window}: no record came with {self.stream.bounded_by!r}, so nothing "
                "shows that the vendor filtered by it, and changes may be missed; make "
                "it one of fields in config.toml, where the vendor allows it",
                stops_account=True,
            )
        if self.stream.is_by_own_time and not window.ids:
            _check_question(window, pile)
        return pile

    def _add(
        self, pile: Pile, copies: Copies, record: bytes, window: Window, now: datetime
    ) -> None:
        pile.fetched += 1
        pile.bytes += len(record)
        if pile.distinct > MOST_RECORDS or pile.bytes > MOST_BYTES:
            raise VendorError(
                f"{window} has more than {MOST_RECORDS:,} records or "
                f"{MOST_BYTES >> 20} MiB, more than one window may hold, so its vendor "
                "may be sending pages without end; the window is open"
            )
        try:
            record_id, event_at, keys = read_keys(self.stream, record, now)
            record.decode()
        except UNREADABLE as error:
            one = (pile.fetched, reason_of(error), copies.add(record))
            pile.refused.append(one)
            return
        self._check_bound(pile, window, keys)
        if window.ids and record_id not in window.ids:
            raise VendorError(
                f"{window}: a record came that was not asked for, so the vendor did "
                "not understand the question by id"
            )
        version = self._time(keys, self.stream.version)
        copy = (event_at, version, copies.add(record))
        pile.kept[record_id] = _newer(pile.kept.get(record_id), copy)

    def _time(self, keys: Mapping[str, msgspec.Raw], name: str) -> datetime | None:
        """Read a time that a record can do without; the models list an odd one."""
        try:
            text = _key(keys, name)
            return self.stream.read_time(text) if isinstance(text, str) else None
        except (ValueError, OverflowError, msgspec.ValidationError):
            return None

    def _check_bound(
        self, pile: Pile, window: Window, keys: Mapping[str, msgspec.Raw]
    ) -> None:
        """Refuse a record outside of the window by the time that the window is on."""
        name = self.stream.bounded_by
        pile.is_bounded |= name in keys and bytes(keys[name]) != b"null"
        moment = self._time(keys, name)
        second = timedelta(seconds=1)
        if moment is None or window.start - second <= moment <= window.end + second:
            return
        raise VendorError(
            f"{window}: a record came whose {name!r} is outside of "
            "the window, so the vendor filtered by another date; check the name of "
            "the date-field parameter in config.toml",
            stops_account=True,
        )


def _compare(pile: Pile, stored: Mapping[str, datetime]) -> None:
    """Say which stored records came again and which did not.

    A record that cannot be read may be any of them: then none is missing.
    """
    known = pile.seen or pile.kept
    pile.missing = {} if pile.refused else _without(stored, known)
    pile.known = sum(one in known for one in stored)


def _check_question(window: Window, pile: Pile) -> None:
    """Refuse a list of records most of which lie elsewhere: another answer.

    A vendor may filter by a zone or a field of its own, so some may lie outside.
    """
    times = [at for at, _, _ in pile.kept.values()]
    outside = [at for at in times if _distance(window, at) > timedelta(seconds=1)]
    far = sum(_distance(window, at) > ANY_ZONE for at in outside)
    most = len(times) // 2
    if far > most or (len(outside) >= MISPLACED and len(outside) > most):
        raise VendorError(
            f"{window}: {len(outside)} of {len(times)} records that came lie outside "
            "of the window, so this is the answer to another question, perhaps out of "
            "a cache; the window stays open and is read again in the next run"
        )


def _distance(window: Window, moment: datetime) -> timedelta:
    """Return how far outside of the UTC days of a window a moment lies; 0 inside.

    Some vendors are asked for whole days, whatever part of one is read.
    """
    first = window.start.astimezone(UTC).date()
    last = (window.end - timedelta.resolution).astimezone(UTC).date()
    start = datetime.combine(first, time(), UTC)
    end = datetime.combine(last, time(), UTC) + DAY
    return max(start - moment, moment - end, timedelta())


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


def read_keys(
    stream: Stream, record: bytes, now: datetime
) -> tuple[str, datetime, Mapping[str, msgspec.Raw]]:
    """Return id, event time and all keys of a record, their values as they came.

    Raises one of `UNREADABLE`, whose text quotes no value of the record.
    """
    if b"\\ud" in record.lower():
        msgspec.json.decode(record)  # raises on half a surrogate pair
    keys = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
    identity = _key(keys, stream.record_id)
    if not identity:
        raise ValueError(f"{stream.record_id!r} is missing or empty")
    event_at = now
    if stream.event_at:
        text = _key(keys, stream.event_at)
        if not isinstance(text, str):
            raise ValueError(f"{stream.event_at!r} is missing or no text")
        try:
            event_at = stream.read_time(text)
        except (ValueError, OverflowError):
            raise ValueError(f"{stream.event_at!r} is not a time") from None
    if not EARLIEST <= event_at <= now + AHEAD:
        raise ValueError(f"{stream.event_at!r} is not a time a call had")
    return str(identity), event_at, keys


def reason_of(error: Exception) -> str:
    """Return why a record could not be read."""
    return f"{type(error).__name__}: {error}"[:300]


def _newest(readings: Iterable[Kept]) -> Kept:
    union: Kept = {}
    for kept in readings:
        for record_id, found in kept.items():
            union[record_id] = _newer(union.get(record_id), found)
    return union


def _newer(known: _Copy | None, later: _Copy) -> _Copy:
    """Choose between two copies; one without a version is as new as when it came.

    What a vendor erases may lose its time of change as well.
    """
    if known is None or known[1] is None:
        return later
    if later[1] is None:
        return (later[0], known[1], later[2])
    return later if later[1] >= known[1] else known


def _without(all_of: Mapping[str, _T], those: Mapping[str, object]) -> dict[str, _T]:
    return {one: found for one, found in all_of.items() if one not in those}


def _key(record: Mapping[str, msgspec.Raw], name: str) -> str | int | None:
    """Return one key of a record; absent and null are the same here."""
    if name not in record:
        return None
    try:
        value: str | int | None = msgspec.json.decode(
            record[name], type=str | int | None
        )
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{name!r}: {error}") from None
    return value
