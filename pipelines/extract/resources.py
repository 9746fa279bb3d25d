"""Turn the windows of one account into dlt resources of Arrow tables.

Three kinds of table are written together: the records, byte for byte, with their keys;
the ledger, one row per window; and the quarantine, the records that cannot be read,
with the reason. They go into one dlt load package, so that no window is marked as
loaded without its records.
"""

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import accumulate, chain, islice, takewhile, zip_longest
from time import monotonic
from typing import Any, TypeAlias, TypeVar

import dlt
import pyarrow as pa
from dlt.extract import DltResource, DltSource

from pipelines.extract.client import Client
from pipelines.extract.errors import VendorError
from pipelines.extract.raw_schema import KEYS, LEDGER, QUARANTINE, RECORDS
from pipelines.extract.source import Source
from pipelines.extract.spool import Location, Spool
from pipelines.extract.window_reader import (
    DEFAULTS,
    READS,
    Package,
    Reader,
    ReadOptions,
    RecordVersion,
    Versions,
    WindowRecords,
)
from pipelines.planning.reasons import (
    BEGUN,
    CLOCK,
    COUNTS_MORE,
    EXPIRED,
    MISSING,
    NOT_AUTHORIZED,
    SHORT,
    UNSTEADY,
)
from pipelines.planning.stream import Stream
from pipelines.planning.windows import Window

FAILURES = 3
"""After this many failed windows in a row an account is given up for this run."""

ONLY_BEGUN = (
    "the run ended while the records of this window were being stored; it is read "
    "again in the next run"
)

PIECE_BYTES = 4 * 1024 * 1024
"""Bytes of records in one Arrow table; a larger record is a table by itself."""

GROUP = 16
"""Windows that are handed to dlt together; each keeps a file open until then."""


@dataclass(frozen=True)
class Portion:
    """The part of a window that goes into one load package; usually all of it."""

    table: str
    """The raw table of its records."""
    records: Iterable[pa.Table]
    quarantine: Iterable[pa.Table]
    ledger: pa.Table
    bytes: int
    """Bytes of its records."""


@dataclass(frozen=True)
class Read:
    """One window of one account that was read, completely or up to an error."""

    window: Window
    portions: deque[Portion]
    """The parts that are not stored yet; the last one has the ledger row."""
    error: VendorError | None


Reading: TypeAlias = tuple[str, Sequence[Window], Source, ReadOptions]
"""An account, windows of it, its source, and how it reads them."""
_Row = TypeVar("_Row")


def dlt_source(
    account: str,
    windows: Iterable[Window],
    source: Source,
    options: ReadOptions = DEFAULTS,
) -> DltSource:
    """Return a dlt source that reads windows of one account and yields Arrow tables.

    It has one resource per raw table, one for the ledger and one for the quarantine
    (`pipelines.extract.raw_schema`), and reads no configuration of dlt's.
    """
    reading = (account, list(windows), source, options)
    return package_source(source.client.vendor, [reading])


def package_source(
    vendor: str,
    readings: Sequence[Reading],
    last_rows: Callable[[], list[dict[str, Any]]] = list,
) -> DltSource:
    """Return one dlt source that reads accounts of a vendor, one after another.

    ``last_rows`` returns more ledger rows; it is called when all windows were read and
    their tables were taken.
    """

    def groups() -> Iterator[Sequence[Portion]]:
        for reading in readings:
            yield from _grouped(portions_of(*reading))
        if rows := last_rows():
            yield [Portion("", (), (), pa.Table.from_pylist(rows, schema=LEDGER), 0)]

    sources = [source for *_, source, _ in readings]
    return dlt.source(_resources, name=vendor)(sources, groups)


