"""From a vendor's pages to the three tables that every load writes together.

The records as they came, byte for byte, beside the keys they are found by; one
ledger row per window; and the records that could not be read, with the reason. They
leave in one dlt load package, so a window is never marked done without its calls.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import dlt
import msgspec
import pyarrow as pa
from dlt.extract import DltResource

from pipelines.http import Client, VendorError
from pipelines.paging import Page
from pipelines.stream import Stream
from pipelines.windows import DAY, Window

Fetch: TypeAlias = Callable[[Window], Iterable[Page]]
Clock: TypeAlias = Callable[[], datetime]

READS = 3
"""A set that moved while it was paged is read again this often, then left open."""
FAILURES = 3
"""So many windows that fail in a row are not the windows' fault."""
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = DAY
"""A call dated further ahead of the clock than this was not dated by a clock."""

KEYS = {
    "records": ["account", "event_at", "record_id", "fetched_at"],
    "quarantine": ["account", "stream", "window_from", "record_no", "fetched_at"],
    "load_windows": ["account", "stream", "window_start", "window_end", "started_at"],
}
"""Time stands before the id, so that a merge touches recent row groups only."""


def _schema(kind: str, **columns: pa.DataType) -> pa.Schema:
    keys = KEYS[kind]
    return pa.schema(
        pa.field(name, type_, nullable=name not in keys)
        for name, type_ in columns.items()
    )


_TEXT, _COUNT = pa.string(), pa.int64()
_TIME: pa.DataType = pa.timestamp("us", tz="UTC")
RECORDS = _schema(
    "records",
    account=_TEXT,
    record_id=_TEXT,
    event_at=_TIME,
    window_from=_TIME,
    fetched_at=_TIME,
    payload=_TEXT,
)
QUARANTINE = _schema(
    "quarantine",
    account=_TEXT,
    stream=_TEXT,
    window_from=_TIME,
    window_to=_TIME,
    record_no=_COUNT,
    reason=_TEXT,
    payload=_TEXT,
    fetched_at=_TIME,
)
LEDGER = _schema(
    "load_windows",
    account=_TEXT,
    stream=_TEXT,
    window_start=_TIME,
    window_end=_TIME,
    purpose=_TEXT,
    state=_TEXT,
    rows_fetched=_COUNT,
    rows_distinct=_COUNT,
    rows_quarantined=_COUNT,
    vendor_total=_COUNT,
    requests=_COUNT,
    retries=_COUNT,
    attempt=_COUNT,
    started_at=_TIME,
    finished_at=_TIME,
    error=_TEXT,
)


@dataclass(frozen=True)
class Read:
    """One window of one account, read to its end or to its error."""

    stream: Stream
    records: pa.Table
    quarantine: pa.Table
    ledger: pa.Table


@dataclass
class _Pile:
    """Records of one window while its pages come in."""

    fetched: int = 0
    total: int | None = None
    moved: bool = False
    """The vendor's total changed between two pages: what came may have holes."""
    kept: dict[str, tuple[datetime, datetime, str]] = field(default_factory=dict)
    """By record id: event time, version, payload."""
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    """Record number, reason, payload."""

    @property
    def distinct(self) -> int:
        return len(self.kept) + len(self.refused)

    @property
    def has_all(self) -> bool:
        agrees = self.total is None or self.total == self.distinct
        return agrees and not self.moved


def utc_now() -> datetime:
    """Return the machine's clock."""
    return datetime.now(UTC)


def landed(
    account: str,
    windows: Iterable[Window],
    client: Client,
    fetches: Mapping[Stream, Fetch],
    clock: Clock = utc_now,
    *,
    keep_going: bool = False,
) -> list[DltResource]:
    """Turn windows into dlt resources: one per raw table, the ledger, the quarantine.

    Streams are read in the order of ``fetches``, each window drained before it is
    handed on, so that no vendor's page token waits for a database. A window that
    fails raises `VendorError`; for a caller that reads the ledger and says
    ``keep_going`` it is written there as failed and the next one is tried, unless
    the error concerns the whole account. An optional stream that is
    not granted is unreachable, and the next stream is read.
    """
    asked = list(windows)

    def reads() -> Iterator[Read]:
        failed = 0
        for stream, fetch in fetches.items():
            reader = _Reader(stream, account, client, fetch, clock)
            for window in asked:
                if window.stream != stream.name:
                    continue
                read, error = reader.read(window)
                if error is not None and not keep_going:
                    raise error
                yield read
                if error is not None and _is_not_granted(stream, error):
                    break
                failed = 0 if error is None else failed + 1
                if error is not None and (error.stops_account or failed == FAILURES):
                    return

    source = dlt.resource(reads, name="reads", selected=False)
    tables = dict.fromkeys(stream.table for stream in fetches)
    return [
        *(_table(source, table, "records", _records_of(table)) for table in tables),
        _table(source, "quarantine", "quarantine", lambda read: read.quarantine),
        _table(source, "load_windows", "load_windows", lambda read: read.ledger),
    ]


def _records_of(table: str) -> Callable[[Read], pa.Table | None]:
    return lambda read: read.records if read.stream.table == table else None


def _table(
    source: DltResource, name: str, kind: str, part: Callable[[Read], pa.Table | None]
) -> DltResource:
    def rows(read: Read) -> Iterator[pa.Table]:
        table = part(read)
        if table is not None:
            yield table

    # The only disposition that a killed and repeated load cannot duplicate; rows
    # come without duplicates, so dlt need not sort whole payloads for them.
    disposition: Any = {
        "disposition": "merge",
        "strategy": "delete-insert",
        "deduplicated": True,
    }
    transformer = dlt.transformer(name=name, data_from=source)(rows)
    transformer.apply_hints(write_disposition=disposition, primary_key=KEYS[kind])
    return transformer