def resources_of(
    account: str,
    windows: Iterable[Window],
    source: Source,
    options: ReadOptions = DEFAULTS,
) -> list[DltResource]:
    """Return dlt resources: one per raw table, one for the ledger, one for quarantine.

    Endpoints are read in their order, ``source.concurrency`` windows at the same time.
    All pages of a window are read before its records are stored, because a page token
    does not live long enough to wait for a database.

    A window that fails raises `VendorError`. With ``options.keep_going`` it is written
    into the ledger as failed, and the next window is read, unless the error concerns
    the whole account. A window that its vendor no longer serves is unreachable, and
    the next window is read. An optional stream that is not granted is unreachable, and
    the next stream is read. If a package is full, the rest of a window goes into the
    next package.
    """
    asked = list(windows)
    return _resources(
        [source], lambda: _grouped(portions_of(account, asked, source, options))
    )


def _resources(
    sources: Sequence[Source], groups: Callable[[], Iterator[Sequence[Portion]]]
) -> list[DltResource]:
    reads = dlt.resource(groups, name="reads", selected=False)
    tables = dict.fromkeys(
        endpoint.stream.table for source in sources for endpoint in source.endpoints
    )
    return [
        *(_table(reads, table, "records", _records_of(table)) for table in tables),
        _table(reads, "quarantine", "quarantine", lambda part: part.quarantine),
        _table(reads, "load_windows", "load_windows", lambda part: [part.ledger]),
    ]


def portions_of(
    account: str, asked: Sequence[Window], source: Source, options: ReadOptions
) -> Iterator[Portion]:
    """Read windows as `resources_of` says, and yield what is stored of each."""
    package = options.package or Package(most=None)
    begun: list[Read] = package.begun.pop(account, [])
    begun_windows = [read.window for read in begun]
    failed = 0
    for endpoint in source.endpoints:
        stream = endpoint.stream
        reader = Reader(stream, account, endpoint.fetch, options)
        own = (window for window in asked if window.stream == stream.name)
        fresh = (window for window in own if window not in begun_windows)
        taken = takewhile(lambda _: not package.is_full, fresh)
        for read in chain(
            (read for read in begun if read.window.stream == stream.name),
            _in_order(partial(_read, reader, source.client), taken, source.concurrency),
        ):
            error = read.error
            if error is not None and not options.keep_going:
                raise error
            yield from _fitting(read, package)
            if read.portions:
                package.begun.setdefault(account, []).append(read)
                continue
            if error is not None and _is_not_granted(stream, error):
                break
            if error is not None and error.is_expired:
                continue
            failed = 0 if error is None else failed + 1
            if error is not None and (error.stops_account or failed == FAILURES):
                package.gave_up.add(account)
                return


def _grouped(portions: Iterable[Portion]) -> Iterator[list[Portion]]:
    """Yield small portions together: each table that dlt takes costs it time."""
    group: list[Portion] = []
    for portion in portions:
        group.append(portion)
        size = sum(one.bytes for one in group)
        if size >= PIECE_BYTES or len(group) == GROUP:
            yield group
            group = []
    if group:
        yield group


def _fitting(read: Read, package: Package) -> Iterator[Portion]:
    """Yield the portions of a window that the package takes; the rest stay there."""
    while read.portions and not package.is_full:
        portion = read.portions.popleft()
        package.taken_at = package.taken_at or monotonic()
        package.bytes += portion.bytes
        # The ledger's row of a portion and that of the window have the same key: in one
        # package both would be stored.
        package.is_closed = bool(read.portions)
        yield portion


def stored_at_once(tables: Mapping[str, pa.Table], load_no: int) -> list[DltResource]:
    """Return dlt resources that store rows, by table, in one load package.

    A row whose ``load_no`` is NULL gets ``load_no``.
    """
    return [
        _hinted(dlt.resource([_numbered(rows, load_no)], name=name), name)
        for name, rows in tables.items()
        if rows.num_rows
    ]


def ledger_rows(rows: Callable[[], list[dict[str, Any]]]) -> DltResource:
    """Return a dlt resource of ledger rows that are made when all else was read."""

    def tables() -> Iterator[pa.Table]:
        if found := rows():
            yield pa.Table.from_pylist(found, schema=LEDGER)

    return _hinted(dlt.resource(tables, name="load_windows"), "load_windows")


def _numbered(rows: pa.Table, load_no: int) -> pa.Table:
    place = rows.schema.get_field_index("load_no")
    numbers = [load_no if one is None else one for one in rows["load_no"].to_pylist()]
    field = rows.schema.field(place)
    return rows.set_column(place, field, pa.array(numbers, field.type))


def _records_of(table: str) -> Callable[[Portion], Iterable[pa.Table]]:
    return lambda part: part.records if part.table == table else ()


def _table(
    portions: DltResource,
    name: str,
    kind: str,
    rows_of: Callable[[Portion], Iterable[pa.Table]],
) -> DltResource:
    is_first = True

    def rows(group: Sequence[Portion]) -> Iterator[pa.Table]:
        nonlocal is_first
        for table in _joined(chain.from_iterable(map(rows_of, group))):
            if table.num_rows or is_first:  # one without rows makes the table
                is_first = False
                yield table

    return _hinted(dlt.transformer(name=name, data_from=portions)(rows), kind)


def _hinted(resource: DltResource, kind: str) -> DltResource:
    # The only disposition that a killed and repeated load cannot duplicate; rows
    # come without duplicates, so dlt need not sort whole payloads for them.
    disposition: Any = {
        "disposition": "merge",
        "strategy": "delete-insert",
        "deduplicated": True,
    }
    keys = KEYS.get(kind, KEYS["records"])
    resource.apply_hints(write_disposition=disposition, primary_key=keys)
    return resource


def _in_order(
    read: Callable[[Window], Read], windows: Iterable[Window], at_once: int
) -> Iterator[Read]:
    """Read up to ``at_once`` windows at the same time, and yield them in order."""
    if at_once == 1:
        yield from map(read, windows)
        return
    with ThreadPoolExecutor(at_once) as pool:
        reading: deque[Future[Read]] = deque()
        try:
            for window in windows:
                reading.append(pool.submit(read, window))
                if len(reading) == at_once:
                    yield reading.popleft().result()
            while reading:
                yield reading.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read(reader: Reader, client: Client, asked: Window) -> Read:
    """Read one window, and return its tables with the ledger row of the result."""
    started, window = reader.options.clock(), asked
    requests, retries = client.sent, client.retries
    records, error, state, reason = WindowRecords(), None, "complete", None
    try:
        records = reader.read(window, started)
        state, reason = _state_of(records, reader)
        window = _reached(window, reader, started)
    except VendorError as failure:
        no_scope = _is_not_granted(reader.stream, failure)
        error, reason = failure, NOT_AUTHORIZED if no_scope else failure.reason
        state = "unreachable" if reason in {EXPIRED, NOT_AUTHORIZED} else "failed"
    if reason == SHORT:
        error = VendorError(
            f"{window} has {records.total} records by the vendor's count, but "
            f"{records.distinct} came in {READS} reads; the next run reads it again"
        )
    whole, parts = _ledger_rows(reader, records, window, started)
    whole |= {
        "state": state,
        "reason": reason,
        "requests": client.sent - requests,
        "retries": client.retries - retries,
        "error": None if error is None else str(error),
    }
    parts = [{**part, "state": state, "reason": reason} for part in parts]
    portions = _portions(reader, records, window, started, [whole, *parts])
    return Read(asked, portions, error)