@dataclass(frozen=True)
class _Reader:
    """Reads windows of one stream and account."""

    stream: Stream
    account: str
    client: Client
    fetch: Fetch
    clock: Clock

    def read(self, window: Window) -> tuple[Read, VendorError | None]:
        started = self.clock()
        requests, retries = self.client.requests, self.client.retries
        pile, error, state = _Pile(), None, "complete"
        try:
            pile = self._drain(window, started)
        except VendorError as failure:
            lost = _is_not_granted(self.stream, failure)
            error, state = failure, "unreachable" if lost else "failed"
        if pile.total is not None and pile.distinct < pile.total:
            state = "partial"
            error = VendorError(
                f"{window} has {pile.total} records by the vendor's count, but sent "
                f"{pile.distinct} in {READS} readings; it is read again next time"
            )
        ledger = {
            "account": self.account,
            "stream": self.stream.name,
            "window_start": window.start,
            "window_end": window.end,
            "purpose": window.purpose,
            "state": state,
            "rows_fetched": pile.fetched,
            "rows_distinct": len(pile.kept),
            "rows_quarantined": len(pile.refused),
            "vendor_total": pile.total,
            "requests": self.client.requests - requests,
            "retries": self.client.retries - retries,
            "attempt": window.attempt,
            "started_at": started,
            "finished_at": self.clock(),
            "error": None if error is None else str(error),
        }
        read = Read(
            self.stream,
            self._records(pile, window, started),
            self._quarantine(pile, window, started),
            pa.Table.from_pylist([ledger], schema=LEDGER),
        )
        return read, error

    def _drain(self, window: Window, now: datetime) -> _Pile:
        """Read a window until it agrees with the vendor's total, or with itself."""
        pile, before = _Pile(), None
        for _ in range(READS):
            pile = _Pile()
            for number, page in enumerate(self.fetch(window)):
                # Of records asked for by id the vendor counts one request at a time.
                total = None if window.ids else page.total
                pile.moved |= number > 0 and total != pile.total
                pile.total = total
                for record in page.records:
                    self._add(pile, bytes(record), window, now)
            if pile.has_all or (before == set(pile.kept) and _not_short(pile)):
                break
            before = set(pile.kept)
        return pile

    def _add(self, pile: _Pile, record: bytes, window: Window, now: datetime) -> None:
        pile.fetched += 1
        try:
            record_id, event_at, changed, bound = self._keys(record, now)
            payload = record.decode()
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            reason = f"{type(error).__name__}: {error}"[:300]
            pile.refused.append((pile.fetched, reason, record.decode(errors="replace")))
            return
        self._check_bound(window, bound)
        if window.ids and record_id not in window.ids:
            raise VendorError(
                f"{window}: a record came that was not asked for, so the vendor did "
                "not understand the question by id"
            )
        known = pile.kept.get(record_id)
        if known is None or changed >= known[1]:
            pile.kept[record_id] = (event_at, changed, payload)

    def _keys(
        self, record: bytes, now: datetime
    ) -> tuple[str, datetime, datetime, datetime | None]:
        """Read id, event time, version and filter time; the rest is not parsed."""
        stream = self.stream
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
            except (ValueError, OverflowError) as error:
                raise ValueError(f"{stream.event_at!r}: {error}") from None
        if not EARLIEST <= event_at <= now + AHEAD:
            raise ValueError(f"{stream.event_at!r} is no time a call had")
        changed, bound = (
            self._time(keys, name) for name in (stream.version, stream.bounded_by)
        )
        return str(identity), event_at, changed or EARLIEST, bound

    def _time(self, keys: Mapping[str, msgspec.Raw], name: str) -> datetime | None:
        """Read a time that a record can do without; the models list an odd one."""
        try:
            text = _key(keys, name)
            return self.stream.read_time(text) if isinstance(text, str) else None
        except (ValueError, OverflowError, msgspec.ValidationError):
            return None

    def _check_bound(self, window: Window, moment: datetime | None) -> None:
        second = timedelta(seconds=1)
        if moment is None or window.start - second <= moment <= window.end + second:
            return
        raise VendorError(
            f"{window}: a record came whose {self.stream.bounded_by!r} is outside of "
            "the window, so the vendor filtered by another date; check the name of "
            "the date-field parameter in config.toml",
            stops_account=True,
        )

    def _records(self, pile: _Pile, window: Window, fetched_at: datetime) -> pa.Table:
        rows = [
            {
                "account": self.account,
                "record_id": record_id,
                "event_at": event_at,
                "window_from": window.start,
                "fetched_at": fetched_at,
                "payload": payload,
            }
            for record_id, (event_at, _, payload) in pile.kept.items()
        ]
        return pa.Table.from_pylist(rows, schema=RECORDS)

    def _quarantine(
        self, pile: _Pile, window: Window, fetched_at: datetime
    ) -> pa.Table:
        rows = [
            {
                "account": self.account,
                "stream": self.stream.name,
                "window_from": window.start,
                "window_to": window.end,
                "record_no": number,
                "reason": reason,
                "payload": payload,
                "fetched_at": fetched_at,
            }
            for number, reason, payload in pile.refused
        ]
        return pa.Table.from_pylist(rows, schema=QUARANTINE)


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


def _is_not_granted(stream: Stream, error: VendorError) -> bool:
    return stream.is_optional and error.lacks_scope


def _not_short(pile: _Pile) -> bool:
    return pile.total is None or pile.distinct >= pile.total