def _ledger_rows(
    reader: Reader, records: WindowRecords, window: Window, started: datetime
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the ledger row of a window and those of its parts, without the state."""
    about = {
        "account": reader.account,
        "stream": reader.stream.name,
        "purpose": window.purpose,
        "attempt": window.attempt,
        "load_no": reader.options.load_no,
        "started_at": started,
        "finished_at": reader.options.clock(),
    }
    whole = {
        **about,
        "window_start": window.start,
        "window_end": window.end,
        "rows_fetched": records.fetched,
        "rows_distinct": len(records.last_read),
        "rows_inside": _inside(reader.stream, window, records),
        "rows_quarantined": len(records.unreadable),
        "rows_vanished": len(records.missing),
        "rows_known": records.known,
        "rows_received": len(_newest_of(records)) + len(records.unreadable),
        "vendor_total": records.total,
    }
    # Requests are counted with the whole window. Parts overlap by a second, so a part
    # has no number of distinct records.
    parts = [
        {
            **about,
            "window_start": start,
            "window_end": end,
            "rows_fetched": fetched,
            "split_of": f"{window.start:%Y-%m-%dT%H:%MZ}/{window.end:%Y-%m-%dT%H:%MZ}",
        }
        for (start, end), fetched in sorted(records.parts.items())
    ]
    return whole, parts


def _portions(
    reader: Reader,
    records: WindowRecords,
    window: Window,
    started: datetime,
    ledger: Sequence[dict[str, Any]],
) -> deque[Portion]:
    """Return what goes into each load package; the last one has the ledger's rows."""
    about = {
        "account": reader.account,
        "window_from": window.start,
        "fetched_at": started,
        "load_no": reader.options.load_no,
    }
    newest = _newest_of(records)
    kept_rows, unread_rows = iter(newest.items()), iter(records.unreadable)
    kept_table = partial(_record_table, records, about)
    about_unread = {**about, "stream": reader.stream.name, "window_to": window.end}
    unread_table = partial(_unreadable_table, records, about_unread)
    package = reader.options.package
    most = package.most if package else None
    cuts = list(
        zip_longest(
            _cut([location for *_, location in newest.values()], most),
            _cut([location for *_, location in records.unreadable], most),
            fillvalue=(0, 0),
        )
    )
    begun = {**ledger[0], "state": "partial", "reason": BEGUN, "error": ONLY_BEGUN}
    return deque(
        Portion(
            reader.stream.table,
            _pieces(islice(kept_rows, kept), _record_place, kept_table),
            _pieces(islice(unread_rows, unread), _unreadable_place, unread_table),
            pa.Table.from_pylist(
                [begun] if number < len(cuts) else [*ledger], schema=LEDGER
            ),
            kept_bytes + unread_bytes,
        )
        for number, ((kept, kept_bytes), (unread, unread_bytes)) in enumerate(cuts, 1)
    )


def _cut(records: Iterable[Location], most: int | None) -> list[tuple[int, int]]:
    """Return the number and the bytes of the records that go into each package."""
    cuts, count, size = [], 0, 0
    for location in records:
        if most is not None and count and size + location.length > most:
            cuts.append((count, size))
            count = size = 0
        count, size = count + 1, size + location.length
    return [*cuts, (count, size)]


def _reached(window: Window, reader: Reader, started: datetime) -> Window:
    """Return the part of a window that is over by the vendor's own clock.

    Raises `VendorError` if none of it is.
    """
    run = reader.options.run
    if run is None or window.ids:
        return window
    theirs = started - run.behind
    until = theirs.replace(second=0, microsecond=0)
    if until <= window.start:
        raise VendorError(
            f"{window} has not begun by the vendor's clock, which says "
            f"{theirs:%Y-%m-%d %H:%M:%S}Z while the run's says "
            f"{started:%Y-%m-%d %H:%M:%S}Z; it is read again in the next run",
            reason=CLOCK,
        )
    return replace(window, end=min(window.end, until))


def _state_of(records: WindowRecords, reader: Reader) -> tuple[str, str | None]:
    """Return the state of a window that was read to its end, and the reason for it."""
    if reader.options.counts_only:
        return "counted", None
    if records.is_short:
        return "partial", SHORT
    if records.counts_more:
        return "complete", COUNTS_MORE
    if not records.reads_agree:
        return "complete", UNSTEADY
    if records.missing:  # until the whole run says what became of the records
        return "partial", MISSING
    return "complete", None


def _newest_of(records: WindowRecords) -> Versions:
    """Return what is stored of a window that was read."""
    return records.all_reads or records.last_read


def _record_place(row: tuple[str, RecordVersion]) -> Location:
    _, (*_, location) = row
    return location


def _unreadable_place(row: tuple[int, str, Location]) -> Location:
    *_, location = row
    return location


def _record_table(
    records: WindowRecords,
    about: Mapping[str, Any],
    rows: Sequence[tuple[str, RecordVersion]],
) -> pa.Table:
    """Return records as rows of their raw table."""
    spool = records.spool  # None: no record was read
    columns: dict[str, Any] = {
        "record_id": [record_id for record_id, _ in rows],
        "event_at": [event_at for _, (event_at, _, _) in rows],
        "payload": _texts(spool, [location for _, (*_, location) in rows]),
    }
    return _table_of(RECORDS, len(rows), about, columns)


def _texts(spool: Spool | None, locations: Sequence[Location]) -> "pa.Array[Any]":
    """Return records, all of them UTF-8, as an array of text.

    Its buffer has their bytes as they came: no text is made of each.
    """
    ends = accumulate((one.length for one in locations), initial=0)
    texts = b"" if spool is None else spool.bytes_of(locations)
    buffers = [None, pa.py_buffer(array("i", ends)), pa.py_buffer(texts)]
    return pa.Array.from_buffers(pa.string(), len(locations), buffers)


def _unreadable_table(
    records: WindowRecords,
    about: Mapping[str, Any],
    rows: Sequence[tuple[int, str, Location]],
) -> pa.Table:
    """Return records that cannot be read as rows of the quarantine."""
    spool = records.spool  # None: no record was read
    columns: dict[str, Any] = {
        "record_no": [number for number, _, _ in rows],
        "reason": [reason for _, reason, _ in rows],
        "payload": [spool.text(one) for *_, one in rows] if spool else [],
    }
    return _table_of(QUARANTINE, len(rows), about, columns)


def _table_of(
    schema: pa.Schema,
    rows: int,
    about: Mapping[str, Any],
    columns: Mapping[str, Any],
) -> pa.Table:
    """Return a table of ``columns``; each row has the values ``about`` as well."""
    return pa.table(
        [
            pa.array(columns[field.name], field.type)
            if field.name in columns
            else pa.repeat(pa.scalar(about[field.name], field.type), rows)
            for field in schema
        ],
        schema=schema,
    )


def _pieces(
    rows: Iterable[_Row],
    location_of: Callable[[_Row], Location],
    table_of: Callable[[Sequence[_Row]], pa.Table],
) -> Iterator[pa.Table]:
    """Yield tables of about `PIECE_BYTES` of records each, at least one table.

    This bounds the memory of dlt, of the parquet writer and of DuckDB.
    """
    piece: list[_Row] = []
    size, is_first = 0, True
    for row in rows:
        piece.append(row)
        size += location_of(row).length
        if size >= PIECE_BYTES:
            yield table_of(piece)
            piece, size, is_first = [], 0, False
    if piece or is_first:
        yield table_of(piece)


def _joined(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield tables of up to `PIECE_BYTES`, made of smaller ones in their order."""
    joined: list[pa.Table] = []
    for table in tables:
        if joined and sum(one.nbytes for one in [*joined, table]) > PIECE_BYTES:
            yield pa.concat_tables(joined)
            joined = []
        joined.append(table)
    if joined:
        yield pa.concat_tables(joined)


def _inside(stream: Stream, window: Window, records: WindowRecords) -> int | None:
    """Count the records whose event time lies in the window; None: it has none."""
    if not stream.is_by_own_time or window.ids:
        return None
    return sum(
        window.start <= at < window.end for at, _, _ in records.last_read.values()
    )


def _is_not_granted(stream: Stream, error: VendorError) -> bool:
    return stream.is_optional and error.lacks_scope
